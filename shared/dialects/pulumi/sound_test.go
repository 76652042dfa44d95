package pulumi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

func resource(urn string) map[string]any {
	return map[string]any{"urn": urn, "type": "t:i:R", "custom": false}
}

// whole is a deployment with these resources.
func whole(urns ...string) map[string]any {
	list := []any{}
	for _, u := range urns {
		list = append(list, resource(u))
	}
	return map[string]any{"manifest": map[string]any{"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""}, "resources": list}
}

func (s *scene) organization() organization.Organization {
	s.T.Helper()
	o, err := organization.Find(context.Background(), s.Ports, s.Org)
	require.NoError(s.T, err)
	return o
}

// idOf is the stack's id, or "" when the name leads nowhere.
func (s *scene) idOf() string {
	s.T.Helper()
	i, err := s.Ports.Store.BatchGet(context.Background(), []store.Key{keys.StackName(s.organization().ID, "crash", s.name)})
	require.NoError(s.T, err)
	var n struct{ ID string }
	if i[0].Version > 0 {
		require.NoError(s.T, json.Unmarshal(i[0].Body, &n))
	}
	return n.ID
}

// items reads a whole partition.
func (s *scene) items(pk string) []store.Item {
	s.T.Helper()
	var out []store.Item
	for q := (store.Query{PK: pk}); ; {
		page, err := s.Ports.Store.Query(context.Background(), q)
		require.NoError(s.T, err)
		out = append(out, page.Items...)
		if !page.More {
			return out
		}
		q.After = page.Next
	}
}

// record is what the audit and the outbox say at one time.
type record struct {
	entries map[string]int // audit entries by description
	events  []event.Event  // that no relay took yet
}

func (s *scene) record() record {
	s.T.Helper()
	r := record{entries: map[string]int{}, events: s.outbox()}
	for n := range keys.AuditShards {
		for _, i := range s.items(keys.AuditEntries(s.organization().ID, n)) {
			var e audit.Entry
			require.NoError(s.T, json.Unmarshal(i.Body, &e))
			r.entries[e.Description]++
		}
	}
	return r
}

// audited counts the audit entries with this description; one that ends in a colon stands for any outcome.
func (r record) audited(what string) int {
	n := r.entries[what]
	if strings.HasSuffix(what, ":") {
		for d, times := range r.entries {
			if strings.HasPrefix(d, what) {
				n += times
			}
		}
	}
	return n
}

// outbox are the events that no relay took yet.
func (s *scene) outbox() []event.Event {
	s.T.Helper()
	var out []event.Event
	for _, i := range s.items(keys.Outbox(s.organization().ID, "x").PK) {
		var e event.Event
		require.NoError(s.T, json.Unmarshal(i.Body, &e))
		out = append(out, e)
	}
	return out
}

func (s *scene) pendingEvents() int { return len(s.outbox()) }

// told counts the events of a name in the outbox whose data has these members.
func (r record) told(name string, members map[string]any) int {
	n := 0
	for _, e := range r.events {
		var data map[string]any
		same := json.Unmarshal(e.Data, &data) == nil && name == e.Name
		for k, v := range members {
			same = same && fmt.Sprint(data[k]) == fmt.Sprint(v)
		}
		if same {
			n++
		}
	}
	return n
}

// sound checks what must hold between any two calls, whatever was killed before. Events are counted exactly only before a relay took any.
func (s *scene) sound() {
	s.T.Helper()
	t, ctx, r := s.T, context.Background(), s.record()
	id := s.idOf()
	if s.id == "" {
		s.id = id
	}
	readable := s.call(http.MethodGet, s.stack, nil).Status
	require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, readable)
	require.Equal(t, readable == http.StatusOK, id != "", "a name leads to a stack")
	require.Equal(t, readable == http.StatusOK, s.listed(), "the list shows what exists")
	path := s.Org + "/crash/" + s.name
	created := 0
	if s.id != "" {
		created = 1
	}
	require.Equal(t, created, r.audited("created stack "+path), "an audit entry tells of the stack and only of it")
	if !s.relayed {
		require.Equal(t, created, r.told("stack.created", map[string]any{"name": s.name}), "an event tells of the stack and only of it")
	}
	if s.id == "" {
		return
	}
	head, err := stack.Of(ctx, s.Ports, s.id)
	deleted := err != nil || head.Value.Deleted
	require.Equal(t, readable == http.StatusNotFound, deleted)
	require.Equal(t, deleted, r.audited("deleted stack "+path) == 1)
	if deleted {
		if err == nil {
			require.Equal(t, 1, r.told("stack.deleted", map[string]any{"stack": s.id}), "a tombstone is never forgotten")
		} else {
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		return
	}
	s.soundUpdates(r, head.Value, path)
	if len(s.acked) > 0 {
		require.Subset(t, s.export(s.stack).urns(), s.acked, "what was acknowledged is exported")
	}
}

func (s *scene) soundUpdates(r record, head stack.Stack, path string) {
	s.T.Helper()
	t, ctx := s.T, context.Background()
	history := s.items(keys.History(s.id))
	require.Len(t, history, int(head.Version), "versions have no gaps")
	holding := 0
	for _, row := range s.items(keys.UpdateRows(s.id)) {
		u, err := update.Of(ctx, s.Ports, s.id, row.SK)
		require.NoError(t, err, "a row leads to an update")
		found, err := s.Ports.Store.BatchGet(ctx, []store.Key{keys.Lease(s.id, row.SK)})
		require.NoError(t, err)
		var l update.Lease
		if found[0].Version > 0 {
			require.NoError(t, json.Unmarshal(found[0].Body, &l))
		}
		started := u.Value.Status != update.NotStarted
		if !u.Value.Status.Ended() {
			require.Equal(t, started, found[0].Version > 0, "what was started and not ended has a lease")
		}
		if u.Value.DryRun {
			continue
		}
		if u.Value.Status == update.Running {
			holding++
			require.NotNil(t, head.Lock)
			require.Equal(t, row.SK, head.Lock.Update)
			require.False(t, l.Settled)
		}
		if !started {
			continue
		}
		v := u.Value.Version
		require.Equal(t, keys.HistoryRow(s.id, v).SK, history[v-1].SK)
		require.Equal(t, 1, r.audited(fmt.Sprintf("started update %d of stack %s", v, path)), "a start has one audit entry")
		ends := r.audited(fmt.Sprintf("completed update %d of stack %s:", v, path)) + r.audited(fmt.Sprintf("cancelled update %d of stack %s:", v, path))
		ended := 0
		if u.Value.Status.Ended() {
			ended = 1
		}
		require.Equal(t, ended, ends, "an end has one audit entry, and nothing else has")
		if !s.relayed {
			require.Equal(t, ended, r.told("update.finished", map[string]any{"stack": s.id, "version": v}), "an end is told once")
		}
	}
	require.Zero(t, r.audited(fmt.Sprintf("started update %d of stack %s", head.Version+1, path)))
	require.LessOrEqual(t, holding, 1)
	require.Equal(t, holding == 1, head.Lock != nil, "a lock is held by a running update")
}

func (s *scene) listed() bool {
	s.T.Helper()
	var out struct{ Stacks []struct{ StackName string } }
	s.call(http.MethodGet, "/user/stacks?project=crash&maxResults=1000", nil).Into(s.T, http.StatusOK, &out)
	for _, found := range out.Stacks {
		if found.StackName == s.name {
			return true
		}
	}
	return false
}

// cancelledAs is the outcome that the update's own document tells; the API's older words have no cancelled.
func (s *scene) cancelledAs() string {
	s.T.Helper()
	u, err := update.Of(context.Background(), s.Ports, s.id, s.run.id)
	require.NoError(s.T, err)
	return string(u.Value.Status)
}

// nothingLeft says that no item and no chunk remains of what was ever written below the stack, nor the grant on its creator's side.
func (s *scene) nothingLeft() {
	s.T.Helper()
	ctx := context.Background()
	seen := map[store.Key]bool{}
	for _, c := range s.Spy.Calls() {
		for _, change := range c.Changes {
			if store.ScopeOf(change.Item.Key) == keys.Stack(s.id) || strings.HasSuffix(change.Item.SK, "stack/"+s.id) {
				seen[change.Item.Key] = true
			}
		}
	}
	require.Greater(s.T, len(seen), 10)
	for k := range seen {
		_, err := s.Ports.Store.Get(ctx, k)
		require.ErrorIs(s.T, err, store.ErrNotFound, "%s was left", k)
	}
	chunks, err := s.Ports.Blobs.List(ctx, string(keys.Stack(s.id)), "", 10)
	require.NoError(s.T, err)
	require.Empty(s.T, chunks)
}
