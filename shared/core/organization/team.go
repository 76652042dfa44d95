package organization

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// TeamNamePattern is what a team may be called.
var TeamNamePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,98}$`)

// Origin says where a team comes from.
type Origin string

// The origins.
const (
	Native Origin = "native" // made here
	GitHub Origin = "github" // stands for a team there
)

// Team is the head of a team. What a member of it may do on stacks is in grants to the team.
type Team struct {
	ID           string    `json:"id"`
	Organization string    `json:"organization"` // id
	Name         string    `json:"name"`
	DisplayName  string    `json:"displayName"`
	Description  string    `json:"description,omitempty"`
	Origin       Origin    `json:"origin"`
	External     int64     `json:"external,omitempty"` // the origin's number of the team
	Role         string    `json:"role,omitempty"`     // id of a custom role that all members hold
	Created      time.Time `json:"created"`
	Deleted      bool      `json:"deleted,omitempty"` // tombstone: void, the name is free, the rest is being purged
}

// TeamPerson is the team's side of a member's place in it.
type TeamPerson struct {
	Leads bool `json:"leads,omitempty"`
}

// The documents of teams, which package team changes.
var (
	teamKind     = store.NewKind[Team]("team", 1)
	teamNameKind = store.NewKind[name]("team-name", 1)

	TeamPersonKind = store.NewKind[TeamPerson]("team-member", 1)
)

// CreateTeam returns the changes that make a team whose name must be free.
func CreateTeam(t Team) []store.Change {
	return []store.Change{
		teamKind.Create(keys.Team(t.Organization, t.ID), t),
		teamNameKind.Create(keys.TeamName(t.Organization, t.Name), name{ID: t.ID}),
	}
}

// ReplaceTeam is the change that writes a team's head over the version it was read at.
func ReplaceTeam(d store.Doc[Team]) store.Change { return teamKind.Replace(d) }

// TeamIDOf returns the id of the team of a name, in any case, or "".
func TeamIDOf(ctx context.Context, p ports.Ports, organization, called string) (string, error) {
	if !TeamNamePattern.MatchString(called) {
		return "", nil
	}
	n, err := teamNameKind.Get(ctx, p.Store, keys.TeamName(organization, called))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return n.Value.ID, err
}

// FindTeam returns the team of a name, in any case, or fault.NotFound.
func FindTeam(ctx context.Context, p ports.Ports, o Organization, called string) (store.Doc[Team], error) {
	missing := fault.Missing("team '%s' not found in organization '%s'", called, o.Name)
	id, err := TeamIDOf(ctx, p, o.ID, called)
	if err != nil {
		return store.Doc[Team]{}, err
	}
	if id == "" {
		return store.Doc[Team]{}, missing
	}
	d, err := teamKind.Get(ctx, p.Store, keys.Team(o.ID, id))
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Value.Deleted {
		return store.Doc[Team]{}, missing
	}
	return d, err
}

// TeamOf returns the head of a team by id, tombstones included; an absent one does not Exist.
func TeamOf(ctx context.Context, p ports.Ports, organization, id string) (store.Doc[Team], error) {
	d, err := teamKind.Get(ctx, p.Store, keys.Team(organization, id))
	if errors.Is(err, store.ErrNotFound) {
		return d, nil
	}
	return d, err
}

// TeamDocs returns the teams of these ids, in their order; absent and deleted ones do not Exist.
func TeamDocs(ctx context.Context, p ports.Ports, organization string, ids []string) ([]store.Doc[Team], error) {
	wanted := make([]store.Key, len(ids))
	for i, id := range ids {
		wanted[i] = keys.Team(organization, id)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]store.Doc[Team], len(items))
	for i, it := range items {
		d, err := teamKind.Decode(it)
		if err != nil {
			return nil, err
		}
		if !d.Value.Deleted {
			out[i] = d
		}
	}
	return out, nil
}

// maxTeams bounds the teams of one organization.
const maxTeams = 2000

// Teams lists the teams of an organization, oldest first.
func Teams(ctx context.Context, p ports.Ports, organization string) ([]Team, error) {
	docs, err := teamKind.All(ctx, p.Store, store.Query{PK: keys.Teams(organization)}, maxTeams)
	var out []Team
	for _, d := range docs {
		if !d.Value.Deleted {
			out = append(out, d.Value)
		}
	}
	return out, err
}
