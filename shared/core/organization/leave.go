package organization

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Remove ends a membership. The first write takes the member's role and teams and marks the place as removed, from when on no grant in the
// organization counts; the grants on single stacks are purged afterwards. Nobody removes themselves, and at least one owner remains.
func Remove(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, login string) error {
	return again(func() error {
		d, u, err := FindMember(ctx, p, o, login)
		if err != nil {
			return err
		}
		if by.IsPerson() && by.ID == u.ID {
			return fault.Wrong("path.userLogin", "you cannot remove yourself from organization '%s': ask another admin", o.Name)
		}
		var changes []store.Change
		if d.Value.Role == permission.OrganizationOwner {
			other, err := stepDown(ctx, p, by, held, o, u.ID)
			if err != nil {
				return err
			}
			changes = append(changes, other)
		}
		below := []store.Key{keys.Membership(u.ID, o.ID)}
		for _, t := range d.Value.Teams {
			below = append(below, keys.TeamMember(o.ID, t.Team, u.ID))
		}
		items, err := p.Store.BatchGet(ctx, below)
		if err != nil {
			return err
		}
		for _, i := range items {
			if i.Version > 0 {
				changes = append(changes, store.Delete(i.Key, i.Version))
			}
		}
		changes = append(changes, Rehold(o.ID, "member/"+u.ID, d.Value.CustomRole, "")...)
		d.Value = Member{User: u.ID, Removed: true}
		return p.Store.Write(ctx, append(changes, memberKind.Replace(d),
			event.New(p, o.ID, "member.removed", MemberChanged{Organization: o.ID, User: u.ID, Login: u.Login, By: by.Login}),
			audit.Record(ctx, p, o.ID, "member-removed", "removed %s", u.Login))...)
	})
}

// purgePage is how many grants one write of a purge takes; each has two sides.
const purgePage = 30

// PurgeRemoved removes the grants on stacks of somebody who was removed from an organization, and the mark that they were. It may be
// repeated from any point; every write states that the mark is still there, so that nothing of a later membership is touched.
func PurgeRemoved(ctx context.Context, p ports.Ports, organization, user string) error {
	mark, err := memberDoc(ctx, p, organization, user)
	if err != nil || !mark.Value.Removed {
		return err
	}
	for {
		more, err := PurgeGrants(ctx, p, organization, "user/"+user, mark.Check())
		if store.AsConflict(err) != nil {
			if mark, err = memberDoc(ctx, p, organization, user); err != nil || !mark.Value.Removed {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	err = p.Store.Write(ctx, mark.Delete())
	if store.AsConflict(err) != nil {
		return nil // another purge was faster
	}
	return err
}

// PurgeGrants removes one page of a holder's grants on the stacks of an organization, both sides of each, in a write that also states the
// condition. more is false when none is left.
func PurgeGrants(ctx context.Context, p ports.Ports, organization, holder string, condition store.Change) (more bool, err error) {
	page, err := p.Store.Query(ctx, store.Query{PK: keys.HolderGrants(organization, holder), Limit: purgePage})
	if err != nil || len(page.Items) == 0 {
		return page.More, err
	}
	sides := make([]store.Key, len(page.Items))
	for i, g := range page.Items {
		sides[i] = keys.StackGrantOf(keys.GrantedStack(g.SK), holder)
	}
	items, err := p.Store.BatchGet(ctx, sides)
	if err != nil {
		return false, err
	}
	changes := []store.Change{condition}
	for i, g := range page.Items {
		changes = append(changes, store.Delete(g.Key, g.Version))
		if items[i].Version > 0 {
			changes = append(changes, store.Delete(items[i].Key, items[i].Version))
		}
	}
	return true, p.Store.Write(ctx, changes...)
}

// PurgeRemovedMember is the consumer of member.removed.
func PurgeRemovedMember(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var m MemberChanged
		if err := json.Unmarshal(e.Data, &m); err != nil {
			return err
		}
		return PurgeRemoved(ctx, p, m.Organization, m.User)
	}
}
