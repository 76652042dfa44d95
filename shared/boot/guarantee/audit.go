package guarantee

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/store"
)

// sourceIP is where the calls of a test come from (net/http/httptest).
const sourceIP = "192.0.2.1"

// Audit makes a successful call of every row. One that declares a slug leaves exactly one entry in each organization that it concerns, in
// the same write as its change, that names the caller, the address, the request, the dialect and the operation. One that declares none leaves none.
func Audit(t *testing.T, tb Table) {
	p := tb.New(t)
	tb.each(t, p, func(t *testing.T, op api.Operation, sample Sample) {
		r := tb.proper(p, sample(p))
		p.Spy.Reset()
		a := call(t, p, r)
		entries := Entries(t, p.Spy.Calls())
		if op.Trace.Slug == "" {
			require.Empty(t, entries, "the row says that it leaves nothing: %s", op.Trace.Why)
			return
		}
		require.NotEmpty(t, entries, "the row leaves no %s", op.Trace.Slug)
		told := map[store.Scope]bool{}
		for _, e := range entries {
			require.False(t, told[e.Scope], "two entries in %s", e.Scope)
			told[e.Scope] = true
			checkEntry(t, tb, p, op, r, a, e)
		}
	})
}

func checkEntry(t *testing.T, tb Table, p *boottest.Plane, op api.Operation, r boottest.Request, a boottest.Answer, e Entry) {
	t.Helper()
	require.Equal(t, op.Trace.Slug, e.Slug)
	require.Equal(t, tb.Dialect, e.Dialect)
	require.Equal(t, op.Name, e.Operation)
	require.Equal(t, a.Header.Get("X-Request-Id"), e.RequestID)
	require.Equal(t, sourceIP, e.SourceIP)
	require.Equal(t, p.Clock.Now(), e.At)
	require.NotEmpty(t, e.Description)
	require.Equal(t, "admin", e.Actor.Login)
	require.NotEmpty(t, e.Actor.ID)
	if r.Auth == "" {
		require.NotEmpty(t, e.Actor.TokenID, "the entry does not say which token was used")
		require.Equal(t, "user", e.Actor.Kind)
	}
	require.True(t, e.WithChange, "the entry was written apart from the change that it tells of")
}

// Entry is an audit entry as it was written.
type Entry struct {
	audit.Entry
	Scope      store.Scope // whose audit it stands in
	WithChange bool        // it was written together with what it tells of, or there was nothing to change
}

// Entries are the audit entries that these calls wrote.
func Entries(t testing.TB, calls []boottest.Call) []Entry {
	t.Helper()
	var out []Entry
	changed := false // by a write without an entry
	for _, c := range calls {
		var entries []Entry
		with := false
		for _, ch := range c.Changes {
			switch {
			case ch.Item.Kind == "audit":
				e := Entry{Scope: store.ScopeOf(ch.Item.Key)}
				require.NoError(t, json.Unmarshal(ch.Item.Body, &e.Entry))
				entries = append(entries, e)
			case ch.Op != store.OpCheck && ch.Item.Kind != "outbox":
				with = true
			}
		}
		for i := range entries {
			entries[i].WithChange = with
		}
		out = append(out, entries...)
		changed = changed || with && len(entries) == 0
	}
	for i := range out {
		out[i].WithChange = out[i].WithChange || !changed
	}
	return out
}
