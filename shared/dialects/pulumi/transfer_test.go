package pulumi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

func TestATransferredStackTakesAllThatIsItsOwnAlong(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	to := c.annex()
	old, moved := c.stack("shop", "dev"), "/stacks/"+to+"/shop/dev"
	id, cipher := c.idOf(old), c.sealed(old, "s3cret")
	c.call("PATCH", old+"/tags", map[string]string{"team": "core"}).Into(t, http.StatusNoContent, nil)
	c.call("PUT", old+"/config", atService).Into(t, http.StatusOK, nil)
	hook := c.hook(old+"/hooks", "https://example.com/in", map[string]any{"secret": "x", "active": false})
	c.imported(old, sealedDeployment(c.Org, "shop", "dev", cipher))
	c.finished(old)
	c.preview(old).complete("succeeded").Into(t, http.StatusNoContent, nil)
	versions := c.history(old, "").versions()

	told := c.toldIn(to, func() { c.transfer(old, to).Into(t, http.StatusNoContent, nil) })
	require.Equal(t, map[string][]string{
		c.Org: {"transferred stack " + c.Org + "/shop/dev to organization " + to},
		to:    {"received stack " + to + "/shop/dev from organization " + c.Org},
	}, told, "both organizations' audits tell of it")

	c.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
	require.Equal(t, id, c.idOf(moved))
	require.Empty(t, c.listed("?organization="+c.Org).names)
	require.Equal(t, []string{to + "/shop/dev"}, c.listed("?organization="+to).names)
	require.Equal(t, versions, c.history(moved, "").versions())
	require.Equal(t, map[string]string{"team": "core"}, c.tags(moved))
	c.opens(moved, cipher, "s3cret")
	c.call("GET", moved+"/config", nil).Into(t, http.StatusOK, nil)
	c.call("GET", moved+"/hooks/"+hook.Name, nil).Into(t, http.StatusOK, nil)
	require.Equal(t, sealedDeployment(to, "shop", "dev", cipher), string(c.call("GET", moved+"/export/1", nil).Body))
	c.tell()
	c.finished(moved)
	c.tell()
	require.Equal(t, []string{to + "/shop/dev"}, c.listed("?organization="+to).names)
	require.NotEqual(t, id, c.idOf(c.stack("shop", "dev")), "the old name is free")
	c.call("DELETE", moved+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	c.tell()
	require.Empty(t, c.left(id), "nothing of it is left in either organization")
}

// toldIn are the descriptions of the audit entries that work leaves in the client's organization and in another one, by its name.
func (c *client) toldIn(other string, work func()) map[string][]string {
	c.T.Helper()
	names := map[store.Scope]string{}
	for _, name := range []string{c.Org, other} {
		o, err := organization.Find(c.T.Context(), c.Ports, name)
		require.NoError(c.T, err)
		names[keys.Organization(o.ID)] = name
	}
	c.Spy.Reset()
	work()
	out := map[string][]string{}
	for _, call := range c.Spy.Calls() {
		for _, ch := range call.Changes {
			if ch.Item.Kind == "audit" {
				var e audit.Entry
				require.NoError(c.T, json.Unmarshal(ch.Item.Body, &e))
				org := names[store.ScopeOf(ch.Item.Key)]
				out[org] = append(out[org], e.Description)
			}
		}
	}
	return out
}

func TestGrantsOfTheOldOrganizationDoNotReachIntoTheNewOne(t *testing.T) {
	c := newClient(t)
	from, to := c.annex(), c.annex()
	c.Org = from
	old, moved := c.stack("shop", "dev"), "/stacks/"+to+"/shop/dev"
	only := c.person("only", old, permission.StackManager)   // a member of the old organization alone
	inBoth := c.person("both", old, permission.StackManager) // a member of both
	inTeam := c.person("teamed", old, "")                    // may by a team of the old organization
	team := c.crew()
	c.call("PATCH", team, map[string]any{"memberAction": "add", "member": "teamed", "addStackPermission": permissionOn(old, 103)}).Into(t, http.StatusOK, nil)
	c.call("POST", "/orgs/"+to+"/members/both", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	c.call("POST", "/orgs/"+to+"/members/teamed", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	inTeam.call("GET", old, nil).Into(t, http.StatusOK, nil)

	inBoth.transfer(old, to).Into(t, http.StatusNoContent, nil)
	inBoth.call("GET", moved, nil).Into(t, http.StatusOK, nil)
	require.Equal(t, []string{to + "/shop/dev"}, inBoth.listed("").names)
	for _, who := range []*client{only, inTeam} {
		who.call("GET", moved, nil).Into(t, http.StatusNotFound, nil)
		who.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
		require.Empty(t, who.listed("").names)
	}
	require.Empty(t, c.team(team).Stacks)
	c.call("POST", "/orgs/"+to+"/members/only", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	only.call("GET", moved, nil).Into(t, http.StatusNotFound, nil)

	inBoth.transfer(moved, from).Into(t, http.StatusNoContent, nil)
	only.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
	inTeam.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
	inBoth.call("GET", old, nil).Into(t, http.StatusOK, nil)
}

func TestWhoTransfersAStackByAnotherRightKeepsIt(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	old := c.stack("shop", "dev")
	to := c.annex()
	owner := c.as(c.Person("owner", c.Org, permission.OrganizationOwner))
	c.call("POST", "/orgs/"+to+"/members/owner", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	owner.transfer(old, to).Into(t, http.StatusNoContent, nil)
	owner.call("GET", "/stacks/"+to+"/shop/dev", nil).Into(t, http.StatusOK, nil)
	owner.transfer("/stacks/"+to+"/shop/dev", c.Org).Into(t, http.StatusNoContent, nil)
}

func TestATransferNeedsARightInBothOrganizationsAndAFreeName(t *testing.T) {
	c := newClient(t)
	from, to := c.annex(), c.annex()
	c.Org = from
	stack := c.stack("shop", "dev")
	manager := c.person("manager", stack, permission.StackManager)
	a := manager.transfer(stack, to)
	a.Into(t, http.StatusNotFound, nil)
	b := manager.transfer(stack, "none")
	b.Into(t, http.StatusNotFound, nil)
	require.Equal(t, strings.ReplaceAll(string(a.Body), to, "none"), string(b.Body), "an organization that is foreign reads as one that is not")

	c.Org = to
	custom, _ := c.holder("custom", lets)
	c.Org = from
	c.call("POST", "/orgs/"+from+"/members/custom", map[string]any{"role": "admin"}).Into(t, http.StatusOK, nil)
	refused := custom.transfer(stack, to)
	refused.Into(t, http.StatusForbidden, nil)
	require.Contains(t, string(refused.Body), "may not create stacks")

	for what, body := range map[string]map[string]any{
		"itself": {"toOrg": from}, "no organization": {}, "another source": {"toOrg": to, "fromOrg": "x"},
		"another project": {"toOrg": to, "projectName": "x"}, "another stack": {"toOrg": to, "stackName": "x"},
	} {
		a := c.call("POST", stack+"/transfer", body)
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
	}
	c.Org = to
	taken := c.stack("shop", "dev")
	full := c.call("POST", stack+"/transfer", map[string]any{"toOrg": to, "fromOrg": from, "projectName": "shop", "stackName": "dev"})
	full.Into(t, http.StatusConflict, nil)
	require.Contains(t, string(full.Body), "already exists")
	c.rename(taken, "", "other").Into(t, http.StatusOK, nil)
	c.transfer(stack, to).Into(t, http.StatusNoContent, nil)
}

func TestAStackOfManyGrantsIsTransferredOrRefusedWhole(t *testing.T) {
	c := newClient(t)
	from, to := c.annex(), c.annex()
	c.Org = from
	stack := c.stack("shop", "dev")
	for i := range 24 {
		c.person(fmt.Sprint("reader", i), stack, permission.StackReader)
		c.call("POST", fmt.Sprintf("/orgs/%s/members/reader%d", to, i), map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	}
	c.transfer(stack, to).Into(t, http.StatusNoContent, nil)
	c.Org = to
	moved := "/stacks/" + to + "/shop/dev"
	for i := range 10 {
		c.person(fmt.Sprint("more", i), moved, permission.StackReader)
		c.call("POST", fmt.Sprintf("/orgs/%s/members/more%d", from, i), map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	}
	a := c.transfer(moved, from)
	a.Into(t, http.StatusConflict, nil)
	require.Contains(t, string(a.Body), "35 people and teams")
	c.call("GET", moved, nil).Into(t, http.StatusOK, nil)
}
