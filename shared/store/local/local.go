// Package local keeps the store in one directory of this machine, on Pebble.
//
// Durability: a Write returns nil when its batch is in the synced log. Writers of different keys run in parallel and share a sync
// (Pebble's group commit); writers of one key queue behind a latch, which is held until the sync, so that every condition is
// judged on durable state. Pebble shows a batch to readers a moment before it is synced; reads wait for the syncs that are under
// way in their partition (see unsynced), so that nothing is ever read that a crash could take back.
//
// Layout: one ordered key space of three tables, kept in step by the same batch: the items, the due index and the expiry index that
// Sweep walks (see keycodec.go). The directory also holds FORMAT, which names the layout's version, and Pebble's own files.
//
// A failing disk ends the process: after a failed sync nobody can say what is stored, and opening the directory again can.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/polyplane/polyplane/shared/store"
)

// What Pebble may take. Small numbers: the store shares a small machine with everything else of the control plane, and a small
// memtable keeps the log short that an open after a crash replays.
const (
	cacheBytes    = 64 << 20
	memTableBytes = 8 << 20
	openFiles     = 512
)

// engineFormat is the version of Pebble's own files. It is pinned, so that an update of the library alone never makes a directory
// unreadable for the release before it.
const engineFormat = pebble.FormatValueSeparation

// Options of Open.
type Options struct {
	Now    func() time.Time // decides what is expired; required
	NoSync bool             // for tests only: acknowledged writes may be lost in a crash
	Log    *slog.Logger     // Pebble's own messages at debug, what ends the process at error; nil discards them
}

// DB is a store.Store in one directory.
type DB struct {
	dir      string
	engine   *pebble.DB
	lock     *pebble.Lock
	now      func() time.Time
	sync     *pebble.WriteOptions
	latches  *latches
	unsynced *unsynced
	room     *room

	life   sync.RWMutex // held shared by every call, exclusively by Close
	closed bool
}

var _ store.Store = (*DB)(nil)

// Open opens the store in dir, and makes it when dir is absent or empty. It fails when another process has the directory open,
// when a newer version wrote it, and when it holds anything but a store.
func Open(dir string, o Options) (*DB, error) {
	if o.Now == nil {
		return nil, errors.New("local: Open without a clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("local: data directory: %w", err)
	}
	lock, fresh, err := claim(dir)
	if err != nil {
		return nil, err
	}
	opts := engineOptions(o.Log)
	opts.Lock = lock
	opts.ErrorIfNotExists = !fresh
	engine, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("local: open data directory %s: %w", dir, errors.Join(err, lock.Close()))
	}
	d := &DB{
		dir: dir, engine: engine, lock: lock, now: o.Now, sync: pebble.Sync,
		latches: newLatches(), unsynced: newUnsynced(), room: newRoom(freeBytes(dir)),
	}
	if o.NoSync {
		d.sync = pebble.NoSync
	}
	return d, nil
}

func engineOptions(log *slog.Logger) *pebble.Options {
	logger := engineLog{log}
	events := pebble.MakeLoggingEventListener(logger)
	opts := &pebble.Options{
		FS:                 vfs.Default,
		FormatMajorVersion: engineFormat,
		CacheSize:          cacheBytes,
		MemTableSize:       memTableBytes,
		MaxOpenFiles:       openFiles,
		BytesPerSync:       512 << 10,
		Logger:             logger,
		EventListener:      &events,
	}
	for i := range opts.Levels {
		opts.Levels[i].BlockSize = 8 << 10
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most conditions of Create ask for what is absent
	}
	return opts
}

// Close waits for the calls under way and releases the directory. Every later call returns store.ErrUnavailable; a second Close
// does nothing.
func (d *DB) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if err := errors.Join(d.engine.Close(), d.lock.Close()); err != nil {
		return fmt.Errorf("local: close data directory %s: %w", d.dir, err)
	}
	return nil
}

// enter begins a call; leave ends it when enter returned nil.
func (d *DB) enter(ctx context.Context) error {
	if err := ended(ctx); err != nil {
		return err
	}
	d.life.RLock()
	if d.closed {
		d.life.RUnlock()
		return fmt.Errorf("%w: %s is closed", store.ErrUnavailable, d.dir)
	}
	return nil
}

func (d *DB) leave() { d.life.RUnlock() }

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// Stats says how much the store holds and how it fares.
type Stats struct {
	DiskBytes      uint64 // files of the store, log included
	MemTableBytes  uint64 // written, not yet flushed to a table
	CacheHits      int64  // block reads served from memory since Open
	CacheMisses    int64
	ReadLayers     int   // sorted runs a read may have to look into; above 20 compaction lags behind
	PendingCompact int64 // estimated bytes that compaction still has to rewrite
}

// Stats reads the counters; it costs microseconds. After Close all are zero.
func (d *DB) Stats() Stats {
	if d.enter(context.Background()) != nil {
		return Stats{}
	}
	defer d.leave()
	m := d.engine.Metrics()
	return Stats{
		DiskBytes: m.DiskSpaceUsage(), MemTableBytes: m.MemTable.Size,
		CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		ReadLayers: m.ReadAmp(), PendingCompact: int64(m.Compact.EstimatedDebt),
	}
}
