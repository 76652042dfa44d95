package stack

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/purge"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// HasResources is the reason of refusing to delete a stack whose checkpoint still holds resources.
const HasResources = "stack-has-resources"

// Delete frees the stack's name and hides the stack from every read, in one write; what lies below is purged afterwards. Without
// force a stack that still has resources is refused. The caller has made sure that no update holds the stack; one that starts
// meanwhile makes the write fail.
func Delete(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, d store.Doc[Stack], force bool) error {
	s := d.Value
	if !force && s.Checkpoint != nil && s.Checkpoint.Resources > 0 {
		return fault.New(fault.Invalid, "Stack still contains resources.").WithReason(HasResources)
	}
	items, err := p.Store.BatchGet(ctx, []store.Key{
		keys.StackName(s.Organization, s.ProjectName, s.Name),
		keys.StackRow(s.Organization, s.Project, s.ID),
	})
	if err != nil {
		return err
	}
	d.Value.Deleted = true
	changes := []store.Change{
		kind.Replace(d),
		event.New(p, o.ID, "stack.deleted", happened(by, o, s)),
		audit.Record(ctx, p, o.ID, "stack-deleted", "deleted stack %s", s.Path(o.Name)),
	}
	for _, i := range items {
		if i.Version > 0 {
			changes = append(changes, store.Delete(i.Key, i.Version))
		}
	}
	return p.Store.Write(ctx, changes...)
}

// Purge removes what lies below a deleted stack: its data key first, so that nothing sealed can be opened from then on, then grants,
// updates, checkpoints and chunks, and the tombstone last. It may be repeated from any point.
func Purge(ctx context.Context, p ports.Ports, id string) error {
	d, err := Of(ctx, p, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !d.Value.Deleted {
		return nil // the event is of another life of this stack
	}
	if d.Value.Key != nil {
		d.Value.Key = nil
		if err := p.Store.Write(ctx, kind.Replace(d)); err != nil {
			return err
		}
	}
	if err := purgeGrants(ctx, p, d.Value); err != nil {
		return err
	}
	err = purge.Walk(ctx, p.Store, store.Query{PK: keys.UpdateRows(id)}, func(row store.Item) ([]store.Change, error) {
		// Its lease first, so that nothing is written beside what is being removed.
		lease := store.Query{PK: keys.UpdateItems(id, row.SK), Prefix: keys.Lease(id, row.SK).SK}
		if err := purge.Walk(ctx, p.Store, lease, func(store.Item) ([]store.Change, error) { return nil, nil }); err != nil {
			return nil, err
		}
		return nil, purge.Partition(ctx, p.Store, keys.UpdateItems(id, row.SK))
	})
	if err != nil {
		return err
	}
	for _, pk := range []string{keys.History(id), keys.Previews(id), keys.Checkpoints(id), keys.Adoptions(id), keys.Deployment(id)} {
		if err := purge.Partition(ctx, p.Store, pk); err != nil {
			return err
		}
	}
	if err := purgeChunks(ctx, p, string(keys.Stack(id))); err != nil {
		return err
	}
	if d, err = Of(ctx, p, id); err != nil {
		return err
	}
	return p.Store.Write(ctx, d.Delete())
}

func purgeGrants(ctx context.Context, p ports.Ports, s Stack) error {
	return purge.Walk(ctx, p.Store, store.Query{PK: keys.StackGrants(s.ID)}, func(g store.Item) ([]store.Change, error) {
		mirror, err := grantKind.Get(ctx, p.Store, keys.HolderGrant(s.Organization, keys.HolderOf(g.Key), s.ID))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return []store.Change{mirror.Delete()}, err
	})
}

func purgeChunks(ctx context.Context, p ports.Ports, scope string) error {
	const page = 500
	for {
		found, err := p.Blobs.List(ctx, scope, "", page)
		if err != nil || len(found) == 0 {
			return err
		}
		ids := make([]string, len(found))
		for i, c := range found {
			ids[i] = c.ID
		}
		if err := p.Blobs.Delete(ctx, scope, ids); err != nil {
			return err
		}
	}
}

// PurgeDeleted is the consumer of stack.deleted.
func PurgeDeleted(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var h Happened
		if err := json.Unmarshal(e.Data, &h); err != nil {
			return err
		}
		return Purge(ctx, p, h.Stack)
	}
}
