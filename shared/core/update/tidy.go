package update

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/purge"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// collectEvery is after how many updates of a stack its chunks are collected.
const collectEvery = 16

// TidyFinished is the consumer of update.finished: what the checkpoint now holds is removed from the journal, and every so often the
// chunks that no checkpoint names are collected.
func TidyFinished(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var f Finished
		if err := json.Unmarshal(e.Data, &f); err != nil {
			return err
		}
		if err := Tidy(ctx, p, f.Stack, f.Update); err != nil {
			return err
		}
		if f.Version%collectEvery != 0 {
			return nil
		}
		_, err := Collect(ctx, p, f.Stack)
		return err
	}
}

// Tidy removes the journal, the fold and the saved checkpoint of an update that was finished. Its events stay.
func Tidy(ctx context.Context, p ports.Ports, stackID, id string) error {
	l, err := leaseKind.Get(ctx, p.Store, keys.Lease(stackID, id))
	if err == nil && (!l.Value.Settled || l.Value.Unreplayed) || err != nil && !errors.Is(err, store.ErrNotFound) {
		return err // not finished, or not replayed: nothing may be removed
	}
	pk := keys.UpdateItems(stackID, id)
	nothing := func(store.Item) ([]store.Change, error) { return nil, nil }
	if err := purge.Walk(ctx, p.Store, store.Query{PK: pk, Prefix: keys.JournalPrefix}, nothing); err != nil {
		return err
	}
	items, err := p.Store.BatchGet(ctx, []store.Key{keys.Fold(stackID, id), keys.Saved(stackID, id)})
	if err != nil {
		return err
	}
	var changes []store.Change
	for _, i := range items {
		if i.Version > 0 {
			changes = append(changes, store.Delete(i.Key, i.Version))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return p.Store.Write(ctx, changes...)
}

// Collect removes chunks of a stack that no checkpoint, and no running update, has named for blob.Grace.
func Collect(ctx context.Context, p ports.Ports, stackID string) (blob.Collected, error) {
	s, err := stack.Of(ctx, p, stackID)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Value.Deleted {
		return blob.Collected{}, nil // the purge removes all of them
	}
	if err != nil {
		return blob.Collected{}, err
	}
	return blob.Collect(ctx, p.Blobs, string(keys.Stack(stackID)), func(ctx context.Context) (map[string]bool, error) {
		named := map[string]bool{}
		add := func(m blob.Manifest) {
			for _, c := range m.Chunks {
				named[c.ID] = true
			}
		}
		if err := stack.Manifests(ctx, p, stackID, func(m stack.Manifest) { add(m.Manifest) }); err != nil {
			return nil, err
		}
		if s.Value.Lock == nil {
			return named, nil
		}
		items, err := p.Store.BatchGet(ctx, []store.Key{keys.Fold(stackID, s.Value.Lock.Update), keys.Saved(stackID, s.Value.Lock.Update)})
		if err != nil {
			return nil, err
		}
		for _, i := range slices.DeleteFunc(items, func(i store.Item) bool { return i.Version == 0 }) {
			var m blob.Manifest
			if err := json.Unmarshal(i.Body, &m); err != nil {
				return nil, err
			}
			add(m)
		}
		return named, nil
	}, p.Now(), blob.Grace)
}
