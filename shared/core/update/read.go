package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
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
	return located(text, o, s), p.Store.Write(ctx, entry)
}

// ExportVersion is Export of the state that an update version left, or fault.NotFound.
func ExportVersion(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack, version int64) ([]byte, error) {
	if version < 1 || version > s.Version {
		return nil, fault.Missing("version %d not found: the stack's versions are 1 to %d", version, s.Version)
	}
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	text, ok, err := stack.CheckpointText(ctx, p, s.ID, version, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		text = stack.EmptyText()
	}
	entry := audit.Record(ctx, p, o.ID, "stack-exported", "exported version %d of stack %s", version, s.Path(o.Name))
	return located(text, o, s), p.Store.Write(ctx, entry)
}

// located makes the state of the service's secrets provider name the stack as it is called now: a client decrypts through the names it
// finds there. The texts of a stack that never moved are returned as they are, byte for byte.
func located(text []byte, o organization.Organization, s stack.Stack) []byte {
	if !s.Moved {
		return text
	}
	return checkpoint.MoveSecretsText(text, checkpoint.Place{Organization: o.Name, Project: s.ProjectName, Stack: s.Name})
}

func current(ctx context.Context, p ports.Ports, s stack.Stack) ([]byte, error) {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	for range attempts {
		if s.Lock == nil {
			break
		}
		text, err := inProgress(ctx, p, s, key)
		if text != nil || err != nil && !errors.Is(err, errEnded) {
			return text, err
		}
		if err == nil {
			break
		}
		now, err := reread(ctx, p, s)
		if err != nil {
			return nil, err
		}
		s = now.Value
	}
	if s.Checkpoint != nil {
		text, ok, err := stack.CheckpointText(ctx, p, s.ID, s.Checkpoint.Version, key)
		if ok || err != nil {
			return text, err
		}
	}
	return stack.EmptyText(), nil
}

var errEnded = errors.New("the update ended meanwhile")

// inProgress is what the update that holds the stack has saved so far, or nil when it saved nothing yet. It is errEnded when the update
// was finished meanwhile: its journal may have been removed while it was read.
func inProgress(ctx context.Context, p ports.Ports, s stack.Stack, key *keyring.DataKey) ([]byte, error) {
	text, err := savedSoFar(ctx, p, s, key)
	l, again := leaseKind.Get(store.Remember(ctx), p.Store, keys.Lease(s.ID, s.Lock.Update))
	if errors.Is(again, store.ErrNotFound) || again == nil && l.Value.Settled {
		return nil, errEnded
	}
	return text, errors.Join(err, again)
}

func savedSoFar(ctx context.Context, p ports.Ports, s stack.Stack, key *keyring.DataKey) ([]byte, error) {
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
		return blob.Read(ctx, blob.NewStaging(p.Blobs, d.Value.Fresh, p.Now()), l.Value.scope(), key, d.Value.Manifest)
	}
	state, err := replay(ctx, p, l.Value, key)
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
