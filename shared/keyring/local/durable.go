package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// create puts a new file in place, durable and whole or not at all. Where two start at once, the first one's file stays and the
// second goes on with it.
func create(path string, content []byte) error {
	return place(path, content, func(temporary string) error {
		err := os.Link(temporary, path) // unlike a rename it never replaces
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

// replace puts a file in the place of another, durable and whole or not at all.
func replace(path string, content []byte) error {
	return place(path, content, func(temporary string) error { return os.Rename(temporary, path) })
}

func place(path string, content []byte, move func(temporary string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := move(f.Name()); err != nil {
		return err
	}
	return syncDir(dir)
}

// makeDir makes a directory that only its owner enters, with those above it, so that a crash does not lose them again.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(above)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
