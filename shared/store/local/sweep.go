package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/polyplane/polyplane/shared/store"
)

// sweepStep is how many items one batch of Sweep removes: few enough that writers of their keys hardly notice.
const sweepStep = 100

// Sweep removes expired items from the disk and says how many. Nobody sees a difference but the disk: reads and conditions treat
// them as absent already. It stops between batches when ctx ends.
func (d *DB) Sweep(ctx context.Context) (removed int, err error) {
	if err := d.enter(ctx); err != nil {
		return 0, err
	}
	defer d.leave()
	for {
		if err := ended(ctx); err != nil {
			return removed, err
		}
		entries, err := d.expiring(ctx)
		if err != nil {
			return removed, fmt.Errorf("local: sweep: %w", err)
		}
		if len(entries) == 0 {
			return removed, nil
		}
		n, err := d.drop(entries)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("local: sweep: %w", err)
		}
	}
}

// expiry is one entry of the expiry index.
type expiry struct {
	key     store.Key
	seconds int64
}

// expiring returns the first entries whose second has come.
func (d *DB) expiring(ctx context.Context) ([]expiry, error) {
	iter, err := d.engine.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: []byte{tableExpires},
		UpperBound: appendTime([]byte{tableExpires}, d.now().Unix()+1),
	})
	if err != nil {
		return nil, err
	}
	var entries []expiry
	for ok := iter.First(); ok && len(entries) < sweepStep; ok = iter.Next() {
		seconds, key, err := decodeExpiresKey(iter.Key())
		if err != nil {
			return nil, errors.Join(err, iter.Close())
		}
		entries = append(entries, expiry{key, seconds})
	}
	return entries, iter.Close()
}

// drop removes what the entries name, after a second look under the latch: a writer may have put a new item meanwhile. The batch is
// not synced; lost in a crash, it is done again.
func (d *DB) drop(entries []expiry) (removed int, err error) {
	changes := make([]store.Change, len(entries))
	for n, e := range entries {
		changes[n] = store.Delete(e.key, 1)
	}
	release := d.latches.take(changes)
	defer release()
	batch := d.engine.NewBatch()
	defer func() { _ = batch.Close() }()
	w := stager{batch: batch}
	for _, e := range entries {
		old, _, found, err := d.lookup(e.key, false)
		if err != nil {
			return 0, err
		}
		if found && old.hasExpires && old.expires == e.seconds {
			w.remove(e.key, old)
			removed++
			continue
		}
		w.unindex(e.key, head{hasExpires: true, expires: e.seconds})
	}
	if w.err != nil {
		return 0, w.err
	}
	return removed, batch.Commit(pebble.NoSync)
}
