package pulumi

import (
	"context"
	"time"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// MemberPath is exported because the front binds parameters of exported parts only.
type MemberPath struct {
	Organization string `path:"orgName"`
	Login        string `path:"userLogin"`
}

type memberRole struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	ModifiedAt time.Time `json:"modifiedAt"`
}

type memberLinks struct {
	Self string `json:"self,omitempty"`
}

type organizationMember struct {
	Role          string       `json:"role" enum:"none,member,admin,potential-member,stack-collaborator,billing-manager"`
	User          userInfo     `json:"user"`
	Created       time.Time    `json:"created"`
	KnownToPulumi bool         `json:"knownToPulumi"`
	VirtualAdmin  bool         `json:"virtualAdmin" doc:"an admin here and not at the identity provider; there is none here"`
	FGARole       memberRole   `json:"fgaRole"`
	Teams         []string     `json:"teams,omitempty" doc:"names"`
	Links         *memberLinks `json:"links,omitempty"`
}

type listMembersIn struct {
	Organization      string `path:"orgName"`
	Type              string `query:"type" enum:"frontend,backend" doc:"members as the service knows them (backend), or merged with an identity provider (frontend); the same where there is no provider"`
	ContinuationToken string `query:"continuationToken"`
}

type listMembersOut struct {
	Body struct {
		Members           []organizationMember `json:"members"`
		ContinuationToken string               `json:"continuationToken,omitempty"`
	}
}

func (d dialect) listOrganizationMembers(ctx context.Context, in *listMembersIn) (*listMembersOut, error) {
	a := access.Of(ctx)
	found, next, err := organization.Members(ctx, d.Ports, a.Principal, a.Organization, in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	out := &listMembersOut{}
	out.Body.ContinuationToken = next
	out.Body.Members = make([]organizationMember, len(found))
	for i, m := range found {
		out.Body.Members[i] = memberOf(a.Organization, m)
	}
	return out, nil
}

func memberOf(o organization.Organization, m organization.Listed) organizationMember {
	built := builtInRoleOf(m.Role)
	w := organizationMember{
		Role:          role(m.Role),
		User:          userInfo{Name: m.Person.Name, GithubLogin: m.Person.Login, Email: m.Person.Email},
		Created:       m.Created,
		KnownToPulumi: true,
		FGARole:       memberRole{ID: built.id, Name: built.name, ModifiedAt: o.Created},
		Teams:         m.Names,
		Links:         &memberLinks{Self: "/" + o.Name + "/settings/members/" + m.Person.Login},
	}
	if m.Custom != nil {
		w.FGARole = memberRole{ID: m.Custom.ID, Name: m.Custom.Name, ModifiedAt: m.Custom.Modified}
	}
	return w
}

type addMemberIn struct {
	MemberPath
	Body struct {
		Role string `json:"role" enum:"none,member,admin,potential-member,stack-collaborator,billing-manager"`
	}
}

type addMemberOut struct{ Body organizationMember }

func (d dialect) addOrganizationMember(ctx context.Context, in *addMemberIn) (*addMemberOut, error) {
	a := access.Of(ctx)
	m, err := organization.Join(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Login, coreRole(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &addMemberOut{memberOf(a.Organization, m)}, nil
}

type updateMemberIn struct {
	MemberPath
	Body struct {
		Role      string `json:"role,omitempty" enum:"none,member,admin,potential-member,stack-collaborator,billing-manager"`
		FgaRoleID string `json:"fgaRoleId,omitempty" doc:"of a custom role, or the name of a built-in one; not together with role"`
	}
}

// updateOrganizationMember takes a role by name or by id; the id of a built-in role is its name.
func (d dialect) updateOrganizationMember(ctx context.Context, in *updateMemberIn) (*struct{}, error) {
	a := access.Of(ctx)
	role, custom := coreRole(in.Body.Role), in.Body.FgaRoleID
	if built, ok := builtInRole(custom); ok && role == "" {
		role, custom = built.role, ""
	}
	return nil, organization.Reassign(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Login, role, custom)
}

type memberIn struct{ MemberPath }

func (d dialect) deleteOrganizationMember(ctx context.Context, in *memberIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, organization.Remove(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Login)
}

func (d dialect) setSoleOrganizationAdmin(ctx context.Context, in *memberIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, organization.MakeSoleOwner(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Login)
}

type memberTeamsIn struct {
	Organization string `path:"orgName"`
	User         string `path:"user"`
}

type memberTeamsOut struct {
	Body struct {
		Teams []string `json:"teams,omitempty" doc:"names"`
	}
}

func (d dialect) getOrganizationMemberTeams(ctx context.Context, in *memberTeamsIn) (*memberTeamsOut, error) {
	names, err := organization.TeamsOfMember(ctx, d.Ports, access.Of(ctx).Organization, in.User)
	out := &memberTeamsOut{}
	out.Body.Teams = names
	return out, err
}

// The roles of an organization in the vendor's words. The first is what any other core role is shown as.
var organizationRoles = []builtIn{
	{id: "member", name: "Member", role: permission.OrganizationMember, description: "Sees the organization, creates stacks, and holds the organization's default permission on every stack."},
	{id: "admin", name: "Admin", role: permission.OrganizationOwner, description: "May do everything in the organization."},
	{id: "billing-manager", name: "Billing Manager", role: permission.OrganizationBiller, description: "Sees what the organization consumes."},
}

// coreRole is a role in the core's words; one that cannot be given is passed on as it is, for the core to refuse.
func coreRole(called string) permission.Role {
	if b, ok := builtInRole(called); ok {
		return b.role
	}
	return permission.Role(called)
}
