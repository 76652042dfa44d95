// Package boottest runs the whole control plane in a test: the real handlers and the real embedded store on a temporary directory, with
// a clock that the test moves and a store that the test can watch, break and interrupt.
package boottest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/google/uuid"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/blob/dir"
	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/hook"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/keyring"
	keys "github.com/polyplane/polyplane/shared/keyring/local"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/outbound/web"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// Plane is a running control plane.
type Plane struct {
	T     testing.TB
	Ports ports.Ports
	Spy   *Spy   // between the core and the store
	Clock *Clock // starts at 2026-01-02 03:04:05 UTC
	Org   string // the first organization's name, "acme"
	Token string // its administrator's; login "admin"
	Log   *Buffer

	Seen func(Request, Answer) // is told of every call; nil tells nobody

	front   *api.Front
	gateway http.Handler
	relay   *event.Relay
	hooks   *hook.Worker

	mu    sync.Mutex
	later []func(context.Context)
}

// Clock is a clock that moves only when told to.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

// Add moves the clock.
func (c *Clock) Add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// Buffer is a log that a test can read.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }

func (b *Buffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// New starts a plane on a fresh directory.
func New(t testing.TB) *Plane {
	t.Helper()
	p := &Plane{T: t, Clock: &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, Org: "acme", Log: &Buffer{}}
	root := t.TempDir()
	db, err := local.Open(filepath.Join(root, "store"), local.Options{Now: p.Clock.Now, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	blobs, err := dir.Open(filepath.Join(root, "blobs"), p.Clock.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = blobs.Close() })
	master, err := keys.Open(filepath.Join(root, "master.key"))
	require.NoError(t, err)
	p.Spy = &Spy{Store: db}
	loopback, err := outbound.ParseAllow("127.0.0.1")
	require.NoError(t, err)
	p.Ports = ports.Ports{
		Store: store.Remembering(p.Spy), Blobs: blobs, Keyring: keyring.Cached(master, p.Clock.Now, time.Minute, 100),
		Now:    p.Clock.Now,
		NewID:  func() string { return uuid.Must(uuid.NewV7()).String() },
		Random: func(n int) []byte { b := make([]byte, n); _, _ = rand.Read(b); return b },
		Log:    slog.New(slog.NewTextHandler(p.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),

		Outbound: web.New(web.Options{Allow: loopback, MaxTime: 2 * time.Second}),
	}
	in, err := installation.Open(context.Background(), p.Ports, installation.Draft{Organization: p.Org, Login: "admin"})
	require.NoError(t, err)
	p.Token = in.Token
	p.Ports.Cursors = in.Cursors
	require.NoError(t, api.Check(boot.Dialects(p.Ports)...))
	p.Restart()
	return p
}

// Restart makes new handlers on the same data, as another process would: nothing that was held in memory is known any more.
func (p *Plane) Restart() {
	p.front = boot.Front(p.Ports, boot.FrontConfig{Later: func(f func(context.Context)) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.later = append(p.later, f)
	}})
	ds := boot.Dialects(p.Ports)
	p.gateway = p.front.Gateway(ds...)
	p.relay = boot.Relay(p.Ports)
	p.hooks = boot.HookWorker(p.Ports)
}

// Settle does what requests left to be done later, and returns how many things that were.
func (p *Plane) Settle() int {
	p.mu.Lock()
	todo := p.later
	p.later = nil
	p.mu.Unlock()
	for _, f := range todo {
		f(context.Background())
	}
	return len(todo)
}

// Handler serves every dialect below its prefix.
func (p *Plane) Handler() http.Handler { return p.gateway }

// Relay hands on what is due in the outbox and returns how many events that were.
func (p *Plane) Relay() int {
	p.T.Helper()
	n, err := p.relay.Deliver(context.Background(), 1000)
	require.NoError(p.T, err)
	return n
}

// Hooks sends what hooks have due, and returns how many deliveries were attempted. Receivers may listen on this machine.
func (p *Plane) Hooks() int {
	p.T.Helper()
	n, err := p.hooks.Deliver(context.Background())
	require.NoError(p.T, err)
	return n
}

// Sweep finishes what is due and returns how many updates that were.
func (p *Plane) Sweep() int {
	p.T.Helper()
	n, err := update.Sweep(context.Background(), p.Ports, 1000)
	require.NoError(p.T, err)
	return n
}

// Person makes a user who is a member of the organization with the role, and returns their token.
func (p *Plane) Person(login, org string, role permission.Role) string {
	p.T.Helper()
	ctx := context.Background()
	o, err := organization.Find(ctx, p.Ports, org)
	require.NoError(p.T, err)
	u := identity.User{ID: p.Ports.NewID(), Login: login, Name: login, Created: p.Clock.Now()}
	changes, err := identity.CreateUser(u)
	require.NoError(p.T, err)
	text := identity.NewTokenText(p.Ports)
	changes = append(changes, organization.AddMember(o.ID, organization.Member{User: u.ID, Role: role, Created: p.Clock.Now()})...)
	changes = append(changes, identity.CreateToken(identity.Token{ID: p.Ports.NewID(), User: u.ID, Name: "test", Created: p.Clock.Now()}, text)...)
	require.NoError(p.T, p.Ports.Store.Write(ctx, changes...))
	return text
}

// Organization makes another organization.
func (p *Plane) Organization(name string) organization.Organization {
	p.T.Helper()
	o := organization.Organization{ID: p.Ports.NewID(), Account: p.Ports.NewID(), Name: name, DisplayName: name, Created: p.Clock.Now()}
	changes, err := organization.Create(o)
	require.NoError(p.T, err)
	require.NoError(p.T, p.Ports.Store.Write(context.Background(), changes...))
	return o
}

// Request is one call. Path is below the gateway, "/pulumi/api/user".
type Request struct {
	Method, Path string
	Auth         string // the Authorization header, whole
	Body         any    // nil: none; []byte, string and io.Reader as they are; anything else as JSON
	Gzip         bool   // send the body compressed
	Header       http.Header
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes a call.
func (p *Plane) Do(r Request) Answer {
	p.T.Helper()
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	case string:
		body = strings.NewReader(b)
	case io.Reader:
		body = b
	default:
		raw, err := json.Marshal(b)
		require.NoError(p.T, err)
		body = bytes.NewReader(raw)
	}
	if r.Gzip && body != nil {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, err := io.Copy(w, body)
		require.NoError(p.T, err)
		require.NoError(p.T, w.Close())
		body = &z
	}
	req := httptest.NewRequest(r.Method, r.Path, body)
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if r.Auth != "" {
		req.Header.Set("Authorization", r.Auth)
	}
	if r.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	rec := httptest.NewRecorder()
	p.gateway.ServeHTTP(rec, req)
	a := Answer{Status: rec.Code, Header: rec.Header(), Body: rec.Body.Bytes()}
	if p.Seen != nil {
		p.Seen(r, a)
	}
	return a
}

// Into decodes a JSON answer that must have the status.
func (a Answer) Into(t testing.TB, status int, v any) {
	t.Helper()
	require.Equal(t, status, a.Status, "%s", a.Body)
	if v != nil {
		require.NoError(t, json.Unmarshal(a.Body, v), "%s", a.Body)
	}
}

// Hex is n random bytes as text.
func (p *Plane) Hex(n int) string { return hex.EncodeToString(p.Ports.Random(n)) }

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }
