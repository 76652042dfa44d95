package pulumi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// crossed is what happens between two operations on one stack or name, one made before each store call of the other.
func crossed(t *testing.T, arrange func(*client), first, second func(*client) boottest.Answer, check func(c *client, first, second boottest.Answer)) {
	t.Helper()
	c := newClient(t)
	for at := 0; ; at++ {
		require.Less(t, at, 200, "the operation ends")
		c.Org = c.annex()
		arrange(c)
		c.Restart()
		var late *boottest.Answer
		c.Spy.Hook(func(n int, _ boottest.Call) boottest.Fate {
			if n == at {
				c.Spy.Hook(nil)
				a := second(c)
				late = &a
			}
			return boottest.Works
		})
		a := first(c)
		c.Spy.Hook(nil)
		if late == nil {
			check(c, a, second(c))
			return
		}
		check(c, a, *late)
	}
}

func TestTwoStacksRenamedToOneNameAtOnceDoNotBothGetIt(t *testing.T) {
	crossed(t,
		func(c *client) {
			for _, name := range []string{"a", "b"} {
				c.imported(c.stack("p", name), `{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"resources":[{"urn":"urn:pulumi:`+name+`::p::t:i:R::`+name+`","type":"t:i:R","custom":false}]}}`)
			}
		},
		func(c *client) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/a", "q", "c") },
		func(c *client) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/b", "q", "c") },
		func(c *client, first, second boottest.Answer) {
			require.ElementsMatch(c.T, []int{http.StatusOK, http.StatusConflict}, []int{first.Status, second.Status}, "%s %s", first, second)
			won, lost := "a", "b"
			if second.Status == http.StatusOK {
				won, lost = lost, won
			}
			require.Equal(c.T, []string{"urn:pulumi:c::q::t:i:R::" + won}, c.export("/stacks/"+c.Org+"/q/c").urns())
			require.Equal(c.T, []string{"urn:pulumi:" + lost + "::p::t:i:R::" + lost}, c.export("/stacks/"+c.Org+"/p/"+lost).urns())
			require.ElementsMatch(c.T, []string{c.Org + "/q/c", c.Org + "/p/" + lost}, c.listed("?organization="+c.Org).names)
		})
}

func TestAStackRenamedTwiceAtOnceGetsOneOfTheNames(t *testing.T) {
	crossed(t,
		func(c *client) { c.imported(c.stack("p", "a"), odd) },
		func(c *client) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/a", "", "b") },
		func(c *client) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/a", "", "c") },
		func(c *client, first, second boottest.Answer) {
			require.ElementsMatch(c.T, []int{http.StatusOK, http.StatusNotFound}, []int{first.Status, second.Status}, "%s %s", first, second)
			require.Len(c.T, c.listed("?organization="+c.Org).names, 1)
		})
}

func TestARenameNeverTakesTheStackThatGotTheOldNameMeanwhile(t *testing.T) {
	crossed(t,
		func(c *client) { c.imported(c.stack("p", "a"), odd) },
		func(c *client) boottest.Answer { return c.rename("/stacks/"+c.Org+"/p/a", "", "b") },
		func(c *client) boottest.Answer {
			a := c.rename("/stacks/"+c.Org+"/p/a", "", "c")
			if a.Status == http.StatusOK {
				c.stack("p", "a")
			}
			return a
		},
		func(c *client, first, second boottest.Answer) {
			if second.Status != http.StatusOK {
				return
			}
			require.Contains(c.T, []int{http.StatusNotFound, http.StatusOK}, first.Status)
			if first.Status == http.StatusOK { // it began when the new stack had the name
				require.Empty(c.T, c.export("/stacks/"+c.Org+"/p/b").urns())
				return
			}
			require.Empty(c.T, c.export("/stacks/"+c.Org+"/p/a").urns())
			require.Len(c.T, c.history("/stacks/"+c.Org+"/p/a", "").Updates, 0)
		})
}

func TestAStackIsEitherMovedOrUpdatedNeverBoth(t *testing.T) {
	for what, move := range map[string]func(*client, string) boottest.Answer{
		"rename":   func(c *client, at string) boottest.Answer { return c.rename(at, "", "b") },
		"transfer": func(c *client, at string) boottest.Answer { return c.transfer(at, "acme") },
		"import":   func(c *client, at string) boottest.Answer { return c.call("POST", at+"/import", odd) },
	} {
		t.Run(what, func(t *testing.T) {
			var next string
			starts := func(c *client) boottest.Answer {
				_, a := c.tryStart("/stacks/"+c.Org+"/p/a", next, 1)
				return a
			}
			crossed(t,
				func(c *client) { next = c.create(c.stack("p", "a"), "update", false) },
				func(c *client) boottest.Answer { return move(c, "/stacks/"+c.Org+"/p/a") }, starts,
				func(c *client, first, second boottest.Answer) {
					if first.Status >= 300 {
						require.Equal(c.T, http.StatusConflict, first.Status)
						require.Equal(c.T, http.StatusOK, second.Status)
						return
					}
					require.Contains(c.T, []int{http.StatusNotFound, http.StatusOK}, second.Status)
					require.Equal(c.T, what == "import", second.Status == http.StatusOK, "%s", second)
					if what == "transfer" {
						c.call("DELETE", "/stacks/acme/p/a?force=true", nil).Into(c.T, http.StatusNoContent, nil)
					}
				})
		})
	}
}

func TestTwoTransfersOfOneStackAtOnceMoveItOnce(t *testing.T) {
	var to [2]string
	crossed(t,
		func(c *client) { to = [2]string{c.annex(), c.annex()}; c.stack("p", "a") },
		func(c *client) boottest.Answer { return c.transfer("/stacks/"+c.Org+"/p/a", to[0]) },
		func(c *client) boottest.Answer { return c.transfer("/stacks/"+c.Org+"/p/a", to[1]) },
		func(c *client, first, second boottest.Answer) {
			require.ElementsMatch(c.T, []int{http.StatusNoContent, http.StatusNotFound}, []int{first.Status, second.Status}, "%s %s", first, second)
			require.Len(c.T, append(c.listed("?organization="+to[0]).names, c.listed("?organization="+to[1]).names...), 1)
			require.Empty(c.T, c.listed("?organization="+c.Org).names)
		})
}
