package organization

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Member is one person's place in an organization.
type Member struct {
	User       string          `json:"user"` // user id
	Role       permission.Role `json:"role"`
	CustomRole string          `json:"customRole,omitempty"` // id; stands for the member role
	Teams      []Place         `json:"teams,omitempty"`      // in order of joining; each also stands below its team
	Created    time.Time       `json:"created"`
	Removed    bool            `json:"removed,omitempty"` // tombstone: no member any more, and the grants are being purged
}

// Place is a member's place in a team.
type Place struct {
	Team  string `json:"team"` // id
	Leads bool   `json:"leads,omitempty"`
}

// MaxTeams is how many teams one member may be in: every request of the member loads them.
const MaxTeams = 40

// In returns the index of the member's place in a team, or -1.
func (m Member) In(team string) int {
	return slices.IndexFunc(m.Teams, func(p Place) bool { return p.Team == team })
}

// membership is the user's side of a Member, written with it.
type membership struct {
	Organization string          `json:"organization"` // id
	Role         permission.Role `json:"role"`
}

var (
	memberKind     = store.NewKind[Member]("member", 1)
	membershipKind = store.NewKind[membership]("membership", 1)
)

// AddMember returns the changes that make a user a member: the organization's side and the user's.
func AddMember(organization string, m Member) []store.Change {
	return []store.Change{
		memberKind.Create(keys.Member(organization, m.User), m),
		membershipKind.Create(keys.Membership(m.User, organization), membership{Organization: organization, Role: m.Role}),
	}
}

// memberDoc returns a member's document, absent and removed ones included.
func memberDoc(ctx context.Context, p ports.Ports, organization, user string) (store.Doc[Member], error) {
	d, err := memberKind.Get(ctx, p.Store, keys.Member(organization, user))
	if errors.Is(err, store.ErrNotFound) {
		return store.Doc[Member]{Key: keys.Member(organization, user)}, nil
	}
	return d, err
}

// MemberOf returns a user's place in an organization; ok is false when there is none.
func MemberOf(ctx context.Context, p ports.Ports, organization, user string) (m Member, ok bool, err error) {
	d, err := memberDoc(ctx, p, organization, user)
	if err != nil || !d.Exists() || d.Value.Removed {
		return Member{}, false, err
	}
	return d.Value, true, nil
}

// FindMember returns the member of a login, in any case, or fault.NotFound.
func FindMember(ctx context.Context, p ports.Ports, o Organization, login string) (store.Doc[Member], identity.User, error) {
	missing := fault.Missing("'%s' is not a member of organization '%s'", login, o.Name)
	u, err := person(ctx, p, o.ID, login)
	if fault.Is(err, fault.NotFound) {
		return store.Doc[Member]{}, identity.User{}, missing
	}
	if err != nil {
		return store.Doc[Member]{}, identity.User{}, err
	}
	d, err := memberDoc(ctx, p, o.ID, u.Value.ID)
	if err == nil && (!d.Exists() || d.Value.Removed) {
		err = missing
	}
	return d, u.Value, err
}

// person is identity.FindUser that reads the user together with their place in the organization.
func person(ctx context.Context, p ports.Ports, organization, login string) (store.Doc[identity.User], error) {
	id, err := identity.UserIDOf(ctx, p, login)
	if err != nil {
		return store.Doc[identity.User]{}, err
	}
	store.Prefetch(ctx, p.Store, keys.UserHead(id), keys.Member(organization, id), keys.Membership(id, organization))
	return identity.UserOf(ctx, p, id)
}

// ReplaceMember is the change that writes a member over the version it was read at.
func ReplaceMember(d store.Doc[Member]) store.Change { return memberKind.Replace(d) }

// MemberDocs returns the members of these user ids, in their order; absent and removed ones do not Exist.
func MemberDocs(ctx context.Context, p ports.Ports, organization string, users []string) ([]store.Doc[Member], error) {
	wanted := make([]store.Key, len(users))
	for i, u := range users {
		wanted[i] = keys.Member(organization, u)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]store.Doc[Member], len(items))
	for i, it := range items {
		d, err := memberKind.Decode(it)
		if err != nil {
			return nil, err
		}
		if !d.Value.Removed {
			out[i] = d
		}
	}
	return out, nil
}

// Listed is a member as a listing shows it.
type Listed struct {
	Member
	Person identity.User
	Custom *CustomRole // the role that CustomRole names, if there is one
	Names  []string    // of the teams
}

// membersPage is how many members one page of a listing examines.
const membersPage = 100

// Members lists members by the age of their accounts, with the token of the next page or "". It queries the organization's partition
// and reads the users, teams and roles of the page in one batch each.
func Members(ctx context.Context, p ports.Ports, by permission.Principal, o Organization, token string) ([]Listed, string, error) {
	binding := "members\x00" + by.Holder() + "\x00" + o.ID
	q := store.Query{PK: keys.Members(o.ID), Limit: membersPage}
	if token != "" {
		if err := p.Cursors.Open(binding, token, "query.continuationToken", &q.After); err != nil {
			return nil, "", err
		}
	}
	docs, page, err := memberKind.Page(ctx, p.Store, q)
	if err != nil {
		return nil, "", err
	}
	var ms []Member
	for _, d := range docs {
		if !d.Value.Removed {
			ms = append(ms, d.Value)
		}
	}
	out, err := listed(ctx, p, o, ms)
	next := ""
	if page.More {
		next = p.Cursors.Make(binding, page.Next)
	}
	return out, next, err
}

func listed(ctx context.Context, p ports.Ports, o Organization, ms []Member) ([]Listed, error) {
	users := make([]string, len(ms))
	var teams, roles []string
	for i, m := range ms {
		users[i] = m.User
		for _, t := range m.Teams {
			if !slices.Contains(teams, t.Team) {
				teams = append(teams, t.Team)
			}
		}
		if m.CustomRole != "" && !slices.Contains(roles, m.CustomRole) {
			roles = append(roles, m.CustomRole)
		}
	}
	people, err := identity.Users(ctx, p, users)
	if err != nil {
		return nil, err
	}
	heads, err := TeamDocs(ctx, p, o.ID, teams)
	if err != nil {
		return nil, err
	}
	defined, err := roleDocs(ctx, p, o.ID, roles)
	if err != nil {
		return nil, err
	}
	out := make([]Listed, len(ms))
	for i, m := range ms {
		out[i] = Listed{Member: m, Person: people[i], Names: []string{}}
		for _, t := range m.Teams {
			if d := heads[slices.Index(teams, t.Team)]; d.Exists() {
				out[i].Names = append(out[i].Names, d.Value.Name)
			}
		}
		if m.CustomRole != "" {
			if d := defined[slices.Index(roles, m.CustomRole)]; d.Exists() {
				out[i].Custom = &d.Value
			}
		}
	}
	return out, nil
}

// TeamsOfMember returns the names of the teams that a member is in.
func TeamsOfMember(ctx context.Context, p ports.Ports, o Organization, login string) ([]string, error) {
	m, _, err := FindMember(ctx, p, o, login)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(m.Value.Teams))
	for i, t := range m.Value.Teams {
		ids[i] = t.Team
	}
	heads, err := TeamDocs(ctx, p, o.ID, ids)
	out := []string{}
	for _, d := range heads {
		if d.Exists() {
			out = append(out, d.Value.Name)
		}
	}
	return out, err
}
