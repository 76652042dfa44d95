package access_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

var (
	reads  = permission.Requires(permission.StackRead, permission.StackRead)
	target = permission.Target{Organization: "acme", Project: "shop", Stack: "dev"}
)

// plane has the stack acme/shop/dev.
func plane(t *testing.T) (*boottest.Plane, *access.Gate) {
	p := boottest.New(t)
	p.Do(boottest.Request{
		Method: http.MethodPost, Path: "/pulumi/api/stacks/acme/shop", Auth: "token " + p.Token, Body: map[string]any{"stackName": "dev"},
	}).Into(t, http.StatusOK, nil)
	return p, &access.Gate{Ports: p.Ports, Hints: store.NewHints(10)}
}

func TestAPublicRowAsksNothingAndReadsNothing(t *testing.T) {
	p, gate := plane(t)
	p.Spy.Reset()
	ctx, err := gate.Enter(context.Background(), "op", access.Token, "nonsense", permission.Public("a test"), permission.Target{})
	require.NoError(t, err)
	require.Empty(t, access.Of(ctx).Principal)
	require.Empty(t, p.Spy.Calls())
}

func TestAHandlerThatRunsWithoutTheGateIsADefect(t *testing.T) {
	require.Panics(t, func() { access.Of(context.Background()) })
	_, ok := access.Principal(context.Background())
	require.False(t, ok)
}

func TestACredentialIsGoodInItsOwnFormAlone(t *testing.T) {
	p, gate := plane(t)
	enter := func(form access.Form, need permission.Need) error {
		_, err := gate.Enter(context.Background(), "op", form, p.Token, need, target)
		return err
	}
	require.NoError(t, enter(access.Token, reads))
	require.True(t, fault.Is(enter(access.Lease, reads), fault.Unauthenticated))
	require.True(t, fault.Is(enter(access.None, reads), fault.Unauthenticated))
	require.True(t, fault.Is(enter(access.Token, permission.Lease), fault.Unauthenticated))
	require.True(t, fault.Is(enter(access.Lease, permission.Lease), fault.Forbidden), "in form a lease, but none that there is")
}

func TestARequestLikeTheLastOneCostsOneRead(t *testing.T) {
	p, gate := plane(t)
	enter := func() int {
		p.Spy.Reset()
		ctx, err := gate.Enter(context.Background(), "op", access.Token, p.Token, reads, target)
		require.NoError(t, err)
		require.Equal(t, "dev", access.Of(ctx).Stack.Value.Name)
		return len(p.Spy.Calls())
	}
	require.Greater(t, enter(), 1)
	require.Equal(t, 1, enter())
}

// What a process learned from one caller serves nobody else, and decides nothing.
func TestAWarmProcessLetsNobodyInWhoIsNotLetInByACold(t *testing.T) {
	p, gate := plane(t)
	p.Organization("other")
	stranger := p.Person("stranger", "other", permission.OrganizationOwner)
	for range 2 {
		_, err := gate.Enter(context.Background(), "op", access.Token, p.Token, reads, target)
		require.NoError(t, err)
		_, err = gate.Enter(context.Background(), "op", access.Token, stranger, reads, target)
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	}
}
