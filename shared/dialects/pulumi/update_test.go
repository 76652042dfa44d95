package pulumi_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
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

func TestAListShowsThatAnUpdateRuns(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	last := func() *int64 {
		var out struct{ Stacks []struct{ LastUpdate *int64 } }
		c.call(http.MethodGet, "/user/stacks", nil).Into(t, http.StatusOK, &out)
		require.Len(t, out.Stacks, 1)
		return out.Stacks[0].LastUpdate
	}
	require.Nil(t, last(), "never updated")
	u := c.start(stack, "update", 1)
	require.Zero(t, *last(), "in progress")
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, c.Clock.Now().Unix(), *last())
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

// alone sends each entry as a batch of its own.
func (r *running) alone(t *testing.T, entries ...entry) {
	t.Helper()
	for _, e := range entries {
		r.journal(e).Into(t, http.StatusNoContent, nil)
	}
}

// many are the entries of n created resources.
func (r *running) many(n int) []entry {
	var out []entry
	for i := 1; i <= n; i++ {
		out = append(out, r.made(urn(i))...)
	}
	return out
}

func TestAJournalComesToTheSameHoweverItsBatchesArrive(t *testing.T) {
	c := newClient(t)
	inOrder := c.start(c.stack("shop", "order"), "update", 1)
	inOrder.journal(inOrder.many(30)...).Into(t, http.StatusNoContent, nil)
	ways := map[string]func(*running, []entry){
		"one by one, twice": func(r *running, all []entry) { r.alone(t, all...); r.alone(t, all...) },
		"backwards": func(r *running, all []entry) {
			for i := len(all) - 1; i >= 0; i-- {
				r.alone(t, all[i])
			}
		},
		"shuffled": func(r *running, all []entry) {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for part := range slices.Chunk(all, 7) {
				r.journal(part...).Into(t, http.StatusNoContent, nil)
				r.Restart()
			}
		},
		"whole, then in halves that overlap": func(r *running, all []entry) {
			r.journal(all...).Into(t, http.StatusNoContent, nil)
			r.journal(all[:40]...).Into(t, http.StatusNoContent, nil)
			r.journal(all[20:]...).Into(t, http.StatusNoContent, nil)
		},
		"whole, then parts with the same ends": func(r *running, all []entry) {
			last := len(all) - 1
			r.journal(all...).Into(t, http.StatusNoContent, nil)
			r.journal(all[last]).Into(t, http.StatusNoContent, nil)
			r.journal(all[0], all[last]).Into(t, http.StatusNoContent, nil)
			r.journal(all[0]).Into(t, http.StatusNoContent, nil)
		},
	}
	for name, send := range ways {
		r := c.start(c.stack("shop", strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "")), "update", 1)
		send(r, r.many(30))
		require.Equal(t, c.exported(inOrder.stack), c.exported(r.stack), name)
		r.complete("succeeded").Into(t, http.StatusNoContent, nil)
		require.Len(t, c.export(r.stack).urns(), 30, name)
	}
}

func TestABatchThatIsTooLargeIsRefusedWholeSoThatItsHalvesAreTaken(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	all := r.many(600)
	a := r.journal(all...)
	a.Into(t, http.StatusRequestEntityTooLarge, nil)
	require.Contains(t, string(a.Body), `"code":413`)
	require.Empty(t, c.export(r.stack).urns())
	for part := range slices.Chunk(all, (len(all)+1)/2) {
		r.journal(part...).Into(t, http.StatusNoContent, nil)
	}
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Len(t, c.export(r.stack).urns(), 600)
}

func TestAGapInTheJournalIsNoticedAndNeverReplayedOver(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	r := c.start(stack, "update", 1)
	all := r.many(4)                                                     // 1; 2, 3; 4, 5; 6, 7; 8, 9
	r.journal(all[:3]...).Into(t, http.StatusNoContent, nil)             // r1
	r.journal(all[5], all[6], all[8]).Into(t, http.StatusNoContent, nil) // r3, and the end of r4
	require.Equal(t, []string{urn(1)}, c.export(stack).urns())
	a := r.complete("succeeded")
	a.Into(t, http.StatusBadRequest, nil)
	require.Contains(t, string(a.Body), "ended as failed: journal entries 4 to 5, 8 never arrived")
	require.Equal(t, "failed", c.status(stack, r.id))
	again := r.complete("succeeded")
	require.Equal(t, a.Status, again.Status)
	require.Equal(t, a.Body, again.Body, "asked again, it says the same")
	r.complete("failed").Into(t, http.StatusNoContent, nil)
	r.journal(all...).Into(t, http.StatusConflict, nil)

	left := c.export(stack)
	require.Equal(t, []string{urn(1)}, left.urns(), "what came before the gap, and nothing else")
	require.Equal(t, []string{"creating " + urn(3), "creating " + urn(4)}, left.pending(), "what came behind it is not forgotten")

	next := c.start(stack, "refresh", 1)
	next.journal(next.made(urn(9))...).Into(t, http.StatusNoContent, nil)
	next.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.ElementsMatch(t, []string{urn(1), urn(9)}, c.export(stack).urns())
	require.Len(t, c.export(stack).pending(), 2, "until the user resolves them")
}

func TestAGapThatClosesInTimeIsNone(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	all := r.many(3)
	r.alone(t, all[6], all[3], all[0], all[5], all[1], all[2], all[4])
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(1), urn(2), urn(3)}, c.export(r.stack).urns())
	require.Empty(t, c.export(r.stack).pending())
}

func TestALastEntryThatMakesNoSenseFailsTheUpdateToo(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	all := r.many(2)
	all[4]["removeNew"] = 77
	r.journal(all...).Into(t, http.StatusNoContent, nil)
	a := r.complete("succeeded")
	a.Into(t, http.StatusBadRequest, nil)
	require.Contains(t, string(a.Body), "journal entries 5 ")
	require.Contains(t, string(a.Body), "addresses the resource of operation 77")
	require.Equal(t, []string{urn(1)}, c.export(r.stack).urns())
	require.Equal(t, []string{"creating " + urn(2)}, c.export(r.stack).pending())
}

func TestWhoseTokenMayJournal(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 1)
	batch := r.made(urn(1))
	asked := func(auth string) int { return (&running{client: c, at: r.at, auth: auth}).journal(batch...).Status }
	other := c.start(c.stack("shop", "other"), "update", 1)
	preview := c.preview(r.stack)
	require.Equal(t, http.StatusForbidden, preview.journal(batch...).Status, "a preview saves nothing")
	require.Equal(t, http.StatusForbidden, asked(preview.auth), "of another update")
	require.Equal(t, http.StatusForbidden, asked(other.auth), "of another stack's update")
	require.Equal(t, http.StatusForbidden, asked(r.auth[:len(r.auth)-1]+"x"), "of nobody")
	require.Equal(t, http.StatusForbidden, asked("update-token nonsense"))
	require.Equal(t, http.StatusUnauthorized, asked(c.auth), "a person's")
	require.Equal(t, http.StatusUnauthorized, asked(""))
	require.Empty(t, c.export(r.stack).urns())
	require.Equal(t, http.StatusNoContent, asked(r.auth))
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, http.StatusConflict, asked(r.auth), "the update is over")
	whole := c.start(r.stack, "update", 0)
	require.Equal(t, http.StatusConflict, whole.journal(batch...).Status, "it was started without a journal")
	c.cancel(r.stack, whole.id).Into(t, http.StatusNoContent, nil)
	require.Equal(t, http.StatusForbidden, whole.complete("failed").Status)
}

func TestACancelledUpdateIsOverAtOnce(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	waiting := c.create(stack, "update", false)
	c.cancel(stack, waiting).Into(t, http.StatusConflict, nil)
	c.cancel(stack, "01234567-89ab-cdef-0123-456789abcdef").Into(t, http.StatusNotFound, nil)
	c.cancel(stack, "no%2Fid").Into(t, http.StatusNotFound, nil)
	r := c.start(stack, "update", 1)
	r.journal(r.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	c.cancel(stack, r.id).Into(t, http.StatusNoContent, nil)
	for name, a := range map[string]boottest.Answer{
		"journal": r.journal(r.made(urn(2))...), "renewal": r.renew(300), "events": r.record(map[string]any{"sequence": 0}),
		"completion": r.complete("failed"), "save": r.save("checkpoint", map[string]any{"version": 3, "deployment": whole()}),
	} {
		want := http.StatusForbidden
		if name == "save" {
			want = http.StatusConflict // it would not have been taken before
		}
		require.Equal(t, want, a.Status, "%s: %s", name, a.Body)
	}
	require.Contains(t, string(r.renew(300).Body), "cancelled by admin")
	require.Equal(t, []string{urn(1)}, c.export(stack).urns())
	a := c.cancel(stack, r.id)
	a.Into(t, http.StatusConflict, nil)
	require.Contains(t, string(a.Body), "he update has already completed")
	next, a := c.tryStart(stack, waiting, 1)
	a.Into(t, http.StatusOK, nil)
	require.EqualValues(t, 2, next.version)
	next.complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.cancel(stack, next.id).Into(t, http.StatusConflict, nil)
	require.Equal(t, "succeeded", c.status(stack, next.id))
}

func TestAPreviewIsCancelledWithoutTouchingTheStack(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	r := c.start(stack, "update", 1)
	preview := c.preview(stack)
	require.EqualValues(t, 1, preview.version)
	c.cancel(stack, preview.id).Into(t, http.StatusNoContent, nil)
	preview.complete("succeeded").Into(t, http.StatusForbidden, nil)
	r.journal(r.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
}
