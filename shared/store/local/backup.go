package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
)

// Backup makes a copy of the store in dir, which must not exist, while reads and writes go on. The copy holds every Write
// acknowledged before the call, and of those during it whole ones in the order of their commits. On the same disk it is made of
// hard links and costs next to nothing; Open reads it like any store. dir appears when it is complete, and not at all on failure.
func (d *DB) Backup(ctx context.Context, dir string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("local: backup into %s: %w", dir, errors.Join(err, fs.ErrExist))
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("local: backup into %s: %w", dir, err)
	}
	stage, err := os.MkdirTemp(parent, ".backup-")
	if err != nil {
		return fmt.Errorf("local: backup into %s: %w", dir, err)
	}
	err = d.copyTo(ctx, filepath.Join(stage, "store"), dir)
	if err := errors.Join(err, os.RemoveAll(stage)); err != nil {
		return fmt.Errorf("local: backup into %s: %w", dir, err)
	}
	return nil
}

func (d *DB) copyTo(ctx context.Context, stage, dir string) error {
	if err := d.engine.Checkpoint(stage, pebble.WithFlushedWAL()); err != nil {
		return err
	}
	if err := writeFormat(stage); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(stage, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}
