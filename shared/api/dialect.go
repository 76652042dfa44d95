package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// Dialect is one vendor's API: its operations and the conventions that hold for all of them.
type Dialect struct {
	Name    string // "pulumi": lower-case letters and digits; its prefix at the gateway
	Title   string // of the OpenAPI document
	Version string // of the OpenAPI document
	Root    string // where every path of the vendor begins, without trailing slash: "/api", or ""

	Operations []Operation

	// Credential reads the vendor's headers. No credential at all is the zero Credential and no error; one that is malformed is
	// fault.Unauthenticated. Nil means that the dialect knows no credentials.
	Credential func(*http.Request) (Credential, error)

	// Target puts the path parameters of this dialect under the names the core knows. Nil means that no row has a target.
	Target func(Params) permission.Target

	// Render gives a fault the vendor's status and body. It must know every fault.Code and the reasons this package adds
	// (ReasonMethodNotAllowed, ReasonUnsupportedEncoding); StatusOf is a good start. f never holds a cause. Nil renders a plain
	// JSON object.
	Render func(f *fault.Fault, requestID string) Rendered

	// ErrorShape is a value of the type that Render's bodies have, for the OpenAPI document. Optional.
	ErrorShape any

	// RequestIDHeader is the vendor's own name of X-Request-Id, set beside it. Optional.
	RequestIDHeader string

	// Header sets the vendor's other headers on every answer, faults included. Optional.
	Header func(http.Header)
}

// Params gives the decoded value of a path parameter by the name it has in the row's pattern, and "" for any other name.
type Params func(name string) string

// Rendered is a fault in the vendor's words.
type Rendered struct {
	Status      int         // 400 or more
	ContentType string      // empty means application/json
	Body        any         // []byte and string are sent as they are, anything else as JSON, nil as no body
	Header      http.Header // more headers, e.g. WWW-Authenticate. Retry-After is the front's unless it is set here
}

// Credential is what a caller shows. It never prints its secret.
type Credential struct {
	Form   string // the vendor's way of showing it: "token", "update-token", "bearer", "x-api-key" …
	Secret string // the token's text; empty when the caller shows nothing
}

// None reports whether the caller shows nothing.
func (c Credential) None() bool { return c.Secret == "" }

func (c Credential) String() string {
	if c.None() {
		return "no credential"
	}
	return "a " + c.Form + " credential"
}

// Format keeps the secret out of every verb, %#v included.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// LogValue keeps the secret out of the log.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON keeps the secret out of documents.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// Gate decides who comes in. It is asked on every row, Public ones included, before the body is read or anything is validated,
// so that a stranger learns nothing. It returns a context that carries what the handler may know of its caller, or a fault. The
// context it is given tells the row (OperationOf).
type Gate interface {
	Enter(ctx context.Context, c Credential, need permission.Need, target permission.Target) (context.Context, error)
}

type operationKey struct{}

// OperationOf is the name of the row that serves the request, in the context that the gate and the handler are given.
func OperationOf(ctx context.Context) string {
	name, _ := ctx.Value(operationKey{}).(string)
	return name
}
