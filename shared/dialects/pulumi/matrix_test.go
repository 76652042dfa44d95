package pulumi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/stack"
)

func TestEveryRowLetsInWhomItShouldAndTellsStrangersNothing(t *testing.T) {
	guarantee.Matrix(t, pulumiTable)
}

// person makes a member of the client's organization with a role on a stack, "" for none, and returns their client.
func (c *client) person(login, stackAt string, role permission.Role) *client {
	c.T.Helper()
	ctx := context.Background()
	who := c.as(c.Person(login, c.Org, permission.OrganizationMember))
	if role == "" {
		return who
	}
	u, err := identity.FindUser(ctx, c.Ports, login)
	require.NoError(c.T, err)
	var head struct{ ID string }
	c.call(http.MethodGet, stackAt, nil).Into(c.T, http.StatusOK, &head)
	s, err := stack.Of(ctx, c.Ports, head.ID)
	require.NoError(c.T, err)
	require.NoError(c.T, c.Ports.Store.Write(ctx, stack.Grant(s.Value, u.Value.ID, role)...))
	return who
}

func TestTheRolesOnAStackAllowWhatTheirNamesSay(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	stack := c.fresh()
	cipher := c.sealed(stack, "x")
	people := map[string]*client{
		"nobody": c.as("pul-nobody"), "outsider": c.as(c.Person("outsider", "acme", permission.OrganizationOwner)),
		"member": c.person("member", stack, ""), "reader": c.person("reader", stack, permission.StackReader),
		"writer": c.person("writer", stack, permission.StackWriter), "manager": c.person("manager", stack, permission.StackManager),
		"owner": c,
	}
	for _, row := range []struct {
		what, method, below string
		body                any
		want                map[string]int
	}{
		{"read", "GET", "", nil, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 200, "writer": 200, "manager": 200, "owner": 200}},
		{"export", "GET", "/export", nil, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 200, "writer": 200, "manager": 200, "owner": 200}},
		{"update", "POST", "/update", program, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 403, "writer": 200, "manager": 200, "owner": 200}},
		{"decrypt", "POST", "/decrypt", map[string]any{"ciphertext": cipher}, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 403, "writer": 200, "manager": 200, "owner": 200}},
		{"encrypt", "POST", "/encrypt", map[string]any{"plaintext": secret("x")}, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 403, "writer": 200, "manager": 200, "owner": 200}},
		{"rename to itself", "POST", "/rename", map[string]any{}, map[string]int{"nobody": 401, "outsider": 404, "member": 404, "reader": 403, "writer": 403, "manager": 400, "owner": 400}},
	} {
		for who, status := range row.want {
			require.Equal(t, status, people[who].call(row.method, stack+row.below, row.body).Status, "%s by %s", row.what, who)
		}
	}
}

func TestARevokedTokenIsDeadFromTheNextRequestOnInAWarmProcess(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	for range 3 {
		c.call("GET", stack, nil).Into(t, http.StatusOK, nil)
	}
	token, _, err := identity.Authenticate(context.Background(), c.Ports, c.Token)
	require.NoError(t, err)
	require.NoError(t, identity.RevokeToken(context.Background(), c.Ports, token.User, token.ID))
	c.call("GET", stack, nil).Into(t, http.StatusUnauthorized, nil)
}

func TestAStackMadeAnewUnderItsNameIsNotMistakenForTheOldOneInAWarmProcess(t *testing.T) {
	c := newClient(t)
	id := func(stack string) string {
		var out struct{ ID string }
		for range 2 {
			c.call("GET", stack, nil).Into(t, http.StatusOK, &out)
		}
		return out.ID
	}
	old := id(c.stack("shop", "dev"))
	c.call("DELETE", "/stacks/acme/shop/dev", nil).Into(t, http.StatusNoContent, nil)
	c.call("GET", "/stacks/acme/shop/dev", nil).Into(t, http.StatusNotFound, nil)
	require.NotEqual(t, old, id(c.stack("shop", "dev")))
}

func TestALeaseIsGoodForItsOwnUpdateAlone(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	running, preview := c.start(stack, "update", 1), c.preview(stack)
	lost := func(path string) {
		t.Helper()
		a := c.Do(boottest.Request{Method: "POST", Path: "/pulumi/api" + path + "/renew_lease", Auth: preview.auth, Body: map[string]any{"duration": 300}})
		require.Equal(t, http.StatusForbidden, a.Status, "%s", a)
	}
	preview.renew(300).Into(t, http.StatusOK, nil)
	lost(running.at)
	lost(c.fresh() + "/update/" + preview.id)
	lost("/stacks/nobody/shop/dev/update/" + preview.id)
}
