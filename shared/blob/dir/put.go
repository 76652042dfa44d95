package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/internal/parallel"
)

// Put writes chunks. All files are written and synced at once, a bounded number at a time, and each directory is synced once.
// See blob.Store.
func (s *Store) Put(ctx context.Context, scope string, chunks []blob.Chunk) error {
	last := make(map[string]int, len(chunks)) // of the same id
	ids := make([]string, 0, len(chunks))
	for i, c := range chunks {
		if len(c.Data) > blob.MaxStored {
			return fmt.Errorf("%w: chunk %s has %d bytes", blob.ErrTooLarge, c.ID, len(c.Data))
		}
		if _, again := last[c.ID]; !again {
			ids = append(ids, c.ID)
		}
		last[c.ID] = i
	}
	if err := check(ctx, scope, ids); err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil
	}
	// As long as this directory is there, some of what the put renamed may not be durable; recover knows it by that.
	temp, err := os.MkdirTemp(filepath.Join(s.root, tempName), "put-")
	if err != nil {
		return fmt.Errorf("dir: putting chunks of %s: %w", scope, err)
	}
	defer os.RemoveAll(temp)
	at := s.now()
	err = parallel.Do(writers, len(ids), func(i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return writeFile(filepath.Join(temp, ids[i]), chunks[last[ids[i]]].Data, at)
	})
	if err == nil {
		err = s.place(scope, temp, ids)
	}
	if err != nil {
		return fmt.Errorf("dir: putting chunks of %s: %w", scope, err)
	}
	return nil
}

// writeFile makes a durable file with this modification time.
func writeFile(path string, data []byte, at time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = os.Chtimes(path, at, at)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// place moves files named by their ids into the directories of the scope and makes that durable.
func (s *Store) place(scope, temp string, ids []string) error {
	byShard := map[int][]string{}
	for _, id := range ids {
		byShard[shardOf(id)] = append(byShard[shardOf(id)], id)
	}
	shards := make([]int, 0, len(byShard))
	for n := range byShard {
		shards = append(shards, n)
	}
	slices.Sort(shards)

	s.layout.RLock()
	defer s.layout.RUnlock()
	if err := s.makeShards(scope, shards); err != nil {
		return err
	}
	return parallel.Do(writers, len(shards), func(i int) error {
		n := shards[i]
		s.shards[n].Lock()
		defer s.shards[n].Unlock()
		for _, id := range byShard[n] {
			if err := os.Rename(filepath.Join(temp, id), s.path(scope, id)); err != nil {
				return err
			}
		}
		return syncDir(filepath.Join(s.scopeDir(scope), shardName(n)))
	})
}

func shardName(n int) string { return strconv.FormatInt(int64(n)+0x100, 16)[1:] }

// makeShards makes the directories that are missing. Those made are synced into their parents before anybody else looks.
func (s *Store) makeShards(scope string, shards []int) error {
	s.making.Lock()
	defer s.making.Unlock()
	dir := s.scopeDir(scope)
	if err := makeIn(s.root, []string{filepath.Base(dir)}); err != nil {
		return err
	}
	names := make([]string, len(shards))
	for i, n := range shards {
		names[i] = shardName(n)
	}
	return makeIn(dir, names)
}

// makeIn makes those of the directories that are missing, and syncs the one they are in once.
func makeIn(dir string, names []string) error {
	made := false
	for _, name := range names {
		err := os.Mkdir(filepath.Join(dir, name), 0o700)
		if err == nil {
			made = true
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if !made {
		return nil
	}
	return syncDir(dir)
}

// makeAll makes a directory and those above it, durable.
func makeAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeAll(above); err != nil {
			return err
		}
	}
	return makeIn(above, []string{filepath.Base(dir)})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
