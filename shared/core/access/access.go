// Package access lets callers in: it turns a credential into a principal, finds what the row acts on, loads the principal's grants there
// and decides. What it found travels in the context, so that handlers do not look twice.
package access

import (
	"context"
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Form says how a credential is to be understood.
type Form string

// The forms.
const (
	None  Form = ""
	Token Form = "token" // of a person or service, whatever header it came in
	Lease Form = "lease" // of a running update
)

// Access is what is known about an admitted request. Fields that the row's target does not name are zero.
type Access struct {
	Principal    permission.Principal
	User         identity.User             // zero for a lease and for public rows
	Token        identity.Token            // the credential; zero for a lease and for public rows
	Team         organization.Team         // that owns the token, if one does
	Organization organization.Organization // the target's
	Grants       permission.Grants         // what the caller holds on the target: every role that counted in the decision
	Stack        store.Doc[stack.Stack]    // the target's; not loaded for a lease
	Lease        store.Doc[update.Lease]   // only for rows that a running update calls
	Secret       string                    // of the lease's token, for the answer that repeats it
}

// By is the caller as an update remembers it.
func (a Access) By() update.By {
	p := a.Principal
	return update.By{User: p.ID, Login: p.Login, Name: p.Name, Email: a.User.Email, Token: p.Token}
}

type contextKey struct{}

// Of returns the access of a request that the gate admitted. It panics elsewhere: a handler that runs without the gate is a defect.
func Of(ctx context.Context) Access { return ctx.Value(contextKey{}).(Access) }

// Principal returns who an admitted request is from; ok is false outside one.
func Principal(ctx context.Context) (p permission.Principal, ok bool) {
	a, ok := ctx.Value(contextKey{}).(Access)
	return a.Principal, ok
}

// Gate admits requests.
type Gate struct {
	Ports ports.Ports
	Hints *store.Hints // keys that a caller's last request to the same target read; nil guesses nothing

	// Later is given what shall be done outside the request that caused it, and may never do it: the last use of a token. Nil does none of it.
	Later func(func(context.Context))

	refusals audit.Refusals
}

// Enter returns the context of an admitted request, or a fault: Unauthenticated, Forbidden, or NotFound for what the caller may not
// see, in the same words as for what does not exist. operation tells requests apart that read different things of one target.
func (g *Gate) Enter(ctx context.Context, operation string, form Form, secret string, need permission.Need, target permission.Target) (context.Context, error) {
	ctx = store.Remember(ctx)
	var a Access
	var err error
	switch {
	case need.Public != "":
	case need.Lease:
		a, err = g.lease(ctx, form, secret, target)
	default:
		caller := strings.Join([]string{identity.HashToken(secret), target.Organization, target.Project, target.Stack, target.Team, target.User}, "/")
		doing := strings.Join([]string{caller, target.Update, operation}, "/")
		g.Hints.Prefetch(ctx, g.Ports.Store, caller, doing)
		if a, err = g.person(ctx, form, secret, need, target); err == nil {
			g.Hints.Learn(ctx, caller)
			g.Hints.Follow(ctx, doing)
		}
	}
	if err != nil {
		g.refused(ctx, a.Principal, secret, need, target, err)
		return nil, err
	}
	return context.WithValue(ctx, contextKey{}, a), nil
}

func (g *Gate) lease(ctx context.Context, form Form, secret string, target permission.Target) (Access, error) {
	if form != Lease {
		return Access{}, fault.New(fault.Unauthenticated, "this call needs the token of a running update")
	}
	l, err := update.Authenticate(ctx, g.Ports, secret)
	if err != nil {
		return Access{}, err
	}
	path := l.Value.Path
	if target.Update != l.Value.Update || !strings.EqualFold(target.Organization, path[0]) || target.Project != path[1] || target.Stack != path[2] {
		return Access{}, fault.New(fault.Forbidden, "this token belongs to another update").WithReason("lease-lost")
	}
	by := l.Value.By
	return Access{
		Principal: permission.Principal{Kind: permission.KindLease, ID: l.Value.Update, Login: by.Login, Name: by.Name},
		Lease:     l,
		Secret:    secret,
	}, nil
}

func (g *Gate) person(ctx context.Context, form Form, secret string, need permission.Need, target permission.Target) (Access, error) {
	if form != Token {
		secret = ""
	}
	t, u, err := identity.Authenticate(ctx, g.Ports, secret)
	if err != nil {
		return Access{}, err
	}
	if g.Later != nil && t.UseDue(g.Ports.Now()) {
		g.Later(func(ctx context.Context) {
			if err := identity.RecordUse(ctx, g.Ports, t); err != nil {
				g.Ports.Log.Warn("last use of a token not recorded", "token", t.ID, "error", err)
			}
		})
	}
	a := Access{User: u, Token: t}
	if a.Principal, a.Team, err = g.principal(ctx, t, u); err != nil {
		return Access{}, err
	}
	if need.Self || target.Organization == "" {
		if need.Self && !need.Tokens && !a.Principal.IsPerson() {
			return Access{}, fault.New(fault.Forbidden, "this is about a person: it cannot be done with the token of an organization or a team")
		}
		if permission.Decide(nil, need) != permission.Allowed {
			return Access{}, fault.New(fault.Forbidden, "this needs a role that %s does not have", a.Principal.Login)
		}
		return a, nil
	}
	return g.reach(ctx, a, need, target)
}

// principal is who acts by a token. The token of a team that is gone is as good as revoked.
func (g *Gate) principal(ctx context.Context, t identity.Token, u identity.User) (permission.Principal, organization.Team, error) {
	p := permission.Principal{Kind: permission.KindUser, ID: u.ID, Login: u.Login, Name: u.Name, TokenID: t.ID, Token: t.Name}
	if t.User != "" {
		return p, organization.Team{}, nil
	}
	o, err := organization.Of(ctx, g.Ports, t.Organization)
	if err != nil {
		return p, organization.Team{}, err
	}
	p.Kind, p.ID, p.Login, p.Name = permission.KindOrganization, t.ID, o.Name, t.Name
	p.Organization, p.Role, p.CustomRole = t.Organization, t.Role, t.CustomRole
	if t.Team == "" {
		return p, organization.Team{}, nil
	}
	p.Kind, p.ID = permission.KindTeam, t.Team
	team, err := organization.TeamOf(ctx, g.Ports, t.Organization, t.Team)
	if err == nil && (!team.Exists() || team.Value.Deleted) {
		err = fault.New(fault.Unauthenticated, "the access token is missing, expired or revoked: log in again with a good one")
	}
	return p, team.Value, err
}

// reach decides, and finds the target for whom it allows. Before it has decided it reads of a tenant only where names lead and what the
// tenant keeps about the caller: membership, teams, custom roles, the role of members, grants.
func (g *Gate) reach(ctx context.Context, a Access, need permission.Need, target permission.Target) (Access, error) {
	absent := missing(target)
	orAbsent := func(err error) error {
		if fault.Is(err, fault.NotFound) {
			return absent
		}
		return err
	}
	org, err := organization.IDOf(ctx, g.Ports, target.Organization)
	if err != nil {
		return Access{}, orAbsent(err)
	}
	standing, err := organization.StandingOf(ctx, g.Ports, a.Principal, org)
	if err != nil {
		return Access{}, err
	}
	if standing.Within {
		if a.Organization, err = organization.Of(ctx, g.Ports, org); err != nil {
			return Access{}, err
		}
	}
	var on permission.Subject
	var grants permission.Grants
	if target.Stack != "" {
		id, err := stack.IDOf(ctx, g.Ports, org, target.Project, target.Stack)
		if err != nil {
			return Access{}, orAbsent(err)
		}
		if grants, err = stack.RolesOf(ctx, g.Ports, id, standing.Holders); err != nil {
			return Access{}, err
		}
		if on, err = stack.SubjectOf(ctx, g.Ports, id, standing.AsksTags()); err != nil {
			return Access{}, orAbsent(err)
		}
	}
	grants = append(grants, standing.Grants(a.Organization, on)...)
	if target.Team != "" {
		team, err := organization.TeamIDOf(ctx, g.Ports, org, target.Team)
		if err != nil {
			return Access{}, err
		}
		if slices.Contains(standing.Leads, team) {
			grants = append(grants, permission.TeamLead)
		}
	}
	a.Grants = grants
	switch permission.Decide(grants, need) {
	case permission.Allowed:
		return g.found(ctx, a, org, target, orAbsent)
	case permission.Hidden:
		return Access{}, absent
	}
	return a, fault.New(fault.Forbidden, "%s may not do this: it needs the permission %s", a.Principal.Login, need.Verb)
}

// found reads the target for a caller who may.
func (g *Gate) found(ctx context.Context, a Access, org string, target permission.Target, orAbsent func(error) error) (Access, error) {
	var err error
	if a.Organization.ID == "" { // no member, but somebody with a grant on the stack
		if a.Organization, err = organization.Of(ctx, g.Ports, org); err != nil {
			return Access{}, err
		}
	}
	if target.User != "" { // where the name leads; who is absent is for the row to say
		if _, err := identity.UserIDOf(ctx, g.Ports, target.User); err != nil && !fault.Is(err, fault.NotFound) {
			return Access{}, err
		}
	}
	if target.Stack != "" {
		a.Stack, err = stack.Find(ctx, g.Ports, org, target.Project, target.Stack)
	}
	return a, orAbsent(err)
}

// missing is what both an absent and a foreign target are answered with; it is made of the request's own words alone.
func missing(t permission.Target) error {
	switch {
	case t.Stack != "":
		return fault.Missing("stack '%s/%s/%s' not found", t.Organization, t.Project, t.Stack)
	case t.Organization != "":
		return fault.Missing("organization '%s' not found", t.Organization)
	}
	return fault.Missing("not found")
}

// Scopes are the scopes that the request may touch below its target.
func (a Access) Scopes() []store.Scope {
	out := []store.Scope{a.Principal.Scope()}
	if a.Organization.ID != "" {
		out = append(out, keys.Organization(a.Organization.ID))
	}
	if a.Stack.Exists() {
		out = append(out, keys.Stack(a.Stack.Value.ID), keys.Project(a.Stack.Value.Project))
	}
	if a.Lease.Exists() {
		out = append(out, keys.Organization(a.Lease.Value.Organization), keys.Stack(a.Lease.Value.Stack))
	}
	return out
}
