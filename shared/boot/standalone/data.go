package standalone

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
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
	keyDir    = "keys"
	keyName   = "master.key"
	socketAt  = "control.sock"
	restoring = ".restoring"    // there while a restore is under way
	keyTTL    = 5 * time.Minute // how long data keys stay unwrapped in memory
	maxCached = 10_000          // unwrapped data keys
)

// data is an open data directory.
type data struct {
	dir   string
	now   func() time.Time
	store *local.DB
	blobs *dir.Store
	wake  chan struct{} // holds one value when events were left since the relay last looked
	hooks chan struct{} // holds one value when deliveries were left since the worker of hooks last looked
	ports ports.Ports
}

// newID is a version 7 UUID: ordered by creation.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the program instead
	return b
}

// openData opens a data directory, making what is not there. It is locked against other processes until it is closed.
func openData(at string, h Hooks, log *slog.Logger) (d *data, err error) {
	if err := usable(at); err != nil {
		return nil, err
	}
	d = &data{dir: at, now: h.now(), wake: make(chan struct{}, 1), hooks: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.store, err = local.Open(filepath.Join(at, storeDir), local.Options{Now: d.now, Log: log}); err != nil {
		return d, err
	}
	if d.blobs, err = dir.Open(filepath.Join(at, blobDir), d.now); err != nil {
		return d, err
	}
	master, err := keys.Open(filepath.Join(at, keyDir, keyName))
	if err != nil {
		return d, err
	}
	var table store.Store = waking{d.store, d.wake, d.hooks}
	if h.Store != nil {
		table = h.Store(table)
	}
	d.ports = ports.Ports{
		Store:   store.Remembering(table),
		Blobs:   d.blobs,
		Keyring: keyring.Cached(master, d.now, keyTTL, maxCached),
		Now:     d.now,
		NewID:   newID,
		Random:  random,
		Log:     log,
	}
	return d, nil
}

// usable makes the data directory, or refuses one that must not be served.
func usable(at string) error {
	if err := os.MkdirAll(at, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	for name, refusal := range map[string]string{
		restoring:  "a restore into %s did not end: empty it and restore again",
		backupMark: "%s is a backup: make a data directory from it with `polyplane restore`",
	} {
		if _, err := os.Lstat(filepath.Join(at, name)); err == nil {
			return fmt.Errorf(refusal, at)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	return nil
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
