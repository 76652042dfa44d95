package checkpoint

import (
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// State replays a journal over the deployment that was current when the update started. It is not safe for concurrent use.
type State struct {
	base base
	news []slot

	places  map[int64]place   // operation → the resource it produced or refreshed
	running map[int64]begun   // operations that began and have not ended, with something to show
	added   map[string][]byte // extensions that the journal brought

	next      int64           // sequence number of the next entry to apply
	held      map[int64]Entry // entries behind a gap
	refreshed bool            // some entry was part of a refresh
	bytes     bool            // some entry needs byte texts
}

// place says where an operation's resource is: n ≥ 0 is new resource n, n < 0 is old resource -1-n.
type place int64

func oldPlace(index int64) place { return place(-1 - index) }

type begun struct {
	sequence int64
	raw      []byte
}

// Range is a run of sequence numbers, both ends included.
type Range struct{ From, To int64 }

func (r Range) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d to %d", r.From, r.To)
}

// firstSequence is the number of an update's first entry, which tells the secrets provider.
const firstSequence = 1

// New starts a replay over a deployment (the object with "manifest" and "resources", not the one with "version" around
// it). Nothing and null are the deployment of a stack that was never updated. The state keeps pointing into base, which
// must not change. The fault is Internal: a base that is not a deployment is stored data gone bad.
func New(base []byte) (*State, error) {
	parsed, err := parseBase(base)
	if err != nil {
		return nil, fault.New(fault.Internal, "the checkpoint that the update started from cannot be read").Because(err)
	}
	return &State{
		base:    parsed,
		places:  map[int64]place{},
		running: map[int64]begun{},
		added:   map[string][]byte{},
		next:    firstSequence,
		held:    map[int64]Entry{},
	}, nil
}

// Apply takes an entry in. An entry whose number was seen is ignored, whatever it says. One behind a gap is held until the
// gap closes. One in turn takes effect, and so do those held behind it.
//
// An entry that addresses what is not there is refused with an Invalid fault that names it; the state is then as if it had
// never arrived, so that it counts as missing and may come again. The fault can be about an entry held earlier. The state
// keeps pointing into the entry's bytes.
func (s *State) Apply(e Entry) error {
	if e.Sequence < s.next {
		return nil
	}
	if _, seen := s.held[e.Sequence]; seen {
		return nil
	}
	if e.Sequence > s.next {
		s.held[e.Sequence] = e
		return nil
	}
	if err := s.effect(e); err != nil {
		return err
	}
	s.next++
	return s.drain()
}

// ApplyAll applies entries in the order given and stops at the first that is refused.
func (s *State) ApplyAll(entries []Entry) error {
	for _, e := range entries {
		if err := s.Apply(e); err != nil {
			return err
		}
	}
	return nil
}

// drain applies the held entries that are now in turn.
func (s *State) drain() error {
	for len(s.held) > 0 {
		e, waiting := s.held[s.next]
		if !waiting {
			return nil
		}
		delete(s.held, s.next)
		if err := s.effect(e); err != nil {
			return err
		}
		s.next++
	}
	return nil
}

// Next is the first sequence number that has not taken effect.
func (s *State) Next() int64 { return s.next }

// Pending is the number of entries held behind a gap.
func (s *State) Pending() int { return len(s.held) }

// Missing lists the sequence numbers that held entries wait for, in order; empty when nothing is held.
func (s *State) Missing() []Range {
	var missing []Range
	expected := s.next
	for _, sequence := range sortedKeys(s.held) {
		if sequence > expected {
			missing = append(missing, Range{expected, sequence - 1})
		}
		expected = sequence + 1
	}
	return missing
}

// Snapshot is a deployment with what its envelope says about it.
type Snapshot struct {
	Deployment []byte   // the object with "manifest" and "resources"
	Schema     int      // 3, or 4 when Features is not empty
	Features   []string // sorted; nil if none
	Resources  int      // number of resources
}

// Materialize writes the deployment that results from the entries applied so far. at and version (the client's, may be
// empty) go into the manifest. It does not change the state. The fault is a Conflict when two resources claim one alias,
// which no client that checks its own program produces.
func (s *State) Materialize(at time.Time, version string) (Snapshot, error) {
	merged, err := s.merge()
	if err != nil {
		return Snapshot{}, err
	}
	return merged.snapshot(Manifest(at, version)), nil
}
