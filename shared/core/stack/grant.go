package stack

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// grant is a role on a stack, held by a user, a team or a token; it is written on the stack's side and on the holder's.
type grant struct {
	Role permission.Role `json:"role"`
}

var grantKind = store.NewKind[grant]("grant", 1)

// Grant returns the changes that give a role on a stack to a user who has none on it: the stack's side and the user's.
func Grant(s Stack, user string, role permission.Role) []store.Change {
	return GrantTo(s, "user/"+user, role)
}

// GrantTo is Grant to any holder (see permission.Principal.Holder).
func GrantTo(s Stack, holder string, role permission.Role) []store.Change {
	g := grant{Role: role}
	return []store.Change{
		grantKind.Create(keys.StackGrantOf(s.ID, holder), g),
		grantKind.Create(keys.HolderGrant(s.Organization, holder, s.ID), g),
	}
}

// Granted is a grant with both its sides, as read.
type Granted struct {
	stack, holder store.Doc[grant]
}

// Exists reports whether there is a grant.
func (g Granted) Exists() bool { return g.stack.Exists() && g.holder.Exists() }

// Role is what the grant gives.
func (g Granted) Role() permission.Role { return g.stack.Value.Role }

// GrantOf reads the grant of a holder on a stack; an absent one does not Exist.
func GrantOf(ctx context.Context, p ports.Ports, s Stack, holder string) (Granted, error) {
	items, err := p.Store.BatchGet(ctx, []store.Key{keys.StackGrantOf(s.ID, holder), keys.HolderGrant(s.Organization, holder, s.ID)})
	if err != nil {
		return Granted{}, err
	}
	var g Granted
	if g.stack, err = grantKind.Decode(items[0]); err != nil {
		return Granted{}, err
	}
	g.holder, err = grantKind.Decode(items[1])
	return g, err
}

// Change returns the changes that make an existing grant give another role.
func (g Granted) Change(role permission.Role) []store.Change {
	g.stack.Value.Role, g.holder.Value.Role = role, role
	return []store.Change{grantKind.Replace(g.stack), grantKind.Replace(g.holder)}
}

// TakeBack returns the changes that end an existing grant.
func (g Granted) TakeBack() []store.Change {
	return []store.Change{g.stack.Delete(), g.holder.Delete()}
}

// RolesOf returns the roles that any of the holders was granted on a stack, in one round trip.
func RolesOf(ctx context.Context, p ports.Ports, stack string, holders []string) (permission.Grants, error) {
	if len(holders) == 0 {
		return nil, nil
	}
	wanted := make([]store.Key, len(holders))
	for i, h := range holders {
		wanted[i] = keys.StackGrantOf(stack, h)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	var out permission.Grants
	for _, i := range items {
		g, err := grantKind.Decode(i)
		if err != nil {
			return nil, err
		}
		if g.Exists() {
			out = append(out, g.Value.Role)
		}
	}
	return out, nil
}

// SubjectOf is a stack as rules of custom roles see it; its tags cost a read and are left out unless asked for.
func SubjectOf(ctx context.Context, p ports.Ports, id string, tags bool) (permission.Subject, error) {
	on := permission.Subject{Stack: id}
	if !tags {
		return on, nil
	}
	d, err := Of(ctx, p, id)
	if errors.Is(err, store.ErrNotFound) {
		return on, nil
	}
	on.Tags = d.Value.Tags
	return on, err
}

// GrantedTo returns the grants of a holder in one organization, by stack id.
func GrantedTo(ctx context.Context, p ports.Ports, organization, holder string) (map[string]permission.Role, error) {
	docs, err := grantKind.All(ctx, p.Store, store.Query{PK: keys.HolderGrants(organization, holder)}, maxGrants)
	out := make(map[string]permission.Role, len(docs))
	for _, d := range docs {
		out[keys.GrantedStack(d.SK)] = d.Value.Role
	}
	return out, err
}

// maxGrants bounds the grants of one team that are shown with it.
const maxGrants = 10_000
