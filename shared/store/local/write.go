package local

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/polyplane/polyplane/shared/store"
)

// Write applies all changes or none and returns when they are synced. An expired item counts as absent in every condition.
//
// A Write that puts items is refused with store.ErrUnavailable when the disk is nearly full; deletions still pass.
func (d *DB) Write(ctx context.Context, changes ...store.Change) error {
	if err := store.Validate(changes); err != nil {
		return err
	}
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	release := d.latches.take(changes)
	defer release()
	if err := ended(ctx); err != nil { // it may have ended while another writer held the latches
		return err
	}
	batch := d.engine.NewBatch()
	defer func() { _ = batch.Close() }() // returns it to Pebble's pool; cannot fail after a commit
	if err := d.stage(batch, changes); err != nil {
		return err
	}
	if batch.Empty() {
		return nil
	}
	synced := d.unsynced.begin(changes)
	defer synced()
	if err := batch.Commit(d.sync); err != nil {
		return fmt.Errorf("local: commit: %w", err)
	}
	return nil
}

// stage fills the batch, or says which conditions failed.
func (d *DB) stage(batch *pebble.Batch, changes []store.Change) error {
	var conflict store.ConflictError
	now, puts := d.now().Unix(), 0
	w := stager{batch: batch}
	for n := range changes {
		c := &changes[n]
		old, _, found, err := d.lookup(c.Item.Key, false)
		if err != nil {
			return err
		}
		var have int64
		if found && !old.expired(now) {
			have = old.version
		}
		if !met(c, have) {
			conflict.Failed = append(conflict.Failed, n)
			conflict.Keys = append(conflict.Keys, c.Item.Key)
			continue
		}
		switch c.Op {
		case store.OpCheck:
			continue
		case store.OpDelete:
			w.remove(c.Item.Key, old)
			continue
		}
		if found {
			w.unindex(c.Item.Key, old)
		}
		h := headOf(c.Item)
		h.version = 1
		if c.Op == store.OpReplace {
			h.version = have + 1
		}
		w.put(c.Item.Key, h, c.Item.Body)
		puts += c.Item.Size()
	}
	switch {
	case w.err != nil:
		return fmt.Errorf("local: stage: %w", w.err)
	case len(conflict.Failed) > 0:
		return &conflict
	case puts > 0:
		return d.room.admit(puts)
	}
	return nil
}

// met reports whether the change's condition holds for a live item of version have, 0 if there is none.
func met(c *store.Change, have int64) bool {
	switch c.Op {
	case store.OpCreate:
		return have == 0
	case store.OpKeep:
		return true
	default:
		return have == c.Item.Version
	}
}

// stager writes items together with their index entries into a batch. The first failure is kept.
type stager struct {
	batch *pebble.Batch
	key   []byte
	value []byte
	err   error
}

func (w *stager) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *stager) put(k store.Key, h head, body []byte) {
	w.key, w.value = appendItemKey(w.key[:0], k), appendItem(w.value[:0], h, body)
	w.keep(w.batch.Set(w.key, w.value, nil))
	if h.hasDue {
		w.key, w.value = appendDueKey(w.key[:0], h.kind, h.due, k), appendExpiry(w.value[:0], h)
		w.keep(w.batch.Set(w.key, w.value, nil))
	}
	if h.hasExpires {
		w.key = appendExpiresKey(w.key[:0], h.expires, k)
		w.keep(w.batch.Set(w.key, nil, nil))
	}
}

// unindex removes the index entries of what is stored under k. It goes before put, which may set the same entries again.
func (w *stager) unindex(k store.Key, old head) {
	if old.hasDue {
		w.key = appendDueKey(w.key[:0], old.kind, old.due, k)
		w.keep(w.batch.Delete(w.key, nil))
	}
	if old.hasExpires {
		w.key = appendExpiresKey(w.key[:0], old.expires, k)
		w.keep(w.batch.Delete(w.key, nil))
	}
}

func (w *stager) remove(k store.Key, old head) {
	w.unindex(k, old)
	w.key = appendItemKey(w.key[:0], k)
	w.keep(w.batch.Delete(w.key, nil))
}
