package checkpoint

import (
	"fmt"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// effect changes the state by one entry, or refuses it and changes nothing.
func (s *State) effect(e Entry) error {
	if err := s.addresses(e); err != nil {
		return err
	}
	switch e.Kind {
	case Begin:
		s.begin(e)
	case Success:
		s.succeed(e)
	case Failure:
		delete(s.running, e.Operation)
	case RefreshSuccess:
		s.refresh(e)
	case Outputs:
		s.replace(e)
	case Write:
		return s.write(e)
	case SecretsManager:
		s.base.secrets = compact(e.SecretsProvider)
	case RebuiltBase:
		if err := s.rebuild(); err != nil {
			return err
		}
	case ExtensionParameterize:
		s.added[e.ExtensionRef] = compact(e.Extension)
	case Snippets:
		s.base.snippets = present(e.Snippets)
	default:
		return refused(e, "kind", "has a kind that does not exist")
	}
	s.bytes = s.bytes || e.RequiresByteString
	return nil
}

func refused(e Entry, field, format string, args ...any) error {
	path := fmt.Sprintf("body.entries[sequenceID=%d].%s", e.Sequence, field)
	return fault.Wrong(path, "%s %s", e, fmt.Sprintf(format, args...))
}

// addresses checks that everything the entry addresses is there. Only the kinds that use addresses are looked at; the
// client fills some in for others, too (a failed create says what it would have replaced).
func (s *State) addresses(e Entry) error {
	switch e.Kind {
	case Success, RefreshSuccess, Outputs:
	default:
		return nil
	}
	for _, old := range []struct {
		field string
		ref   Ref
	}{
		{"removeOld", e.RemoveOld}, {"deleteOld", e.DeleteOld}, {"pendingReplacementOld", e.PendingReplacementOld},
	} {
		if old.ref.Set && (old.ref.N < 0 || old.ref.N >= int64(len(s.base.resources))) {
			return refused(e, old.field, "addresses old resource %d, but the base has %d", old.ref.N, len(s.base.resources))
		}
	}
	for _, fresh := range []struct {
		field string
		ref   Ref
	}{
		{"removeNew", e.RemoveNew}, {"deleteNew", e.DeleteNew}, {"pendingReplacementNew", e.PendingReplacementNew},
	} {
		if !fresh.ref.Set {
			continue
		}
		if _, known := s.places[fresh.ref.N]; known {
			continue
		}
		if e.Kind == Success && e.State != nil && fresh.ref.N == e.Operation {
			continue // it addresses the resource that it brings
		}
		return refused(e, fresh.field, "addresses the resource of operation %d, which produced none", fresh.ref.N)
	}
	return nil
}

// slots calls change for the one or two slots that a pair of addresses means.
func (s *State) slots(old, fresh Ref, change func(*slot)) {
	if old.Set {
		change(&s.base.resources[old.N])
	}
	if fresh.Set {
		change(s.slot(s.places[fresh.N]))
	}
}

func (s *State) slot(p place) *slot {
	if p < 0 {
		return &s.base.resources[-1-p]
	}
	return &s.news[p]
}

func (s *State) begin(e Entry) {
	delete(s.running, e.Operation)
	if e.Pending != nil {
		s.running[e.Operation] = begun{e.Sequence, oneLine(e.Pending)}
	}
}

func (s *State) succeed(e Entry) {
	delete(s.running, e.Operation)
	if e.State != nil {
		s.places[e.Operation] = place(len(s.news))
		s.news = append(s.news, slot{raw: oneLine(e.State), operation: e.Operation})
	}
	s.slots(e.RemoveOld, e.RemoveNew, drop)
	s.slots(e.DeleteOld, e.DeleteNew, func(r *slot) { r.mark(deleting) })
	s.slots(e.PendingReplacementOld, e.PendingReplacementNew, func(r *slot) { r.mark(pendingReplacement) })
	s.refreshed = s.refreshed || e.IsRefresh
}

// refresh replaces the resource where it stands, so that the order of the list still holds, or drops it.
func (s *State) refresh(e Entry) {
	delete(s.running, e.Operation)
	s.refreshed = true
	if e.State == nil {
		s.slots(e.RemoveOld, e.RemoveNew, drop)
		return
	}
	s.replace(e)
	switch {
	case e.RemoveNew.Set:
		s.places[e.Operation] = s.places[e.RemoveNew.N]
	case e.RemoveOld.Set:
		s.places[e.Operation] = oldPlace(e.RemoveOld.N)
	}
}

func (s *State) replace(e Entry) {
	raw := oneLine(e.State)
	s.slots(e.RemoveOld, Ref{}, func(r *slot) { r.put(raw, replaced) })
	if e.RemoveNew.Set {
		if p := s.places[e.RemoveNew.N]; p < 0 {
			s.slot(p).put(raw, replaced)
		} else {
			s.slot(p).put(raw, 0)
		}
	}
}

// write replaces the base. The client does so before it journals anything that addresses the old one.
func (s *State) write(e Entry) error {
	parsed, err := parseBase(e.NewSnapshot)
	if err != nil {
		return refused(e, "newSnapshot", "brings no deployment: %s", err)
	}
	s.base = parsed
	for operation, p := range s.places {
		if p < 0 {
			delete(s.places, operation)
		}
	}
	return nil
}

// rebuild makes what was replayed so far the base of what follows, as after a refresh that precedes an update.
func (s *State) rebuild() error {
	merged, err := s.merge()
	if err != nil {
		return err
	}
	s.base = merged.base()
	s.news = nil
	s.places = map[int64]place{}
	s.running = map[int64]begun{}
	s.added = map[string][]byte{}
	return nil
}

func drop(r *slot) { r.raw, r.marks = nil, r.marks|gone }

// mark sets a mark, except on an old resource that was replaced: its newer state says itself what it is.
func (r *slot) mark(m marks) {
	if r.marks&(gone|replaced) == 0 {
		r.marks |= m
	}
}

// put replaces the resource, marks included. What was dropped stays dropped: a refresh may precede the delete, and its
// entry must not bring the resource back.
func (r *slot) put(raw []byte, m marks) {
	if r.marks&gone == 0 {
		r.raw, r.marks = raw, m
	}
}
