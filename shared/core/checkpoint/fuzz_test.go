package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

// everyKind is a journal with an entry of every kind, out of order, with a gap and with marks.
func everyKind() (over string, entries []string) {
	return base(res("a"), res("b", refs("dependencies", "a"))), []string{
		entry(1, 6, 0, `"secretsProvider":{"type":"service","state":{"stack":"s"}}`),
		entry(3, 1, 1, state(res("c", `,"aliases":["x"]`, ref("parent", "a"))), `"deleteOld":1`),
		entry(2, 0, 1, pendingOp("creating", res("c"))),
		entry(4, 3, 2, `"removeOld":0`),
		entry(5, 4, 3, state(res("c", rev(2))), `"removeNew":1`, `"requiresByteString":true`),
		entry(6, 7, 0),
		entry(7, 8, 4, `"extensionRef":"r"`, `"extension":{"name":"n"}`),
		entry(8, 9, 0, `"snippets":[{"uuid":"1","references":{"k":"x"}}]`),
		entry(9, 5, 0, `"newSnapshot":`+base(res("a"))),
		entry(10, 2, 9),
		entry(12, 1, 5, state(res("d"))),
	}
}

func batch(entries ...string) []byte {
	out := []byte(`{"entries":[`)
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, "]}"...)
}

// refusedCleanly requires that an error is a fault of one of these codes.
func refusedCleanly(t *testing.T, err error, codes ...fault.Code) {
	t.Helper()
	f := fault.As(err)
	require.NotNil(t, f, "%v", err)
	require.Contains(t, codes, f.Code)
}

func FuzzDecodeBatch(f *testing.F) {
	_, entries := everyKind()
	f.Add(batch(entries...))
	f.Add([]byte(`{"entries":[{"version":1,"kind":1,"sequenceID":1e2,"state":{"urn":"\ud800"}}]}`))
	f.Add([]byte(`{"\u0065ntries":[],"entries":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{})
		if err != nil {
			refusedCleanly(t, err, fault.Invalid, fault.TooLarge)
			return
		}
		require.True(t, json.Valid(body), "what is accepted is JSON")
		stored := checkpoint.EncodeBatch(entries)
		again, err := checkpoint.DecodeBatch(stored, checkpoint.Limits{})
		require.NoError(t, err)
		require.Equal(t, string(stored), string(checkpoint.EncodeBatch(again)))
	})
}

func FuzzReplay(f *testing.F) {
	over, entries := everyKind()
	f.Add([]byte(over), batch(entries...))
	f.Add([]byte(`null`), batch(entries[:3]...))
	f.Add([]byte("{\"metadata\": {},\n\"other\":\"\u2028<\",\"resources\":[{\"urn\":\"a\",\n\"aliases\":[\"b\"]}]}"), batch(entry(1, 3, 1, `"removeOld":0`)))
	f.Fuzz(func(t *testing.T, over, body []byte) {
		plain, err := checkpoint.New(over)
		if err != nil {
			refusedCleanly(t, err, fault.Internal)
			return
		}
		folded, err := checkpoint.New(over)
		require.NoError(t, err)
		entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{})
		if err != nil {
			return
		}
		for _, e := range entries {
			first, second := plain.Apply(e), folded.Apply(e)
			require.Equal(t, fmt.Sprint(first), fmt.Sprint(second))
			if first != nil {
				refusedCleanly(t, first, fault.Invalid, fault.Conflict)
			}
			folded, err = checkpoint.DecodeState(folded.Encode())
			require.NoError(t, err)
		}
		same(t, plain, folded)
		plain.Settle()
		folded.Settle()
		same(t, plain, folded)
	})
}

// same requires that two states are the same to everybody who asks, and that what they say is a deployment.
func same(t *testing.T, a, b *checkpoint.State) {
	t.Helper()
	first, err := a.Materialize(now, "v")
	second, otherErr := b.Materialize(now, "v")
	require.Equal(t, fmt.Sprint(err), fmt.Sprint(otherErr))
	require.Equal(t, string(a.Encode()), string(b.Encode()))
	if err != nil {
		refusedCleanly(t, err, fault.Conflict)
		return
	}
	require.Equal(t, string(first.Deployment), string(second.Deployment))
	require.True(t, json.Valid(first.Deployment), "%s", first.Deployment)
	count, err := checkpoint.CountResources(first.Deployment)
	require.NoError(t, err)
	require.Equal(t, first.Resources, count)
	_, err = checkpoint.New(first.Deployment)
	require.NoError(t, err, "a deployment is a base")
}

func FuzzDecodeState(f *testing.F) {
	over, entries := everyKind()
	for n := range entries {
		s, err := checkpoint.New([]byte(over))
		require.NoError(f, err)
		decoded, err := checkpoint.DecodeBatch(batch(entries[:n]...), checkpoint.Limits{})
		require.NoError(f, err)
		require.NoError(f, s.ApplyAll(decoded))
		f.Add(s.Encode())
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		s, err := checkpoint.DecodeState(encoded)
		if err != nil {
			refusedCleanly(t, err, fault.Internal, fault.Unavailable)
			return
		}
		again, err := checkpoint.DecodeState(s.Encode())
		require.NoError(t, err)
		require.Equal(t, string(s.Encode()), string(again.Encode()))
		s.Missing()
		s.Settle()
		_, _ = s.Materialize(now, "v")
	})
}

func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("abcdef"), []byte(`[`+edit(1, 3, "é")+`,`+edit(3, 3, "\x00")+`]`))
	f.Add([]byte(""), []byte(`[{"Span":{"start":{"offset":-9223372036854775808},"end":{"offset":9223372036854775807}}}]`))
	f.Fuzz(func(t *testing.T, over, delta []byte) {
		_, err := checkpoint.ApplyDelta(over, delta, hash("a result that no edit has"))
		refusedCleanly(t, err, fault.Invalid)
	})
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte(base(res("a"))))
	f.Add(checkpoint.Empty())
	f.Fuzz(func(t *testing.T, deployment []byte) {
		summary, err := checkpoint.Inspect(deployment, "body")
		if err != nil {
			refusedCleanly(t, err, fault.Invalid)
			return
		}
		count, err := checkpoint.CountResources(deployment)
		require.NoError(t, err)
		require.Equal(t, summary.Resources, count)
		_, err = checkpoint.New(deployment)
		require.NoError(t, err, "what passes inspection is a base")
	})
}
