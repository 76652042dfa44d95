package checkpoint_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

func TestEntriesInAnyOrderWithRepeatsReplayLikeInSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := makeHistory(t, false)
		inOrder := replay(t, h.base, h.entries...)
		sent := append([]string{}, h.entries...)
		if len(sent) > 0 {
			sent = append(sent, rapid.SliceOfN(rapid.SampledFrom(h.entries), 0, 10).Draw(t, "repeats")...)
		}
		shuffled := replay(t, h.base, rapid.Permutation(sent).Draw(t, "order")...)
		require.Empty(t, shuffled.Missing())
		require.Equal(t, string(inOrder.Encode()), string(shuffled.Encode()), joinLines(h.entries))
		require.Equal(t, string(materialize(t, inOrder).Deployment), string(materialize(t, shuffled).Deployment))
	})
}

func TestEveryPrefixOfAJournalIsACheckpointTheClientAccepts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := makeHistory(t, true)
		s := replay(t, h.base)
		for i, e := range decode(t, h.entries...) {
			require.NoError(t, s.Apply(e))
			snapshot := materialize(t, s)
			d := parse(t, snapshot.Deployment)
			require.Empty(t, integrity(d), "after entry %d of\n%s\n%s\n%s", i+1, h.base, joinLines(h.entries), snapshot.Deployment)
			require.Len(t, d.Resources, snapshot.Resources)
			summary, err := checkpoint.Inspect(snapshot.Deployment, "deployment")
			require.NoError(t, err)
			require.True(t, summary.MagicAgrees)
		}
		var urns []string
		for _, r := range parse(t, materialize(t, s).Deployment).Resources {
			urns = append(urns, r.URN)
		}
		require.Equal(t, h.want, urns, "an update that ran to its end leaves its program\n%s", joinLines(h.entries))
	})
}

func TestFoldingAnywhereEqualsNotFolding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := makeHistory(t, false)
		order := h.entries
		if rapid.Bool().Draw(t, "shuffled") && len(order) > 0 {
			order = rapid.Permutation(order).Draw(t, "order")
		}
		plain := replay(t, h.base)
		folded := replay(t, h.base)
		for _, e := range decode(t, order...) {
			require.NoError(t, plain.Apply(e))
			require.NoError(t, folded.Apply(e))
			if rapid.IntRange(0, 3).Draw(t, "fold") > 0 {
				continue
			}
			encoded := folded.Encode()
			var err error
			folded, err = checkpoint.DecodeState(encoded)
			require.NoError(t, err)
			require.Equal(t, string(encoded), string(folded.Encode()), "an encoding restores itself")
		}
		require.Equal(t, string(plain.Encode()), string(folded.Encode()))
		require.Equal(t, materialize(t, plain), materialize(t, folded))
		require.Equal(t, plain.Missing(), folded.Missing())
	})
}

func TestALostEntryNeverMakesACheckpointTheClientRefuses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := makeHistory(t, true)
		if len(h.elided) == 0 {
			return
		}
		lost := rapid.SliceOfNDistinct(rapid.SampledFrom(h.elided), 1, len(h.elided), rapid.ID[int]).Draw(t, "lost")
		s := replay(t, h.base)
		for i, e := range decode(t, h.entries...) {
			if !slices.Contains(lost, i) {
				require.NoError(t, s.Apply(e))
			}
		}
		skipped := s.Settle()
		last := len(h.entries) // numbers lost at the very end are not known to be missing
		for slices.Contains(lost, last-1) {
			last--
		}
		count := int64(0)
		for _, r := range skipped {
			count += r.To - r.From + 1
		}
		require.Equal(t, int64(len(lost)-(len(h.entries)-last)), count)
		d := materialize(t, s).Deployment
		require.Empty(t, integrity(parse(t, d)), "%v lost from\n%s\n%s\n%s", lost, h.base, joinLines(h.entries), d)
		again, err := checkpoint.DecodeState(s.Encode())
		require.NoError(t, err)
		require.Equal(t, materialize(t, s), materialize(t, again))
	})
}
