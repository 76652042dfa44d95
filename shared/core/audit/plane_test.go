package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	master "github.com/polyplane/polyplane/shared/keyring/local"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
	"github.com/polyplane/polyplane/shared/store/local"
)

const acct = "account-1"

// world is an account with organizations on the real store, with a clock that the test moves.
type world struct {
	ports.Ports
	t   testing.TB
	mu  sync.Mutex
	now time.Time
	ids uint64
	rnd *rand.Rand
}

var beginning = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, organizations ...string) *world {
	w := &world{t: t, now: beginning, rnd: rand.New(rand.NewPCG(1, 2))}
	root := t.TempDir()
	clock := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	db, err := local.Open(filepath.Join(root, "store"), local.Options{Now: clock, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	ring, err := master.Open(filepath.Join(root, "master.key"))
	require.NoError(t, err)
	w.Ports = ports.Ports{
		Store: db, Keyring: keyring.Cached(ring, clock, time.Minute, 100), Now: clock,
		NewID: w.newID,
		Random: func(n int) []byte {
			w.mu.Lock()
			defer w.mu.Unlock()
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(w.rnd.Uint32())
			}
			return b
		},
		Log: slog.New(slog.DiscardHandler),
	}
	for _, o := range organizations {
		w.write(account.Own(acct, o, w.now))
	}
	return w
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("0190a0b0-%04x-7000-8000-%012x", w.ids%1000, w.ids)
}

func (w *world) write(changes ...store.Change) {
	w.t.Helper()
	require.NoError(w.t, w.Store.Write(context.Background(), changes...))
}

func (w *world) at(t time.Time) { w.mu.Lock(); defer w.mu.Unlock(); w.now = t }

// happens leaves an entry at a moment after the beginning.
func (w *world) happens(organization string, after time.Duration) store.Key {
	w.t.Helper()
	was := w.Now()
	w.at(beginning.Add(after))
	c := audit.Record(context.Background(), w.Ports, organization, "stack-created", "created stack %d", w.ids)
	w.at(was)
	w.write(c)
	return c.Item.Key
}

func (w *world) seal() int {
	w.t.Helper()
	n, err := audit.Seal(context.Background(), w.Ports, 100)
	require.NoError(w.t, err)
	return n
}

func (w *world) verify() audit.Verification {
	w.t.Helper()
	v, err := audit.Verify(context.Background(), w.Ports, audit.Question{Account: acct})
	require.NoError(w.t, err)
	return v
}

// items reads a partition.
func (w *world) items(pk string) []store.Item {
	w.t.Helper()
	var out []store.Item
	q := store.Query{PK: pk}
	for {
		page, err := w.Store.Query(context.Background(), q)
		require.NoError(w.t, err)
		out = append(out, page.Items...)
		if !page.More {
			return out
		}
		q.After = page.Next
	}
}

func (w *world) entries(organization string) (out []store.Item) {
	for n := range keys.AuditShards {
		out = append(out, w.items(keys.AuditEntries(organization, n))...)
	}
	return out
}

// put writes an item over whatever is there; an item without kind removes it.
func (w *world) put(i store.Item) {
	w.t.Helper()
	is, err := w.Store.Get(context.Background(), i.Key)
	switch {
	case err != nil && i.Kind == "":
	case err != nil:
		w.write(store.Create(i))
	case i.Kind == "":
		w.write(store.Delete(i.Key, is.Version))
	default:
		i.Version = is.Version
		w.write(store.Replace(i))
	}
}
