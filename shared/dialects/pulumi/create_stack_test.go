package pulumi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
)

func TestAStackCanBeginWithAStateAndTeams(t *testing.T) {
	c := newClient(t)
	c.call(http.MethodPost, "/orgs/acme/teams/pulumi", map[string]string{"name": "crew", "displayName": "Crew", "description": "d"})
	const state = `{"version": 3, "deployment": {"manifest": {"time":"2026-01-02T03:04:05Z","magic":"","version":""},  "resources": [{"urn":"urn:pulumi:dev::shop::t:i:R::a","custom":false,"type":"t:i:R"}], "later": 1}}`
	body := `{"stackName":"dev","teams":["crew"],"state":` + state + `}`
	c.call(http.MethodPost, "/stacks/acme/shop", body).Into(t, http.StatusOK, nil)
	stack := "/stacks/acme/shop/dev"
	require.Equal(t, state, string(c.call(http.MethodGet, stack+"/export", nil).Body), "byte for byte")
	var s struct{ Version int }
	c.call(http.MethodGet, stack, nil).Into(t, http.StatusOK, &s)
	require.Equal(t, 1, s.Version)
	var h struct{ Info struct{ Kind, Result string } }
	c.call(http.MethodGet, stack+"/updates/latest", nil).Into(t, http.StatusOK, &h)
	require.Equal(t, "import succeeded", h.Info.Kind+" "+h.Info.Result)
	next := c.start(stack, "update", 1)
	require.EqualValues(t, 2, next.version)

	for _, bad := range []string{
		`{"stackName":"x","teams":["nobody"]}`, `{"stackName":"x","state":{"version":3}}`, `{"stackName":"x","state":[]}`, `{"stackName":"x","state":{"version":9,"deployment":{}}}`,
	} {
		c.call(http.MethodPost, "/stacks/acme/shop", bad).Into(t, http.StatusBadRequest, nil)
		c.call(http.MethodGet, "/stacks/acme/shop/x", nil).Into(t, http.StatusNotFound, nil)
	}
	c.call(http.MethodPost, "/stacks/acme/shop", `{"stackName":"empty","state":null,"teams":null}`).Into(t, http.StatusOK, nil)
}

func TestTheTeamsOfANewStackMayUpdateIt(t *testing.T) {
	c := newClient(t)
	c.call(http.MethodPost, "/orgs/acme/teams/pulumi", map[string]string{"name": "crew", "displayName": "Crew", "description": "d"})
	bob := c.as(c.Person("bob", c.Org, permission.OrganizationGuest))
	c.call(http.MethodPatch, "/orgs/acme/teams/crew", map[string]string{"memberAction": "add", "member": "bob"})
	c.call(http.MethodPost, "/stacks/acme/shop", `{"stackName":"dev","teams":["crew"]}`).Into(t, http.StatusOK, nil)
	c.call(http.MethodPost, "/stacks/acme/shop", `{"stackName":"other"}`).Into(t, http.StatusOK, nil)
	bob.start("/stacks/acme/shop/dev", "update", 1)
	bob.call(http.MethodGet, "/stacks/acme/shop/other", nil).Into(t, http.StatusNotFound, nil)
	bob.call(http.MethodDelete, "/stacks/acme/shop/dev", nil).Into(t, http.StatusForbidden, nil)
}
