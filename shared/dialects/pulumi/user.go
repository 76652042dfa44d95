package pulumi

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

type organizationSummary struct {
	GithubLogin string `json:"githubLogin"`
	Name        string `json:"name"`
	AvatarURL   string `json:"avatarUrl"`
	Email       string `json:"email,omitempty"`
	Role        string `json:"role" enum:"none,member,admin,potential-member,stack-collaborator,billing-manager"`
}

type user struct {
	ID                  string                `json:"id"`
	GithubLogin         string                `json:"githubLogin"`
	Name                string                `json:"name"`
	Email               string                `json:"email"`
	AvatarURL           string                `json:"avatarUrl"`
	Organizations       []organizationSummary `json:"organizations"`
	Identities          []string              `json:"identities"`
	HasMFA              bool                  `json:"hasMFA"`
	IsOrgManaged        bool                  `json:"isOrgManaged"`
	IsManagedByMultiOrg bool                  `json:"isManagedByMultiOrg"`
	SiteAdmin           bool                  `json:"siteAdmin,omitempty"`
	TokenInfo           *tokenInfo            `json:"tokenInfo,omitempty" doc:"of a token that an organization or a team owns"`
}

type tokenInfo struct {
	Name         string `json:"name"`
	Organization string `json:"organization"`
	Team         string `json:"team" doc:"empty for an organization's token"`
}

type userOut struct{ Body user }

// role is an organization role in the vendor's words.
func role(r permission.Role) string {
	switch r {
	case permission.OrganizationOwner:
		return "admin"
	case permission.OrganizationMember:
		return "member"
	case permission.OrganizationBiller:
		return "billing-manager"
	case permission.OrganizationCollaborator:
		return "stack-collaborator"
	}
	return "none"
}

func (d dialect) getCurrentUser(ctx context.Context, _ *struct{}) (*userOut, error) {
	a := access.Of(ctx)
	orgs, err := organization.Within(ctx, d.Ports, a.Principal)
	if err != nil {
		return nil, err
	}
	out := user{
		ID: a.Principal.ID, GithubLogin: a.Principal.Login, Name: a.Principal.Name, Email: a.User.Email,
		Organizations: make([]organizationSummary, len(orgs)), Identities: []string{"Pulumi"},
	}
	if !a.Principal.IsPerson() {
		out.TokenInfo = &tokenInfo{Name: a.Token.Name, Organization: orgs[0].Name, Team: a.Team.Name}
	}
	for i, o := range orgs {
		out.Organizations[i] = organizationSummary{GithubLogin: o.Name, Name: o.DisplayName, Role: role(o.Role)}
	}
	return &userOut{out}, nil
}

type message struct {
	Message  string `json:"message"`
	Severity string `json:"severity,omitempty" enum:"warning,error,info"`
}

// defaultOrganization keeps the vendor's capitals.
type defaultOrganization struct {
	GitHubLogin string    `json:"GitHubLogin"`
	Messages    []message `json:"Messages"`
}

type defaultOrganizationOut struct{ Body defaultOrganization }

// getDefaultOrganization answers the organization that the user chose, else the only one or the first one there is; none is an empty
// login, which the CLI takes for "the user's own".
func (d dialect) getDefaultOrganization(ctx context.Context, _ *struct{}) (*defaultOrganizationOut, error) {
	o, err := organization.DefaultOf(ctx, d.Ports, access.Of(ctx).Principal, access.Of(ctx).User)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return &defaultOrganizationOut{defaultOrganization{GitHubLogin: o.Name, Messages: []message{}}}, err
}

type updateDefaultOrganizationIn struct {
	Organization string `path:"orgName"`
}

func (d dialect) updateDefaultOrganization(ctx context.Context, _ *updateDefaultOrganizationIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, organization.SetDefault(ctx, d.Ports, a.Principal, a.Organization)
}
