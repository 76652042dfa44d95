package local

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/polyplane/polyplane/shared/store"
)

// stripes is the number of latches. Thirty writers hold under 1 % of them, so that two keys rarely share one by chance.
const stripes = 4096

// latches keep the items of a Write still between the reading of its conditions and the sync of its batch. A key hashes to one of
// the stripes; those of a Write are taken in ascending order, so that two Writes cannot wait for each other. What a Write only
// checks it shares with others that check.
type latches struct {
	seed   maphash.Seed
	stripe [stripes]sync.RWMutex
}

func newLatches() *latches { return &latches{seed: maphash.MakeSeed()} }

type hold struct {
	stripe    int
	exclusive bool
}

// take waits for the latches of all changes and returns what gives them back.
func (l *latches) take(changes []store.Change) (release func()) {
	holds := make([]hold, 0, len(changes))
	for i := range changes {
		n := int(maphash.Comparable(l.seed, changes[i].Item.Key) % stripes)
		holds = append(holds, hold{n, changes[i].Op != store.OpCheck})
	}
	slices.SortFunc(holds, func(a, b hold) int {
		if a.stripe == b.stripe && a.exclusive != b.exclusive { // exclusive first: it is the one that Compact keeps
			if a.exclusive {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.stripe, b.stripe)
	})
	holds = slices.CompactFunc(holds, func(a, b hold) bool { return a.stripe == b.stripe })
	for _, h := range holds {
		if h.exclusive {
			l.stripe[h.stripe].Lock()
		} else {
			l.stripe[h.stripe].RLock()
		}
	}
	return func() {
		for _, h := range holds {
			if h.exclusive {
				l.stripe[h.stripe].Unlock()
			} else {
				l.stripe[h.stripe].RUnlock()
			}
		}
	}
}
