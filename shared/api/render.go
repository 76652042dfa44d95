package api

import (
	"bytes"
	"net/http"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// render asks the dialect for a fault's body and makes it bytes. A dialect that fails at it gets the plain form.
func render(d *Dialect, f *fault.Fault, requestID string) (out Rendered) {
	defer func() {
		if recover() != nil {
			out = bytesOf(plain(f, requestID))
		}
	}()
	if d.Render == nil {
		return bytesOf(plain(f, requestID))
	}
	return bytesOf(d.Render(f, requestID))
}

// plain is the form of faults that belong to no dialect.
func plain(f *fault.Fault, requestID string) Rendered {
	return Rendered{Status: StatusOf(f), Body: struct {
		Code      fault.Code `json:"code"`
		Reason    string     `json:"reason,omitempty"`
		Field     string     `json:"field,omitempty"`
		Message   string     `json:"message"`
		RequestID string     `json:"requestId"`
	}{f.Code, f.Reason, f.Field, f.Message, requestID}}
}

// bytesOf makes the body bytes, or leaves it nil. It panics on a body that has no JSON form.
func bytesOf(r Rendered) Rendered {
	if r.Status < http.StatusBadRequest || r.Status > 599 {
		r.Status = http.StatusInternalServerError
	}
	if r.ContentType == "" {
		r.ContentType = "application/json"
	}
	switch b := r.Body.(type) {
	case nil:
	case []byte:
	case string:
		r.Body = []byte(b)
	default:
		var buf bytes.Buffer
		if err := encodeJSON(&buf, b); err != nil {
			panic(err)
		}
		r.Body = buf.Bytes()
	}
	return r
}
