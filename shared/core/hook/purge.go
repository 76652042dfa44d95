package hook

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/purge"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Removed is the data of the event hook.deleted.
type Removed struct {
	Owner store.Scope `json:"owner"`
	Hook  string      `json:"hook"` // id
}

// PurgeDeleted is the consumer of hook.deleted: it removes the hook's deliveries.
func PurgeDeleted(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var r Removed
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return err
		}
		return purge.Partition(ctx, p.Store, keys.Deliveries(r.Owner, r.Hook))
	}
}

// PurgeStack is a consumer of stack.deleted: the stack's hooks go, and the records of what they were sent. What still waits to be
// delivered is delivered, and goes when its time is over.
func PurgeStack(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var s stack.Happened
		if err := json.Unmarshal(e.Data, &s); err != nil {
			return err
		}
		owner := keys.Stack(s.Stack)
		hooks, err := hookKind.All(ctx, p.Store, store.Query{PK: keys.Hooks(owner)}, 2*maxHooks)
		if err != nil {
			return err
		}
		for _, h := range hooks {
			if err := purgeRecords(ctx, p, keys.Deliveries(owner, h.Value.ID)); err != nil {
				return err
			}
			if err := lostIsFine(p.Store.Write(ctx, h.Delete())); err != nil {
				return err
			}
		}
		return nil
	}
}

// purgeRecords removes the deliveries of a partition that do not wait any more.
func purgeRecords(ctx context.Context, p ports.Ports, pk string) error {
	q := store.Query{PK: pk, Limit: store.MaxCoreChanges}
	for {
		docs, page, err := deliveryKind.Page(ctx, p.Store, q)
		if err != nil {
			return err
		}
		var changes []store.Change
		for _, d := range docs {
			if d.Value.State != Waiting {
				changes = append(changes, d.Delete())
			}
		}
		if len(changes) > 0 {
			if err := lostIsFine(p.Store.Write(ctx, changes...)); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}
