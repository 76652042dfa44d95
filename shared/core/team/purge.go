package team

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// PurgeDeleted is the consumer of team.deleted.
func PurgeDeleted(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var c Changed
		if err := json.Unmarshal(e.Data, &c); err != nil {
			return err
		}
		return Purge(ctx, p, c.Organization, c.Team)
	}
}

// Purge removes what lies below a deleted team: its tokens, its people's places, its grants, and the tombstone last. It may be repeated
// from any point.
func Purge(ctx context.Context, p ports.Ports, organizationID, id string) error {
	d, err := organization.TeamOf(ctx, p, organizationID, id)
	if err != nil || !d.Value.Deleted {
		return err
	}
	if err := purgeTokens(ctx, p, organizationID, id); err != nil {
		return err
	}
	if err := purgePeople(ctx, p, organizationID, id); err != nil {
		return err
	}
	for more := true; more; {
		err := again(func() (err error) {
			more, err = organization.PurgeGrants(ctx, p, organizationID, "team/"+id, d.Check())
			return err
		})
		if err != nil {
			return err
		}
	}
	err = p.Store.Write(ctx, d.Delete())
	if store.AsConflict(err) != nil {
		return nil // another purge was faster
	}
	return err
}

func purgeTokens(ctx context.Context, p ports.Ports, organizationID, id string) error {
	owner := identity.Owner{Organization: organizationID, Team: id}
	for {
		page, err := p.Store.Query(ctx, store.Query{PK: keys.OrganizationTokens(organizationID, id), Limit: 1})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		err = again(func() error {
			row, err := identity.FindToken(ctx, p, owner, page.Items[0].SK)
			if err != nil {
				return err
			}
			changes, err := identity.Revoke(ctx, p, row)
			if err != nil {
				return err
			}
			return p.Store.Write(ctx, changes...)
		})
		if err != nil {
			return err
		}
	}
}

func purgePeople(ctx context.Context, p ports.Ports, organizationID, id string) error {
	for {
		docs, _, err := organization.TeamPersonKind.Page(ctx, p.Store, store.Query{PK: keys.TeamMembers(organizationID, id), Limit: 1})
		if err != nil || len(docs) == 0 {
			return err
		}
		err = again(func() error { return expel(ctx, p, organizationID, id, docs[0].SK) })
		if err != nil {
			return err
		}
	}
}

// expel removes one person from a deleted team, reading everything afresh.
func expel(ctx context.Context, p ports.Ports, organizationID, id, user string) error {
	items, err := p.Store.BatchGet(ctx, []store.Key{keys.TeamMember(organizationID, id, user)})
	if err != nil || items[0].Version == 0 {
		return err
	}
	changes := []store.Change{store.Delete(items[0].Key, items[0].Version)}
	ms, err := organization.MemberDocs(ctx, p, organizationID, []string{user})
	if err != nil {
		return err
	}
	if m := ms[0]; m.Exists() {
		if at := m.Value.In(id); at >= 0 {
			places := append([]organization.Place(nil), m.Value.Teams...)
			m.Value.Teams = append(places[:at], places[at+1:]...)
			changes = append(changes, organization.ReplaceMember(m))
		}
	}
	return p.Store.Write(ctx, changes...)
}
