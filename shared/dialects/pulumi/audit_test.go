package pulumi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
)

func TestEveryRowLeavesTheAuditEntryThatItDeclares(t *testing.T) {
	guarantee.Audit(t, pulumiTable)
}

// slugs are the slugs of the entries that work leaves.
func (c *client) slugs(work func()) []string {
	c.T.Helper()
	c.Spy.Reset()
	work()
	out := []string{}
	for _, e := range guarantee.Entries(c.T, c.Spy.Calls()) {
		out = append(out, e.Slug)
	}
	return out
}

func TestWhatFailedLeavesNoAuditEntry(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	stack := c.stack("shop", "dev")
	reader := c.person("reader", stack, permission.StackReader)
	c.finished(stack)
	u := c.start(stack, "update", 1)
	waiting := c.create(stack, "update", false)
	fails := map[string]func() boottest.Answer{
		"a name that is taken": func() boottest.Answer {
			return c.call("POST", "/stacks/"+c.Org+"/shop", map[string]any{"stackName": "dev"})
		},
		"a stack that is held":    func() boottest.Answer { return c.call("DELETE", stack+"?force=true", nil) },
		"no permission":           func() boottest.Answer { return reader.call("DELETE", stack+"?force=true", nil) },
		"a bad ciphertext":        func() boottest.Answer { return c.call("POST", stack+"/decrypt", map[string]any{"ciphertext": "AAAA"}) },
		"a start of a held stack": func() boottest.Answer { _, a := c.tryStart(stack, waiting, 1); return a },
		"a cancel of what waits":  func() boottest.Answer { return c.cancel(stack, waiting) },
		"an unknown outcome":      func() boottest.Answer { return u.complete("so so") },
		"a tag that is no tag": func() boottest.Answer {
			return c.call("POST", stack+"/tags", map[string]any{"name": "a b", "value": ""})
		},
		"an import into the held":   func() boottest.Answer { return c.call("POST", stack+"/import", samples["ImportStack"](c.Plane).Body) },
		"a version that is no more": func() boottest.Answer { return c.call("GET", stack+"/export/99", nil) },
	}
	for what, fail := range fails {
		c.Spy.Reset()
		a := fail()
		require.GreaterOrEqual(t, a.Status, 400, "%s: %s", what, a)
		for _, e := range guarantee.Entries(t, c.Spy.Calls()) {
			require.Equal(t, "stack-created", e.Slug, what) // of the stacks that samples make
		}
	}
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Empty(t, c.slugs(func() { u.complete("succeeded").Into(t, http.StatusNoContent, nil) }), "a second answer to a repeated call")
	require.Empty(t, c.slugs(func() { c.cancel(stack, u.id).Into(t, http.StatusConflict, nil) }))
	c.finished(c.fresh())
	require.Empty(t, c.slugs(func() { c.call("DELETE", stack, nil).Into(t, http.StatusBadRequest, nil) }), "a stack that has resources")
}

func TestAPreviewChangesNothingAndLeavesNoAuditEntry(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	require.Empty(t, c.slugs(func() { c.preview(stack).complete("succeeded").Into(t, http.StatusNoContent, nil) }))
}

func TestALeaseThatRanOutIsAuditedAsTheSystemsWork(t *testing.T) {
	c := newClient(t)
	c.start(c.fresh(), "update", 1)
	c.Clock.Add(481e9)
	require.Equal(t, 1, c.Sweep())
	o, err := organization.Find(context.Background(), c.Ports, c.Org)
	require.NoError(t, err)
	entries, _, err := audit.List(context.Background(), c.Ports, o.ID, audit.Filter{}, 1)
	require.NoError(t, err)
	require.Equal(t, "stack-update-completed", entries[0].Slug)
	require.Equal(t, "system", entries[0].Actor.Kind)
	require.Empty(t, entries[0].RequestID)
}
