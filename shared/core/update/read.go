package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Export returns the stack's state as an untyped deployment, byte for byte as it was saved, and leaves an audit entry. While an update
// holds the stack, it is the state with everything that the update was acknowledged so far.
func Export(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack) ([]byte, error) {
	text, err := current(ctx, p, s)
	if err != nil {
		return nil, err
	}
	entry := audit.Record(ctx, p, o.ID, "stack-exported", "exported stack %s", s.Path(o.Name))
	return text, p.Store.Write(ctx, entry)
}

func current(ctx context.Context, p ports.Ports, s stack.Stack) ([]byte, error) {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	if s.Lock != nil {
		text, err := inProgress(ctx, p, s, key)
		if text != nil || err != nil {
			return text, err
		}
	}
	if s.Checkpoint != nil {
		text, ok, err := stack.CheckpointText(ctx, p, s.ID, s.Checkpoint.Version, key)
		if ok || err != nil {
			return text, err
		}
	}
	return stack.EmptyText(), nil
}

// inProgress is what the update that holds the stack has saved so far, or nil when it saved nothing yet.
func inProgress(ctx context.Context, p ports.Ports, s stack.Stack, key *keyring.DataKey) ([]byte, error) {
	l, err := leaseKind.Get(ctx, p.Store, keys.Lease(s.ID, s.Lock.Update))
	if err != nil {
		return nil, err
	}
	if !l.Value.Journal {
		d, err := savedKind.Get(ctx, p.Store, keys.Saved(s.ID, s.Lock.Update))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return blob.Read(ctx, p.Blobs, l.Value.scope(), key, d.Value.Manifest)
	}
	state, _, err := replay(ctx, p, l.Value, key)
	if err != nil || state.Next() == 1 {
		return nil, err
	}
	snapshot, err := state.Materialize(p.Now(), l.Value.Client)
	if err != nil {
		return nil, err
	}
	return untyped(snapshot), nil
}

func untyped(s checkpoint.Snapshot) []byte {
	return checkpoint.EncodeUntyped(checkpoint.Untyped{Version: s.Schema, Features: s.Features, Deployment: s.Deployment})
}
