// Package team is what changes teams: making and deleting them, their people, their words, their custom role and what they may do on
// stacks. A member's rights are the union of their own and their teams'; who is in which team stands in the member's document, so that a
// request loads all of it with the member (see organization.StandingOf).
package team

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Draft is what a client says of a team that it wants. A team of an external origin may have a number there instead of a name.
type Draft struct {
	Name, DisplayName, Description string
	Origin                         organization.Origin
	External                       int64
}

// Limits of a team's words, in characters.
const (
	maxDisplayName = 100
	maxDescription = 1000
)

func checkWords(displayName, description string) error {
	if utf8.RuneCountInString(displayName) > maxDisplayName {
		return fault.Wrong("body.displayName", "a team's display name has at most %d characters", maxDisplayName)
	}
	if utf8.RuneCountInString(description) > maxDescription {
		return fault.Wrong("body.description", "a team's description has at most %d characters", maxDescription)
	}
	return nil
}

// Changed is the data of the events team.created, team.updated and team.deleted.
type Changed struct {
	Organization string `json:"organization"` // id
	Team         string `json:"team"`         // id
	Name         string `json:"name"`
	By           string `json:"by"` // login
}

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

func again(write func() error) error {
	var err error
	for range attempts {
		if err = write(); store.AsConflict(err) == nil {
			return err
		}
	}
	return err
}

// Create makes a team, whose creator leads it when they are a member with room for one more team; leads tells. A taken
// name is fault.Conflict.
func Create(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, d Draft) (t organization.Team, leads bool, err error) {
	if d.Name == "" && d.External > 0 {
		d.Name = string(d.Origin) + "-" + strconv.FormatInt(d.External, 10)
	}
	if !organization.TeamNamePattern.MatchString(d.Name) {
		return t, false, fault.Wrong("body.name", "team name %q must be 1 to 99 letters, digits, '_', '.' or '-', and begin with a letter or digit", d.Name)
	}
	if err := checkWords(d.DisplayName, d.Description); err != nil {
		return t, false, err
	}
	if d.DisplayName == "" {
		d.DisplayName = d.Name
	}
	t = organization.Team{
		ID: p.NewID(), Organization: o.ID, Name: d.Name, DisplayName: d.DisplayName, Description: d.Description,
		Origin: d.Origin, External: d.External, Created: p.Now(),
	}
	taken := fault.New(fault.Conflict, "team '%s' already exists in organization '%s'", t.Name, o.Name).WithReason("already-exists")
	switch id, err := organization.TeamIDOf(ctx, p, o.ID, t.Name); {
	case err != nil:
		return t, false, err
	case id != "":
		return t, false, taken
	}
	err = again(func() error {
		changes := organization.CreateTeam(t)
		leads = false
		if by.IsPerson() {
			ms, err := organization.MemberDocs(ctx, p, o.ID, []string{by.ID})
			if err != nil {
				return err
			}
			if m := ms[0]; m.Exists() && len(m.Value.Teams) < organization.MaxTeams {
				joined, err := join(&m, t, true)
				if err != nil {
					return err
				}
				changes = append(changes, joined, organization.ReplaceMember(m))
				leads = true
			}
		}
		err := p.Store.Write(ctx, append(changes,
			event.New(p, o.ID, "team.created", Changed{Organization: o.ID, Team: t.ID, Name: t.Name, By: by.Login}),
			audit.Record(ctx, p, o.ID, "team-created", "created team %s", t.Name))...)
		if c := store.AsConflict(err); c != nil && c.On(keys.TeamName(o.ID, t.Name)) {
			return taken
		}
		return err
	})
	return t, leads, err
}

// join puts a member into a team; the caller writes the member.
func join(m *store.Doc[organization.Member], t organization.Team, leads bool) (store.Change, error) {
	if len(m.Value.Teams) >= organization.MaxTeams {
		return store.Change{}, fault.New(fault.Conflict, "this member is in %d teams already, which is the most one can be in", organization.MaxTeams)
	}
	m.Value.Teams = append(m.Value.Teams[:len(m.Value.Teams):len(m.Value.Teams)], organization.Place{Team: t.ID, Leads: leads})
	return organization.TeamPersonKind.Create(keys.TeamMember(t.Organization, t.ID, m.Value.User), organization.TeamPerson{Leads: leads}), nil
}

// Delete deletes a team. From the first write on it is worth nothing to its members and its tokens are dead, and its name is free; what lies
// below is purged afterwards.
func Delete(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, called string) error {
	return again(func() error {
		d, err := organization.FindTeam(ctx, p, o, called)
		if err != nil {
			return err
		}
		changes := []store.Change{store.Delete(keys.TeamName(o.ID, d.Value.Name), 1)} // a name's item never changes
		changes = append(changes, organization.Rehold(o.ID, "team/"+d.Value.ID, d.Value.Role, "")...)
		d.Value.Deleted, d.Value.Role = true, ""
		return p.Store.Write(ctx, append(changes, organization.ReplaceTeam(d),
			event.New(p, o.ID, "team.deleted", Changed{Organization: o.ID, Team: d.Value.ID, Name: d.Value.Name, By: by.Login}),
			audit.Record(ctx, p, o.ID, "team-deleted", "deleted team %s", d.Value.Name))...)
	})
}

// Assign gives the team a custom role instead of the one it has; "" takes it. Its members have what the role grants from their next request on.
func Assign(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o organization.Organization, called, role string) error {
	return again(func() error {
		if id, err := organization.TeamIDOf(ctx, p, o.ID, called); err == nil && role != "" {
			store.Prefetch(ctx, p.Store, keys.Team(o.ID, id), keys.Role(o.ID, role))
		}
		d, err := organization.FindTeam(ctx, p, o, called)
		if err != nil {
			return err
		}
		var changes []store.Change
		what := "took the role from team " + d.Value.Name
		if role != "" {
			r, err := organization.RoleOf(ctx, p, o.ID, role)
			if err != nil {
				return err
			}
			if !held.MayGive(r.Value.Rule.Every()) {
				return fault.New(fault.Forbidden, "this role grants more than you hold yourself, so you may not hand it out")
			}
			what = "gave team " + d.Value.Name + " the role " + r.Value.Name
			changes = append(changes, r.Check())
		}
		changes = append(changes, organization.Rehold(o.ID, "team/"+d.Value.ID, d.Value.Role, role)...)
		d.Value.Role = role
		return p.Store.Write(ctx, append(changes, organization.ReplaceTeam(d),
			event.New(p, o.ID, "team.updated", Changed{Organization: o.ID, Team: d.Value.ID, Name: d.Value.Name, By: by.Login}),
			audit.Record(ctx, p, o.ID, "team-updated", "%s", what))...)
	})
}

// TakeRole takes a custom role from a team; one that it does not have is fault.NotFound.
func TakeRole(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o organization.Organization, called, role string) error {
	d, err := organization.FindTeam(ctx, p, o, called)
	if err != nil {
		return err
	}
	if role == "" || !strings.EqualFold(d.Value.Role, role) {
		return fault.Missing("team '%s' does not have the role '%s'", d.Value.Name, role)
	}
	return Assign(ctx, p, by, held, o, called, "")
}
