// Package cost is what organizations are counted by: resources under management.
//
// The rule: once in every hour (UTC) the resources of all stacks of an organization are counted, as the stacks' lists show them: every
// resource in the current checkpoint, the root stack resource and providers included. An hour's sample stands for the whole hour, so
// its resource hours equal its resources. A longer bucket shows the resources of its last sample, and the resource hours of all its
// samples. An hour in which nothing ran to count is not made up: it has no sample and adds no resource hours.
package cost

import (
	"context"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// sample is what was counted in one hour.
type sample struct {
	Resources int       `json:"resources"`
	Stacks    int       `json:"stacks"`
	At        time.Time `json:"at"`
}

var sampleKind = store.NewKind[sample]("resource-sample", 1).Immutable()

// keepSamples is how long samples are kept: a look back of two years and a month.
const keepSamples = 761 * 24 * time.Hour

// organizationsPerPage is how many organizations of an account are listed at a time.
const organizationsPerPage = 100

// SampleAccount counts the resources of every organization of an account for the present hour, and returns how many it counted. What
// was counted in this hour already is left as it is, so it may be called at any time, by several processes.
func SampleAccount(ctx context.Context, p ports.Ports, accountID string) (int, error) {
	counted, after := 0, ""
	for {
		ids, next, err := account.Organizations(ctx, p, accountID, after, organizationsPerPage)
		if err != nil {
			return counted, err
		}
		for _, id := range ids {
			fresh, err := sampleOrganization(ctx, p, id)
			if err != nil {
				return counted, err
			}
			if fresh {
				counted++
			}
		}
		if next == "" {
			return counted, nil
		}
		after = next
	}
}

func sampleOrganization(ctx context.Context, p ports.Ports, organization string) (fresh bool, err error) {
	now := p.Now()
	k := keys.ResourceSample(organization, now)
	if _, err := p.Store.Get(ctx, k); err == nil || !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	s := sample{At: now}
	if s.Stacks, s.Resources, err = stack.CountResources(ctx, p, organization); err != nil {
		return false, err
	}
	err = p.Store.Write(ctx, sampleKind.Create(k, s, store.ExpiresAt(now.Add(keepSamples))))
	if store.AsConflict(err) != nil {
		return false, nil // another process counted
	}
	return err == nil, err
}
