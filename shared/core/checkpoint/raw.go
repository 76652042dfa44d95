package checkpoint

import (
	"bytes"
	"encoding/json"
)

// memberName returns the name in the walked bytes `"name" :`, without an allocation unless it has escapes.
func memberName(key []byte) []byte {
	end := bytes.LastIndexByte(key, '"')
	if bytes.IndexByte(key[:end], '\\') < 0 {
		return key[1:end]
	}
	return []byte(textOf(key[:end+1]))
}

// textOf decodes a raw JSON text. Whatever is no text reads as empty.
func textOf(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// quote encodes a text as the client does.
func quote(text string) []byte {
	raw, _ := json.Marshal(text) // a text always encodes
	return raw
}

// isTrue, isNull and isEmpty read a raw value that has already been walked.
func isTrue(raw []byte) bool { return string(raw) == "true" }

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// isEmpty reports whether a raw value is absent, null, "", [] or {}.
func isEmpty(raw []byte) bool {
	if isNull(raw) {
		return true
	}
	switch raw[0] {
	case '"':
		return len(raw) == 2
	case '[', '{':
		return len(bytes.TrimLeft(raw[1:], " \n\t\r")) == 1
	}
	return false
}

// member is one member of a raw object. Both slices point into the object's bytes.
type member struct {
	name  []byte
	value []byte
}

// members lists the members of a raw object, in order; nil when it is none.
func members(raw []byte) []member {
	var list []member
	s := scanner{data: raw, limit: storedDepth}
	_, err := s.object(0, func(name []byte, at int) (int, error) {
		end, err := s.value(at)
		if err == nil {
			list = append(list, member{name, raw[at:end]})
		}
		return end, err
	})
	if err != nil {
		return nil
	}
	return list
}

// memberOf returns the raw value of one member, the last if there are several; nil if there is none.
func memberOf(raw []byte, name string) []byte {
	var value []byte
	s := scanner{data: raw, limit: storedDepth}
	_, err := s.object(0, func(found []byte, at int) (int, error) {
		end, err := s.value(at)
		if err == nil && string(found) == name {
			value = raw[at:end]
		}
		return end, err
	})
	if err != nil {
		return nil
	}
	return value
}

// elements lists the elements of a raw array, in order; nil when it is none.
func elements(raw []byte) [][]byte {
	var list [][]byte
	s := scanner{data: raw, limit: storedDepth}
	_, err := s.array(0, func(at int) (int, error) {
		end, err := s.value(at)
		if err == nil {
			list = append(list, raw[at:end])
		}
		return end, err
	})
	if err != nil {
		return nil
	}
	return list
}

// joinArray and joinObject write raw parts as one raw value.
func joinArray(list [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(list, []byte{','})...), ']')
}

func joinObject(list []member) []byte {
	raw := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(append(raw, quote(string(m.name))...), ':')
		raw = append(raw, m.value...)
	}
	return append(raw, '}')
}

// oneLine returns raw without line breaks. A text cannot hold one unescaped, so only white space is lost.
func oneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	return compact(raw)
}

// compact returns a value that has been walked without white space between its tokens.
func compact(raw []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return []byte("null") // it has been walked, within the limits of encoding/json
	}
	return out.Bytes()
}
