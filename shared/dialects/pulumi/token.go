package pulumi

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

type accessTokenRole struct {
	DefaultIdentifier string `json:"defaultIdentifier,omitempty" enum:"member,admin,billing-manager,stack-read,stack-write,stack-admin,environment-read,environment-write,environment-admin,environment-open,insights-account-read,insights-account-write,insights-account-admin" doc:"of a built-in role"`
	ID                string `json:"id"`
	Name              string `json:"name"`
}

type accessToken struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Created     string           `json:"created" doc:"2006-01-02 15:04:05.000, UTC"`
	LastUsed    int64            `json:"lastUsed" doc:"Unix seconds, to the hour; 0 when never"`
	Expires     int64            `json:"expires" doc:"Unix seconds; 0 when never"`
	Admin       bool             `json:"admin"`
	CreatedBy   string           `json:"createdBy"`
	Role        *accessTokenRole `json:"role,omitempty"`
	Type        string           `json:"type,omitempty" enum:"personal,refresh,organization,team"`
}

type tokensOut struct {
	Body struct {
		Tokens            []accessToken `json:"tokens"`
		ContinuationToken string        `json:"continuationToken,omitempty"`
	}
}

type tokenMade struct {
	Body struct {
		ID         string `json:"id"`
		TokenValue string `json:"tokenValue" doc:"the token itself, shown nowhere else"`
	}
}

// TokenQuery is how all lists of tokens are asked for.
type TokenQuery struct {
	Filter            string `query:"filter" doc:"active, expired or all; all when left out"`
	MaxResults        int    `query:"maxResults" minimum:"1" maximum:"1000" default:"100"`
	ContinuationToken string `query:"continuationToken"`
}

const tokenTime = "2006-01-02 15:04:05.000"

// wireTokens are tokens as lists show them. names are those of custom roles by their ids.
func wireTokens(found []identity.Token, names map[string]string) []accessToken {
	out := make([]accessToken, len(found))
	for i, t := range found {
		w := accessToken{
			ID: t.ID, Name: t.Name, Description: t.Description, Created: t.Created.UTC().Format(tokenTime), CreatedBy: t.CreatedBy,
			Admin: t.Role == permission.OrganizationOwner, Type: "personal",
		}
		if !t.Used.IsZero() {
			w.LastUsed = t.Used.Unix()
		}
		if !t.Expires.IsZero() {
			w.Expires = t.Expires.Unix()
		}
		switch {
		case t.Team != "":
			w.Type = "team"
		case t.Organization != "":
			w.Type = "organization"
			built := builtInRoleOf(t.Role)
			w.Role = &accessTokenRole{DefaultIdentifier: built.id, ID: built.id, Name: built.name}
			if t.CustomRole != "" {
				w.Role = &accessTokenRole{ID: t.CustomRole, Name: names[t.CustomRole]}
			}
		}
		out[i] = w
	}
	return out
}

func (d dialect) tokensOf(ctx context.Context, owner identity.Owner, q TokenQuery) (*tokensOut, error) {
	found, next, names, err := organization.Tokens(ctx, d.Ports, access.Of(ctx).Principal, owner, identity.Life(q.Filter), q.MaxResults, q.ContinuationToken)
	out := &tokensOut{}
	out.Body.Tokens, out.Body.ContinuationToken = wireTokens(found, names), next
	return out, err
}

type listPersonalTokensIn struct{ TokenQuery }

func (d dialect) listPersonalTokens(ctx context.Context, in *listPersonalTokensIn) (*tokensOut, error) {
	return d.tokensOf(ctx, identity.Owner{User: access.Of(ctx).User.ID}, in.TokenQuery)
}

type createPersonalTokenIn struct {
	Reason string `query:"reason" doc:"kept with the token"`
	Body   struct {
		Description string `json:"description"`
		Expires     int64  `json:"expires,omitempty" minimum:"0" doc:"Unix seconds, at most two years ahead; 0 is never"`
	}
}

func (d dialect) createPersonalToken(ctx context.Context, in *createPersonalTokenIn) (*tokenMade, error) {
	id, text, err := identity.IssueToken(ctx, d.Ports, access.Of(ctx).Principal, in.Body.Description, in.Reason, in.Body.Expires)
	return made(id, text), err
}

func made(id, text string) *tokenMade {
	out := &tokenMade{}
	out.Body.ID, out.Body.TokenValue = id, text
	return out
}

type deletePersonalTokenIn struct {
	Token string `path:"tokenId"`
}

func (d dialect) deletePersonalToken(ctx context.Context, in *deletePersonalTokenIn) (*struct{}, error) {
	return nil, identity.DeleteToken(ctx, d.Ports, access.Of(ctx).User.ID, in.Token)
}

type listOrgTokensIn struct {
	Organization string `path:"orgName"`
	TokenQuery
}

func (d dialect) listOrgTokens(ctx context.Context, in *listOrgTokensIn) (*tokensOut, error) {
	return d.tokensOf(ctx, identity.Owner{Organization: access.Of(ctx).Organization.ID}, in.TokenQuery)
}

type createOrgTokenIn struct {
	Organization string `path:"orgName"`
	Reason       string `query:"reason" doc:"for the audit log"`
	Body         struct {
		Name        string `json:"name" doc:"unique in the organization, up to 40 characters"`
		Description string `json:"description"`
		Expires     int64  `json:"expires,omitempty" minimum:"0" doc:"Unix seconds, at most two years ahead; 0 is never"`
		Admin       bool   `json:"admin"`
		RoleID      string `json:"roleID,omitempty" doc:"of a custom role, or the name of a built-in one"`
	}
}

func (d dialect) createOrgToken(ctx context.Context, in *createOrgTokenIn) (*tokenMade, error) {
	a, b := access.Of(ctx), in.Body
	draft := organization.TokenDraft{Name: b.Name, Description: b.Description, Expires: b.Expires, Owner: b.Admin, CustomRole: b.RoleID, Reason: in.Reason}
	if built, ok := builtInRole(b.RoleID); ok {
		draft.CustomRole, draft.Role = "", built.role
	}
	id, text, err := organization.IssueToken(ctx, d.Ports, a.Principal, a.Grants, a.Organization, store.Doc[organization.Team]{}, draft)
	return made(id, text), err
}

type deleteOrgTokenIn struct {
	Organization string `path:"orgName"`
	Token        string `path:"tokenId"`
}

func (d dialect) deleteOrgToken(ctx context.Context, in *deleteOrgTokenIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, organization.RevokeToken(ctx, d.Ports, a.Grants, a.Organization, store.Doc[organization.Team]{}, in.Token, "")
}

type listTeamTokensIn struct {
	TeamPath
	TokenQuery
}

func (d dialect) listTeamTokens(ctx context.Context, in *listTeamTokensIn) (*tokensOut, error) {
	t, err := organization.FindTeam(ctx, d.Ports, access.Of(ctx).Organization, in.Team)
	if err != nil {
		return nil, err
	}
	return d.tokensOf(ctx, identity.Owner{Organization: t.Value.Organization, Team: t.Value.ID}, in.TokenQuery)
}

type createTeamTokenIn struct {
	TeamPath
	Reason string `query:"reason" doc:"for the audit log"`
	Body   struct {
		Name        string `json:"name" doc:"unique in the team, up to 40 characters"`
		Description string `json:"description"`
		Expires     int64  `json:"expires,omitempty" minimum:"0" doc:"Unix seconds, at most two years ahead; 0 is never"`
	}
}

func (d dialect) createTeamToken(ctx context.Context, in *createTeamTokenIn) (*tokenMade, error) {
	a, b := access.Of(ctx), in.Body
	t, err := organization.FindTeam(ctx, d.Ports, a.Organization, in.Team)
	if err != nil {
		return nil, err
	}
	draft := organization.TokenDraft{Name: b.Name, Description: b.Description, Expires: b.Expires, Reason: in.Reason}
	id, text, err := organization.IssueToken(ctx, d.Ports, a.Principal, a.Grants, a.Organization, t, draft)
	return made(id, text), err
}

type deleteTeamTokenIn struct {
	TeamPath
	Token  string `path:"tokenId"`
	Reason string `query:"reason" doc:"for the audit log"`
}

func (d dialect) deleteTeamToken(ctx context.Context, in *deleteTeamTokenIn) (*struct{}, error) {
	a := access.Of(ctx)
	t, err := organization.FindTeam(ctx, d.Ports, a.Organization, in.Team)
	if err != nil {
		return nil, err
	}
	return nil, organization.RevokeToken(ctx, d.Ports, a.Grants, a.Organization, t, in.Token, in.Reason)
}

func (d dialect) listOrgTokensWithRole(ctx context.Context, in *roleIn) (*tokensOut, error) {
	found, err := organization.TokensWithRole(ctx, d.Ports, access.Of(ctx).Organization, in.Role)
	if err != nil {
		return nil, err
	}
	out := &tokensOut{}
	out.Body.Tokens = wireTokens(found.Tokens, map[string]string{in.Role: found.Role})
	return out, nil
}
