// Package api is the HTTP front. It knows operations and no vendor: a dialect is a table of rows (Op) and a handful of
// conventions (Dialect), and everything else is computed from them: routing, permission, size limits, compression, validation,
// the body of errors, the log, the OpenAPI document.
//
// The order of work on a request is: request id, route on the raw path, credential, gate (who may do this at all), audit
// context, body, validation, handler. Whatever fails on the way becomes one fault, which the dialect renders.
//
// Binding, validation and the document are huma's (https://huma.rocks); no other package imports it. Routing is our own, see
// router: http.ServeMux refuses tables in which two rows overlap and neither is more specific, and the vendors have such rows.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// Config is what a front is given by boot.
type Config struct {
	Gate  Gate
	Now   func() time.Time
	NewID func() string // a fresh request id: short, printable, unique
	Log   *slog.Logger  // nil logs nothing

	Groups  []group.Group // serve only the rows of these; nil serves all
	Limits  Limits
	Origins []string // browsers' origins that may call; nil means any ("*"). Cookies are never allowed

	// Begin and Observe are told of every request, when it comes and when it has been answered. Either may be nil.
	Begin   func(dialect, operation string)
	Observe func(Observation)

	// AuditContext puts the facts where the core will look for them. It is called after the gate. Nil leaves the context alone.
	AuditContext func(context.Context, AuditFacts) context.Context

	// Principal names the caller in the log, from the context the gate returned. Nil names nobody.
	Principal func(context.Context) string

	// ClientIP is the caller's address; nil takes it from RemoteAddr. Headers that a client can write are not to be trusted.
	ClientIP func(*http.Request) string

	// Origin is scheme and host as the client wrote them, and what it wrote before a path of ours, as in "https://example.com" and
	// "https://example.com/prod"; nil takes them from the connection and the Host header. Headers of a proxy are not to be trusted
	// unless it is known that one wrote them.
	Origin func(*http.Request) string

	Health  func(context.Context) error // what /healthz of the gateway asks; nil is always well
	Metrics http.Handler                // what /metrics of the gateway shows; nil is 404
}

// Limits are what a request may weigh. Zero fields take the defaults.
type Limits struct {
	Body    int64 // bytes of a request body after decompression, where the row says nothing; default 1 MB
	MaxBody int64 // bytes that no row may exceed; default 512 MB
}

// Default limits.
const (
	DefaultBody    = 1 << 20
	DefaultMaxBody = 512 << 20
)

// Observation is what one request was, for metrics. Operation is the row's name, empty when no row served it.
type Observation struct {
	Dialect, Operation string
	Status             int // 499 when the client went away before the answer
	Duration           time.Duration
	BytesIn, BytesOut  int64 // bodies on the wire, compressed where they were
}

// AuditFacts are what the front knows of a request that the audit keeps.
type AuditFacts struct {
	Dialect   string
	Operation string          // the row's name
	Slug      string          // the row's trace; empty when it leaves nothing
	Verb      permission.Verb // that the row needs; empty for rows that need none
	RequestID string
	SourceIP  string
	UserAgent string // at most 256 bytes
}

// Front serves dialects.
type Front struct{ cfg Config }

// New makes a front. Gate, Now and NewID are required.
func New(cfg Config) *Front {
	if cfg.Gate == nil || cfg.Now == nil || cfg.NewID == nil {
		panic("api: Gate, Now and NewID are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits.Body <= 0 {
		cfg.Limits.Body = DefaultBody
	}
	if cfg.Limits.MaxBody <= 0 {
		cfg.Limits.MaxBody = DefaultMaxBody
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = remoteIP
	}
	if cfg.Origin == nil {
		cfg.Origin = originOf
	}
	if cfg.Begin == nil {
		cfg.Begin = func(string, string) {}
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Observation) {}
	}
	if cfg.AuditContext == nil {
		cfg.AuditContext = func(ctx context.Context, _ AuditFacts) context.Context { return ctx }
	}
	if cfg.Principal == nil {
		cfg.Principal = func(context.Context) string { return "" }
	}
	return &Front{cfg: cfg}
}

// Handler serves the dialect at its root, for a port of its own. It panics when two rows have the same method and shape, or a
// pattern cannot be read; Check tells so beforehand.
func (f *Front) Handler(d Dialect) http.Handler { return newSite(f, d) }

// bodyCap is how many bytes of body a row takes.
func (f *Front) bodyCap(o *Operation) int64 {
	if o.BodyCap > 0 {
		return min(o.BodyCap, f.cfg.Limits.MaxBody)
	}
	return min(f.cfg.Limits.Body, f.cfg.Limits.MaxBody)
}
