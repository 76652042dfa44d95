package boottest

import (
	"context"
	"errors"
	"sync"

	"github.com/polyplane/polyplane/shared/store"
)

// Spy stands between the core and the store: it counts round trips, remembers which keys were touched, and fails calls as the test
// says, before or after they took effect.
type Spy struct {
	Store store.Store

	mu    sync.Mutex
	calls []Call
	seen  int // calls since Hook
	items int // that reads returned since Reset
	hook  func(n int, c Call) Fate
}

// Call is one round trip to the store.
type Call struct {
	Method  string // Get, BatchGet, Query, Due, Write
	Keys    []store.Key
	Changes []store.Change // of a Write
}

// Fate is what becomes of a call.
type Fate uint8

// The fates: it works; it fails and nothing happened; it happened and its answer is lost.
const (
	Works Fate = iota
	FailsBefore
	FailsAfter
)

// ErrCrash is what a call returns that the test lets fail.
var ErrCrash = errors.New("boottest: the process was killed here")

// Reset forgets the calls seen so far.
func (s *Spy) Reset() { s.mu.Lock(); defer s.mu.Unlock(); s.calls, s.items = nil, 0 }

// Items counts the items that queries returned since the last Reset.
func (s *Spy) Items() int { s.mu.Lock(); defer s.mu.Unlock(); return s.items }

// Calls are the round trips since the last Reset.
func (s *Spy) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Reads and Writes count the round trips since the last Reset.
func (s *Spy) Reads() int {
	n := 0
	for _, c := range s.Calls() {
		if c.Method != "Write" {
			n++
		}
	}
	return n
}

// Writes counts the writes since the last Reset.
func (s *Spy) Writes() int { return len(s.Calls()) - s.Reads() }

// Hook decides the fate of each call from now on; n counts from 0 since Hook. Nil lets everything work. The hook runs before the call
// and may itself make calls, another client's for example, once it has set another hook or none.
func (s *Spy) Hook(f func(n int, c Call) Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.hook = 0, f
}

func (s *Spy) see(c Call) Fate {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	n, hook := s.seen, s.hook
	s.seen++
	s.mu.Unlock()
	if hook == nil {
		return Works
	}
	return hook(n, c)
}

func through[T any](fate Fate, work func() (T, error)) (T, error) {
	var zero T
	if fate == FailsBefore {
		return zero, ErrCrash
	}
	v, err := work()
	if fate == FailsAfter {
		return zero, ErrCrash
	}
	return v, err
}

// Get implements store.Store.
func (s *Spy) Get(ctx context.Context, k store.Key) (store.Item, error) {
	return through(s.see(Call{Method: "Get", Keys: []store.Key{k}}), func() (store.Item, error) { return s.Store.Get(ctx, k) })
}

// BatchGet implements store.Store.
func (s *Spy) BatchGet(ctx context.Context, ks []store.Key) ([]store.Item, error) {
	return through(s.see(Call{Method: "BatchGet", Keys: ks}), func() ([]store.Item, error) { return s.Store.BatchGet(ctx, ks) })
}

// Query implements store.Store.
func (s *Spy) Query(ctx context.Context, q store.Query) (store.Page, error) {
	return through(s.see(Call{Method: "Query", Keys: []store.Key{{PK: q.PK}}}), func() (store.Page, error) {
		page, err := s.Store.Query(ctx, q)
		s.mu.Lock()
		s.items += len(page.Items)
		s.mu.Unlock()
		return page, err
	})
}

// Due implements store.Store.
func (s *Spy) Due(ctx context.Context, q store.DueQuery) ([]store.Key, error) {
	return through(s.see(Call{Method: "Due"}), func() ([]store.Key, error) { return s.Store.Due(ctx, q) })
}

// Write implements store.Store.
func (s *Spy) Write(ctx context.Context, changes ...store.Change) error {
	ks := make([]store.Key, len(changes))
	for i, c := range changes {
		ks[i] = c.Item.Key
	}
	_, err := through(s.see(Call{Method: "Write", Keys: ks, Changes: changes}), func() (struct{}, error) {
		return struct{}{}, s.Store.Write(ctx, changes...)
	})
	return err
}
