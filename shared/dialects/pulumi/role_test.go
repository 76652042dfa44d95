package pulumi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
)

func allow(scopes ...string) map[string]any {
	return map[string]any{"__type": "PermissionDescriptorAllow", "permissions": scopes}
}

func when(condition, then map[string]any) map[string]any {
	return map[string]any{"__type": "PermissionDescriptorCondition", "condition": condition, "subNode": then}
}

func tagged(key string) map[string]any {
	return map[string]any{"__type": "PermissionExpressionHasTag", "key": key}
}

// holder makes a member of a role with these details, in an organization where members hold nothing on stacks but by it.
func (c *client) holder(login string, details any) (*client, string) {
	c.T.Helper()
	token := c.Person(login, c.Org, permission.OrganizationMember)
	var made struct{ ID string }
	c.call("POST", c.org()+"/roles", map[string]any{"name": "role of " + login, "details": details}).Into(c.T, http.StatusOK, &made)
	c.call("PATCH", c.org()+"/members/"+login, map[string]any{"fgaRoleId": made.ID}).Into(c.T, http.StatusOK, nil)
	return c.as(token), made.ID
}

func TestACustomRoleGrantsWhatItsTreeSaysAndNothingElse(t *testing.T) {
	c := newClient(t)
	plain, marked := c.stack("shop", "plain"), c.stack("shop", "marked")
	c.call("POST", marked+"/tags", map[string]any{"name": "team", "value": "a"}).Into(t, http.StatusNoContent, nil)
	var s struct{ ID string }
	c.call("GET", marked, nil).Into(t, http.StatusOK, &s)
	isMarked := map[string]any{
		"__type": "PermissionExpressionEqual", "left": map[string]any{"__type": "PermissionExpressionStack"},
		"right": map[string]any{"__type": "PermissionLiteralExpressionStack", "identity": s.ID},
	}
	isEnvironment := map[string]any{
		"__type": "PermissionExpressionEqual", "left": map[string]any{"__type": "PermissionExpressionEnvironment"},
		"right": map[string]any{"__type": "PermissionLiteralExpressionEnvironment", "identity": "e"},
	}
	hasValue := map[string]any{
		"__type": "PermissionExpressionIn", "target": map[string]any{"__type": "PermissionExpressionTag", "key": "team"},
		"values": map[string]any{"__type": "PermissionSetExpressionString", "values": []string{"a", "b"}},
	}
	not := func(e any) map[string]any { return map[string]any{"__type": "PermissionExpressionNot", "node": e} }
	read := allow("stack:read")
	for name, want := range map[string]struct {
		details       map[string]any
		plain, marked bool
	}{
		"nothing":            {allow(), false, false},
		"everything":         {read, true, true},
		"other things":       {allow("environment:read", "stack:list"), false, false},
		"by identity":        {when(isMarked, read), false, true},
		"by tag":             {when(tagged("team"), read), false, true},
		"by value":           {when(hasValue, read), false, true},
		"by absence":         {when(not(tagged("team")), read), true, false},
		"by environment":     {when(isEnvironment, read), false, false},
		"not by environment": {when(not(isEnvironment), read), false, false},
		"either": {map[string]any{
			"__type": "PermissionDescriptorIfThenElse", "condition": isMarked, "subNodeForTrue": allow(), "subNodeForFalse": read,
		}, true, false},
		"group":   {map[string]any{"__type": "PermissionDescriptorGroup", "entries": []any{when(isMarked, read), allow("stack:create")}}, false, true},
		"compose": {map[string]any{"__type": "PermissionDescriptorCompose", "permissionDescriptors": []string{"stack-read"}}, true, true},
		"select": {map[string]any{
			"__type": "PermissionDescriptorSelect", "selector": map[string]any{"__type": "PermissionExpressionStack"},
			"options": []any{map[string]any{"value": map[string]any{"__type": "PermissionLiteralExpressionStack", "identity": s.ID}, "node": read}},
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			h, id := c.holder("h"+c.Hex(4), want.details)
			var listed []string
			for at, may := range map[string]bool{plain: want.plain, marked: want.marked} {
				status := http.StatusNotFound
				if may {
					status = http.StatusOK
					listed = append(listed, at[len("/stacks"):])
				}
				require.Equal(t, status, h.call("GET", at, nil).Status, at)
			}
			require.ElementsMatch(t, listed, h.visible(10))
			var role struct{ Details json.RawMessage }
			c.call("GET", c.org()+"/roles/"+id, nil).Into(t, http.StatusOK, &role)
			kept, err := json.Marshal(want.details)
			require.NoError(t, err)
			require.Equal(t, string(kept), string(role.Details), "the document is kept as it was written")

			var filtered struct{ Stacks []struct{ StackName string } }
			c.call("GET", "/user/stacks?roleID="+id, nil).Into(t, http.StatusOK, &filtered)
			require.Len(t, filtered.Stacks, len(listed))
		})
	}
}

func TestATreeThatTheVendorDoesNotHaveIsRefused(t *testing.T) {
	c := newClient(t)
	deep := allow()
	for range 40 {
		deep = map[string]any{"__type": "PermissionDescriptorGroup", "entries": []any{deep}}
	}
	for words, details := range map[string]any{
		"no permission":       allow("stack:fly"),
		"no kind":             map[string]any{"__type": "Anything"},
		"nested deeper":       deep,
		"no condition":        when(map[string]any{"__type": "Sometimes"}, allow()),
		"condition of the":    map[string]any{"__type": "PermissionDescriptorCondition", "subNode": allow()},
		"no node below":       map[string]any{"__type": "PermissionDescriptorCondition", "condition": tagged("a")},
		"built-in roles":      map[string]any{"__type": "PermissionDescriptorCompose", "permissionDescriptors": []string{"other"}},
		"tree of permissions": map[string]any{"__type": "PermissionDescriptorAllow", "permissions": "all"},
		"a left and a right":  when(map[string]any{"__type": "PermissionExpressionEqual"}, allow()),
		"the key of the tag":  when(tagged(""), allow()),
		"a target and values": when(map[string]any{"__type": "PermissionExpressionIn"}, allow()),
		"there is no expression": when(map[string]any{
			"__type": "PermissionExpressionEqual", "left": map[string]any{"__type": "A"}, "right": map[string]any{"__type": "B"},
		}, allow()),
	} {
		says(t, c.call("POST", c.org()+"/roles", map[string]any{"name": "r", "details": details}), http.StatusBadRequest, words)
	}
	says(t, c.call("POST", c.org()+"/roles?createPolicyAndRole=true", map[string]any{"name": "r"}), http.StatusBadRequest, "without a policy")
}

func TestARoleIsTakenFromEverybodyWhenItIsDeletedByForce(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	h, id := c.holder("holder", allow("stack:read"))
	team := c.crew()
	c.call("POST", team+"/roles/"+id, nil).Into(t, http.StatusNoContent, nil)
	_, text := c.token(c.org(), map[string]any{"roleID": id})
	c.as(text).call("GET", stack, nil).Into(t, http.StatusOK, nil)
	c.as(text).call("DELETE", stack, nil).Into(t, http.StatusForbidden, nil)
	says(t, c.call("DELETE", c.org()+"/roles/"+id, nil), http.StatusConflict, "is held by")
	c.call("PATCH", c.org()+"/roles/"+id+"/default", nil).Into(t, http.StatusNoContent, nil)
	says(t, c.call("DELETE", c.org()+"/roles/"+id+"?force=true", nil), http.StatusConflict, "what new members get")
	newcomer := somebody(c.Plane)
	c.call("POST", c.org()+"/members/"+newcomer, map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	require.Equal(t, id, c.members()[newcomer].FGARole.ID)
	c.call("PATCH", c.org()+"/roles/member/default", nil).Into(t, http.StatusNoContent, nil)

	c.call("DELETE", c.org()+"/roles/"+id+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	h.call("GET", stack, nil).Into(t, http.StatusNotFound, nil)
	c.as(text).call("GET", stack, nil).Into(t, http.StatusNotFound, nil)
	c.Relay()
	require.Equal(t, "member", c.members()["holder"].FGARole.ID)
	c.as(text).call("GET", stack, nil).Into(t, http.StatusUnauthorized, nil)
	h.call("GET", stack, nil).Into(t, http.StatusOK, nil) // as every member
	var roles struct{ Roles []any }
	c.call("GET", team+"/roles", nil).Into(t, http.StatusOK, &roles)
	require.Empty(t, roles.Roles)
}

func TestBuiltInRolesAreShownAndNotChanged(t *testing.T) {
	c := newClient(t)
	var out struct {
		Roles []struct{ ID, DefaultIdentifier string }
	}
	c.call("GET", c.org()+"/roles?uxPurpose=set", nil).Into(t, http.StatusOK, &out)
	require.Len(t, out.Roles, 3)
	for _, id := range []string{"member", "admin", "stack-write"} {
		var role struct{ DefaultIdentifier string }
		c.call("GET", c.org()+"/roles/"+id, nil).Into(t, http.StatusOK, &role)
		require.Equal(t, id, role.DefaultIdentifier)
		says(t, c.call("PATCH", c.org()+"/roles/"+id, map[string]any{"name": "x"}), http.StatusBadRequest, "built in")
		says(t, c.call("DELETE", c.org()+"/roles/"+id, nil), http.StatusBadRequest, "built in")
		says(t, c.call("POST", c.crew()+"/roles/"+id, nil), http.StatusBadRequest, "built in")
	}
	says(t, c.call("POST", c.org()+"/roles", map[string]any{"name": "admin"}), http.StatusConflict, "already exists")
	c.role()
	a, b := c.role(), c.role()
	c.call("PATCH", c.org()+"/roles/"+a, map[string]any{"name": "one"}).Into(t, http.StatusOK, nil)
	says(t, c.call("PATCH", c.org()+"/roles/"+b, map[string]any{"name": "ONE"}), http.StatusConflict, "already exists")
	var users struct {
		Users []struct{ GithubLogin string }
	}
	c.call("GET", c.org()+"/roles/admin/users", nil).Into(t, http.StatusOK, &users)
	require.Equal(t, "admin", users.Users[0].GithubLogin)
}

func TestTheDefaultRoleSaysThatItIsOneAndTokensOfARoleSayWhenTheyWereUsed(t *testing.T) {
	c := newClient(t)
	id, team := c.role(), c.crew()
	_, text := c.token(c.org(), map[string]any{"roleID": id})
	c.as(text).call("GET", "/user", nil).Into(t, http.StatusOK, nil)
	c.Settle()
	var held struct{ Tokens []tokenShown }
	c.call("GET", c.org()+"/roles/"+id+"/tokens", nil).Into(t, http.StatusOK, &held)
	require.Equal(t, c.Clock.Now().Unix(), held.Tokens[0].LastUsed)
	c.call("PATCH", c.org()+"/roles/"+id+"/default", nil).Into(t, http.StatusNoContent, nil)
	c.call("POST", team+"/roles/"+id, nil).Into(t, http.StatusNoContent, nil)
	var role struct{ IsOrgDefault bool }
	c.call("PATCH", c.org()+"/roles/"+id, map[string]any{"description": "new"}).Into(t, http.StatusOK, &role)
	require.True(t, role.IsOrgDefault)
	var roles struct{ Roles []struct{ IsOrgDefault bool } }
	c.call("GET", team+"/roles", nil).Into(t, http.StatusOK, &roles)
	require.True(t, roles.Roles[0].IsOrgDefault)
}
