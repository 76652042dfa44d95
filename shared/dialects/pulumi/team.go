package pulumi

import (
	"context"
	"net/http"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/team"
)

// TeamPath is exported because the front binds parameters of exported parts only.
type TeamPath struct {
	Organization string `path:"orgName"`
	Team         string `path:"teamName"`
}

type teamMember struct {
	Name        string `json:"name"`
	GithubLogin string `json:"githubLogin"`
	AvatarURL   string `json:"avatarUrl"`
	Email       string `json:"email,omitempty"`
	Role        string `json:"role" enum:"none,member,admin"`
}

type teamStackPermission struct {
	ProjectName       string `json:"projectName"`
	StackName         string `json:"stackName"`
	Permission        int64  `json:"permission" enum:"0,101,102,103,104" doc:"0 none, 101 read, 102 edit, 103 admin, 104 creator"`
	PermissionSetName string `json:"permissionSetName,omitempty" doc:"the built-in set that permission stands for"`
}

type teamEnvironmentSettings struct {
	ProjectName       string `json:"projectName"`
	EnvName           string `json:"envName"`
	Permission        string `json:"permission" enum:"none,read,open,write,admin"`
	PermissionSetName string `json:"permissionSetName,omitempty"`
	MaxOpenDuration   string `json:"maxOpenDuration,omitempty"`
}

type teamAccountPermission struct {
	AccountName       string `json:"accountName"`
	Permission        int64  `json:"permission" enum:"0,1,2,3"`
	PermissionSetName string `json:"permissionSetName,omitempty"`
}

type teamBody struct {
	Kind             string                    `json:"kind" enum:"github,pulumi,scim"`
	Name             string                    `json:"name"`
	DisplayName      string                    `json:"displayName"`
	Description      string                    `json:"description"`
	UserRole         string                    `json:"userRole,omitempty" enum:"none,member,admin" doc:"the caller's place in the team"`
	Members          []teamMember              `json:"members,omitempty" doc:"not in lists"`
	Stacks           []teamStackPermission     `json:"stacks,omitempty" doc:"for admins and the team itself; not in lists"`
	RoleIDs          []string                  `json:"roleIds,omitempty"`
	Environments     []teamEnvironmentSettings `json:"environments,omitempty" doc:"none: there are no environments here"`
	Accounts         []teamAccountPermission   `json:"accounts,omitempty" doc:"none: there are no insights accounts here"`
	ListMembersError string                    `json:"listMembersError,omitempty" doc:"why an identity provider could not be asked; there is none here"`
}

type teamOut struct{ Body teamBody }

// teamKinds are the origins of teams in the vendor's words.
var teamKinds = map[organization.Origin]string{organization.Native: "pulumi", organization.GitHub: "github"}

func teamOf(t organization.Team, place team.Place) teamBody {
	w := teamBody{Kind: teamKinds[t.Origin], Name: t.Name, DisplayName: t.DisplayName, Description: t.Description, UserRole: string(place)}
	if place == "" {
		w.UserRole = string(team.Outside)
	}
	if t.Role != "" {
		w.RoleIDs = []string{t.Role}
	}
	return w
}

// wholeTeam is a team with its people and what it may do on stacks.
func (d dialect) wholeTeam(ctx context.Context, t organization.Team) (*teamOut, error) {
	a := access.Of(ctx)
	whole, err := team.Whole(ctx, d.Ports, a.Principal, a.Grants, t)
	if err != nil {
		return nil, err
	}
	w := teamOf(t, whole.Place)
	for _, p := range whole.People {
		place := team.Inside
		if p.Leads {
			place = team.Lead
		}
		w.Members = append(w.Members, teamMember{Name: p.Name, GithubLogin: p.Login, Email: p.Email, Role: string(place)})
	}
	for _, s := range whole.Stacks {
		w.Stacks = append(w.Stacks, teamStackPermission{
			ProjectName: s.Project, StackName: s.Stack, Permission: permissionNumber(s.Role), PermissionSetName: permissionSet(s.Role),
		})
	}
	return &teamOut{w}, nil
}

type listTeamsIn struct {
	Organization      string `path:"orgName"`
	ContinuationToken string `query:"continuationToken" doc:"never needed: the answer is whole"`
}

type teamsOut struct {
	Body struct {
		Teams []teamBody `json:"teams"`
	}
}

func (d dialect) listTeams(ctx context.Context, in *listTeamsIn) (*teamsOut, error) {
	if in.ContinuationToken != "" {
		return nil, fault.Wrong("query.continuationToken", "the list of teams has one page, so there is no continuation of it")
	}
	a := access.Of(ctx)
	found, err := organization.Teams(ctx, d.Ports, a.Organization.ID)
	if err != nil {
		return nil, err
	}
	return d.teams(ctx, found)
}

func (d dialect) teams(ctx context.Context, found []organization.Team) (*teamsOut, error) {
	a := access.Of(ctx)
	places, err := team.Places(ctx, d.Ports, a.Principal, a.Organization.ID)
	out := &teamsOut{}
	out.Body.Teams = make([]teamBody, len(found))
	for i, t := range found {
		out.Body.Teams[i] = teamOf(t, places[t.ID])
	}
	return out, err
}

type teamIn struct{ TeamPath }

func (d dialect) getTeam(ctx context.Context, in *teamIn) (*teamOut, error) {
	t, err := organization.FindTeam(ctx, d.Ports, access.Of(ctx).Organization, in.Team)
	if err != nil {
		return nil, err
	}
	return d.wholeTeam(ctx, t.Value)
}

type createPulumiTeamIn struct {
	Organization string `path:"orgName"`
	Body         struct {
		Name        string `json:"name"`
		DisplayName string `json:"displayName,omitempty"`
		Description string `json:"description,omitempty"`
	}
}

func (d dialect) createPulumiTeam(ctx context.Context, in *createPulumiTeamIn) (*teamOut, error) {
	return d.createTeam(ctx, team.Draft{
		Name: in.Body.Name, DisplayName: in.Body.DisplayName, Description: in.Body.Description, Origin: organization.Native,
	})
}

type createGitHubTeamIn struct {
	Organization string `path:"orgName"`
	Body         struct {
		GitHubTeamID int64  `json:"githubTeamID,omitempty" minimum:"0"`
		Name         string `json:"name,omitempty" doc:"github- and the number when it is left out"`
		DisplayName  string `json:"displayName,omitempty"`
		Description  string `json:"description,omitempty"`
	}
}

func (d dialect) createGitHubTeam(ctx context.Context, in *createGitHubTeamIn) (*teamOut, error) {
	return d.createTeam(ctx, team.Draft{
		Name: in.Body.Name, DisplayName: in.Body.DisplayName, Description: in.Body.Description,
		Origin: organization.GitHub, External: in.Body.GitHubTeamID,
	})
}

func (d dialect) createTeam(ctx context.Context, draft team.Draft) (*teamOut, error) {
	a := access.Of(ctx)
	t, leads, err := team.Create(ctx, d.Ports, a.Principal, a.Organization, draft)
	if err != nil {
		return nil, err
	}
	if !leads {
		return &teamOut{teamOf(t, team.Outside)}, nil
	}
	w := teamOf(t, team.Lead)
	w.Members = []teamMember{{Name: a.User.Name, GithubLogin: a.User.Login, Email: a.User.Email, Role: string(team.Lead)}}
	return &teamOut{w}, nil
}

func (d dialect) deleteTeam(ctx context.Context, in *teamIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, team.Delete(ctx, d.Ports, a.Principal, a.Organization, in.Team)
}

type removeStackIdentifier struct {
	ProjectName string `json:"projectName"`
	StackName   string `json:"stackName"`
}

type removeEnvironmentIdentifier struct {
	ProjectName string `json:"projectName"`
	EnvName     string `json:"envName"`
}

// updateTeamIn says by which fields are there what is to be done; several are done together or not at all.
type updateTeamIn struct {
	TeamPath
	Body struct {
		MemberAction              string                       `json:"memberAction,omitempty" enum:"add,remove,promote,demote"`
		Member                    string                       `json:"member,omitempty" doc:"login; with memberAction"`
		NewDisplayName            *string                      `json:"newDisplayName,omitempty"`
		NewDescription            *string                      `json:"newDescription,omitempty"`
		AddStackPermission        *teamStackPermission         `json:"addStackPermission,omitempty"`
		EditStackPermission       *teamStackPermission         `json:"editStackPermission,omitempty"`
		RemoveStack               *removeStackIdentifier       `json:"removeStack,omitempty"`
		AddEnvironmentPermission  *teamEnvironmentSettings     `json:"addEnvironmentPermission,omitempty" doc:"refused: there are no environments here"`
		EditEnvironmentPermission *teamEnvironmentSettings     `json:"editEnvironmentPermission,omitempty" doc:"refused: there are no environments here"`
		RemoveEnvironment         *removeEnvironmentIdentifier `json:"removeEnvironment,omitempty" doc:"refused: there are no environments here"`
	}
}

// updateTeamOut has the status that the vendor's documentation prints: 200 for people, 204 for the rest.
type updateTeamOut struct{ Status int }

func (d dialect) updateTeam(ctx context.Context, in *updateTeamIn) (*updateTeamOut, error) {
	a, b := access.Of(ctx), in.Body
	for field, asked := range map[string]bool{
		"addEnvironmentPermission":  b.AddEnvironmentPermission != nil,
		"editEnvironmentPermission": b.EditEnvironmentPermission != nil,
		"removeEnvironment":         b.RemoveEnvironment != nil,
	} {
		if asked {
			return nil, fault.Wrong("body."+field, "there are no environments on this server, so a team cannot be given or denied any")
		}
	}
	if b.Member != "" && b.MemberAction == "" {
		return nil, fault.Wrong("body.memberAction", "the request names a member and not what to do with them")
	}
	e := team.Edit{Action: team.Action(b.MemberAction), Login: b.Member, DisplayName: b.NewDisplayName, Description: b.NewDescription}
	for _, s := range []struct {
		field string
		from  *teamStackPermission
		edit  bool
	}{{"addStackPermission", b.AddStackPermission, false}, {"editStackPermission", b.EditStackPermission, true}} {
		if s.from == nil {
			continue
		}
		granted, err := stackRole("body."+s.field, *s.from)
		if err != nil {
			return nil, err
		}
		e.Stacks = append(e.Stacks, team.OnStack{Field: "body." + s.field, Project: s.from.ProjectName, Stack: s.from.StackName, Role: granted, Edit: s.edit})
	}
	if r := b.RemoveStack; r != nil {
		e.Stacks = append(e.Stacks, team.OnStack{Field: "body.removeStack", Project: r.ProjectName, Stack: r.StackName, Revoke: true})
	}
	out := &updateTeamOut{Status: http.StatusNoContent}
	if b.MemberAction != "" {
		out.Status = http.StatusOK
	}
	return out, team.Update(ctx, d.Ports, a.Principal, a.Grants, a.Organization, in.Team, e)
}

// The roles on a stack in the vendor's numbers and words.
var stackPermissions = []struct {
	number int64
	set    string
	role   permission.Role
}{
	{0, "", permission.StackNone},
	{101, "stack-read", permission.StackReader},
	{102, "stack-write", permission.StackWriter},
	{103, "stack-admin", permission.StackManager},
	{104, "stack-admin", permission.StackCreator},
}

func permissionNumber(r permission.Role) int64 {
	for _, p := range stackPermissions {
		if p.role == r {
			return p.number
		}
	}
	return 0
}

func permissionSet(r permission.Role) string {
	for _, p := range stackPermissions {
		if p.role == r {
			return p.set
		}
	}
	return ""
}

// stackRole reads a permission number; a set's name beside it must mean the same.
func stackRole(field string, w teamStackPermission) (permission.Role, error) {
	for _, p := range stackPermissions {
		if p.number != w.Permission {
			continue
		}
		if w.PermissionSetName != "" && w.PermissionSetName != p.set {
			return "", fault.Wrong(field+".permissionSetName", "permission %d stands for the set %q: leave permissionSetName out, or give that", p.number, p.set)
		}
		return p.role, nil
	}
	return "", fault.Wrong(field+".permission", "permission must be 0 (none), 101 (read), 102 (edit), 103 (admin) or 104 (creator)")
}
