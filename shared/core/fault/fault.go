// Package fault is the one error type that the core speaks and the dialects render.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code is the class of a failure. Each dialect maps every code to a status and a body of its own.
type Code string

// The codes.
const (
	Invalid         Code = "invalid"         // the request is wrong; Field says where
	Unauthenticated Code = "unauthenticated" // no credential, or one that is not good
	Forbidden       Code = "forbidden"       // a good credential that may not do this
	NotFound        Code = "not_found"       // absent, or not the caller's to see
	Conflict        Code = "conflict"        // the state forbids it; Holder says who holds what since when
	Stale           Code = "stale"           // a precondition (version, lease, etag) no longer holds
	Gone            Code = "gone"            // was here and will not come back
	TooLarge        Code = "too_large"       // over a size limit
	TooMany         Code = "too_many"        // over a rate or count limit
	Unavailable     Code = "unavailable"     // try again later
	Internal        Code = "internal"        // ours; the client sees one fixed sentence and a request id
)

// Holder says who stands in the way of a request.
type Holder struct {
	What  string    // "update 12", "import", …
	Who   string    // login or name
	Since time.Time // when it was taken
	Until time.Time // when it ends by itself if nothing renews it; zero if never
}

// Fault is a failure that a client may see. Message is a whole sentence for the person who reads it and holds no secret.
type Fault struct {
	Code       Code
	Reason     string // optional machine-readable detail within the code, e.g. "stack-has-resources"
	Field      string // optional: the path of the offending input, as the client wrote it ("body.stackName", "query.page")
	Message    string
	Holder     *Holder
	Details    []Detail      // more than one offending field
	RetryAfter time.Duration // optional: how long to wait before trying again
	Cause      error         // for the log, never for the client
}

// Detail is one of several offending fields.
type Detail struct{ Field, Message string }

func (f *Fault) Error() string {
	if f.Cause != nil {
		return fmt.Sprintf("%s: %s (%v)", f.Code, f.Message, f.Cause)
	}
	return fmt.Sprintf("%s: %s", f.Code, f.Message)
}

func (f *Fault) Unwrap() error { return f.Cause }

// New makes a fault of any code.
func New(code Code, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrong says that one field of the request is wrong.
func Wrong(field, format string, args ...any) *Fault {
	return &Fault{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing says that a thing is absent or not the caller's to see; both read the same.
func Missing(format string, args ...any) *Fault { return New(NotFound, format, args...) }

// Held says that somebody holds what the request needs.
func Held(h Holder, format string, args ...any) *Fault {
	return &Fault{Code: Conflict, Holder: &h, Message: fmt.Sprintf(format, args...)}
}

// WithReason adds the machine-readable reason.
func (f *Fault) WithReason(reason string) *Fault { f.Reason = reason; return f }

// Because adds the cause for the log.
func (f *Fault) Because(err error) *Fault { f.Cause = err; return f }

// As returns the fault in err's chain, or nil.
func As(err error) *Fault {
	var f *Fault
	errors.As(err, &f)
	return f
}

// Is reports whether err is a fault of this code.
func Is(err error, code Code) bool {
	f := As(err)
	return f != nil && f.Code == code
}
