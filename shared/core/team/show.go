package team

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Person is somebody in a team.
type Person struct {
	identity.User
	Leads bool
}

// maxPeople bounds the people of one team that are shown with it.
const maxPeople = 10_000

// People lists who is in a team, by the age of their accounts. The names come in one batch.
func People(ctx context.Context, p ports.Ports, t organization.Team) ([]Person, error) {
	docs, err := organization.TeamPersonKind.All(ctx, p.Store, store.Query{PK: keys.TeamMembers(t.Organization, t.ID)}, maxPeople)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.SK
	}
	users, err := identity.Users(ctx, p, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Person, len(users))
	for i, u := range users {
		out[i] = Person{User: u, Leads: docs[i].Value.Leads}
	}
	return out, nil
}

// Place is what a member is in a team.
type Place string

// The places.
const (
	Outside Place = "none"
	Inside  Place = "member"
	Lead    Place = "admin"
)

// Places tells what the caller is in each team of an organization; a team it does not name is Outside.
func Places(ctx context.Context, p ports.Ports, by permission.Principal, organizationID string) (map[string]Place, error) {
	if !by.IsPerson() {
		return nil, nil
	}
	m, _, err := organization.MemberOf(ctx, p, organizationID, by.ID)
	out := map[string]Place{}
	for _, t := range m.Teams {
		out[t.Team] = Inside
		if t.Leads {
			out[t.Team] = Lead
		}
	}
	return out, err
}

// Granted is what a team may do on one stack.
type Granted struct {
	Project, Stack string // names
	Role           permission.Role
}

// Stacks lists the stacks that a team has a grant on, oldest first. Names and roles of a team's stacks are shown to administrators of
// teams and to the team itself; see Sees.
func Stacks(ctx context.Context, p ports.Ports, t organization.Team) ([]Granted, error) {
	roles, err := stack.GrantedTo(ctx, p, t.Organization, "team/"+t.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(roles))
	for id := range roles {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	heads, err := stack.Heads(ctx, p, ids)
	if err != nil {
		return nil, err
	}
	out := []Granted{}
	for _, d := range heads {
		if d.Exists() && !d.Value.Deleted && d.Value.Organization == t.Organization {
			out = append(out, Granted{Project: d.Value.ProjectName, Stack: d.Value.Name, Role: roles[d.Value.ID]})
		}
	}
	return out, nil
}

// Sees reports whether somebody with these grants and this place may see which stacks a team has: names of stacks do not leak.
func Sees(held permission.Grants, place Place) bool {
	return held.Allow(permission.TeamAdmin) || place == Inside || place == Lead
}

// Sight is a team as somebody sees it.
type Sight struct {
	Place  Place // the caller's
	People []Person
	Stacks []Granted // none for who may not see them
}

// Whole loads a team with its people and stacks. held are the caller's grants on the team.
func Whole(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, t organization.Team) (Sight, error) {
	places, err := Places(ctx, p, by, t.Organization)
	if err != nil {
		return Sight{}, err
	}
	s := Sight{Place: Outside}
	if at, ok := places[t.ID]; ok {
		s.Place = at
	}
	var stacksErr error
	var stacks sync.WaitGroup
	if Sees(held, s.Place) {
		stacks.Go(func() { s.Stacks, stacksErr = Stacks(ctx, p, t) })
	}
	s.People, err = People(ctx, p, t)
	stacks.Wait()
	return s, errors.Join(err, stacksErr)
}
