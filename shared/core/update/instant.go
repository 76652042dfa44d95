package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// The kinds of update that a request performs itself, without a client that holds a lease.
const (
	Import Kind = "import"
	Rename Kind = "rename"
)

// instant is an update that begins and ends in one write.
type instant struct {
	kind      Kind
	by        By
	message   string
	text      []byte // the checkpoint it leaves; nil leaves the stack's as it was
	resources int    // in text

	slug, format string // of the audit entry; format takes the stack's path
	change       func(*stack.Stack) ([]store.Change, error)
}

// perform gives a stack its next version and checkpoint in one write, and returns the update's id. The stack must not be held; a lost
// race is the store's conflict, for the caller to start over.
func perform(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], in instant) (string, error) {
	now := p.Now()
	path := s.Value.Path(o.Name)
	h := Head{
		ID: p.NewID(), Stack: s.Value.ID, Kind: in.kind, Status: Succeeded, By: in.by, Program: Program{Message: in.message},
		Created: now, Started: now, Ended: now, Version: s.Value.Version + 1,
	}
	if c := s.Value.Checkpoint; c != nil {
		h.Base, h.Resources = c.Version, c.Resources
	}
	s.Value.Version, s.Value.LastUpdate, s.Value.UpdatedAt = h.Version, h.ID, now
	var changes []store.Change
	if in.text != nil {
		key, err := stack.DataKey(ctx, p, s.Value)
		if err != nil {
			return "", err
		}
		m, err := keepText(ctx, p, s.Value.ID, key, in.text)
		if err != nil {
			return "", err
		}
		changes = append(changes, stack.KeepCheckpoint(s.Value.ID, h.Version, stack.Manifest{Manifest: m, Update: h.ID, Resources: in.resources, Saved: now}))
		s.Value.Checkpoint = &stack.Checkpoint{Version: h.Version, Resources: in.resources}
		h.Resources = in.resources
	}
	if in.change != nil {
		more, err := in.change(&s.Value)
		if err != nil {
			return "", err
		}
		changes = append(changes, more...)
	} else {
		row, err := stack.Row(ctx, p, s.Value)
		if err != nil {
			return "", err
		}
		changes = append(changes, row)
	}
	changes = append(changes, recorded(h)...)
	changes = append(changes, stack.Replace(s),
		audit.Record(ctx, p, o.ID, in.slug, in.format, path),
		event.New(p, o.ID, "update.finished", finished(o, s.Value, h, h.Status)),
	)
	return h.ID, p.Store.Write(ctx, changes...)
}

// recorded are the items of an update that ended as it began.
func recorded(h Head) []store.Change {
	row := rowOfUpdate{Update: h.ID, Kind: h.Kind}
	return []store.Change{
		headKind.Create(keys.UpdateHead(h.Stack, h.ID), h),
		rowKind.Create(keys.UpdateRow(h.Stack, h.ID), row),
		rowKind.Create(keys.HistoryRow(h.Stack, h.Version), row),
	}
}

// again runs work on a stack that no update holds, from fresh reads as long as it loses races.
func again(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], work func(store.Doc[stack.Stack]) error) error {
	var err error
	for range attempts {
		if s, err = Unlocked(ctx, p, o, s); err != nil {
			return err
		}
		if err = work(s); store.AsConflict(err) == nil {
			return err
		}
		if s, err = reread(ctx, p, s.Value); err != nil {
			return err
		}
	}
	return err
}

// keepText keeps a checkpoint's text; one that is too large for the store is fault.TooLarge.
func keepText(ctx context.Context, p ports.Ports, stackID string, key *keyring.DataKey, text []byte) (blob.Manifest, error) {
	m, err := blob.Write(ctx, p.Blobs, string(keys.Stack(stackID)), key, p.Now(), text)
	if errors.Is(err, blob.ErrTooLarge) {
		return m, fault.New(fault.TooLarge, "the checkpoint has %d MB, at most %d MB can be kept", len(text)>>20, blob.MaxDocument>>20)
	}
	return m, err
}
