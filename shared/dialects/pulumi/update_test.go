package pulumi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnUpdateIsCreatedStartedJournaledAndCompleted(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	u := c.start(stack, "update", 1)
	require.EqualValues(t, 1, u.version)
	u.journal(u.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	u.journal(u.made(urn(2))...).Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(1), urn(2)}, c.export(stack).urns(), "an export of a running update shows what was acknowledged")
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(1), urn(2)}, c.export(stack).urns())
}

func TestEntriesAcknowledgedBeforeTheLeaseExpiredSurvive(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	u := c.start(stack, "update", 1)
	u.journal(u.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	id := c.create(stack, "update", false)
	_, a := c.tryStart(stack, id, 1)
	a.Into(t, http.StatusConflict, nil)
	require.Contains(t, string(a.Body), "update 1, which admin started at 2026-01-02T03:04:05Z")
	c.Clock.Add(300e9 + 179e9)
	_, a = c.tryStart(stack, id, 1)
	a.Into(t, http.StatusConflict, nil)
	c.Clock.Add(1e9)
	next, a := c.tryStart(stack, id, 1)
	a.Into(t, http.StatusOK, nil)
	require.EqualValues(t, 2, next.version)
	require.Equal(t, []string{urn(1)}, c.export(stack).urns())
	u.journal(u.made(urn(2))...).Into(t, http.StatusForbidden, nil)
	next.complete("failed").Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(1)}, c.export(stack).urns())
}
