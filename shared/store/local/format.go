package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// layoutVersion is the version of the keys and values in the directory. It grows when a release writes what the one before cannot
// read.
const layoutVersion = 1

const (
	formatName = "FORMAT"
	formatLine = "polyplane store %d\n"
)

// claim makes dir when it is absent, locks it and checks that it is a store that this version can read. fresh says that nothing
// was ever stored in it.
func claim(dir string) (lock *pebble.Lock, fresh bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("local: make data directory: %w", err)
	}
	if err := refuseForeign(dir); err != nil {
		return nil, false, err
	}
	lock, err = pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, false, lockError(dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false, fmt.Errorf("local: read data directory: %w", err)
	}
	fresh = true
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".sst" || ext == ".log" {
			fresh = false
		}
	}
	if _, err := os.Stat(filepath.Join(dir, formatName)); errors.Is(err, fs.ErrNotExist) {
		return lock, fresh, writeFormat(dir)
	}
	return lock, fresh, nil
}

// refuseForeign looks before anything is written: a directory is ours when it is empty or FORMAT says so.
func refuseForeign(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, formatName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("local: read data directory: %w", err)
		}
		for _, e := range entries {
			if e.Name() != "LOCK" && !strings.HasPrefix(e.Name(), formatName) {
				return fmt.Errorf("local: %s holds %s but no %s file, so it is not a polyplane store: choose an empty directory, or restore a whole backup",
					dir, e.Name(), formatName)
			}
		}
		return nil
	case err != nil:
		return fmt.Errorf("local: read data directory: %w", err)
	}
	var version int
	if _, err := fmt.Sscanf(string(text), formatLine, &version); err != nil || version < 1 {
		return fmt.Errorf("local: the %s file in %s says %.40q, which is no polyplane store", formatName, dir, text)
	}
	if version > layoutVersion {
		return fmt.Errorf("local: %s was written by a newer version of polyplane (store format %d, this version reads up to %d): run that version, or restore a backup made before the upgrade",
			dir, version, layoutVersion)
	}
	return nil
}

// lockError tells a held lock from a directory that cannot be locked. Pebble has no error value for a lock of this same process.
func lockError(dir string, err error) error {
	if errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "held by current process") {
		return fmt.Errorf("local: data directory %s is in use: another polyplane process runs on it; stop that one, or give this one a directory of its own (%w)", dir, err)
	}
	return fmt.Errorf("local: lock data directory %s: %w", dir, err)
}

// writeFormat puts the FORMAT file in place, durably and whole.
func writeFormat(dir string) error {
	path := filepath.Join(dir, formatName)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("local: write %s: %w", path, err)
	}
	_, err = fmt.Fprintf(f, formatLine, layoutVersion)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("local: write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
