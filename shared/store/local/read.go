package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/polyplane/polyplane/shared/store"
)

// Get returns the item of key, or store.ErrNotFound when it is absent or expired.
func (d *DB) Get(ctx context.Context, key store.Key) (store.Item, error) {
	if err := store.ValidateKey(key); err != nil {
		return store.Item{}, err
	}
	if err := d.enter(ctx); err != nil {
		return store.Item{}, err
	}
	defer d.leave()
	i, err := d.read(key)
	if err != nil {
		return store.Item{}, err
	}
	if err := d.unsynced.wait(ctx, key.PK); err != nil {
		return store.Item{}, err
	}
	if i.Version == 0 {
		return store.Item{}, store.ErrNotFound
	}
	return i, nil
}

// BatchGet returns one item for each key, in the order of keys; absent and expired ones have Version 0.
func (d *DB) BatchGet(ctx context.Context, keys []store.Key) ([]store.Item, error) {
	for _, k := range keys {
		if err := store.ValidateKey(k); err != nil {
			return nil, err
		}
	}
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.leave()
	out := make([]store.Item, len(keys))
	for n, k := range keys {
		if err := ended(ctx); err != nil {
			return nil, err
		}
		i, err := d.read(k)
		if err != nil {
			return nil, err
		}
		i.Key = k
		out[n] = i
	}
	for _, k := range keys {
		if err := d.unsynced.wait(ctx, k.PK); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// read returns the live item of key, or one with Version 0.
func (d *DB) read(key store.Key) (store.Item, error) {
	h, body, found, err := d.lookup(key, true)
	if err != nil || !found || h.expired(d.now().Unix()) {
		return store.Item{}, err
	}
	return h.item(key, body), nil
}

// lookup reads what is stored under key, expired or not; with a copy of the body when asked for.
func (d *DB) lookup(key store.Key, withBody bool) (h head, body []byte, found bool, err error) {
	var scratch [256]byte
	value, closer, err := d.engine.Get(appendItemKey(scratch[:0], key))
	if errors.Is(err, pebble.ErrNotFound) {
		return h, nil, false, nil
	}
	if err != nil {
		return h, nil, false, fmt.Errorf("local: read %s: %w", key, err)
	}
	h, body, err = decodeItem(value)
	if err == nil && withBody {
		body = bytes.Clone(body)
	} else {
		body = nil
	}
	if err := errors.Join(err, closer.Close()); err != nil {
		return h, nil, false, fmt.Errorf("local: read %s: %w", key, err)
	}
	return h, body, true, nil
}
