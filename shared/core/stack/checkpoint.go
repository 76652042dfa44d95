package stack

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// EmptyText is what a stack exports that was never updated.
func EmptyText() []byte {
	return checkpoint.EncodeUntyped(checkpoint.Untyped{Version: 3, Deployment: checkpoint.Empty()})
}

// KeepCheckpoint is the change that keeps the manifest of the checkpoint that an update version left.
func KeepCheckpoint(stack string, version int64, m Manifest) store.Change {
	return manifestKind.Create(keys.Checkpoint(stack, version), m)
}

// CheckpointText reads the text of the checkpoint that was current at a version: the newest at or before it. ok is false when the stack
// had none yet.
func CheckpointText(ctx context.Context, p ports.Ports, stack string, version int64, key *keyring.DataKey) (text []byte, ok bool, err error) {
	m, ok, err := manifestAt(ctx, p, stack, version)
	if err != nil || !ok {
		return nil, false, err
	}
	text, err = blob.Read(ctx, p.Blobs, string(keys.Stack(stack)), key, m.Manifest)
	return text, err == nil, err
}

func manifestAt(ctx context.Context, p ports.Ports, stack string, version int64) (Manifest, bool, error) {
	d, err := manifestKind.Get(ctx, p.Store, keys.Checkpoint(stack, version))
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return d.Value, err == nil, err
	}
	q := store.Query{PK: keys.Checkpoints(stack), To: keys.Checkpoint(stack, version+1).SK, Descending: true, Limit: 1}
	for {
		docs, page, err := manifestKind.Page(ctx, p.Store, q)
		switch {
		case err != nil:
			return Manifest{}, false, err
		case len(docs) > 0:
			return docs[0].Value, true, nil
		case !page.More:
			return Manifest{}, false, nil
		}
		q.After = page.Next
	}
}

// ReadCheckpoint reads the checkpoint of a version and takes it apart; version 0 is the empty checkpoint.
func ReadCheckpoint(ctx context.Context, p ports.Ports, stack string, version int64, key *keyring.DataKey) (checkpoint.Untyped, error) {
	if version == 0 {
		return checkpoint.Untyped{}, nil
	}
	text, ok, err := CheckpointText(ctx, p, stack, version, key)
	if err != nil || !ok {
		return checkpoint.Untyped{}, err
	}
	return checkpoint.DecodeUntyped(text, "checkpoint")
}

// Manifests calls each for the manifest of every checkpoint that the stack keeps.
func Manifests(ctx context.Context, p ports.Ports, stack string, each func(Manifest)) error {
	q := store.Query{PK: keys.Checkpoints(stack)}
	for {
		docs, page, err := manifestKind.Page(ctx, p.Store, q)
		if err != nil {
			return err
		}
		for _, d := range docs {
			each(d.Value)
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}
