package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
)

// Memory is a store without a disk, for tests of what lies above the port. It passes the suite.
type Memory struct {
	now func() time.Time

	mu     sync.Mutex
	scopes map[string]map[string]stored
}

type stored struct {
	data []byte
	put  time.Time
}

var _ blob.Store = (*Memory)(nil)

// NewMemory makes an empty store whose Put times come from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, scopes: map[string]map[string]stored{}}
}

// enter checks what every call is given, and locks.
func (m *Memory) enter(ctx context.Context, scope string, ids []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := blob.CheckScope(scope); err != nil {
		return err
	}
	for _, id := range ids {
		if err := blob.CheckID(id); err != nil {
			return err
		}
	}
	m.mu.Lock()
	return nil
}

func (m *Memory) Put(ctx context.Context, scope string, chunks []blob.Chunk) error {
	ids := make([]string, len(chunks))
	for i, c := range chunks {
		if len(c.Data) > blob.MaxStored {
			return fmt.Errorf("%w: chunk %s has %d bytes", blob.ErrTooLarge, c.ID, len(c.Data))
		}
		ids[i] = c.ID
	}
	if err := m.enter(ctx, scope, ids); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.scopes[scope] == nil {
		m.scopes[scope] = map[string]stored{}
	}
	for _, c := range chunks {
		m.scopes[scope][c.ID] = stored{bytes.Clone(c.Data), m.now()}
	}
	return nil
}

func (m *Memory) Get(ctx context.Context, scope string, ids []string) ([][]byte, error) {
	if err := m.enter(ctx, scope, ids); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	all := make([][]byte, len(ids))
	for i, id := range ids {
		s, ok := m.scopes[scope][id]
		if !ok {
			return nil, fmt.Errorf("%w: %s of %s", blob.ErrNotFound, id, scope)
		}
		all[i] = bytes.Clone(s.data)
	}
	return all, nil
}

func (m *Memory) Stat(ctx context.Context, scope string, ids []string) (map[string]blob.Info, error) {
	if err := m.enter(ctx, scope, ids); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	infos := map[string]blob.Info{}
	for _, id := range ids {
		if s, ok := m.scopes[scope][id]; ok {
			infos[id] = blob.Info{ID: id, Size: len(s.data), Put: s.put}
		}
	}
	return infos, nil
}

func (m *Memory) List(ctx context.Context, scope, after string, limit int) ([]blob.Info, error) {
	if err := m.enter(ctx, scope, nil); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var infos []blob.Info
	for id, s := range m.scopes[scope] {
		if id > after {
			infos = append(infos, blob.Info{ID: id, Size: len(s.data), Put: s.put})
		}
	}
	slices.SortFunc(infos, func(a, b blob.Info) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return infos[:min(len(infos), max(limit, 0))], nil
}

func (m *Memory) Delete(ctx context.Context, scope string, ids []string) error {
	if err := m.enter(ctx, scope, ids); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.scopes[scope], id)
	}
	return nil
}

func (m *Memory) DeleteBefore(ctx context.Context, scope string, ids []string, cutoff time.Time) ([]string, error) {
	if err := m.enter(ctx, scope, ids); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var deleted []string
	for _, id := range ids {
		if s, ok := m.scopes[scope][id]; ok && s.put.Before(cutoff) {
			delete(m.scopes[scope], id)
			deleted = append(deleted, id)
		}
	}
	return deleted, nil
}
