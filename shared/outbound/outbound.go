// Package outbound is the port to everything that Polyplane calls of its own accord at addresses that users choose: receivers of hooks
// above all. Whoever can name an address could otherwise reach what only this machine reaches, so every call goes through one place
// that knows which addresses are the public's (see Forbidden) and that looks at the address itself at the moment of dialling.
//
// This package holds plain types and the policy. Calls over HTTP are made by outbound/web, and nowhere else.
package outbound

import (
	"context"
	"errors"
	"time"
)

// Limits of one call.
const (
	MaxURL         = 2048             // bytes of a URL
	MaxBodyKept    = 64 << 10         // bytes of the answer's body that are kept; the rest is not read
	MaxHeadersKept = 16 << 10         // bytes of the answer's header that are kept, as lines
	MaxTime        = 10 * time.Second // of a whole call, resolving included
)

// Header is one line of a header. Names are written the canonical way ("Content-Type").
type Header struct{ Name, Value string }

// Request is one call. It is a POST.
type Request struct {
	URL     string
	Headers []Header
	Body    []byte
}

// Answer is what came back, whatever its status. Duration is at least a millisecond for a call that was made, and is set for a call that
// failed, too.
type Answer struct {
	Status    int
	Headers   []Header // sorted by name
	Body      []byte   // its first MaxBodyKept bytes
	Truncated bool     // there was more
	Duration  time.Duration
}

// Caller makes calls. It follows no redirect, takes no proxy from the environment, and sends nothing but what it is given.
type Caller interface {
	// Check refuses, with a *Failure of the reason Refused, a URL that would never be called. It resolves nothing, so a URL that passes
	// may still be refused when it is called.
	Check(url string) error

	// Host is the receiver that a URL leads to, as "host:port": calls to one receiver have it in common. It is "" for a bad URL.
	Host(url string) string

	// Call makes the call. Any complete answer is no error; else the error is a *Failure.
	Call(ctx context.Context, r Request) (Answer, error)
}

// Reason says why a call came to nothing.
type Reason string

// The reasons.
const (
	Refused     Reason = "refused"     // the URL, or an address behind it, is not one that may be called
	Unresolved  Reason = "unresolved"  // the name has no address
	Unreachable Reason = "unreachable" // no connection
	Untrusted   Reason = "untrusted"   // the certificate is not good for the name
	TimedOut    Reason = "timed-out"
	Broken      Reason = "broken" // the connection ended, or what came back is not HTTP
)

// Failure is a call that came to nothing. Message is a sentence for people that names neither the URL, which may hold a secret, nor the
// addresses behind it, which the caller may not be allowed to learn.
type Failure struct {
	Reason  Reason
	Message string
}

func (f *Failure) Error() string { return "outbound: " + f.Message }

// AsFailure returns the *Failure in err's chain, or nil.
func AsFailure(err error) *Failure {
	var f *Failure
	errors.As(err, &f)
	return f
}

func refuse(message string) error { return &Failure{Reason: Refused, Message: message} }
