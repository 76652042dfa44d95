package blob

import (
	"context"
	"fmt"
	"time"
)

// Collected says what a collection did.
type Collected struct {
	Kept    int   // chunks that a manifest names
	Young   int   // chunks that none names but that were put within the grace
	Deleted int   // chunks that are gone now
	Bytes   int64 // stored bytes of those
}

// listPage is how many chunks a collection lists or deletes at a time.
const listPage = 1000

// Collect deletes the chunks of a scope that no manifest names and that were last put longer ago than the grace. referenced
// returns the ids of all chunks that manifests of the scope name; it is called once, after the chunks were listed, and must read
// consistently.
//
// It may run beside writers, as long as grace is at least Grace and a writer commits its manifest within half of it. A writer who relies
// on a chunk has either seen it younger than half the grace, then it is not old enough to go before the manifest is there to be
// seen; or it has put it anew, then DeleteBefore finds it young, whenever that was.
func Collect(
	ctx context.Context, s Store, scope string,
	referenced func(context.Context) (map[string]bool, error), now time.Time, grace time.Duration,
) (Collected, error) {
	var done Collected
	if err := CheckScope(scope); err != nil {
		return done, err
	}
	listed, err := listAll(ctx, s, scope)
	if err != nil {
		return done, err
	}
	named, err := referenced(ctx)
	if err != nil {
		return done, fmt.Errorf("finding the chunks that manifests of %s name: %w", scope, err)
	}
	cutoff := now.Add(-grace)
	var ids []string
	sizes := map[string]int{}
	for _, info := range listed {
		switch {
		case named[info.ID]:
			done.Kept++
		case !info.Put.Before(cutoff):
			done.Young++
		default:
			ids = append(ids, info.ID)
			sizes[info.ID] = info.Size
		}
	}
	for len(ids) > 0 {
		n := min(len(ids), listPage)
		deleted, err := s.DeleteBefore(ctx, scope, ids[:n], cutoff)
		for _, id := range deleted {
			done.Deleted++
			done.Bytes += int64(sizes[id])
		}
		if err != nil {
			return done, fmt.Errorf("deleting chunks of %s: %w", scope, err)
		}
		done.Young += n - len(deleted) // put again since they were listed
		ids = ids[n:]
	}
	return done, nil
}

func listAll(ctx context.Context, s Store, scope string) ([]Info, error) {
	var all []Info
	for after := ""; ; {
		page, err := s.List(ctx, scope, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("listing the chunks of %s: %w", scope, err)
		}
		if len(page) == 0 {
			return all, nil
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
}
