package blob

import (
	"context"
	"time"
)

// Staging is a Store in front of another that holds back what is put. A document that is written again and again with small changes
// leaves a chunk or two each time, of which the next version needs few: whoever keeps the document's manifest in an item keeps
// those few chunks beside it (Named), and puts them (Flush) only when they have become many or the document is to stay.
//
// It serves one scope and is not safe for concurrent use by several writers.
type Staging struct {
	Store
	now  time.Time
	held map[string][]byte // sealed chunks by id
}

// NewStaging is a staging in front of s that holds the given chunks, by id; now is when they count as put.
func NewStaging(s Store, held map[string][]byte, now time.Time) *Staging {
	all := make(map[string][]byte, len(held))
	for id, data := range held {
		all[id] = data
	}
	return &Staging{Store: s, now: now, held: all}
}

// Put holds chunks back.
func (s *Staging) Put(_ context.Context, _ string, chunks []Chunk) error {
	for _, c := range chunks {
		s.held[c.ID] = c.Data
	}
	return nil
}

// Get returns held chunks, and the others from the store behind.
func (s *Staging) Get(ctx context.Context, scope string, ids []string) ([][]byte, error) {
	out := make([][]byte, len(ids))
	var missing []string
	var at []int
	for i, id := range ids {
		if data, ok := s.held[id]; ok {
			out[i] = data
			continue
		}
		missing, at = append(missing, id), append(at, i)
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := s.Store.Get(ctx, scope, missing)
	if err != nil {
		return nil, err
	}
	for i, data := range found {
		out[at[i]] = data
	}
	return out, nil
}

// Stat counts held chunks as there.
func (s *Staging) Stat(ctx context.Context, scope string, ids []string) (map[string]Info, error) {
	var missing []string
	out := make(map[string]Info, len(ids))
	for _, id := range ids {
		if data, ok := s.held[id]; ok {
			out[id] = Info{ID: id, Size: len(data), Put: s.now}
			continue
		}
		missing = append(missing, id)
	}
	if len(missing) == 0 {
		return out, nil
	}
	found, err := s.Store.Stat(ctx, scope, missing)
	for id, info := range found {
		out[id] = info
	}
	return out, err
}

// Named returns the held chunks that a manifest names, and their size in bytes.
func (s *Staging) Named(m Manifest) (chunks map[string][]byte, size int) {
	chunks = map[string][]byte{}
	for _, ref := range m.Chunks {
		if data, ok := s.held[ref.ID]; ok && chunks[ref.ID] == nil {
			chunks[ref.ID] = data
			size += len(data)
		}
	}
	return chunks, size
}

// Flush puts the held chunks that a manifest names into the store behind, durably.
func (s *Staging) Flush(ctx context.Context, scope string, m Manifest) error {
	named, _ := s.Named(m)
	chunks := make([]Chunk, 0, len(named))
	for id, data := range named {
		chunks = append(chunks, Chunk{ID: id, Data: data})
	}
	if len(chunks) == 0 {
		return nil
	}
	return s.Store.Put(ctx, scope, chunks)
}
