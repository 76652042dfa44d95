package pulumi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// foldedAt is how many entries a journal has when it is folded for the first time.
const foldedAt = 4096

func TestALongJournalIsReadFromItsFold(t *testing.T) {
	c := newClient(t)
	long := c.start(c.stack("shop", "long"), "update", 1)
	for part := range slices.Chunk(long.many((foldedAt-1)/2), 500) { // just not folded
		long.journal(part...).Into(t, http.StatusNoContent, nil)
	}
	c.Spy.Reset()
	before := c.exported(long.stack)
	unfolded := c.Spy.Items()
	long.journal(long.made(urn(9001))...).Into(t, http.StatusNoContent, nil)
	c.Spy.Reset()
	require.Len(t, c.export(long.stack).urns(), (foldedAt-1)/2+1)
	require.Less(t, c.Spy.Items(), unfolded, "an export replays what came behind the fold")
	require.Contains(t, c.exported(long.stack), before[len(before)-200:len(before)-50])
	long.journal(long.made(urn(9002))...).Into(t, http.StatusNoContent, nil)
	c.Spy.Reset()
	long.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Less(t, c.Spy.Items(), unfolded)
	long.Relay()
	require.Len(t, c.export(long.stack).urns(), (foldedAt-1)/2+2)
}

func TestAnEntryThatFitsNoItemIsKeptAllTheSame(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	u := c.start(stack, "update", 1)
	entries := u.made(urn(1))
	text := c.Hex(700_000) // random, so that compression does not make it fit
	entries[2]["state"].(map[string]any)["outputs"] = map[string]any{"archive": text}
	u.journal(entries...).Into(t, http.StatusNoContent, nil)
	u.journal(entries...).Into(t, http.StatusNoContent, nil)
	require.Contains(t, string(c.call(http.MethodGet, stack+"/export", nil).Body), text)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.Relay()
	require.Contains(t, string(c.call(http.MethodGet, stack+"/export", nil).Body), text)
}
