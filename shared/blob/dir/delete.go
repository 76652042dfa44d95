package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrHeld says that nothing is deleted now because a backup runs.
var ErrHeld = errors.New("dir: chunks are not deleted while a backup runs; try again later")

// Hold makes Delete and DeleteBefore return ErrHeld until release is called. Whoever backs up table and blobs holds from before
// the table's snapshot until the end of Backup, so that no chunk that the snapshot names goes missing in between. Holds add up.
func (s *Store) Hold() (release func()) {
	s.removing.Lock() // waits for deletions on their way
	defer s.removing.Unlock()
	s.held++
	return sync.OnceFunc(func() {
		s.removing.Lock()
		defer s.removing.Unlock()
		s.held--
	})
}

// Delete removes chunks. It is not synced: a chunk that comes back after a crash is one more to collect. See blob.Store.
func (s *Store) Delete(ctx context.Context, scope string, ids []string) error {
	_, err := s.remove(ctx, scope, ids, func(fs.FileInfo) bool { return true })
	return err
}

// DeleteBefore removes chunks that were put before the cutoff. See blob.Store.
func (s *Store) DeleteBefore(ctx context.Context, scope string, ids []string, cutoff time.Time) ([]string, error) {
	return s.remove(ctx, scope, ids, func(info fs.FileInfo) bool { return info.ModTime().Before(cutoff) })
}

func (s *Store) remove(ctx context.Context, scope string, ids []string, which func(fs.FileInfo) bool) ([]string, error) {
	if err := check(ctx, scope, ids); err != nil {
		return nil, err
	}
	s.removing.RLock()
	defer s.removing.RUnlock()
	if s.held > 0 {
		return nil, ErrHeld
	}
	var removed []string
	touched := map[int]bool{}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		was, err := s.removeOne(scope, id, which)
		if err != nil {
			return removed, fmt.Errorf("dir: deleting a chunk of %s: %w", scope, err)
		}
		if was {
			removed = append(removed, id)
			touched[shardOf(id)] = true
		}
	}
	if len(touched) > 0 {
		s.prune(scope, touched)
	}
	return removed, nil
}

func (s *Store) removeOne(scope, id string, which func(fs.FileInfo) bool) (bool, error) {
	shard := &s.shards[shardOf(id)]
	shard.Lock()
	defer shard.Unlock()
	path := s.path(scope, id)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !which(info) {
		return false, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err == nil, err
}

// prune removes the directories of a scope that have become empty, so that deleted scopes leave nothing. A directory that is
// not empty is not removed, which is the test for it.
func (s *Store) prune(scope string, shards map[int]bool) {
	s.layout.Lock()
	defer s.layout.Unlock()
	dir := s.scopeDir(scope)
	for n := range shards {
		_ = os.Remove(filepath.Join(dir, shardName(n)))
	}
	_ = os.Remove(dir)
}
