package organization

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Rehold returns the changes that move the mark of who ("member/<user>", "team/<id>", "token/<id>") holds a custom role; either role may
// be "". Marks never change, so their version is always the first.
func Rehold(organization, who, from, to string) []store.Change {
	if from == to {
		return nil
	}
	var changes []store.Change
	if from != "" {
		changes = append(changes, store.Delete(keys.RoleHolder(organization, from, who), 1))
	}
	if to != "" {
		changes = append(changes, holderKind.Create(keys.RoleHolder(organization, to, who), holder{}))
	}
	return changes
}

// maxHolders bounds the holders of one role that are listed.
const maxHolders = 10_000

// Holders returns the ids of who holds a custom role, of one sort: "member", "team" or "token".
func Holders(ctx context.Context, p ports.Ports, organization, role, sort string) ([]string, error) {
	docs, err := holderKind.All(ctx, p.Store, store.Query{PK: keys.RoleHolders(organization, role), Prefix: sort + "/"}, maxHolders)
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = strings.TrimPrefix(d.SK, sort+"/")
	}
	return out, err
}

// PurgeDeletedRole is the consumer of role.deleted: it takes the role from everybody who held it.
func PurgeDeletedRole(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var r RoleDeleted
		if err := json.Unmarshal(e.Data, &r); err != nil {
			return err
		}
		for {
			page, err := p.Store.Query(ctx, store.Query{PK: keys.RoleHolders(r.Organization, r.Role), Limit: purgePage})
			if err != nil || len(page.Items) == 0 {
				return err
			}
			for _, i := range page.Items {
				err := again(func() error { return takeRole(ctx, p, r, i) })
				if err != nil {
					return err
				}
			}
		}
	}
}

// takeRole removes one mark, and the role from who it names if they still have it.
func takeRole(ctx context.Context, p ports.Ports, r RoleDeleted, mark store.Item) error {
	current, err := p.Store.BatchGet(ctx, []store.Key{mark.Key})
	if err != nil || current[0].Version == 0 {
		return err
	}
	changes := []store.Change{store.Delete(mark.Key, current[0].Version)}
	sort, id, _ := strings.Cut(mark.SK, "/")
	switch sort {
	case "member":
		d, err := memberDoc(ctx, p, r.Organization, id)
		if err != nil {
			return err
		}
		if d.Exists() && d.Value.CustomRole == r.Role {
			d.Value.CustomRole = ""
			changes = append(changes, memberKind.Replace(d))
		}
	case "team":
		d, err := TeamOf(ctx, p, r.Organization, id)
		if err != nil {
			return err
		}
		if d.Exists() && d.Value.Role == r.Role {
			d.Value.Role = ""
			changes = append(changes, teamKind.Replace(d))
		}
	case "token":
		// A token was made for its role: without it, it is revoked rather than left with the rights of a member.
		row, err := identity.FindToken(ctx, p, identity.Owner{Organization: r.Organization}, id)
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			return err
		}
		revoked, err := identity.Revoke(ctx, p, row)
		if err != nil {
			return err
		}
		changes = append(changes, revoked...)
	}
	return p.Store.Write(ctx, changes...)
}

// UsersWithRole returns the members who hold a role: a custom one by its id, or named one of the organization.
func UsersWithRole(ctx context.Context, p ports.Ports, o Organization, id string, named permission.Role) ([]identity.User, error) {
	var ids []string
	if assignable(named) == nil {
		docs, err := memberKind.All(ctx, p.Store, store.Query{PK: keys.Members(o.ID)}, maxMembers)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if !d.Value.Removed && d.Value.Role == named && d.Value.CustomRole == "" {
				ids = append(ids, d.Value.User)
			}
		}
		return identity.Users(ctx, p, ids)
	}
	if _, err := RoleOf(ctx, p, o.ID, id); err != nil {
		return nil, err
	}
	ids, err := Holders(ctx, p, o.ID, id, "member")
	if err != nil {
		return nil, err
	}
	return identity.Users(ctx, p, ids)
}

// TeamsWithRole returns the teams that hold a custom role.
func TeamsWithRole(ctx context.Context, p ports.Ports, o Organization, id string) ([]Team, error) {
	if _, err := RoleOf(ctx, p, o.ID, id); err != nil {
		return nil, err
	}
	ids, err := Holders(ctx, p, o.ID, id, "team")
	if err != nil {
		return nil, err
	}
	docs, err := TeamDocs(ctx, p, o.ID, ids)
	var out []Team
	for _, d := range docs {
		if d.Exists() {
			out = append(out, d.Value)
		}
	}
	return out, err
}

// RoleTokens are the organization's tokens that hold a custom role.
type RoleTokens struct {
	Role   string // name
	Tokens []identity.Token
}

// TokensWithRole returns the organization's tokens that hold a custom role.
func TokensWithRole(ctx context.Context, p ports.Ports, o Organization, id string) (RoleTokens, error) {
	r, err := RoleOf(ctx, p, o.ID, id)
	if err != nil {
		return RoleTokens{}, err
	}
	ids, err := Holders(ctx, p, o.ID, id, "token")
	if err != nil {
		return RoleTokens{}, err
	}
	out := RoleTokens{Role: r.Value.Name}
	out.Tokens, err = identity.TokensByID(ctx, p, identity.Owner{Organization: o.ID}, ids)
	return out, err
}

// RolesOfTeam returns the custom roles of a team: one or none.
func RolesOfTeam(ctx context.Context, p ports.Ports, o Organization, called string) ([]CustomRole, error) {
	t, err := FindTeam(ctx, p, o, called)
	if err != nil || t.Value.Role == "" {
		return nil, err
	}
	r, err := RoleOf(ctx, p, o.ID, t.Value.Role)
	if fault.Is(err, fault.NotFound) {
		return nil, nil // deleted, and being taken from who held it
	}
	return []CustomRole{r.Value}, err
}
