// Package organization is organizations, their members, the custom roles they define and what a caller holds in them. What changes a
// team is in package team.
package organization

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Organization owns projects and stacks and has members.
type Organization struct {
	ID          string          `json:"id"`
	Account     string          `json:"account"` // account id
	Name        string          `json:"name"`
	DisplayName string          `json:"displayName"`
	StackRole   permission.Role `json:"stackRole,omitempty"`   // what every member holds on every stack; empty: nothing
	DefaultRole string          `json:"defaultRole,omitempty"` // id of the custom role that new members get; empty: none
	Created     time.Time       `json:"created"`
}

type name struct {
	ID string `json:"id"`
}

var (
	kind     = store.NewKind[Organization]("organization", 1)
	nameKind = store.NewKind[name]("organization-name", 1)
)

// Create returns the changes that make an organization whose name must be free.
func Create(o Organization) ([]store.Change, error) {
	if !identity.LoginPattern.MatchString(o.Name) {
		return nil, fault.Wrong("organization", "organization name %q must be 3 to 40 letters, digits, '-' or '_', and begin and end with a letter or digit", o.Name)
	}
	return []store.Change{
		kind.Create(keys.OrganizationHead(o.ID), o),
		nameKind.Create(keys.OrganizationName(o.Name), name{ID: o.ID}),
		account.Own(o.Account, o.ID, o.Created),
	}, nil
}

// Find returns the organization of a name, in any case, or fault.NotFound.
func Find(ctx context.Context, p ports.Ports, called string) (Organization, error) {
	id, err := IDOf(ctx, p, called)
	if err != nil {
		return Organization{}, err
	}
	return Of(ctx, p, id)
}

// IDOf returns the id of the organization of a name, in any case, or fault.NotFound. It reads nothing of the organization but where
// its name leads.
func IDOf(ctx context.Context, p ports.Ports, called string) (string, error) {
	if !identity.LoginPattern.MatchString(called) {
		return "", fault.Missing("organization %q not found", called)
	}
	n, err := nameKind.Get(ctx, p.Store, keys.OrganizationName(called))
	if errors.Is(err, store.ErrNotFound) {
		return "", fault.Missing("organization %q not found", called)
	}
	return n.Value.ID, err
}

// Of returns the organization of an id.
func Of(ctx context.Context, p ports.Ports, id string) (Organization, error) {
	d, err := kind.Get(ctx, p.Store, keys.OrganizationHead(id))
	if err != nil {
		return Organization{}, fmt.Errorf("organization %s: %w", id, err)
	}
	return d.Value, nil
}

// Joined is an organization together with the role that a user has in it.
type Joined struct {
	Organization
	Role permission.Role
}

// maxMemberships bounds how many organizations one user may be in.
const maxMemberships = 1000

// OfUser returns the organizations a user is a member of, in order of creation.
func OfUser(ctx context.Context, p ports.Ports, user string) ([]Joined, error) {
	ms, err := membershipKind.All(ctx, p.Store, store.Query{PK: keys.Memberships(user)}, maxMemberships)
	if err != nil {
		return nil, err
	}
	heads := make([]store.Key, len(ms), 2*len(ms))
	for i, m := range ms {
		heads[i] = keys.OrganizationHead(m.Value.Organization)
	}
	for _, m := range ms { // what StandingOf will ask for, organization by organization
		heads = append(heads, keys.Member(m.Value.Organization, user))
	}
	items, err := p.Store.BatchGet(ctx, heads)
	if err != nil {
		return nil, err
	}
	var out []Joined
	for i, it := range items[:len(ms)] {
		o, err := kind.Decode(it)
		if err != nil {
			return nil, err
		}
		if o.Exists() {
			out = append(out, Joined{o.Value, ms[i].Value.Role})
		}
	}
	return out, nil
}

// Within returns the organizations that a principal is within: a user's, or the one that a token belongs to.
func Within(ctx context.Context, p ports.Ports, by permission.Principal) ([]Joined, error) {
	if by.IsPerson() {
		return OfUser(ctx, p, by.ID)
	}
	o, err := Of(ctx, p, by.Organization)
	return []Joined{{o, by.Role}}, err
}

// SetDefault chooses the organization that the caller works in when they name none. They must be a member.
func SetDefault(ctx context.Context, p ports.Ports, by permission.Principal, o Organization) error {
	return again(func() error {
		if _, ok, err := MemberOf(ctx, p, o.ID, by.ID); err != nil || !ok {
			return errors.Join(err, fault.Missing("organization '%s' not found", o.Name))
		}
		u, err := identity.UserOf(ctx, p, by.ID)
		if err != nil {
			return err
		}
		u.Value.DefaultOrganization = o.ID
		return p.Store.Write(ctx, identity.ReplaceUser(u))
	})
}

// DefaultOf returns the organization that a caller works in when they name none: a token in its own, a user in the one they chose, else the
// first they joined. A user of no organization gets the store's ErrNotFound.
func DefaultOf(ctx context.Context, p ports.Ports, by permission.Principal, u identity.User) (Organization, error) {
	joined, err := Within(ctx, p, by)
	if err != nil {
		return Organization{}, err
	}
	for _, o := range joined {
		if o.ID == u.DefaultOrganization {
			return o.Organization, nil
		}
	}
	if len(joined) == 0 {
		return Organization{}, store.ErrNotFound
	}
	return joined[0].Organization, nil
}
