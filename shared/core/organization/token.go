package organization

import (
	"context"
	"slices"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

// TokenDraft is what a client says of a token that an organization or a team shall own.
type TokenDraft struct {
	Name        string // unique in its owner, 1 to 40 characters
	Description string
	Expires     int64           // Unix seconds; 0 is never
	Owner       bool            // with the rights of an owner of the organization
	Role        permission.Role // a role by name; empty is that of a member, unless Owner
	CustomRole  string          // or a custom role by id
	Reason      string          // for the audit
}

// IssueToken makes a token that the organization owns, or with a team that team, and returns its id and its text, which is shown nowhere
// else. It acts as itself: with the role of a member unless the draft says otherwise, or with the team's rights.
func IssueToken(ctx context.Context, p ports.Ports, by permission.Principal, held permission.Grants, o Organization, team store.Doc[Team], d TokenDraft) (id, text string, err error) {
	if err := identity.CheckTokenName(d.Name); err != nil {
		return "", "", err
	}
	if err := identity.CheckTokenDescription(d.Description); err != nil {
		return "", "", err
	}
	if d.Owner && (d.CustomRole != "" || d.Role != "" && d.Role != permission.OrganizationOwner) {
		return "", "", fault.Wrong("body.roleID", "a token is an admin or has a role, not both")
	}
	t := identity.Token{
		ID: p.NewID(), Organization: o.ID, Team: team.Value.ID, Name: d.Name, Description: d.Description, CreatedBy: by.Login,
		Created: p.Now(), Role: permission.OrganizationMember, CustomRole: d.CustomRole, Reason: d.Reason,
	}
	if d.Role != "" {
		t.Role = d.Role
	}
	if t.Expires, err = identity.ExpiryOf(t.Created, d.Expires); err != nil {
		return "", "", err
	}
	text = identity.NewTokenText(p)
	slug, what := "organization-token-created", "organization token"
	var changes []store.Change
	switch {
	case team.Exists():
		slug, what = "team-token-created", "token of team "+team.Value.Name
		changes = append(changes, team.Check())
	case d.CustomRole != "":
		r, err := RoleOf(ctx, p, o.ID, d.CustomRole)
		if err != nil {
			return "", "", err
		}
		if err := mayGive(held, r.Value.Rule.Every(), "this role"); err != nil {
			return "", "", err
		}
		changes = append(changes, r.Check())
		changes = append(changes, Rehold(o.ID, "token/"+t.ID, "", d.CustomRole)...)
	default:
		if d.Owner {
			t.Role = permission.OrganizationOwner
		}
		if err := mayGive(held, t.Role.Verbs(), "this token"); err != nil {
			return "", "", err
		}
	}
	changes = append(changes, identity.CreateToken(t, text)...)
	taken := changes[len(changes)-1].Item.Key // the claim of the name comes last
	because := ""
	if d.Reason != "" {
		because = ": " + d.Reason
	}
	err = p.Store.Write(ctx, append(changes, audit.Record(ctx, p, o.ID, slug, "created %s %q%s", what, d.Name, because))...)
	if c := store.AsConflict(err); c != nil && c.On(taken) {
		return "", "", fault.New(fault.Conflict, "an access token named %q already exists", d.Name).WithReason("already-exists")
	}
	return t.ID, text, err
}

// RevokeToken ends the use of a token that the organization owns, or with a team that team, from the next request on.
func RevokeToken(ctx context.Context, p ports.Ports, held permission.Grants, o Organization, team store.Doc[Team], id, reason string) error {
	slug, what := "organization-token-deleted", "organization token"
	if team.Exists() {
		slug, what = "team-token-deleted", "token of team "+team.Value.Name
	}
	if reason != "" {
		reason = ": " + reason
	}
	return again(func() error {
		row, err := identity.FindToken(ctx, p, identity.Owner{Organization: o.ID, Team: team.Value.ID}, id)
		if err != nil {
			return err
		}
		if row.Value.Role == permission.OrganizationOwner {
			if err := mayGive(held, row.Value.Role.Verbs(), "this token"); err != nil {
				return err
			}
		}
		changes, err := identity.Revoke(ctx, p, row)
		if err != nil {
			return err
		}
		changes = append(changes, Rehold(o.ID, "token/"+id, row.Value.CustomRole, "")...)
		return p.Store.Write(ctx, append(changes, audit.Record(ctx, p, o.ID, slug, "deleted %s %q%s", what, row.Value.Name, reason))...)
	})
}

// Tokens lists tokens of an owner (see identity.Tokens) with the names of the custom roles that they have, by the roles' ids.
func Tokens(ctx context.Context, p ports.Ports, by permission.Principal, owner identity.Owner, life identity.Life, limit int, token string) (found []identity.Token, next string, names map[string]string, err error) {
	if found, next, err = identity.Tokens(ctx, p, by, owner, life, limit, token); err != nil {
		return nil, "", nil, err
	}
	var roles []string
	for _, t := range found {
		if t.CustomRole != "" && !slices.Contains(roles, t.CustomRole) {
			roles = append(roles, t.CustomRole)
		}
	}
	names, err = RoleNames(ctx, p, owner.Organization, roles)
	return found, next, names, err
}
