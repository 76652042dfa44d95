package pulumi_test

import (
	"encoding/binary"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
	"github.com/polyplane/polyplane/shared/core/permission"
)

func init() {
	maps.Copy(samples, accessSamples)
	maps.Copy(neverFilled, accessNeverFilled)
}

// accessNeverFilled are response properties of rows about members, teams, tokens and roles that stay empty, and why.
var accessNeverFilled = map[string]string{
	"* .virtualAdmin":     "there is no identity provider beside this one",
	"* .listMembersError": "there is no identity provider that could fail",
	"* accounts":          "there are no insights accounts",
	"* teams[].accounts":  "there are no insights accounts",

	"* environments":         "teams have none: there are no environments",
	"* teams[].environments": "teams have none: there are no environments",
	"* teams[].members":      "not in lists",
	"* teams[].stacks":       "not in lists",

	"AddOrganizationMember teams": "who joins is in no team yet",

	"CreatePulumiTeam roleIds": "a new team has none",
	"CreatePulumiTeam stacks":  "a new team has none",
	"CreateGitHubTeam roleIds": "a new team has none",
	"CreateGitHubTeam stacks":  "a new team has none",

	"ListPersonalTokens tokens[].admin":                     "a personal token is its owner",
	"ListPersonalTokens tokens[].role":                      "a personal token is its owner",
	"ListTeamTokens tokens[].admin":                         "a team's token has the team's rights",
	"ListTeamTokens tokens[].role":                          "a team's token has the team's rights",
	"ListOrgTokensWithRole continuationToken":               "the list is whole",
	"ListOrgTokensWithRole tokens[].admin":                  "a token with a custom role is none",
	"ListOrgTokensWithRole tokens[].role.defaultIdentifier": "of built-in roles",
	"CreateRole defaultIdentifier":                          "of built-in roles",
	"CreateRole isOrgDefault":                               "a new role is not yet",
	"UpdateRole defaultIdentifier":                          "of built-in roles",
	"ListTeamRoles roles[].defaultIdentifier":               "of built-in roles",
}

// somebody makes a user who is in an organization of their own, and returns their login.
func somebody(p *boottest.Plane) string {
	login := "user" + p.Hex(4)
	p.Person(login, p.Organization("home"+p.Hex(4)).Name, permission.OrganizationMember)
	return login
}

// colleague makes a member of the plane's organization and returns their login.
func colleague(p *boottest.Plane, role permission.Role) string {
	login := "user" + p.Hex(4)
	p.Person(login, p.Org, role)
	return login
}

// crew makes a team with a description, in which the caller is, and returns its path below /api.
func (c *client) crew() string {
	c.T.Helper()
	name := "team" + c.Hex(4)
	c.call("POST", "/orgs/"+c.Org+"/teams/pulumi", map[string]any{"name": name, "displayName": "A Team", "description": "of people"}).
		Into(c.T, http.StatusOK, nil)
	return "/orgs/" + c.Org + "/teams/" + name
}

// equipped is crew with a stack and a role.
func (c *client) equipped() string {
	c.T.Helper()
	at := c.crew()
	c.call("PATCH", at, map[string]any{"addStackPermission": permissionOn(c.fresh(), 102)}).Into(c.T, http.StatusNoContent, nil)
	c.call("POST", at+"/roles/"+c.role(), nil).Into(c.T, http.StatusNoContent, nil)
	return at
}

func permissionOn(stack string, number int) map[string]any {
	project, name := named(stack)
	return map[string]any{"projectName": project, "stackName": name, "permission": number}
}

var lets = map[string]any{"__type": "PermissionDescriptorAllow", "permissions": []string{"stack:read"}}

// role makes a custom role that lets stacks be read, and returns its id.
func (c *client) role() string {
	c.T.Helper()
	var made struct{ ID string }
	c.call("POST", "/orgs/"+c.Org+"/roles", map[string]any{
		"name": "role" + c.Hex(4), "description": "d", "uxPurpose": "role", "resourceType": "global", "details": lets,
	}).Into(c.T, http.StatusOK, &made)
	return made.ID
}

// token makes a token with a body more and returns its id and its text.
func (c *client) token(path string, body map[string]any) (id, text string) {
	c.T.Helper()
	b := map[string]any{"name": "token" + c.Hex(4), "description": "d", "admin": false, "expires": c.Clock.Now().Add(time.Hour).Unix()}
	maps.Copy(b, body)
	var made struct{ ID, TokenValue string }
	c.call("POST", path+"/tokens", b).Into(c.T, http.StatusOK, &made)
	return made.ID, made.TokenValue
}

func (c *client) org() string { return "/orgs/" + c.Org }

// teamed samples a row below a team.
func teamed(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request { return at(method, administrator(p).equipped()+below, body) }
}

// roled samples a row below a role that a member, a team and a token hold.
func roled(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		id := c.role()
		c.call("PATCH", c.org()+"/members/"+colleague(p, permission.OrganizationMember), map[string]any{"fgaRoleId": id}).Into(c.T, http.StatusOK, nil)
		c.call("POST", c.crew()+"/roles/"+id, nil).Into(c.T, http.StatusNoContent, nil)
		c.token(c.org(), map[string]any{"roleID": id})
		return at(method, c.org()+"/roles/"+id+below, body)
	}
}

// tokenAt samples a row about a token that was made and used.
func tokenAt(method string, path func(c *client) string, byID bool) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		at1 := path(c)
		id, text := c.token(at1, nil)
		c.as(text).call("GET", "/user", nil)
		p.Settle()
		if byID {
			return at(method, at1+"/tokens/"+id+"?reason=done", nil)
		}
		return at(method, at1+"/tokens?filter=all", nil)
	}
}

// number is one that nothing has.
func number(p *boottest.Plane) uint32 { return binary.BigEndian.Uint32(p.Ports.Random(4)) }

func mine(*client) string { return "/user" }

var accessSamples = map[string]guarantee.Sample{
	"UpdateDefaultOrganization": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/user/organizations/"+p.Org+"/default", nil)
	},
	"ListOrganizationMembers": func(p *boottest.Plane) boottest.Request {
		administrator(p).crew()
		return at("GET", "/orgs/"+p.Org+"/members?type=backend", nil)
	},
	"AddOrganizationMember": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/members/"+somebody(p), map[string]any{"role": "member"})
	},
	"UpdateOrganizationMember": func(p *boottest.Plane) boottest.Request {
		return at("PATCH", "/orgs/"+p.Org+"/members/"+colleague(p, permission.OrganizationMember), map[string]any{"role": "admin"})
	},
	"DeleteOrganizationMember": func(p *boottest.Plane) boottest.Request {
		return at("DELETE", "/orgs/"+p.Org+"/members/"+colleague(p, permission.OrganizationMember), nil)
	},
	"SetSoleOrganizationAdmin": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/members/admin/set-admin", nil)
	},
	"GetOrganizationMemberTeams": func(p *boottest.Plane) boottest.Request {
		administrator(p).crew()
		return at("GET", "/orgs/"+p.Org+"/members/admin/teams", nil)
	},

	"ListTeams": func(p *boottest.Plane) boottest.Request {
		administrator(p).equipped()
		return at("GET", "/orgs/"+p.Org+"/teams", nil)
	},
	"CreatePulumiTeam": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/teams/pulumi", map[string]any{"name": "team" + p.Hex(4), "displayName": "n", "description": "d"})
	},
	"CreateGitHubTeam": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/teams/github", map[string]any{"githubTeamID": number(p), "name": "team" + p.Hex(4), "description": "d"})
	},
	"GetTeam":    teamed("GET", "", nil),
	"UpdateTeam": teamed("PATCH", "", map[string]any{"newDisplayName": "n", "newDescription": "d"}),
	"DeleteTeam": teamed("DELETE", "", nil),

	"ListPersonalTokens": tokenAt("GET", mine, false),
	"CreatePersonalToken": func(*boottest.Plane) boottest.Request {
		return at("POST", "/user/tokens?reason=r", map[string]any{"description": "d"})
	},
	"DeletePersonalToken": tokenAt("DELETE", mine, true),
	"ListOrgTokens":       tokenAt("GET", (*client).org, false),
	"CreateOrgToken": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/tokens", map[string]any{"name": "token" + p.Hex(4), "description": "d", "admin": true})
	},
	"DeleteOrgToken":        tokenAt("DELETE", (*client).org, true),
	"ListTeamTokens":        tokenAt("GET", (*client).crew, false),
	"CreateTeamToken":       teamed("POST", "/tokens", map[string]any{"name": "t", "description": "d"}),
	"DeleteTeamToken":       tokenAt("DELETE", (*client).crew, true),
	"ListOrgTokensWithRole": roled("GET", "/tokens", nil),

	"ListRolesByOrgIDAndUXPurpose": func(p *boottest.Plane) boottest.Request {
		administrator(p).role()
		return at("GET", "/orgs/"+p.Org+"/roles?uxPurpose=role", nil)
	},
	"CreateRole": func(p *boottest.Plane) boottest.Request {
		return at("POST", "/orgs/"+p.Org+"/roles", map[string]any{"name": "role" + p.Hex(4), "uxPurpose": "role", "details": lets})
	},
	"ListAvailableScopes": func(p *boottest.Plane) boottest.Request { return at("GET", "/orgs/"+p.Org+"/roles/scopes", nil) },
	"GetRole":             roled("GET", "", nil),
	"UpdateRole":          roled("PATCH", "", map[string]any{"description": "other", "details": lets}),
	"DeleteRole":          roled("DELETE", "?force=true", nil),
	"UpdateOrganizationDefaultRole": func(p *boottest.Plane) boottest.Request {
		return at("PATCH", "/orgs/"+p.Org+"/roles/member/default", nil)
	},
	"ListUsersWithRole": roled("GET", "/users", nil),
	"ListTeamsWithRole": roled("GET", "/teams", nil),
	"ListTeamRoles":     teamed("GET", "/roles", nil),
	"UpdateTeamRoles": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		return at("POST", c.crew()+"/roles/"+c.role(), nil)
	},
	"DeleteTeamRole": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		team, role := c.crew(), c.role()
		c.call("POST", team+"/roles/"+role, nil).Into(c.T, http.StatusNoContent, nil)
		return at("DELETE", team+"/roles/"+role, nil)
	},
}

// named are the project and the name of a stack's path below /api.
func named(stack string) (project, name string) {
	parts := strings.Split(stack, "/")
	return parts[3], parts[4]
}
