package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyplane/polyplane/shared/blob"
)

// Backup makes dst a copy of all chunks as they are, while the store is in use: hard links where dst is on the same disk,
// copies elsewhere. When it returns nil, dst is complete and durable, and Open opens it. dst must not exist, nor lie within the
// store; until the end, the work is in dst+".partial", where a backup that was interrupted is started anew.
//
// Nothing is deleted meanwhile; see Hold for a backup that fits a snapshot of the table.
func (s *Store) Backup(ctx context.Context, dst string) error {
	defer s.Hold()()
	if err := s.backup(ctx, dst); err != nil {
		return fmt.Errorf("dir: backing up to %s: %w", dst, err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, dst string) error {
	dst, err := filepath.Abs(dst)
	if err != nil {
		return err
	}
	if inside, err := filepath.Rel(s.root, dst); err == nil && inside != ".." && !strings.HasPrefix(inside, "../") {
		return errors.New("a backup cannot lie within what it backs up")
	}
	if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	partial := dst + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := makeAll(partial); err != nil {
		return err
	}
	scopes, err := names(s.root)
	if err != nil {
		return err
	}
	for _, scope := range scopes {
		if strings.HasPrefix(scope, ".") {
			continue
		}
		if err := s.backupScope(ctx, filepath.Join(s.root, scope), filepath.Join(partial, scope)); err != nil {
			return err
		}
	}
	if err := syncDir(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, dst); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dst))
}

func (s *Store) backupScope(ctx context.Context, from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	shards, err := names(from)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.backupShard(filepath.Join(from, shard), filepath.Join(to, shard)); err != nil {
			return err
		}
	}
	return syncDir(to)
}

func (s *Store) backupShard(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	ids, err := names(from)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if blob.CheckID(id) != nil {
			continue
		}
		source, target := filepath.Join(from, id), filepath.Join(to, id)
		// A chunk's file is never written to again, so that a link to it is as good as a copy. Not every disk has links.
		if s.link(source, target) == nil {
			continue
		}
		if err := copyFile(source, target); err != nil {
			return err
		}
	}
	return syncDir(to)
}

func copyFile(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return writeFile(target, data, info.ModTime())
}
