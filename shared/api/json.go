package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// MaxDepth is how deeply arrays and objects of a request body may be nested.
const MaxDepth = 512

// DecodeJSON decodes a request body that a handler takes raw, as strictly as the front decodes the others: one value, valid
// UTF-8, at most MaxDepth deep, not null; unknown properties are accepted. The error is a fault.Invalid.
func DecodeJSON(data []byte, into any) error {
	if err := plausibleJSON(data); err != nil {
		return err
	}
	return unmarshal(data, into)
}

// plausibleJSON checks what encoding/json does not, before it gets to work.
func plausibleJSON(data []byte) error {
	if t := bytes.TrimSpace(data); len(t) == 0 || string(t) == "null" {
		return bodyRequired()
	}
	if !utf8.Valid(data) {
		return fault.Wrong("body", "body: not valid UTF-8")
	}
	if deeper(data, MaxDepth) {
		return fault.Wrong("body", "body: nested more than %d levels deep", MaxDepth)
	}
	return nil
}

// deeper reports whether arrays and objects are nested more than limit levels deep. It does not care whether data is JSON.
func deeper(data []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > limit {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// jsonFault says what is wrong in words that do not depend on our types.
func jsonFault(err error) *fault.Fault {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		place := "body"
		if kind.Field == "" && strings.HasPrefix(kind.Value, "number ") {
			return fault.Wrong(place, "%s: the number at byte %d is out of range", place, kind.Offset).Because(err)
		}
		if kind.Field != "" {
			place += "." + kind.Field
		}
		return fault.Wrong(place, "%s: expected %s", place, jsonName(kind.Type)).Because(err)
	case errors.As(err, &syntax):
		return fault.Wrong("body", "body: not valid JSON at byte %d: %s", syntax.Offset, syntax.Error()).Because(err)
	}
	return fault.Wrong("body", "body: %s", strings.TrimPrefix(err.Error(), "json: ")).Because(err)
}

// jsonName is what JSON calls a value of type t.
func jsonName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return "integer of " + strings.TrimLeft(t.Kind().String(), "uint") + " bits"
	}
	return "integer"
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func release(b *bytes.Buffer) {
	if b.Cap() <= pooledBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// encodeJSON writes v to w whole, or nothing and the error when v has no JSON form. What the client fails to take is no error.
func encodeJSON(w io.Writer, v any) error {
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

// sentence is the client's part of a fault, as a plain error.
func sentence(err error) error { return errors.New(fault.As(err).Message) }

func unmarshal(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return jsonFault(err)
	}
	return nil
}
