// Package storetest is the suite that every adapter of store.Store passes. It uses the port alone, so that a new adapter only has
// to be plugged in:
//
//	func TestTheAdapterPassesTheSuite(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store { … })
//	}
//
// What it settles beyond the port's own words: an expired item is absent in every read and in every condition from its second on,
// whether or not it was removed; due times are cut to milliseconds and expiry times to seconds; the size of a page counts what was
// examined.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// Open makes an empty store that takes the time from now and is closed with the test.
type Open func(t *testing.T, now func() time.Time) store.Store

// Run runs the whole suite, with a store of its own for every test.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) store.Store) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"writes", writes},
		{"reads", reads},
		{"queries", queries},
		{"due", due},
		{"expiry", expiry},
		{"concurrency", concurrency},
		{"model", models},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, x := range group.tests {
				t.Run(x.name, func(t *testing.T) { x.run(newFixture(t, open)) })
			}
		})
	}
}

type test struct {
	name string
	run  func(*fixture)
}

// Kinds of the suite: leaf may be kept, doc may not.
var (
	_ = store.NewKind[store.Raw](leaf, 1).Immutable()
	_ = store.NewKind[store.Raw](doc, 1)
)

const (
	doc  = "storetest.doc"
	leaf = "storetest.leaf"
)

// clock starts far in the future: DynamoDB removes what expired by its own clock, which must not meet the suite's times.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fixture is one store, its clock and what the tests say about them.
type fixture struct {
	*testing.T
	store.Store
	ctx   context.Context
	clock *clock
}

func newFixture(t *testing.T, open Open) *fixture {
	c := newClock()
	return &fixture{T: t, Store: open(t, c.now), ctx: t.Context(), clock: c}
}

func key(pk, sk string) store.Key { return store.Key{PK: pk, SK: sk} }

// item is a document with the body given.
func item(pk, sk, body string) store.Item {
	return store.Item{Key: key(pk, sk), Kind: doc, Schema: 1, Body: []byte(body)}
}

// at returns the item as it is after its version became version.
func at(i store.Item, version int64) store.Item {
	i.Version = version
	return i
}

func (f *fixture) write(changes ...store.Change) {
	f.Helper()
	require.NoError(f, f.Write(f.ctx, changes...))
}

// conflict states that the write fails with exactly these conditions.
func (f *fixture) conflict(failed []int, changes ...store.Change) {
	f.Helper()
	err := f.Write(f.ctx, changes...)
	require.NoError(f, sameConflict(err, failed, changes))
}

func sameConflict(err error, failed []int, changes []store.Change) error {
	c := store.AsConflict(err)
	if c == nil {
		return fmt.Errorf("want a conflict of %v, got %w", failed, orNothing(err))
	}
	if fmt.Sprint(c.Failed) != fmt.Sprint(failed) {
		return fmt.Errorf("want a conflict of %v, got %v", failed, c.Failed)
	}
	for n, i := range failed {
		if len(c.Keys) != len(failed) || c.Keys[n] != changes[i].Item.Key {
			return fmt.Errorf("the keys of the conflict %v are %v", failed, c.Keys)
		}
	}
	return nil
}

func orNothing(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}

// has states that the store holds exactly this item, version included.
func (f *fixture) has(want store.Item) {
	f.Helper()
	got, err := f.Get(f.ctx, want.Key)
	require.NoError(f, err)
	require.NoError(f, same(want, got))
}

func (f *fixture) hasNot(k store.Key) {
	f.Helper()
	_, err := f.Get(f.ctx, k)
	require.ErrorIs(f, err, store.ErrNotFound)
}

// same compares all that the port promises to keep.
func same(want, got store.Item) error {
	switch {
	case want.Key != got.Key:
		return fmt.Errorf("want key %q, got %q", want.Key, got.Key)
	case want.Version != got.Version:
		return fmt.Errorf("%q: want version %d, got %d", want.Key, want.Version, got.Version)
	case want.Version == 0:
		return nil
	case want.Kind != got.Kind || want.Schema != got.Schema:
		return fmt.Errorf("%q: want kind %q %d, got %q %d", want.Key, want.Kind, want.Schema, got.Kind, got.Schema)
	case !bytes.Equal(want.Body, got.Body):
		return fmt.Errorf("%q: want body %.60q (%d bytes), got %.60q (%d bytes)", want.Key, want.Body, len(want.Body), got.Body, len(got.Body))
	case want.Due.IsZero() != got.Due.IsZero() || !want.Due.IsZero() && want.Due.UnixMilli() != got.Due.UnixMilli():
		return fmt.Errorf("%q: want due %v, got %v", want.Key, want.Due, got.Due)
	case want.Expires.IsZero() != got.Expires.IsZero() || !want.Expires.IsZero() && want.Expires.Unix() != got.Expires.Unix():
		return fmt.Errorf("%q: want expiry %v, got %v", want.Key, want.Expires, got.Expires)
	}
	return nil
}

// walk reads all pages of a query and states what holds for each: its limit, and that More comes with Next.
func walk(ctx context.Context, s store.Store, q store.Query) ([]store.Item, int, error) {
	var out []store.Item
	for pages := 1; ; pages++ {
		p, err := s.Query(ctx, q)
		if err != nil {
			return nil, pages, err
		}
		if q.Limit > 0 && len(p.Items) > q.Limit {
			return nil, pages, fmt.Errorf("%d items on a page of at most %d", len(p.Items), q.Limit)
		}
		out = append(out, p.Items...)
		if !p.More {
			return out, pages, nil
		}
		if p.Next == "" || p.Next == q.After {
			return nil, pages, fmt.Errorf("more behind %q, but next is %q", q.After, p.Next)
		}
		q.After = p.Next
	}
}

// sortKeys walks a query and returns its sort keys.
func (f *fixture) sortKeys(q store.Query) []string {
	f.Helper()
	items, _, err := walk(f.ctx, f.Store, q)
	require.NoError(f, err)
	out := []string{}
	for _, i := range items {
		require.Equal(f, q.PK, i.PK)
		out = append(out, i.SK)
	}
	return out
}

// fill creates one small item for each sort key.
func (f *fixture) fill(pk string, sks ...string) {
	f.Helper()
	for len(sks) > 0 {
		n := min(len(sks), store.MaxChanges)
		var changes []store.Change
		for _, sk := range sks[:n] {
			changes = append(changes, store.Create(item(pk, sk, "body of "+sk)))
		}
		f.write(changes...)
		sks = sks[n:]
	}
}
