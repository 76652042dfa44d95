package checkpoint

// Settle ends the waiting for missing entries, for when the update is over and none can arrive. Held entries are never applied over
// the gap: they may rest on what is missing. But they were acknowledged, and a resource that exists now must not be forgotten, so
// each operation they tell of becomes a pending operation of the checkpoint, with the newest state that was told. The client
// lists those before the next update and asks the user to refresh or import them. It returns the numbers that are missing.
func (s *State) Settle() []Range {
	missing := s.Missing()
	for _, sequence := range sortedKeys(s.held) {
		s.suspend(s.held[sequence])
		delete(s.held, sequence)
	}
	return missing
}

// suspend keeps what a held entry tells as a pending operation, or drops it where it tells of nothing outside the checkpoint.
func (s *State) suspend(e Entry) {
	told, known := s.running[e.Operation]
	pend := func(kind string, resource []byte) {
		s.running[e.Operation] = begun{e.Sequence, joinObject([]member{
			{[]byte("resource"), oneLine(resource)}, {[]byte("type"), quote(kind)},
		})}
	}
	switch e.Kind {
	case Begin:
		if e.Pending != nil {
			s.running[e.Operation] = begun{e.Sequence, oneLine(e.Pending)}
		}
	case Failure:
		delete(s.running, e.Operation)
	case Success:
		switch {
		case e.State != nil && known:
			pend(operationType(told.raw), e.State)
		case e.State != nil && !e.RemoveOld.Set && !e.RemoveNew.Set:
			pend("creating", e.State) // its begin is among the missing
		case e.State == nil && !known && e.RemoveOld.Set && e.RemoveOld.N < int64(len(s.base.resources)):
			if raw := s.base.resources[e.RemoveOld.N].raw; raw != nil {
				pend("deleting", raw)
			}
		}
		// A success without begin that replaces a base resource is one that did not change, as far as can be known.
	}
}
