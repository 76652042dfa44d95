package pulumi

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/team"
)

// descriptor is a tree of permissions in the vendor's grammar, kept as the client wrote it.
type descriptor struct {
	Type string `json:"__type"`

	text json.RawMessage
}

// MarshalJSON writes the tree as it came.
func (p descriptor) MarshalJSON() ([]byte, error) {
	if p.text == nil {
		return []byte("null"), nil
	}
	return p.text, nil
}

// UnmarshalJSON keeps the tree.
func (p *descriptor) UnmarshalJSON(b []byte) error {
	p.text = append(json.RawMessage(nil), b...)
	return nil
}

type roleRecord struct {
	ID                string      `json:"id"`
	OrgID             string      `json:"orgId"`
	Name              string      `json:"name,omitempty"`
	Description       string      `json:"description,omitempty"`
	UXPurpose         string      `json:"uxPurpose,omitempty" enum:"role,role_private,role_temporary,policy,set"`
	ResourceType      string      `json:"resourceType,omitempty"`
	DefaultIdentifier string      `json:"defaultIdentifier,omitempty" doc:"of a built-in role"`
	Details           *descriptor `json:"details,omitempty"`
	Version           int32       `json:"version"`
	IsOrgDefault      bool        `json:"isOrgDefault"`
	Created           time.Time   `json:"created"`
	Modified          time.Time   `json:"modified"`
}

type roleOut struct{ Body roleRecord }

func roleOf(o organization.Organization, r organization.CustomRole) roleRecord {
	w := roleRecord{
		ID: r.ID, OrgID: o.ID, Name: r.Name, Description: r.Description, UXPurpose: r.Purpose, ResourceType: r.Resource,
		Version: int32(r.Revision), IsOrgDefault: o.DefaultRole == r.ID, Created: r.Created, Modified: r.Modified,
	}
	if r.Document != nil {
		w.Details = &descriptor{text: r.Document}
	}
	return w
}

type rolesOut struct {
	Body struct {
		Roles []roleRecord `json:"roles"`
	}
}

type listRolesIn struct {
	Organization string `path:"orgName"`
	UXPurpose    string `query:"uxPurpose" enum:"role,role_private,role_temporary,policy,set" doc:"all when left out"`
}

// listRoles lists the built-in roles and sets first, then the organization's own.
func (d dialect) listRoles(ctx context.Context, in *listRolesIn) (*rolesOut, error) {
	o := access.Of(ctx).Organization
	custom, err := organization.Roles(ctx, d.Ports, o.ID)
	if err != nil {
		return nil, err
	}
	out := &rolesOut{}
	out.Body.Roles = []roleRecord{}
	for _, b := range allBuiltIn() {
		if w := b.record(o); in.UXPurpose == "" || w.UXPurpose == in.UXPurpose {
			out.Body.Roles = append(out.Body.Roles, w)
		}
	}
	for _, r := range custom {
		if in.UXPurpose == "" || r.Purpose == in.UXPurpose {
			out.Body.Roles = append(out.Body.Roles, roleOf(o, r))
		}
	}
	return out, nil
}

type roleIn struct {
	Organization string `path:"orgName"`
	Role         string `path:"roleID"`
}

func (d dialect) getRole(ctx context.Context, in *roleIn) (*roleOut, error) {
	o := access.Of(ctx).Organization
	for _, b := range allBuiltIn() {
		if b.id == in.Role {
			return &roleOut{b.record(o)}, nil
		}
	}
	r, err := organization.RoleOf(ctx, d.Ports, o.ID, in.Role)
	return &roleOut{roleOf(o, r.Value)}, err
}

type createRoleIn struct {
	Organization        string `path:"orgName"`
	CreatePolicyAndRole bool   `query:"createPolicyAndRole" doc:"refused when true: a role is complete without a policy here"`
	Body                struct {
		Name         string      `json:"name,omitempty"`
		Description  string      `json:"description,omitempty"`
		UXPurpose    string      `json:"uxPurpose,omitempty" enum:"role,role_private,role_temporary,policy,set" doc:"role when left out"`
		ResourceType string      `json:"resourceType,omitempty" doc:"global when left out"`
		Details      *descriptor `json:"details,omitempty"`
	}
}

func (d dialect) createRole(ctx context.Context, in *createRoleIn) (*roleOut, error) {
	a, b := access.Of(ctx), in.Body
	if in.CreatePolicyAndRole {
		return nil, fault.Wrong("query.createPolicyAndRole", "a role is complete without a policy on this server: leave createPolicyAndRole out")
	}
	r := organization.CustomRole{Name: b.Name, Description: b.Description, Purpose: b.UXPurpose, Resource: b.ResourceType}
	if r.Purpose == "" {
		r.Purpose = "role"
	}
	if r.Resource == "" {
		r.Resource = "global"
	}
	if err := describe(&r, b.Details); err != nil {
		return nil, err
	}
	for _, built := range allBuiltIn() {
		if strings.EqualFold(built.name, r.Name) {
			return nil, fault.New(fault.Conflict, "a built-in role named %q already exists", built.name)
		}
	}
	r, err := organization.DefineRole(ctx, d.Ports, a.Grants, a.Organization, r)
	return &roleOut{roleOf(a.Organization, r)}, err
}

// describe gives a role its tree and what the tree means here.
func describe(r *organization.CustomRole, details *descriptor) error {
	if details == nil || len(details.text) == 0 || string(details.text) == "null" {
		return nil
	}
	rule, err := compileDescriptor(details.text)
	r.Document, r.Rule = details.text, rule
	return err
}

type updateRoleIn struct {
	Organization string `path:"orgName"`
	Role         string `path:"roleID"`
	Body         struct {
		Name        *string     `json:"name,omitempty"`
		Description *string     `json:"description,omitempty"`
		Details     *descriptor `json:"details,omitempty"`
	}
}

func (d dialect) updateRole(ctx context.Context, in *updateRoleIn) (*roleOut, error) {
	if err := notBuiltIn(in.Role); err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	r, err := organization.ReviseRole(ctx, d.Ports, a.Grants, a.Organization, in.Role, func(r *organization.CustomRole) error {
		if in.Body.Name != nil {
			r.Name = *in.Body.Name
		}
		if in.Body.Description != nil {
			r.Description = *in.Body.Description
		}
		return describe(r, in.Body.Details)
	})
	return &roleOut{roleOf(a.Organization, r)}, err
}

type deleteRoleIn struct {
	Organization string `path:"orgName"`
	Role         string `path:"roleID"`
	Force        bool   `query:"force" doc:"delete it even though it is held; members become plain members, tokens are revoked"`
}

func (d dialect) deleteRole(ctx context.Context, in *deleteRoleIn) (*struct{}, error) {
	if err := notBuiltIn(in.Role); err != nil {
		return nil, err
	}
	return nil, organization.DeleteRole(ctx, d.Ports, access.Of(ctx).Organization, in.Role, in.Force)
}

// updateDefaultRole takes a custom role, or the member role, which is none.
func (d dialect) updateDefaultRole(ctx context.Context, in *roleIn) (*struct{}, error) {
	a, id := access.Of(ctx), in.Role
	if id == organizationRoles[0].id {
		id = ""
	} else if err := notBuiltIn(id); err != nil {
		return nil, err
	}
	return nil, organization.SetDefaultRole(ctx, d.Ports, a.Grants, a.Organization, id)
}

type usersOut struct {
	Body struct {
		Users []userInfo `json:"users"`
	}
}

func (d dialect) listUsersWithRole(ctx context.Context, in *roleIn) (*usersOut, error) {
	found, err := organization.UsersWithRole(ctx, d.Ports, access.Of(ctx).Organization, in.Role, coreRole(in.Role))
	out := &usersOut{}
	out.Body.Users = make([]userInfo, len(found))
	for i, u := range found {
		out.Body.Users[i] = userInfo{Name: u.Name, GithubLogin: u.Login, Email: u.Email}
	}
	return out, err
}

func (d dialect) listTeamsWithRole(ctx context.Context, in *roleIn) (*teamsOut, error) {
	found, err := organization.TeamsWithRole(ctx, d.Ports, access.Of(ctx).Organization, in.Role)
	if err != nil {
		return nil, err
	}
	return d.teams(ctx, found)
}

func (d dialect) listTeamRoles(ctx context.Context, in *teamIn) (*rolesOut, error) {
	o := access.Of(ctx).Organization
	found, err := organization.RolesOfTeam(ctx, d.Ports, o, in.Team)
	out := &rolesOut{}
	out.Body.Roles = make([]roleRecord, len(found))
	for i, r := range found {
		out.Body.Roles[i] = roleOf(o, r)
	}
	return out, err
}

type teamRoleIn struct {
	TeamPath
	Role string `path:"roleID"`
}

// updateTeamRoles gives the team a role instead of the one it has: a team has one.
func (d dialect) updateTeamRoles(ctx context.Context, in *teamRoleIn) (*struct{}, error) {
	if err := notBuiltIn(in.Role); err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	return nil, team.Assign(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Team, in.Role)
}

func (d dialect) deleteTeamRole(ctx context.Context, in *teamRoleIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, team.TakeRole(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Team, in.Role)
}

// builtIn is a role or a set of permissions that every organization has. Its id is its name.
type builtIn struct {
	id, name, description string
	set                   bool
	role                  permission.Role
}

var builtInSets = []builtIn{
	{id: "stack-read", name: "Stack Read", role: permission.StackReader, set: true, description: "Sees a stack, its state and its history."},
	{id: "stack-write", name: "Stack Write", role: permission.StackWriter, set: true, description: "Sees and updates a stack."},
	{id: "stack-admin", name: "Stack Admin", role: permission.StackManager, set: true, description: "Sees, updates, renames, transfers and deletes a stack, and says who may do what on it."},
}

func allBuiltIn() []builtIn {
	return append(organizationRoles[:len(organizationRoles):len(organizationRoles)], builtInSets...)
}

// builtInRole returns the built-in role of an id; sets are none.
func builtInRole(id string) (builtIn, bool) {
	for _, b := range organizationRoles {
		if b.id == id {
			return b, true
		}
	}
	return builtIn{}, false
}

// builtInRoleOf returns what a core role is shown as.
func builtInRoleOf(r permission.Role) builtIn {
	for _, b := range organizationRoles {
		if b.role == r {
			return b
		}
	}
	return organizationRoles[0]
}

func notBuiltIn(id string) error {
	for _, b := range allBuiltIn() {
		if b.id == id {
			return fault.Wrong("path.roleID", "'%s' is built in: only custom roles can be given, changed or deleted here", id)
		}
	}
	return nil
}

func (b builtIn) record(o organization.Organization) roleRecord {
	w := roleRecord{
		ID: b.id, OrgID: o.ID, Name: b.name, Description: b.description, UXPurpose: "role", ResourceType: "global", DefaultIdentifier: b.id,
		Details: &descriptor{text: allowing(b.role)}, Version: 1, Created: o.Created, Modified: o.Created,
		IsOrgDefault: b.id == organizationRoles[0].id && o.DefaultRole == "",
	}
	if b.set {
		w.UXPurpose, w.ResourceType = "set", "stack"
	}
	return w
}
