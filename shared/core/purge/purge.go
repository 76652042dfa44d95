// Package purge removes what is too big for one write. Whoever deletes flips one head first, so that everything below it is gone
// from every read; purging then walks the partitions and may be killed and repeated at any point.
package purge

import (
	"context"

	"github.com/polyplane/polyplane/shared/store"
)

// Partition deletes every item of a partition, in writes of at most store.MaxCoreChanges. What others delete at the same time is no
// error.
func Partition(ctx context.Context, s store.Store, pk string) error {
	return Walk(ctx, s, store.Query{PK: pk}, func(store.Item) ([]store.Change, error) { return nil, nil })
}

// Walk deletes every item of a query, and with each of them what also returns in the same write.
func Walk(ctx context.Context, s store.Store, q store.Query, also func(store.Item) ([]store.Change, error)) error {
	q.Limit = store.MaxCoreChanges / 3
	for {
		page, err := s.Query(ctx, q)
		if err != nil {
			return err
		}
		var changes []store.Change
		for _, item := range page.Items {
			more, err := also(item)
			if err != nil {
				return err
			}
			changes = append(changes, store.Delete(item.Key, item.Version))
			changes = append(changes, more...)
		}
		if len(changes) > 0 {
			switch err := s.Write(ctx, changes...); {
			case store.AsConflict(err) != nil:
				continue // something moved: read the page again
			case err != nil:
				return err
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}
