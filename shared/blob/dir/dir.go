// Package dir keeps chunks in a directory, one file each: <root>/<scope, escaped>/<first two digits of the id>/<id>.
//
// A chunk is written to a file of its own below <root>/.tmp, synced, renamed into place, and the directory synced. A chunk that
// is put again takes the same way and replaces the file, rather than only its time: that mends a damaged file, leaves the hard
// links of a backup alone, and costs one more write every half grace. The Put time is the file's modification time, set before
// the file is synced; so no crash makes a chunk look younger than it is, nor older once Put returned.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/internal/parallel"
)

// Store is a blob.Store in a directory, which it has for itself: Open takes a lock that Close gives back.
type Store struct {
	root string
	now  func() time.Time
	lock *os.File
	link func(source, target string) error // os.Link

	// layout is held for reading while files are put into directories, for writing while empty directories are removed.
	layout sync.RWMutex
	// making is held while directories are made and synced: one that exists to its holder is durable.
	making sync.Mutex
	// shards are held, by first two digits of the id whatever the scope, for writing from the rename of a file to the sync of its
	// directory and while files are removed, for reading by Stat: a chunk that Stat shows is durable and not on its way out.
	shards [256]sync.RWMutex

	// removing is held for reading while chunks are removed, and guards held.
	removing sync.RWMutex
	held     int
}

var _ blob.Store = (*Store)(nil)

const (
	// The names that are no scope start with a dot, which no escaped scope has.
	tempName = ".tmp"
	lockName = ".lock"

	// readers and writers bound the files that one call works on at once. Writers mostly wait for syncs, which disks like to do together.
	readers = 4
	writers = 16
)

// Open opens the directory, or makes it, and removes what a crash left half written. Put times come from now. It refuses a directory that
// another Store has open, in this process or another.
func Open(root string, now func() time.Time) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	if err := makeAll(filepath.Join(root, tempName)); err != nil {
		return nil, fmt.Errorf("dir: making the blob directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dir: opening the lock of the blob directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("dir: the blob directory %s is in use by another process (%w)", root, err)
	}
	s := &Store{root: root, now: now, lock: lock, link: os.Link}
	if err := s.recover(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// Close gives the directory back. The store must not be used any more.
func (s *Store) Close() error { return s.lock.Close() }

// recover removes the temporary directories of puts that did not end. Some of their files may have been renamed into directories
// that were not synced: everything is synced before, since from now on these chunks are believed to be durable.
func (s *Store) recover() error {
	temp := filepath.Join(s.root, tempName)
	left, err := os.ReadDir(temp)
	if err != nil {
		return fmt.Errorf("dir: looking for what a crash left: %w", err)
	}
	if len(left) > 0 {
		syscall.Sync()
	}
	for _, entry := range left {
		if err := os.RemoveAll(filepath.Join(temp, entry.Name())); err != nil {
			return fmt.Errorf("dir: removing what a crash left: %w", err)
		}
	}
	return nil
}

// escape makes a scope one path element. Capitals are escaped as well, for disks to which they are the same as small letters.
// The dot is escaped, so that the result is neither "." nor ".." nor one of the names above. A scope of MaxScope bytes
// becomes 240 at most, which every file system takes.
func escape(scope string) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, len(scope)+8)
	for _, c := range []byte(scope) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

func (s *Store) scopeDir(scope string) string { return filepath.Join(s.root, escape(scope)) }

func (s *Store) path(scope, id string) string { return filepath.Join(s.scopeDir(scope), id[:2], id) }

// shardOf is the number in the first two digits of a checked id.
func shardOf(id string) int {
	n, _ := strconv.ParseUint(id[:2], 16, 8)
	return int(n)
}

// check refuses what must not become a path, and a context that is over.
func check(ctx context.Context, scope string, ids []string) error {
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
	return nil
}

// Get reads chunks. See blob.Store.
func (s *Store) Get(ctx context.Context, scope string, ids []string) ([][]byte, error) {
	if err := check(ctx, scope, ids); err != nil {
		return nil, err
	}
	all := make([][]byte, len(ids))
	err := parallel.Do(readers, len(ids), func(i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := readChunk(s.path(scope, ids[i]))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s of %s", blob.ErrNotFound, ids[i], scope)
		}
		if err != nil {
			return fmt.Errorf("dir: reading a chunk of %s: %w", scope, err)
		}
		all[i] = data
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readChunk reads a file, but not one that cannot be a chunk: who can write to the directory must not make us read without end.
func readChunk(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > blob.MaxStored {
		return nil, fmt.Errorf("%w: %s has %d bytes", blob.ErrTooLarge, path, info.Size())
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}

// Stat looks at chunks. See blob.Store.
func (s *Store) Stat(ctx context.Context, scope string, ids []string) (map[string]blob.Info, error) {
	if err := check(ctx, scope, ids); err != nil {
		return nil, err
	}
	infos := make(map[string]blob.Info, len(ids))
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		shard := &s.shards[shardOf(id)]
		shard.RLock()
		info, err := os.Lstat(s.path(scope, id))
		shard.RUnlock()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("dir: looking at a chunk of %s: %w", scope, err)
		}
		infos[id] = infoOf(info)
	}
	return infos, nil
}

func infoOf(info fs.FileInfo) blob.Info {
	return blob.Info{ID: info.Name(), Size: int(info.Size()), Put: info.ModTime()}
}

// List lists chunks. See blob.Store.
func (s *Store) List(ctx context.Context, scope, after string, limit int) ([]blob.Info, error) {
	if err := check(ctx, scope, nil); err != nil {
		return nil, err
	}
	var infos []blob.Info
	shards, err := names(s.scopeDir(scope))
	if err != nil {
		return nil, fmt.Errorf("dir: listing %s: %w", scope, err)
	}
	for _, shard := range shards {
		if len(infos) >= limit {
			break
		}
		if len(shard) != 2 || shard < after[:min(2, len(after))] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ids, err := names(filepath.Join(s.scopeDir(scope), shard))
		if err != nil {
			return nil, fmt.Errorf("dir: listing %s: %w", scope, err)
		}
		start, found := slices.BinarySearch(ids, after)
		if found {
			start++
		}
		for _, id := range ids[start:] {
			if len(infos) >= limit {
				break
			}
			if blob.CheckID(id) != nil || id[:2] != shard {
				continue // no file of ours
			}
			info, err := os.Lstat(s.path(scope, id))
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since
			}
			if err != nil {
				return nil, fmt.Errorf("dir: listing %s: %w", scope, err)
			}
			infos = append(infos, infoOf(info))
		}
	}
	return infos, nil
}

// names returns the sorted names in a directory; none when it does not exist, or was removed for being empty while it was read.
func names(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	slices.Sort(names)
	return names, err
}
