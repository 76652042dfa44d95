package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// MaxHistory is how many updates or previews one answer holds when no page is asked for.
const MaxHistory = 10_000

// History returns a page of the updates that changed a stack, newest first, and how many there are: pages count from 1, page 0 is
// everything. Versions have no gaps, so a page costs the same wherever it lies.
func History(ctx context.Context, p ports.Ports, s stack.Stack, page, size int) ([]Head, int, error) {
	total := int(s.Version)
	newest, oldest := s.Version, max(s.Version-MaxHistory+1, 1)
	if page > 0 {
		if page-1 > total/size { // far behind the end, where the product below would overflow
			return nil, total, nil
		}
		newest = s.Version - int64(page-1)*int64(size)
		oldest = max(newest-int64(size)+1, 1)
	}
	if newest < 1 {
		return nil, total, nil
	}
	rows, err := rowKind.All(ctx, p.Store, store.Query{
		PK: keys.History(s.ID), From: keys.HistoryRow(s.ID, oldest).SK, To: keys.HistoryRow(s.ID, newest+1).SK, Descending: true,
	}, MaxHistory)
	if err != nil {
		return nil, 0, err
	}
	heads, err := headsOf(ctx, p, s.ID, rows)
	return heads, total, err
}

// AtVersion returns the update that made a version, or fault.NotFound. Version 0 is the latest.
func AtVersion(ctx context.Context, p ports.Ports, s stack.Stack, version int64) (Head, error) {
	if version == 0 {
		version = s.Version
	}
	row, err := rowKind.Get(ctx, p.Store, keys.HistoryRow(s.ID, version))
	if errors.Is(err, store.ErrNotFound) {
		if s.Version == 0 {
			return Head{}, fault.Missing("the stack has never been updated")
		}
		return Head{}, fault.Missing("update %d not found: the stack's versions are 1 to %d", version, s.Version)
	}
	if err != nil {
		return Head{}, err
	}
	u, err := Of(ctx, p, s.ID, row.Value.Update)
	return u.Value, err
}

// Previews returns a page of the previews that were made on top of a version, and how many there are; ascending is oldest first. Pages
// count as in History.
func Previews(ctx context.Context, p ports.Ports, s stack.Stack, version int64, ascending bool, page, size int) ([]Head, int, error) {
	prefix := keys.PreviewsOf(version)
	rows, err := rowKind.All(ctx, p.Store, store.Query{PK: keys.Previews(s.ID), Prefix: prefix, Descending: !ascending}, MaxHistory)
	if err != nil {
		return nil, 0, err
	}
	total := len(rows)
	if page > 0 {
		from := min(min(page-1, total)*size, total) // a page far behind the end is empty
		rows = rows[from:min(from+size, total)]
	}
	heads, err := headsOf(ctx, p, s.ID, rows)
	return heads, total, err
}

func headsOf(ctx context.Context, p ports.Ports, stackID string, rows []store.Doc[rowOfUpdate]) ([]Head, error) {
	wanted := make([]store.Key, len(rows))
	for i, r := range rows {
		wanted[i] = keys.UpdateHead(stackID, r.Value.Update)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	heads := make([]Head, 0, len(items))
	for _, i := range items {
		d, err := headKind.Decode(i)
		if err != nil {
			return nil, err
		}
		if d.Exists() {
			heads = append(heads, d.Value)
		}
	}
	return heads, nil
}
