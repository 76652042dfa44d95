package local

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/polyplane/polyplane/shared/store"
)

// unsynced knows the partitions in which a batch is under way: perhaps visible to readers, not yet synced. A read looks at the
// engine first and then waits for the batches under way in its partition, so that whatever it saw is durable when it returns.
type unsynced struct {
	seed   maphash.Seed
	stripe [stripes]underWay
}

type underWay struct {
	count   atomic.Int32 // len(batches), to look at without the mutex
	mu      sync.Mutex
	batches []chan struct{}
}

func newUnsynced() *unsynced { return &unsynced{seed: maphash.MakeSeed()} }

func (u *unsynced) of(pk string) int { return int(maphash.String(u.seed, pk) % stripes) }

// begin announces a batch before it is committed and returns what calls it synced.
func (u *unsynced) begin(changes []store.Change) (synced func()) {
	at := make([]int, 0, len(changes))
	for i := range changes {
		if changes[i].Op != store.OpCheck {
			at = append(at, u.of(changes[i].Item.PK))
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	batch := make(chan struct{})
	for _, n := range at {
		s := &u.stripe[n]
		s.mu.Lock()
		s.batches = append(s.batches, batch)
		s.count.Store(int32(len(s.batches)))
		s.mu.Unlock()
	}
	return func() {
		for _, n := range at {
			s := &u.stripe[n]
			s.mu.Lock()
			s.batches = slices.DeleteFunc(s.batches, func(c chan struct{}) bool { return c == batch })
			s.count.Store(int32(len(s.batches)))
			s.mu.Unlock()
		}
		close(batch)
	}
}

// wait returns when every batch that was under way in the partition at the time of the call is synced. Later ones do not delay it.
func (u *unsynced) wait(ctx context.Context, pk string) error {
	s := &u.stripe[u.of(pk)]
	if s.count.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	batches := slices.Clone(s.batches)
	s.mu.Unlock()
	for _, b := range batches {
		select {
		case <-b:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	return nil
}
