package pulumi

import (
	"bytes"
	"encoding/json"
	"errors"
)

// What marks a secret in a deployment; see the client's sdk/go/common/resource/sig.
const (
	signatureKey    = "4dabf18193072939515e22adb298388d"
	secretSignature = "1b47061264138c4ac30d75fd1eb44270"
)

// secret is one that stands in a JSON text: sealed, or written in the clear by an export with --show-secrets.
type secret struct {
	text  string // ciphertext, or JSON of the value
	clear bool
}

// member is an object's member and where it stands: from its name's quote to the end of its value.
type member struct {
	name     string
	from     int // of the name
	value    int // of the value
	to       int
	isString bool
}

// rewriter goes through a JSON text and replaces its secrets; everything else stays byte for byte.
type rewriter struct {
	text  []byte
	at    int
	done  int // how much of text is in out
	out   bytes.Buffer
	shape func(*rewriter, []member) error
}

// rewriteDeployment returns a deployment with every secret as seal returns it: sealed.
func rewriteDeployment(text []byte, seal func(secret) (string, error)) ([]byte, error) {
	return rewrite(text, func(r *rewriter, all []member) error {
		marked := false
		var value member
		for _, m := range all {
			switch {
			case m.name == signatureKey && m.isString:
				marked = r.string(m) == secretSignature
			case m.name == "ciphertext" || m.name == "plaintext":
				value = m
			}
		}
		if !marked || !value.isString {
			return nil
		}
		sealed, err := seal(secret{text: r.string(value), clear: value.name == "plaintext"})
		if err != nil {
			return err
		}
		return r.replace(value, "ciphertext", sealed)
	})
}

// rewriteConfig returns configuration with every {"secure": ciphertext} as seal returns it.
func rewriteConfig(text []byte, seal func(secret) (string, error)) ([]byte, error) {
	return rewrite(text, func(r *rewriter, all []member) error {
		if len(all) != 1 || all[0].name != "secure" || !all[0].isString {
			return nil
		}
		sealed, err := seal(secret{text: r.string(all[0])})
		if err != nil {
			return err
		}
		return r.replace(all[0], "secure", sealed)
	})
}

func rewrite(text []byte, shape func(*rewriter, []member) error) ([]byte, error) {
	if !json.Valid(text) { // which bounds the depth, too
		return nil, errors.New("it is not JSON")
	}
	r := &rewriter{text: text, shape: shape}
	if err := r.value(); err != nil {
		return nil, err
	}
	r.out.Write(text[r.done:])
	return r.out.Bytes(), nil
}

// replace puts another value in a member's place. Members are replaced from front to back, so that none lies within another.
func (r *rewriter) replace(m member, name, value string) error {
	if m.from < r.done {
		return errors.New("a secret holds another one")
	}
	r.out.Write(r.text[r.done:m.from])
	r.out.Write(quoted(name))
	r.out.WriteByte(':')
	r.out.Write(quoted(value))
	r.done = m.to
	return nil
}

func quoted(s string) []byte {
	raw, _ := json.Marshal(s) // a text always encodes
	return raw
}

func (r *rewriter) string(m member) string { return textOf(r.text[m.value:m.to]) }

// textOf is what a JSON string says.
func textOf(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s) // it is valid
	return s
}

// next passes over white space and returns what follows.
func (r *rewriter) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
}

func (r *rewriter) value() error {
	switch r.next() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		r.pass()
		return nil
	}
	for r.at < len(r.text) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(r.text[r.at])) {
		r.at++
	}
	return nil
}

// pass goes behind a string.
func (r *rewriter) pass() {
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	r.at++
}

func (r *rewriter) array() error {
	r.at++
	for r.next() != ']' {
		if err := r.value(); err != nil {
			return err
		}
		if r.next() == ',' {
			r.at++
		}
	}
	r.at++
	return nil
}

func (r *rewriter) object() error {
	r.at++
	var all []member
	for r.next() != '}' {
		m := member{from: r.at}
		r.pass()
		m.name = textOf(r.text[m.from:r.at])
		r.next()
		r.at++ // the colon
		m.isString = r.next() == '"'
		m.value = r.at
		if err := r.value(); err != nil {
			return err
		}
		m.to = r.at
		all = append(all, m)
		if r.next() == ',' {
			r.at++
		}
	}
	r.at++
	return r.shape(r, all)
}

// topLevel finds a member of an object that is valid JSON; ok is false when it has none of the name.
func topLevel(object []byte, name string) (m member, ok bool) {
	r := &rewriter{text: object, shape: func(r *rewriter, all []member) error {
		if r.at != len(bytes.TrimRight(r.text, " \t\r\n")) {
			return nil // an inner object
		}
		for _, each := range all {
			if each.name == name {
				m, ok = each, true
			}
		}
		return nil
	}}
	_ = r.value() // shape fails never
	return m, ok
}
