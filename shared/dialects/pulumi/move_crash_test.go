package pulumi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// moves are the operations whose every store call is made to fail: what is true of the stack before, and what after.
var moves = map[string]struct {
	act           func(c *client, to string) boottest.Answer
	before, after func(c *client, to string) string // paths
	text          func(c *client, to string) string // the export after
	slug          string
	entries       int // audit entries, in both organizations
}{
	"rename": {
		act:    func(c *client, _ string) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/dev", "q", "prod") },
		before: func(c *client, _ string) string { return "/stacks/" + c.Org + "/p/dev" },
		after:  func(c *client, _ string) string { return "/stacks/" + c.Org + "/q/prod" },
		text:   func(c *client, _ string) string { return deploymentAt(c.Org, "q", "prod") },
		slug:   "stack-renamed", entries: 1,
	},
	"transfer": {
		act:    func(c *client, to string) boottest.Answer { return c.transfer("/stacks/"+c.Org+"/p/dev", to) },
		before: func(c *client, _ string) string { return "/stacks/" + c.Org + "/p/dev" },
		after:  func(_ *client, to string) string { return "/stacks/" + to + "/p/dev" },
		text:   func(_ *client, to string) string { return deploymentAt(to, "p", "dev") },
		slug:   "stack-transferred-to-organization", entries: 2,
	},
	"import": {
		act: func(c *client, _ string) boottest.Answer {
			return c.call("POST", "/stacks/"+c.Org+"/p/dev/import", odd)
		},
		before: func(c *client, _ string) string { return "/stacks/" + c.Org + "/p/dev" },
		after:  func(c *client, _ string) string { return "/stacks/" + c.Org + "/p/dev" },
		text:   func(*client, string) string { return odd },
		slug:   "stack-imported", entries: 1,
	},
}

// deploymentAt is a deployment of the service's secrets provider without secrets.
func deploymentAt(org, project, stack string) string {
	text := sealedDeployment(org, project, stack, "")
	return strings.Replace(text, `,"ciphertext":""`, "", 1)
}

func TestAMoveThatIsInterruptedAtAnyStoreCallHappenedWhollyOrNotAtAll(t *testing.T) {
	for name := range moves {
		for called, w := range ways {
			t.Run(name+", "+called, func(t *testing.T) {
				t.Parallel()
				base := newClient(t)
				calls := moveInterrupted(base, name, never, w)
				require.NotEmpty(t, calls)
				for at, call := range calls {
					if w.fate == boottest.FailsBefore || call.Method == "Write" {
						moveInterrupted(base, name, at, w)
					}
				}
			})
		}
	}
}

func moveInterrupted(base *client, name string, at int, w way) []boottest.Call {
	m, t := moves[name], base.T
	c := base
	c.Org = c.annex()
	to := c.annex()
	before := m.before(c, to)
	stack := c.stack("p", "dev")
	team := c.crew()
	c.call("PATCH", team, map[string]any{"addStackPermission": permissionOn(stack, 103)}).Into(t, http.StatusNoContent, nil)
	text := deploymentAt(c.Org, "p", "dev")
	c.imported(stack, text)
	earlier := c.entries(c.Org, m.slug)
	c.Restart()
	var calls []boottest.Call
	c.Spy.Hook(func(n int, call boottest.Call) boottest.Fate {
		calls = append(calls, call)
		switch {
		case n == at:
			return w.fate
		case at != never && n > at && !w.once:
			return boottest.FailsBefore
		}
		return boottest.Works
	})
	m.act(c, to)
	c.Spy.Hook(nil)
	c.Restart()
	done := func() bool {
		here, there := m.before(c, to), m.after(c, to)
		if here == there {
			return c.exported(here) != text
		}
		old, now := c.call("GET", here, nil).Status, c.call("GET", there, nil).Status
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusNotFound}, []int{old, now}, "the stack has exactly one place")
		return now == http.StatusOK
	}
	whole := func(happened bool) {
		place, want := before, text
		if happened {
			place, want = m.after(c, to), m.text(c, to)
		}
		require.Equal(t, want, c.exported(place))
		org := strings.Split(place, "/")[2]
		require.Equal(t, []string{strings.TrimPrefix(place, "/stacks/")}, append(c.listed("?organization="+c.Org).names, c.listed("?organization="+to).names...))
		versions := c.history(place, "").versions()
		require.Equal(t, happened && name != "transfer", len(versions) == 2, "%v", versions)
		shown := c.team(team).Stacks
		require.Equal(t, org == c.Org, len(shown) == 1, "the team of the old organization has lost it exactly when it moved")
		told := c.entries(c.Org, m.slug) + c.entries(to, m.slug) - earlier
		require.Equal(t, map[bool]int{true: m.entries}[happened], told, "the audit tells of it exactly when it happened")
	}
	happened := done()
	whole(happened)
	a := m.act(c, to)
	if happened && name != "import" {
		require.Equal(t, http.StatusNotFound, a.Status, "%s", a) // a repeat finds nothing where the stack was
	} else {
		require.Less(t, a.Status, 300, "%s", a)
	}
	require.True(t, done())
	if name != "import" {
		whole(true)
	}
	u := c.start(m.after(c, to), "update", 1)
	u.journal(u.made(urn(9))...).Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Contains(t, c.export(m.after(c, to)).urns(), urn(9))
	return calls
}

// entries counts the audit entries of a slug in an organization.
func (c *client) entries(org, slug string) int {
	c.T.Helper()
	o, err := organization.Find(c.T.Context(), c.Ports, org)
	require.NoError(c.T, err)
	n := 0
	for shard := range keys.AuditShards {
		for _, i := range c.partition(keys.AuditEntries(o.ID, shard)) {
			var e audit.Entry
			require.NoError(c.T, json.Unmarshal(i.Body, &e))
			if e.Slug == slug {
				n++
			}
		}
	}
	return n
}
