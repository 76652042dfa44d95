package organization

import (
	"context"
	"slices"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Standing is what a principal holds in an organization, apart from grants on single stacks.
type Standing struct {
	Within  bool              // a member, or a token of the organization or of one of its teams
	Role    permission.Role   // in the organization; a custom role stands on top of OrganizationGuest
	Custom  string            // id of the custom role that a member or a token holds itself
	Rules   []permission.Rule // of custom roles, the teams' included
	Holders []string          // whose grants on stacks count: the principal's own and its teams'
	Leads   []string          // ids of the teams that the principal leads
}

// StandingOf loads what a principal holds in an organization, in two round trips or, when a team has a custom role, three. Somebody who
// was removed holds nothing from the first write on; who never was within may still hold grants on single stacks.
func StandingOf(ctx context.Context, p ports.Ports, by permission.Principal, organization string) (Standing, error) {
	s := Standing{}
	var teams []Place
	switch {
	case by.IsPerson():
		m, err := memberDoc(ctx, p, organization, by.ID)
		if err != nil {
			return s, err
		}
		if m.Value.Removed {
			return s, nil
		}
		s.Holders = []string{by.Holder()}
		if !m.Exists() {
			return s, nil
		}
		s.Role, s.Custom, teams = m.Value.Role, m.Value.CustomRole, m.Value.Teams
	case by.Organization != organization:
		return s, nil
	case by.Kind == permission.KindTeam:
		s.Role, teams = permission.OrganizationMember, []Place{{Team: by.ID}}
	default:
		s.Role, s.Custom, s.Holders = by.Role, by.CustomRole, []string{by.Holder()}
	}
	s.Within = true
	return s, s.load(ctx, p, organization, by, teams)
}

func (s *Standing) load(ctx context.Context, p ports.Ports, organization string, by permission.Principal, places []Place) error {
	wanted := make([]store.Key, len(places), len(places)+1)
	for i, t := range places {
		wanted[i] = keys.Team(organization, t.Team)
	}
	if s.Custom != "" {
		s.Role = permission.OrganizationGuest
		wanted = append(wanted, keys.Role(organization, s.Custom))
	}
	if len(wanted) == 0 {
		return nil
	}
	store.Prefetch(ctx, p.Store, append(wanted[:len(wanted):len(wanted)], keys.OrganizationHead(organization))...)
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return err
	}
	var roles []store.Key
	for i, t := range places {
		d, err := teamKind.Decode(items[i])
		if err != nil {
			return err
		}
		if !d.Exists() || d.Value.Deleted {
			continue
		}
		s.Holders = append(s.Holders, "team/"+t.Team)
		if t.Leads {
			s.Leads = append(s.Leads, t.Team)
		}
		if at := keys.Role(organization, d.Value.Role); d.Value.Role != "" && !slices.Contains(roles, at) {
			roles = append(roles, at)
		}
	}
	if by.Kind == permission.KindTeam && len(s.Holders) == 0 {
		*s = Standing{} // its team is gone, and so is the token
		return nil
	}
	if s.Custom != "" {
		if err := s.add(items[len(places)]); err != nil {
			return err
		}
	}
	if len(roles) == 0 {
		return nil
	}
	if items, err = p.Store.BatchGet(ctx, roles); err != nil {
		return err
	}
	for _, i := range items {
		if err := s.add(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Standing) add(role store.Item) error {
	d, err := roleKind.Decode(role)
	if err == nil && d.Exists() {
		s.Rules = append(s.Rules, d.Value.Rule)
	}
	return err
}

// Grants are the roles that count on a subject: on none, those in the organization; on a stack, also what every member holds on every
// stack. Grants on the single stack come on top.
func (s Standing) Grants(o Organization, on permission.Subject) permission.Grants {
	if !s.Within {
		return nil
	}
	out := permission.Grants{s.Role}
	if on.Stack != "" && s.Role == permission.OrganizationMember {
		out = append(out, o.StackRole)
	}
	for _, r := range s.Rules {
		out = append(out, r.Role(on))
	}
	return out
}

// AsksTags reports whether a stack's tags must be known to say what is granted on it.
func (s Standing) AsksTags() bool { return slices.ContainsFunc(s.Rules, permission.Rule.AsksTags) }
