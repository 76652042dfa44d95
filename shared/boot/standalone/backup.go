package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A backup is a directory that holds a copy of the table, of the chunks and of the keys, and a file that says so. It appears under its
// name when it is whole.
const (
	backupMark = "BACKUP"
	backupLine = "polyplane backup %d\n"
	backupForm = 1
)

// parts are what a backup is made of. The table comes last: a data directory is one from the moment that it is there.
var parts = []string{keyDir, blobDir, storeDir}

// backup copies everything into a new directory, while requests go on: the table first and the chunks after it, so that every chunk that
// the copied table names is there; nothing is deleted in between.
func (d *data) backup(ctx context.Context, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup into %s: %w", to, err)
		}
	}()
	if inside(d.dir, to) {
		return errors.New("it lies within the data directory; name one that does not")
	}
	if _, err := os.Lstat(to); err == nil {
		return errors.New("there is something already; name a directory that does not exist, and it is made")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(to), ".backup-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	release := d.blobs.Hold()
	defer release()
	if err := d.store.Backup(ctx, filepath.Join(work, storeDir)); err != nil {
		return err
	}
	if err := d.blobs.Backup(ctx, filepath.Join(work, blobDir)); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(work, keyDir), os.DirFS(filepath.Join(d.dir, keyDir))); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, backupMark), fmt.Appendf(nil, backupLine, backupForm), 0o600); err != nil {
		return err
	}
	// Table and chunks are durable already, and share files with those in use.
	for _, part := range []string{keyDir, backupMark} {
		if err := private(filepath.Join(work, part)); err != nil {
			return err
		}
	}
	return moveInto(work, to)
}

// moveInto gives a directory its name, durably.
func moveInto(work, name string) error {
	if err := syncPath(work); err != nil {
		return err
	}
	if err := os.Rename(work, name); err != nil {
		return err
	}
	return syncPath(filepath.Dir(name))
}

// inside reports whether a path is a directory or lies below it.
func inside(dir, path string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	below, err := filepath.Rel(dir, path)
	return err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator))
}

// restore makes a data directory from a backup. The directory must not exist or be empty, so that nothing is overwritten.
func restore(s Settings, from string, out io.Writer) error {
	if err := whole(from); err != nil {
		return err
	}
	if there, err := os.ReadDir(s.Data); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty: choose another directory with --data", s.Data)
	}
	work := filepath.Join(s.Data, restoring)
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	for _, part := range parts {
		if err := os.CopyFS(filepath.Join(work, part), os.DirFS(filepath.Join(from, part))); err != nil {
			return errors.Join(fmt.Errorf("restoring %s: %w", from, err), os.RemoveAll(work))
		}
	}
	if err := private(s.Data); err != nil {
		return errors.Join(err, os.RemoveAll(work))
	}
	// From here on a failure leaves the work directory behind, and nothing serves a half restored one.
	for _, part := range parts {
		if err := moveInto(filepath.Join(work, part), filepath.Join(s.Data, part)); err != nil {
			return err
		}
	}
	if err := os.Remove(work); err != nil {
		return err
	}
	if err := syncPath(s.Data); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Restored %s into %s.\n", from, s.Data)
	return err
}

// whole refuses what is no backup that this version can read.
func whole(from string) error {
	text, err := os.ReadFile(filepath.Join(from, backupMark))
	if err != nil {
		return fmt.Errorf("%s is not a backup: %w", from, err)
	}
	var form int
	if _, err := fmt.Sscanf(string(text), backupLine, &form); err != nil || form < 1 {
		return fmt.Errorf("%s is not a backup: its %s file says %.40q", from, backupMark, text)
	}
	if form > backupForm {
		return fmt.Errorf("%s was made by a newer version of polyplane: restore it with that version", from)
	}
	for _, part := range []string{storeDir, blobDir, filepath.Join(keyDir, keyName)} {
		if _, err := os.Stat(filepath.Join(from, part)); err != nil {
			return fmt.Errorf("%s is not a whole backup: %w", from, err)
		}
	}
	return nil
}

// private takes everybody else's rights to a tree away and makes it durable.
func private(root string) error {
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
		return syncPath(name)
	})
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
