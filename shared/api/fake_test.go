package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
)

const thingRead = permission.Verb("thing:read")

var (
	needRead = permission.Requires(thingRead, thingRead)
	nothing  = audit.None("a test")
)

type thing struct {
	Name string           `json:"name"`
	Note string           `json:"note,omitempty"`
	Size int              `json:"size,omitempty" minimum:"0"`
	Tag  api.Opt[string]  `json:"tag,omitzero"`
	Part api.Opt[subject] `json:"part,omitzero"`
}

type subject struct {
	Kind string `json:"kind"`
}

type Path struct {
	Org string `path:"org"`
}

type ThingIn struct {
	Path
	Thing string `path:"thing"`
}

type thingOut struct {
	ETag string `header:"ETag"`
	Body thing
}

type textOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type putIn struct {
	ThingIn
	Body thing
}

type rawIn struct {
	Path
	RawBody []byte
}

// world is a front over the tiny dialect, and what the test looks at.
type world struct {
	api.Config
	dialect api.Dialect
	gate    *gate
	log     *safeBuffer
	handler http.Handler

	mu       sync.Mutex
	observed []api.Observation
	facts    []api.AuditFacts
	clock    time.Time
	ids      int
}

// gate admits the secret "good" and remembers what it was asked.
type gate struct {
	mu      sync.Mutex
	asked   []permission.Target
	needs   []permission.Need
	answers error
}

type whoKey struct{}

func (g *gate) Enter(ctx context.Context, c api.Credential, need permission.Need, target permission.Target) (context.Context, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked, g.needs = append(g.asked, target), append(g.needs, need)
	if g.answers != nil {
		return nil, g.answers
	}
	if need.Public == "" && c.Secret != "good" {
		return nil, fault.New(fault.Unauthenticated, "a good token is needed")
	}
	return context.WithValue(ctx, whoKey{}, "user-1"), nil
}

func (g *gate) lastTarget() permission.Target {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[len(g.asked)-1]
}

// ctx shortens the signatures of handlers.
type ctx = context.Context

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(time.Millisecond)
	return w.clock
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return "req-" + strconv.Itoa(w.ids)
}

func (w *world) lastObserved() api.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.observed[len(w.observed)-1]
}

// row is Op with what the tests do not care about.
func row[I, O any](pattern, name string, handler func(context.Context, *I) (*O, error), opts ...api.Option) api.Operation {
	return api.Op(pattern, name, group.Stacks, needRead, nothing, handler, opts...)
}

// newWorld serves these rows in the tiny dialect.
func newWorld(ops ...api.Operation) *world {
	w := &world{gate: &gate{}, log: &safeBuffer{}, clock: time.Unix(1_700_000_000, 0).UTC()}
	w.Config = api.Config{
		Gate: w.gate, Now: w.now, NewID: w.newID,
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(o api.Observation) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.observed = append(w.observed, o)
		},
		AuditContext: func(ctx context.Context, f api.AuditFacts) context.Context {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.facts = append(w.facts, f)
			return ctx
		},
		Principal: func(ctx context.Context) string { who, _ := ctx.Value(whoKey{}).(string); return who },
	}
	w.dialect = api.Dialect{
		Name: "tiny", Title: "Tiny", Version: "1", Root: "/api", Operations: ops,
		Credential: func(r *http.Request) (api.Credential, error) {
			h := r.Header.Get("Authorization")
			if h == "" {
				return api.Credential{}, nil
			}
			secret, ok := strings.CutPrefix(h, "token ")
			if !ok {
				return api.Credential{}, fault.New(fault.Unauthenticated, "malformed credential")
			}
			return api.Credential{Form: "token", Secret: secret}, nil
		},
		Target: func(p api.Params) permission.Target {
			return permission.Target{Organization: p("org"), Project: p("thing")}
		},
		Render: func(f *fault.Fault, id string) api.Rendered {
			return api.Rendered{Status: api.StatusOf(f), Body: tinyError{api.StatusOf(f), f.Message, f.Field, f.Details, id}}
		},
		ErrorShape:      tinyError{},
		RequestIDHeader: "X-Tiny-Request",
		Header:          func(h http.Header) { h.Set("X-Tiny", "yes") },
	}
	return w.serve()
}

type tinyError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Field   string         `json:"field,omitempty"`
	Details []fault.Detail `json:"details,omitempty"`
	ID      string         `json:"id"`
}

// serve makes the handler from the configuration as it is now.
func (w *world) serve() *world {
	w.handler = api.New(w.Config).Handler(w.dialect)
	return w
}

type ask struct {
	method, path string
	body         io.Reader
	header       map[string]string
	stranger     bool
}

// do asks with the good token unless told otherwise.
func (w *world) do(a ask) *httptest.ResponseRecorder {
	if a.method == "" {
		a.method = http.MethodGet
	}
	r := httptest.NewRequest(a.method, a.path, a.body)
	if !a.stranger {
		r.Header.Set("Authorization", "token good")
	}
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func (w *world) get(path string) *httptest.ResponseRecorder { return w.do(ask{path: path}) }

func (w *world) post(path, body string) *httptest.ResponseRecorder {
	return w.do(ask{method: http.MethodPost, path: path, body: strings.NewReader(body)})
}

func errorOf(t *testing.T, rec *httptest.ResponseRecorder) tinyError {
	t.Helper()
	var e tinyError
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &e), rec.Body.String())
	require.Equal(t, rec.Code, e.Code)
	return e
}

func getThing(_ context.Context, in *ThingIn) (*thingOut, error) {
	return &thingOut{ETag: `"1"`, Body: thing{Name: in.Org + "|" + in.Thing}}, nil
}

func putThing(_ context.Context, in *putIn) (*thingOut, error) { return &thingOut{Body: in.Body}, nil }

func echoRaw(_ context.Context, in *rawIn) (*textOut, error) {
	return &textOut{ContentType: "application/octet-stream", Body: in.RawBody}, nil
}

func failing(err error) func(context.Context, *struct{}) (*struct{}, error) {
	return func(context.Context, *struct{}) (*struct{}, error) { return nil, err }
}

var errSecret = errors.New("dial 10.0.0.7: refused")

// things are the usual rows.
func things() []api.Operation {
	return []api.Operation{
		row("GET /api/things/{org}/{thing}", "GetThing", getThing),
		row("POST /api/things/{org}/{thing}", "PutThing", putThing),
		row("POST /api/raw/{org}", "Raw", echoRaw, api.RawBody("application/json", "application/octet-stream"), api.RequestShape(thing{})),
	}
}
