package team

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Action is what happens to one person of a team.
type Action string

// The actions.
const (
	Add     Action = "add"
	Expel   Action = "remove"
	Promote Action = "promote" // to lead the team
	Demote  Action = "demote"
)

// OnStack is what happens to the team's grant on one stack.
type OnStack struct {
	Field   string // of the request, for faults
	Project string // name
	Stack   string // name
	Role    permission.Role
	Edit    bool // only where there is a grant already
	Revoke  bool // end the grant; Role is not looked at
}

// Edit is what one request changes of a team, all of it or nothing.
type Edit struct {
	Action      Action // empty: none
	Login       string // of the person
	DisplayName *string
	Description *string
	Stacks      []OnStack // of different stacks
}

func (e Edit) empty() bool {
	return e.Action == "" && e.DisplayName == nil && e.Description == nil && len(e.Stacks) == 0
}

// Update edits a team in one write. held are the caller's grants on the team: who only leads it changes its people and words; what it may do
// on stacks needs the rights of an administrator of teams.
func Update(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o organization.Organization, called string, e Edit) error {
	if e.empty() {
		return fault.Wrong("body", "the request asks for no change of the team")
	}
	if len(e.Stacks) > 0 && !held.Allow(permission.TeamAdmin) {
		return fault.New(fault.Forbidden, "%s may not do this: what a team may do on stacks needs the permission %s", by.Login, permission.TeamAdmin)
	}
	return again(func() error {
		d, err := organization.FindTeam(ctx, p, o, called)
		if err != nil {
			return err
		}
		var done []string
		changes, err := editPerson(ctx, p, o, d.Value, e, &done)
		if err != nil {
			return err
		}
		for i, s := range e.Stacks {
			if at := slices.IndexFunc(e.Stacks, func(o OnStack) bool { return o.Project == s.Project && o.Stack == s.Stack }); at < i {
				return fault.Wrong(s.Field, "%s and %s are about the same stack: ask for one of them", e.Stacks[at].Field, s.Field)
			}
			more, err := editStack(ctx, p, o, d.Value, s, &done)
			if err != nil {
				return err
			}
			changes = append(changes, more...)
		}
		if e.DisplayName != nil {
			d.Value.DisplayName = *e.DisplayName
			done = append(done, "display name")
		}
		if e.Description != nil {
			d.Value.Description = *e.Description
			done = append(done, "description")
		}
		if err := checkWords(d.Value.DisplayName, d.Value.Description); err != nil {
			return err
		}
		head := d.Check()
		if e.DisplayName != nil || e.Description != nil {
			head = organization.ReplaceTeam(d)
		}
		return p.Store.Write(ctx, append(changes, head,
			event.New(p, o.ID, "team.updated", Changed{Organization: o.ID, Team: d.Value.ID, Name: d.Value.Name, By: by.Login}),
			audit.Record(ctx, p, o.ID, "team-updated", "changed team %s: %s", d.Value.Name, strings.Join(done, ", ")))...)
	})
}

func editPerson(ctx context.Context, p ports.Ports, o organization.Organization, t organization.Team, e Edit, done *[]string) ([]store.Change, error) {
	if e.Action == "" {
		return nil, nil
	}
	if e.Login == "" {
		return nil, fault.Wrong("body.member", "memberAction needs the member it is about")
	}
	m, u, err := organization.FindMember(ctx, p, o, e.Login)
	if err != nil {
		return nil, err
	}
	at := m.Value.In(t.ID)
	if e.Action == Add {
		if at >= 0 {
			return nil, fault.New(fault.Conflict, "'%s' is already in team '%s'", u.Login, t.Name).WithReason("already-exists")
		}
		joined, err := join(&m, t, false)
		*done = append(*done, "added "+u.Login)
		return []store.Change{joined, organization.ReplaceMember(m)}, err
	}
	if at < 0 {
		return nil, fault.Missing("'%s' is not in team '%s'", u.Login, t.Name)
	}
	items, err := p.Store.BatchGet(ctx, []store.Key{keys.TeamMember(o.ID, t.ID, u.ID)})
	if err != nil {
		return nil, err
	}
	person, err := organization.TeamPersonKind.Decode(items[0])
	if err != nil {
		return nil, err
	}
	places := append([]organization.Place(nil), m.Value.Teams...)
	switch e.Action {
	case Expel:
		m.Value.Teams = append(places[:at], places[at+1:]...)
		*done = append(*done, "removed "+u.Login)
		return []store.Change{person.Delete(), organization.ReplaceMember(m)}, nil
	case Promote, Demote:
		places[at].Leads = e.Action == Promote
		m.Value.Teams, person.Value.Leads = places, places[at].Leads
		*done = append(*done, string(e.Action)+"d "+u.Login)
		return []store.Change{organization.TeamPersonKind.Replace(person), organization.ReplaceMember(m)}, nil
	}
	return nil, fault.Wrong("body.memberAction", "memberAction must be add, remove, promote or demote")
}

func editStack(ctx context.Context, p ports.Ports, o organization.Organization, t organization.Team, s OnStack, done *[]string) ([]store.Change, error) {
	d, err := stack.Find(ctx, p, o.ID, s.Project, s.Stack)
	if err != nil {
		return nil, err
	}
	path := d.Value.Path(o.Name)
	g, err := stack.GrantOf(ctx, p, d.Value, "team/"+t.ID)
	if err != nil {
		return nil, err
	}
	if (s.Edit || s.Revoke) && !g.Exists() {
		return nil, fault.Missing("team '%s' holds no permission on stack '%s'", t.Name, path)
	}
	if s.Revoke {
		*done = append(*done, "no permission on "+path)
		return g.TakeBack(), nil
	}
	*done = append(*done, fmt.Sprintf("%s on %s", s.Role, path))
	if g.Exists() {
		return g.Change(s.Role), nil
	}
	alive, err := stack.Alive(ctx, p, d.Value) // a grant must not be left below a stack that was deleted meanwhile
	return append(stack.GrantTo(d.Value, "team/"+t.ID, s.Role), alive), err
}
