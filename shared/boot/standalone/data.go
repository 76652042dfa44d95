package standalone

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/polyplane/polyplane/shared/blob/dir"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	keys "github.com/polyplane/polyplane/shared/keyring/local"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// Where things lie in the data directory.
const (
	storeDir  = "store"
	blobDir   = "blobs"
	keyFile   = "keys/master.key"
	socketAt  = "control.sock"
	keyTTL    = 5 * time.Minute // how long data keys stay unwrapped in memory
	maxCached = 10_000          // unwrapped data keys
)

// data is an open data directory.
type data struct {
	dir   string
	store *local.DB
	blobs *dir.Store
	ports ports.Ports
}

func now() time.Time { return time.Now().UTC() }

// newID is a version 7 UUID: ordered by creation.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the program instead
	return b
}

// openData opens a data directory, making what is not there. It is locked against other processes until it is closed.
func openData(at string, log *slog.Logger) (d *data, err error) {
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	d = &data{dir: at}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.store, err = local.Open(filepath.Join(at, storeDir), local.Options{Now: now, Log: log}); err != nil {
		return d, err
	}
	if d.blobs, err = dir.Open(filepath.Join(at, blobDir), now); err != nil {
		return d, err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(at, keyFile)), 0o700); err != nil {
		return d, err
	}
	master, err := keys.Open(filepath.Join(at, keyFile))
	if err != nil {
		return d, err
	}
	d.ports = ports.Ports{
		Store:   store.Remembering(d.store),
		Blobs:   d.blobs,
		Keyring: keyring.Cached(master, now, keyTTL, maxCached),
		Now:     now,
		NewID:   newID,
		Random:  random,
		Log:     log,
	}
	return d, nil
}

func (d *data) close() error {
	var errs []error
	if d.blobs != nil {
		errs = append(errs, d.blobs.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

// backup copies everything into a new directory, while requests go on: the table first and the chunks after it, so that every chunk that
// the copied table names is there; nothing is deleted in between.
func (d *data) backup(ctx context.Context, to string) (err error) {
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("backup into %s: %w", to, err)
	}
	release := d.blobs.Hold()
	defer release()
	if err := d.store.Backup(ctx, filepath.Join(to, storeDir)); err != nil {
		return err
	}
	if err := d.blobs.Backup(ctx, filepath.Join(to, blobDir)); err != nil {
		return err
	}
	return copyDir(filepath.Join(d.dir, filepath.Dir(keyFile)), filepath.Join(to, filepath.Dir(keyFile)))
}

// copyDir copies a directory of small files as it is.
func copyDir(from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return err
		}
		if err := writeSynced(filepath.Join(to, f.Name()), b); err != nil {
			return err
		}
	}
	return nil
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
