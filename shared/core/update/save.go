package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// SaveWhole keeps a whole checkpoint: the last writer wins. It is durable when it returns nil.
func SaveWhole(ctx context.Context, p ports.Ports, l store.Doc[Lease], c checkpoint.Plain) error {
	if c.Invalid {
		return fault.Wrong("isInvalid", "a checkpoint that its client calls invalid is not kept")
	}
	return save(ctx, p, l, "body", saved{}, func(*keyring.DataKey, blob.Store, store.Doc[saved]) ([]byte, error) {
		return checkpoint.EncodeUntyped(c.Untyped), nil
	})
}

// SaveVerbatim keeps a whole checkpoint as the very text that the client sent, to which its later deltas apply. sequence numbers the
// client's saves of this update from 1; a number that was kept before is a repetition and changes nothing.
func SaveVerbatim(ctx context.Context, p ports.Ports, l store.Doc[Lease], v checkpoint.Verbatim) error {
	return save(ctx, p, l, "body.untypedDeployment", saved{Sequence: v.Sequence, Verbatim: true}, func(*keyring.DataKey, blob.Store, store.Doc[saved]) ([]byte, error) {
		return v.Text, nil
	})
}

// SaveDelta keeps the checkpoint that results from applying edits to the text kept before. A wrong hash, or edits that do not follow the
// save they were made against, are fault.Invalid and leave what was kept; the client then sends the whole text.
func SaveDelta(ctx context.Context, p ports.Ports, l store.Doc[Lease], d checkpoint.Delta) error {
	return save(ctx, p, l, "body.deploymentDelta", saved{Sequence: d.Sequence, Verbatim: true}, func(key *keyring.DataKey, blobs blob.Store, before store.Doc[saved]) ([]byte, error) {
		if !before.Exists() || !before.Value.Verbatim || before.Value.Sequence != d.Sequence-1 {
			return nil, fault.Wrong("sequenceNumber", "the edits of save %d do not follow the last kept save: send the whole checkpoint", d.Sequence)
		}
		text, err := blob.Read(ctx, blobs, l.Value.scope(), key, before.Value.Manifest)
		if err != nil {
			return nil, err
		}
		return checkpoint.ApplyDelta(text, d.Edits, d.Hash)
	})
}

// save keeps the text that make returns as the update's saved checkpoint, under its lease. field is where the request holds the text, for
// faults.
func save(ctx context.Context, p ports.Ports, l store.Doc[Lease], field string, next saved, make func(*keyring.DataKey, blob.Store, store.Doc[saved]) ([]byte, error)) error {
	if l.Value.Journal {
		return fault.New(fault.Conflict, "this update saves by journal, not by checkpoint")
	}
	var err error
	for range attempts {
		// A save that is repeated while its first attempt is under way meets it here.
		if err = saveOnce(ctx, p, l, field, next, make); store.AsConflict(err) == nil {
			return err
		}
	}
	return err
}

// maxFresh is up to how many bytes of new chunks a save keeps beside its manifest. A client that saves whole checkpoints does so twice for
// every changed resource, and most saves change one chunk that the next one changes again: kept in the item they cost one durable
// write instead of three, and leave nothing behind.
const maxFresh = 32 << 10

func saveOnce(ctx context.Context, p ports.Ports, l store.Doc[Lease], field string, next saved, make func(*keyring.DataKey, blob.Store, store.Doc[saved]) ([]byte, error)) error {
	over := writable(p.Now())
	if err := over(l.Value); err != nil {
		return err
	}
	k := keys.Saved(l.Value.Stack, l.Value.Update)
	before, err := savedKind.Get(ctx, p.Store, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if next.Verbatim && before.Exists() && before.Value.Verbatim && next.Sequence <= before.Value.Sequence {
		return nil
	}
	key, err := l.Value.key(ctx, p)
	if err != nil {
		return err
	}
	staging := blob.NewStaging(p.Blobs, before.Value.Fresh, p.Now())
	text, err := make(key, staging, before)
	if err != nil {
		return err
	}
	found, err := checkpoint.InspectUntyped(text, field)
	if err != nil {
		return err
	}
	next.Resources = found.Resources
	staged := p
	staged.Blobs = staging
	if next.Manifest, err = keepText(ctx, staged, l.Value.Stack, key, text); err != nil {
		return err
	}
	fresh, size := staging.Named(next.Manifest)
	if size > maxFresh {
		if err := staging.Flush(ctx, l.Value.scope(), next.Manifest); err != nil {
			return err
		}
		fresh = nil
	}
	next.Fresh = fresh
	change := savedKind.Create(k, next)
	if before.Exists() {
		before.Value = next
		change = savedKind.Replace(before)
	}
	_, err = whileHeld(ctx, p, l, over, change)
	var limit *store.LimitError
	if errors.As(err, &limit) {
		return fault.New(fault.TooLarge, "the checkpoint is too large to be kept: %d MB", len(text)>>20)
	}
	return err
}
