package pulumi_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob/dir"
	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/keyring"
	master "github.com/polyplane/polyplane/shared/keyring/local"
	"github.com/polyplane/polyplane/shared/migrate/pulumi"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// plane is an installation to import into.
type plane struct {
	t     require.TestingT
	ports ports.Ports
	in    installation.Installed
	table *mortal
}

// mortal is a store whose process is killed at its call number dies, before or after the call took effect. Below zero it lives.
type mortal struct {
	store.Store
	calls atomic.Int64
	dies  atomic.Int64
	late  atomic.Bool
	wrote map[int64]bool // calls that were writes; one process calls one after the other
}

var errKilled = errors.New("the process was killed here")

func through[T any](m *mortal, work func() (T, error)) (T, error) {
	var nothing T
	n, dies := m.calls.Add(1)-1, m.dies.Load()
	if dies >= 0 && (n > dies || n == dies && !m.late.Load()) {
		return nothing, errKilled
	}
	v, err := work()
	if n == dies {
		return nothing, errKilled
	}
	return v, err
}

func (m *mortal) Get(ctx context.Context, k store.Key) (store.Item, error) {
	return through(m, func() (store.Item, error) { return m.Store.Get(ctx, k) })
}

func (m *mortal) BatchGet(ctx context.Context, ks []store.Key) ([]store.Item, error) {
	return through(m, func() ([]store.Item, error) { return m.Store.BatchGet(ctx, ks) })
}

func (m *mortal) Query(ctx context.Context, q store.Query) (store.Page, error) {
	return through(m, func() (store.Page, error) { return m.Store.Query(ctx, q) })
}

func (m *mortal) Write(ctx context.Context, changes ...store.Change) error {
	m.wrote[m.calls.Load()] = true
	_, err := through(m, func() (struct{}, error) { return struct{}{}, m.Store.Write(ctx, changes...) })
	return err
}

// at makes the process die at a call, or live when n is below zero.
func (m *mortal) at(n int64, late bool) {
	m.calls.Store(0)
	m.wrote = map[int64]bool{}
	m.dies.Store(n)
	m.late.Store(late)
}

// newPlane makes an installation in a directory, with the organization acme.
func newPlane(t require.TestingT, at string) (*plane, func()) {
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	db, err := local.Open(filepath.Join(at, "store"), local.Options{Now: now, NoSync: true})
	require.NoError(t, err)
	blobs, err := dir.Open(filepath.Join(at, "blobs"), now)
	require.NoError(t, err)
	key, err := master.Open(filepath.Join(at, "master.key"))
	require.NoError(t, err)
	p := &plane{t: t, table: &mortal{Store: db}}
	p.table.at(-1, false)
	p.ports = ports.Ports{
		Store: store.Remembering(p.table), Blobs: blobs, Keyring: keyring.Cached(key, now, time.Minute, 100), Now: now,
		NewID:  func() string { return uuid.Must(uuid.NewV7()).String() },
		Random: func(n int) []byte { b := make([]byte, n); _, _ = rand.Read(b); return b },
		Log:    slog.New(slog.DiscardHandler),
	}
	p.in, err = installation.Open(context.Background(), p.ports, installation.Draft{Organization: "acme", Login: "admin"})
	require.NoError(t, err)
	return p, func() { _ = blobs.Close(); _ = db.Close() }
}

func openPlane(t *testing.T) *plane {
	p, done := newPlane(t, t.TempDir())
	t.Cleanup(done)
	return p
}

const url = "https://plane.example"

// options are those of an import by the administrator.
func (p *plane) options(from pulumi.Source, phrase *pulumi.Passphrase) pulumi.Options {
	a := p.in.Administrator
	return pulumi.Options{
		Source: from, Organization: p.in.Organization, Passphrase: phrase, URL: url,
		Principal: permission.Principal{Kind: permission.KindUser, ID: a.ID, Login: a.Login, Name: a.Name},
		By:        update.By{User: a.ID, Login: a.Login, Name: a.Name},
	}
}

// run imports and returns what became of each stack, by name.
func (p *plane) run(o pulumi.Options) map[string]pulumi.Outcome {
	all, err := pulumi.Import(context.Background(), p.ports, o, func(pulumi.Progress) {})
	require.NoError(p.t, err)
	out := map[string]pulumi.Outcome{}
	for _, s := range all {
		out[s.Stack] = s
	}
	return out
}

func (p *plane) stack(project, name string) store.Doc[stack.Stack] {
	s, err := stack.Find(context.Background(), p.ports, p.in.Organization.ID, project, name)
	require.NoError(p.t, err)
	return s
}

// history is the stack's updates, oldest first.
func (p *plane) history(s stack.Stack) []update.Head {
	heads, total, err := update.History(context.Background(), p.ports, s, 0, 0)
	require.NoError(p.t, err)
	require.Len(p.t, heads, total, "versions have no gap")
	for i, j := 0, len(heads)-1; i < j; i, j = i+1, j-1 {
		heads[i], heads[j] = heads[j], heads[i]
	}
	return heads
}

func (p *plane) export(s stack.Stack, version int64) []byte {
	var text []byte
	var err error
	if version == 0 {
		text, err = update.Export(context.Background(), p.ports, p.in.Organization, s)
	} else {
		text, err = update.ExportVersion(context.Background(), p.ports, p.in.Organization, s, version)
	}
	require.NoError(p.t, err)
	return text
}
