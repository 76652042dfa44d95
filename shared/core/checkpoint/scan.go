package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// storedDepth bounds the nesting of documents that are already ours. It stays below the 10,000 of encoding/json, which
// clients decode with, so that a part of one document can be wrapped into another.
const storedDepth = 9_000

// scanner walks raw JSON without building anything. It checks the grammar as it goes and never recurses on nesting, so a
// document nested ten thousand deep costs ten thousand bytes and not ten thousand stack frames.
type scanner struct {
	data  []byte
	limit int    // deepest nesting accepted
	level int    // nesting around the value that is being walked
	stack []byte // closing brackets that are still to come
}

// syntaxError says where the text stops being JSON.
type syntaxError struct {
	offset int
	what   string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.offset) }

// depthError says that the text nests deeper than is accepted.
type depthError struct{ limit int }

func (e *depthError) Error() string {
	return fmt.Sprintf("values are nested more than %d deep", e.limit)
}

func (s *scanner) bad(i int, what string) error {
	if i >= len(s.data) {
		return &syntaxError{len(s.data), "the text ends early"}
	}
	return &syntaxError{i, what}
}

// space returns the index of the first byte at or after i that is not white space.
func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// peek returns the first byte of the value at or after i, and its index. It is zero at the end of the text.
func (s *scanner) peek(i int) (byte, int) {
	if i = s.space(i); i < len(s.data) {
		return s.data[i], i
	}
	return 0, i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text walks the string whose opening quote is at i and returns the index after its closing quote.
func (s *scanner) text(i int) (int, error) {
	data := s.data
	if i >= len(data) || data[i] != '"' {
		return i, s.bad(i, "a text was expected")
	}
	i++
	for {
		// Eight bytes at a time, as long as none of them is a quote, a backslash or a control character.
		for i+8 <= len(data) {
			x := binary.LittleEndian.Uint64(data[i:])
			quote := x ^ ('"' * ones)
			slash := x ^ ('\\' * ones)
			found := ((quote - ones) & ^quote) | ((slash - ones) & ^slash) | ((x - 0x20*ones) & ^x)
			if found &= highs; found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		if i >= len(data) {
			return i, s.bad(i, "")
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			next, err := s.escape(i)
			if err != nil {
				return next, err
			}
			i = next
		case c < 0x20:
			return i, s.bad(i, "a text contains a control character")
		default:
			i++
		}
	}
}

func (s *scanner) escape(i int) (int, error) {
	if i+1 >= len(s.data) {
		return i, s.bad(i+1, "")
	}
	switch s.data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(s.data) || !isHex(s.data[j]) {
				return j, s.bad(j, "a \\u escape needs four hexadecimal digits")
			}
		}
		return i + 6, nil
	}
	return i, s.bad(i, "a text contains an unknown escape")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (s *scanner) number(i int) (int, error) {
	if i < len(s.data) && s.data[i] == '-' {
		i++
	}
	from := i
	i = s.digits(i)
	if i == from || s.data[from] == '0' && i > from+1 {
		return i, s.bad(from, "a number is malformed")
	}
	if i < len(s.data) && s.data[i] == '.' {
		from = i + 1
		if i = s.digits(from); i == from {
			return i, s.bad(i, "a number is malformed")
		}
	}
	if i < len(s.data) && (s.data[i] == 'e' || s.data[i] == 'E') {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		from = i
		if i = s.digits(from); i == from {
			return i, s.bad(i, "a number is malformed")
		}
	}
	return i, nil
}

func (s *scanner) digits(i int) int {
	for i < len(s.data) && s.data[i] >= '0' && s.data[i] <= '9' {
		i++
	}
	return i
}

func (s *scanner) word(i int, word string) (int, error) {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return i, s.bad(i, "a value was expected")
	}
	return i + len(word), nil
}

// key walks a member's name and the colon after it.
func (s *scanner) key(i int) (int, error) {
	i, err := s.text(s.space(i))
	if err != nil {
		return i, err
	}
	if i = s.space(i); i >= len(s.data) || s.data[i] != ':' {
		return i, s.bad(i, "a colon was expected")
	}
	return i + 1, nil
}

// value walks the value at or after i, whatever it is, and returns the index after it.
func (s *scanner) value(i int) (int, error) {
	stack := s.stack[:0]
	defer func() { s.stack = stack }()
	var err error
values:
	for {
		if i = s.space(i); i >= len(s.data) {
			return i, s.bad(i, "")
		}
		switch c := s.data[i]; c {
		case '"':
			i, err = s.text(i)
		case '{', '[':
			if s.level+len(stack) >= s.limit {
				return i, &depthError{s.limit}
			}
			closing := c + 2 // in ASCII both closing brackets follow their opening one by two
			i = s.space(i + 1)
			if i < len(s.data) && s.data[i] == closing {
				i++
				break
			}
			stack = append(stack, closing)
			if c == '[' {
				continue values
			}
			if i, err = s.key(i); err != nil {
				return i, err
			}
			continue values
		case 't':
			i, err = s.word(i, "true")
		case 'f':
			i, err = s.word(i, "false")
		case 'n':
			i, err = s.word(i, "null")
		default:
			if c != '-' && (c < '0' || c > '9') {
				return i, s.bad(i, "a value was expected")
			}
			i, err = s.number(i)
		}
		if err != nil {
			return i, err
		}
		for {
			if len(stack) == 0 {
				return i, nil
			}
			if i = s.space(i); i >= len(s.data) {
				return i, s.bad(i, "")
			}
			closing := stack[len(stack)-1]
			if s.data[i] == closing {
				stack = stack[:len(stack)-1]
				i++
				continue
			}
			if s.data[i] != ',' {
				return i, s.bad(i, "a comma or a closing bracket was expected")
			}
			i++
			if closing == '}' {
				if i, err = s.key(i); err != nil {
					return i, err
				}
			}
			continue values
		}
	}
}

// object calls visit for every member of the object at or after i, in order. visit gets the member's name and the index of
// its value and returns the index after it.
func (s *scanner) object(i int, visit func(name []byte, at int) (int, error)) (int, error) {
	return s.container(i, '{', visit)
}

// array calls visit for every element of the array at or after i, in order.
func (s *scanner) array(i int, visit func(at int) (int, error)) (int, error) {
	return s.container(i, '[', func(_ []byte, at int) (int, error) { return visit(at) })
}

func (s *scanner) container(i int, open byte, visit func(name []byte, at int) (int, error)) (int, error) {
	c, i := s.peek(i)
	if c != open {
		if open == '{' {
			return i, s.bad(i, "an object was expected")
		}
		return i, s.bad(i, "an array was expected")
	}
	if s.level >= s.limit {
		return i, &depthError{s.limit}
	}
	s.level++
	defer func() { s.level-- }()
	closing := open + 2
	if c, i = s.peek(i + 1); c == closing {
		return i + 1, nil
	}
	for {
		var name []byte
		if open == '{' {
			from := s.space(i)
			end, err := s.key(from)
			if err != nil {
				return end, err
			}
			name, i = memberName(s.data[from:end]), end
		}
		end, err := visit(name, s.space(i))
		if err != nil {
			return end, err
		}
		c, i = s.peek(end)
		switch c {
		case closing:
			return i + 1, nil
		case ',':
			i++
		default:
			return i, s.bad(i, "a comma or a closing bracket was expected")
		}
	}
}

// end checks that nothing but white space follows i.
func (s *scanner) end(i int) error {
	if i = s.space(i); i < len(s.data) {
		return &syntaxError{i, "text follows the value"}
	}
	return nil
}
