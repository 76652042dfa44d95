package pulumi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

type teamShown struct {
	Kind, Name, DisplayName, Description, UserRole string
	Members                                        []struct{ GithubLogin, Role string }
	Stacks                                         []struct {
		ProjectName, StackName, PermissionSetName string
		Permission                                int
	}
}

func (c *client) team(at string) (out teamShown) {
	c.T.Helper()
	c.call("GET", at, nil).Into(c.T, http.StatusOK, &out)
	return out
}

// partition are all items of a partition.
func (c *client) partition(pk string) []store.Item {
	c.T.Helper()
	page, err := c.Ports.Store.Query(c.T.Context(), store.Query{PK: pk})
	require.NoError(c.T, err)
	return page.Items
}

func TestSeveralChangesOfATeamAreMadeTogetherOrNotAtAll(t *testing.T) {
	c := newClient(t)
	team, stack, login := c.crew(), c.fresh(), colleague(c.Plane, permission.OrganizationMember)
	c.call("PATCH", team, map[string]any{
		"memberAction": "add", "member": login, "newDisplayName": "New", "newDescription": "", "addStackPermission": permissionOn(stack, 103),
	}).Into(t, http.StatusOK, nil)
	got := c.team(team)
	require.Equal(t, "New", got.DisplayName)
	require.Empty(t, got.Description)
	require.Len(t, got.Members, 2)
	require.Equal(t, 103, got.Stacks[0].Permission)
	require.Equal(t, "stack-admin", got.Stacks[0].PermissionSetName)

	for name, body := range map[string]map[string]any{
		"unknown stack":        {"addStackPermission": map[string]any{"projectName": "none", "stackName": "none", "permission": 101}},
		"nothing to edit":      {"editStackPermission": permissionOn(c.fresh(), 101)},
		"already in":           {"memberAction": "add", "member": login},
		"not a member":         {"memberAction": "add", "member": somebody(c.Plane)},
		"environment":          {"addEnvironmentPermission": map[string]any{"projectName": "p", "envName": "e", "permission": "read"}},
		"the same stack twice": {"addStackPermission": permissionOn(stack, 101), "removeStack": map[string]any{"projectName": "x", "stackName": "y"}},
		"another set":          {"addStackPermission": map[string]any{"projectName": "p", "stackName": "s", "permission": 101, "permissionSetName": "stack-admin"}},
		"action without who":   {"memberAction": "add"},
	} {
		body["newDescription"] = "must not be seen"
		a := c.call("PATCH", team, body)
		require.Contains(t, []int{400, 404, 409}, a.Status, "%s: %s", name, a)
		require.Equal(t, got, c.team(team), name)
	}
	says(t, c.call("PATCH", team, map[string]any{}), http.StatusBadRequest, "no change")
	says(t, c.call("PATCH", team, map[string]any{"member": login}), http.StatusBadRequest, "what to do")
	says(t, c.call("PATCH", team, map[string]any{"removeEnvironment": map[string]any{"projectName": "p", "envName": "e"}}), http.StatusBadRequest, "no environments")
	project, name := named(stack)
	says(t, c.call("PATCH", team, map[string]any{
		"addStackPermission": permissionOn(stack, 101), "removeStack": map[string]any{"projectName": project, "stackName": name},
	}), http.StatusBadRequest, "same stack")
	c.call("PATCH", team, map[string]any{"editStackPermission": permissionOn(stack, 101)}).Into(t, http.StatusNoContent, nil)
	require.Equal(t, 101, c.team(team).Stacks[0].Permission)
}

func TestWhoLeadsATeamChangesItsPeopleAndNotItsStacks(t *testing.T) {
	c := newClient(t)
	team, stack := c.crew(), c.fresh()
	lead := c.as(c.Person("lead", c.Org, permission.OrganizationMember))
	c.Person("other", c.Org, permission.OrganizationMember)
	add := map[string]any{"memberAction": "add", "member": "other"}
	c.call("PATCH", team, map[string]any{"memberAction": "add", "member": "lead"}).Into(t, http.StatusOK, nil)
	says(t, lead.call("PATCH", team, add), http.StatusForbidden, "team:update")
	c.call("PATCH", team, map[string]any{"memberAction": "promote", "member": "lead"}).Into(t, http.StatusOK, nil)
	lead.call("PATCH", team, add).Into(t, http.StatusOK, nil)
	require.Equal(t, "admin", lead.team(team).UserRole)
	says(t, lead.call("PATCH", team, map[string]any{"addStackPermission": permissionOn(stack, 101)}), http.StatusForbidden, "team:admin")
	says(t, lead.call("PATCH", c.crew(), add), http.StatusForbidden, "team:update")
	says(t, lead.call("DELETE", team, nil), http.StatusForbidden, "team:admin")
	c.call("PATCH", team, map[string]any{"memberAction": "demote", "member": "lead"}).Into(t, http.StatusOK, nil)
	says(t, lead.call("PATCH", team, map[string]any{"memberAction": "remove", "member": "other"}), http.StatusForbidden, "team:update")
}

func TestTeamsAreMadeInEveryFormAndTheirNamesAreTakenOnce(t *testing.T) {
	c := newClient(t)
	var made teamShown
	c.call("POST", c.org()+"/teams/github", map[string]any{"githubTeamID": 77}).Into(t, http.StatusOK, &made)
	require.Equal(t, teamShown{Kind: "github", Name: "github-77", DisplayName: "github-77", UserRole: "admin", Members: made.Members}, made)
	c.call("POST", c.org()+"/teams/pulumi", map[string]any{"name": "Ops"}).Into(t, http.StatusOK, &made)
	says(t, c.call("POST", c.org()+"/teams/pulumi", map[string]any{"name": "ops"}), http.StatusConflict, "already exists")
	says(t, c.call("POST", c.org()+"/teams/pulumi", map[string]any{"name": "a b"}), http.StatusBadRequest, "letters")
	c.call("DELETE", c.org()+"/teams/OPS", nil).Into(t, http.StatusOK, nil)
	says(t, c.call("GET", c.org()+"/teams/ops", nil), http.StatusNotFound, "not found")
	c.call("POST", c.org()+"/teams/pulumi", map[string]any{"name": "ops"}).Into(t, http.StatusOK, &made)
	c.Relay()
	require.Len(t, c.team(c.org()+"/teams/ops").Members, 1, "the purge of the old team leaves the new one alone")
	require.Equal(t, []string{"github-77", "ops"}, c.members()["admin"].Teams)
	says(t, c.call("GET", c.org()+"/teams?continuationToken=x", nil), http.StatusBadRequest, "one page")
}

func TestNamesOfATeamsStacksAreShownToTheTeamAndItsAdministratorsAlone(t *testing.T) {
	c := newClient(t)
	team := c.equipped()
	outsider := c.as(c.Person("outsider", c.Org, permission.OrganizationMember))
	require.Empty(t, outsider.team(team).Stacks)
	c.call("PATCH", team, map[string]any{"memberAction": "add", "member": "outsider"}).Into(t, http.StatusOK, nil)
	require.Len(t, outsider.team(team).Stacks, 1)
}
