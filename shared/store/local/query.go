package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/polyplane/polyplane/shared/store"
)

// Query returns one page from a snapshot of the partition. Expired items are passed over; they count against the page's bytes.
func (d *DB) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := store.ValidateKey(store.Key{PK: q.PK, SK: "-"}); err != nil {
		return store.Page{}, err
	}
	if err := d.enter(ctx); err != nil {
		return store.Page{}, err
	}
	defer d.leave()
	lower, upper := bounds(q)
	if bytes.Compare(lower, upper) >= 0 {
		return store.Page{}, nil
	}
	iter, err := d.engine.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return store.Page{}, fmt.Errorf("local: query %s: %w", q.PK, err)
	}
	page, err := d.page(ctx, iter, q)
	if err := errors.Join(err, iter.Close()); err != nil {
		return store.Page{}, fmt.Errorf("local: query %s: %w", q.PK, err)
	}
	if err := d.unsynced.wait(ctx, q.PK); err != nil {
		return store.Page{}, err
	}
	return page, nil
}

// bounds returns the engine's keys [lower, upper) that a query may return.
func bounds(q store.Query) (lower, upper []byte) {
	from := max(q.From, q.Prefix)
	to := q.To
	if end := prefixEnd(q.Prefix); end != "" && (to == "" || end < to) {
		to = end
	}
	switch {
	case q.After == "":
	case q.Descending && (to == "" || q.After < to):
		to = q.After
	case !q.Descending:
		from = max(from, q.After+"\x00") // the next string behind After
	}
	lower = append(appendPartition(nil, q.PK), from...)
	if to == "" {
		return lower, appendPartitionEnd(nil, q.PK)
	}
	return lower, append(appendPartition(nil, q.PK), to...)
}

// page walks from one end of the iterator's bounds until the page is full.
func (d *DB) page(ctx context.Context, iter *pebble.Iterator, q store.Query) (store.Page, error) {
	start, step := iter.First, iter.Next
	if q.Descending {
		start, step = iter.Last, iter.Prev
	}
	var p store.Page
	now, skip, examined, last := d.now().Unix(), len(q.PK)+2, 0, ""
	for ok := start(); ok; ok = step() {
		if err := ended(ctx); err != nil {
			return p, err
		}
		if q.Limit > 0 && len(p.Items) == q.Limit {
			p.More, p.Next = true, last
			return p, nil
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return p, err
		}
		h, body, err := decodeItem(value)
		if err != nil {
			return p, fmt.Errorf("%q: %w", iter.Key()[skip:], err)
		}
		i := h.item(store.Key{PK: q.PK, SK: string(iter.Key()[skip:])}, body)
		if examined > 0 && examined+i.Size() > store.MaxPageBytes {
			p.More, p.Next = true, last
			return p, nil
		}
		examined += i.Size()
		last = i.SK
		if !h.expired(now) {
			i.Body = bytes.Clone(body)
			p.Items = append(p.Items, i)
		}
	}
	return p, iter.Error()
}

// Due returns keys from the due index, earliest first and by key where times are equal. It passes over expired items.
func (d *DB) Due(ctx context.Context, q store.DueQuery) ([]store.Key, error) {
	if q.Kind == "" || q.Limit < 1 {
		return nil, fmt.Errorf("local: due query without kind or limit (%q, %d)", q.Kind, q.Limit)
	}
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer d.leave()
	lower := appendDuePrefix(nil, q.Kind)
	upper := appendTime(appendDuePrefix(nil, q.Kind), ceilMillis(q.Before))
	iter, err := d.engine.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("local: due %q: %w", q.Kind, err)
	}
	keys, err := d.dueKeys(ctx, iter, len(lower), q.Limit)
	if err := errors.Join(err, iter.Close()); err != nil {
		return nil, fmt.Errorf("local: due %q: %w", q.Kind, err)
	}
	return keys, nil
}

func (d *DB) dueKeys(ctx context.Context, iter *pebble.Iterator, prefix, limit int) ([]store.Key, error) {
	var keys []store.Key
	now := d.now().Unix()
	for ok := iter.First(); ok && len(keys) < limit; ok = iter.Next() {
		if err := ended(ctx); err != nil {
			return nil, err
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return nil, err
		}
		h, err := decodeExpiry(value)
		if err != nil {
			return nil, err
		}
		if h.expired(now) {
			continue
		}
		k, err := decodeDueKey(iter.Key(), prefix)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, iter.Error()
}
