package organization

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

// again makes a write until no condition fails, or too often.
func again(write func() error) error {
	var err error
	for range attempts {
		if err = write(); store.AsConflict(err) == nil {
			return err
		}
	}
	return err
}

// MemberChanged is the data of the events member.added, member.changed and member.removed.
type MemberChanged struct {
	Organization string `json:"organization"` // id
	User         string `json:"user"`         // id
	Login        string `json:"login"`
	Role         string `json:"role,omitempty"`
	By           string `json:"by"` // login
}

// assignable are the roles that a member can be given by name.
func assignable(r permission.Role) error {
	switch r {
	case permission.OrganizationOwner, permission.OrganizationMember, permission.OrganizationBiller:
		return nil
	}
	return fault.Wrong("body.role", "a member's role is admin, member or billing-manager, or a custom role given by its id")
}

// mayGive says why a caller may not hand out verbs, or nil.
func mayGive(held permission.Grants, vs []permission.Verb, what string) error {
	if held.MayGive(vs) {
		return nil
	}
	return fault.New(fault.Forbidden, "%s grants more than you hold yourself, so you may not hand it out or take it away", what)
}

// Join makes a user a member and returns them as a listing would. Who joins as a plain member gets the organization's default role where it has one. held are the caller's
// grants in the organization. Somebody who is a member is fault.Conflict, an unknown user fault.NotFound.
func Join(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, login string, role permission.Role) (Listed, error) {
	if err := assignable(role); err != nil {
		return Listed{}, err
	}
	if err := mayGive(held, role.Verbs(), "this role"); err != nil {
		return Listed{}, err
	}
	u, err := person(ctx, p, o.ID, login)
	if fault.Is(err, fault.NotFound) {
		return Listed{}, fault.Missing("user '%s' not found: they must sign up before they can be added", login)
	}
	if err != nil {
		return Listed{}, err
	}
	var joined Listed
	err = again(func() error {
		d, err := memberDoc(ctx, p, o.ID, u.Value.ID)
		switch {
		case err != nil:
			return err
		case d.Value.Removed: // what they held before must not come back with them
			if err := PurgeRemoved(ctx, p, o.ID, u.Value.ID); err != nil {
				return err
			}
		case d.Exists():
			return fault.New(fault.Conflict, "'%s' is already a member of organization '%s'", u.Value.Login, o.Name).WithReason("already-exists")
		}
		m := Member{User: u.Value.ID, Role: role, Created: p.Now()}
		joined = Listed{Person: u.Value, Names: []string{}}
		var changes []store.Change
		if role == permission.OrganizationMember && o.DefaultRole != "" {
			r, err := RoleOf(ctx, p, o.ID, o.DefaultRole)
			if err != nil {
				return err
			}
			m.CustomRole, joined.Custom = o.DefaultRole, &r.Value
			changes = append(changes, r.Check(), Rehold(o.ID, "member/"+m.User, "", o.DefaultRole)[0])
		}
		joined.Member = m
		changes = append(changes, AddMember(o.ID, m)...)
		return p.Store.Write(ctx, append(changes,
			event.New(p, o.ID, "member.added", MemberChanged{Organization: o.ID, User: m.User, Login: u.Value.Login, Role: string(role), By: by.Login}),
			audit.Record(ctx, p, o.ID, "member-added", "added %s as %s", u.Value.Login, role))...)
	})
	return joined, err
}

// Reassign gives a member another role: one by name, or a custom one by its id; the other is empty. At least one owner remains.
func Reassign(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, login string, role permission.Role, custom string) error {
	switch {
	case role != "" && custom != "":
		return fault.Wrong("body", "give a role or a custom role, not both")
	case custom != "":
		role = permission.OrganizationMember
	}
	if err := assignable(role); err != nil {
		return err
	}
	return again(func() error {
		d, u, err := FindMember(ctx, p, o, login)
		if err != nil {
			return err
		}
		called, vs := string(role), role.Verbs()
		var changes []store.Change
		if custom != "" {
			r, err := RoleOf(ctx, p, o.ID, custom)
			if err != nil {
				return err
			}
			called, vs = r.Value.Name, r.Value.Rule.Every()
			changes = append(changes, r.Check())
		}
		if err := mayGive(held, vs, "this role"); err != nil {
			return err
		}
		if d.Value.Role == permission.OrganizationOwner && role != permission.OrganizationOwner {
			other, err := stepDown(ctx, p, by, held, o, d.Value.User)
			if err != nil {
				return err
			}
			changes = append(changes, other)
		}
		changes = append(changes, Rehold(o.ID, "member/"+d.Value.User, d.Value.CustomRole, custom)...)
		d.Value.Role, d.Value.CustomRole = role, custom
		mirror, err := membershipKind.Get(ctx, p.Store, keys.Membership(d.Value.User, o.ID))
		if err != nil {
			return err
		}
		mirror.Value.Role = role
		return p.Store.Write(ctx, append(changes, memberKind.Replace(d), membershipKind.Replace(mirror),
			event.New(p, o.ID, "member.changed", MemberChanged{Organization: o.ID, User: u.ID, Login: u.Login, Role: called, By: by.Login}),
			audit.Record(ctx, p, o.ID, "member-role-changed", "gave %s the role %s", u.Login, called))...)
	})
}

// stepDown returns the statement that another owner remains when user is none any more. It belongs into the write that takes the role:
// two owners who take it from each other at the same time cannot both succeed.
func stepDown(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, user string) (store.Change, error) {
	if err := mayGive(held, permission.OrganizationOwner.Verbs(), "the admin role"); err != nil {
		return store.Change{}, err
	}
	if by.IsPerson() && by.ID != user {
		if d, err := memberDoc(ctx, p, o.ID, by.ID); err != nil || owns(d) {
			return d.Check(), err
		}
	}
	q := store.Query{PK: keys.Members(o.ID)}
	for {
		docs, page, err := memberKind.Page(ctx, p.Store, q)
		if err != nil {
			return store.Change{}, err
		}
		for _, d := range docs {
			if d.Value.User != user && owns(d) {
				return d.Check(), nil
			}
		}
		if !page.More {
			return store.Change{}, fault.New(fault.Conflict, "organization '%s' would be left without an admin: make somebody else one first", o.Name).WithReason("last-owner")
		}
		q.After = page.Next
	}
}

func owns(d store.Doc[Member]) bool {
	return d.Exists() && !d.Value.Removed && d.Value.Role == permission.OrganizationOwner
}

// maxSoleOwners is how many other owners one write can turn into members.
const maxSoleOwners = 25

// MakeSoleOwner makes a member the only owner; who was one becomes a plain member. More than one write can take is fault.Conflict.
func MakeSoleOwner(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, login string) error {
	if err := mayGive(held, permission.OrganizationOwner.Verbs(), "the admin role"); err != nil {
		return err
	}
	return again(func() error {
		chosen, u, err := FindMember(ctx, p, o, login)
		if err != nil {
			return err
		}
		all, err := memberKind.All(ctx, p.Store, store.Query{PK: keys.Members(o.ID)}, maxMembers)
		if err != nil {
			return err
		}
		var changes []store.Change
		set := func(d store.Doc[Member], role permission.Role) error {
			mirror, err := membershipKind.Get(ctx, p.Store, keys.Membership(d.Value.User, o.ID))
			if err != nil {
				return err
			}
			changes = append(changes, Rehold(o.ID, "member/"+d.Value.User, d.Value.CustomRole, "")...)
			d.Value.Role, d.Value.CustomRole, mirror.Value.Role = role, "", role
			changes = append(changes, memberKind.Replace(d), membershipKind.Replace(mirror))
			return nil
		}
		if err := set(chosen, permission.OrganizationOwner); err != nil {
			return err
		}
		others := 0
		for _, d := range all {
			if d.Value.User == u.ID || !owns(d) {
				continue
			}
			if others++; others > maxSoleOwners {
				return fault.New(fault.Conflict, "organization '%s' has more than %d other admins: take the role from some of them first", o.Name, maxSoleOwners)
			}
			if err := set(d, permission.OrganizationMember); err != nil {
				return err
			}
		}
		return p.Store.Write(ctx, append(changes,
			event.New(p, o.ID, "member.changed", MemberChanged{Organization: o.ID, User: u.ID, Login: u.Login, Role: string(permission.OrganizationOwner), By: by.Login}),
			audit.Record(ctx, p, o.ID, "member-role-changed", "made %s the only admin", u.Login))...)
	})
}

// maxMembers bounds the members of one organization.
const maxMembers = 10_000
