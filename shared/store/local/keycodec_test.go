package local

import (
	"bytes"
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/store"
)

// part is a part of a key: few letters, so that equal beginnings are common, and every byte but NUL possible.
func part() *rapid.Generator[string] {
	b := rapid.OneOf(rapid.SampledFrom([]byte{1, 2, 'a', '#', 0xff}), rapid.ByteRange(1, 255))
	return rapid.Map(rapid.SliceOfN(b, 1, 6), func(b []byte) string { return string(b) })
}

func anyKey() *rapid.Generator[store.Key] {
	return rapid.Custom(func(t *rapid.T) store.Key { return store.Key{PK: part().Draw(t, "pk"), SK: part().Draw(t, "sk")} })
}

func TestEncodedKeysSortLikeTheirPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyKey().Draw(t, "a"), anyKey().Draw(t, "b")
		require.Equal(t, cmp.Or(cmp.Compare(a.PK, b.PK), cmp.Compare(a.SK, b.SK)),
			bytes.Compare(appendItemKey(nil, a), appendItemKey(nil, b)))
	})
}

func TestKeysComeBackFromEveryTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, kind, n := anyKey().Draw(t, "key"), part().Draw(t, "kind"), rapid.Int64().Draw(t, "time")
		got, err := decodeItemKey(appendItemKey(nil, k))
		require.NoError(t, err)
		require.Equal(t, k, got)
		got, err = decodeDueKey(appendDueKey(nil, kind, n, k), len(appendDuePrefix(nil, kind)))
		require.NoError(t, err)
		require.Equal(t, k, got)
		seconds, got, err := decodeExpiresKey(appendExpiresKey(nil, n, k))
		require.NoError(t, err)
		require.Equal(t, k, got)
		require.Equal(t, n, seconds)
	})
}

func TestNoPartitionLeaksIntoAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, pk := anyKey().Draw(t, "key"), part().Draw(t, "pk")
		e := appendItemKey(nil, k)
		inside := bytes.Compare(e, appendPartition(nil, pk)) >= 0 && bytes.Compare(e, appendPartitionEnd(nil, pk)) < 0
		require.Equal(t, k.PK == pk, inside)
		require.Equal(t, k.PK == pk, bytes.HasPrefix(e, appendPartition(nil, pk)))
	})
}

func TestNoKindsDueEntriesLeakIntoAnothers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, other, n := part().Draw(t, "kind"), part().Draw(t, "other"), rapid.Int64().Draw(t, "millis")
		e := appendDueKey(nil, kind, n, anyKey().Draw(t, "key"))
		require.Equal(t, kind == other, bytes.HasPrefix(e, appendDuePrefix(nil, other)))
	})
}

func TestEncodedTimesSortLikeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		require.Equal(t, cmp.Compare(a, b), bytes.Compare(appendTime(nil, a), appendTime(nil, b)))
		require.Equal(t, a, readTime(appendTime(nil, a)))
	})
}

func TestADueTimeIsBeforeABoundAsItsMillisecondsAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.UnixMilli(rapid.Int64Range(-1e12, 1e13).Draw(t, "base"))
		d, bound := base.Add(time.Duration(rapid.IntRange(0, 3e6).Draw(t, "due"))), base.Add(time.Duration(rapid.IntRange(0, 3e6).Draw(t, "bound")))
		require.Equal(t, time.UnixMilli(d.UnixMilli()).Before(bound), d.UnixMilli() < ceilMillis(bound))
	})
}

func TestTheEndOfAPrefixIsTheFirstStringBehindIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, s := part().Draw(t, "prefix"), part().Draw(t, "s")
		end := prefixEnd(prefix)
		require.Equal(t, strings.HasPrefix(s, prefix), s >= prefix && (end == "" || s < end))
	})
}

func FuzzKeysDecodeToWhatEncodesThemOrNotAtAll(f *testing.F) {
	f.Add([]byte{tableItems, 'p', 0, 's'})
	f.Add([]byte{tableItems, 0, 's'})
	f.Add(appendExpiresKey(nil, 17, store.Key{PK: "p", SK: "s"}))
	f.Add(appendDueKey(nil, "kind", -1, store.Key{PK: "p", SK: "s"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := decodeItemKey(b); err == nil {
			require.NotEmpty(t, k.PK)
			require.NotEmpty(t, k.SK)
			require.Equal(t, b, appendItemKey(nil, k))
		}
		if n, k, err := decodeExpiresKey(b); err == nil {
			require.Equal(t, b, appendExpiresKey(nil, n, k))
		}
		for _, prefix := range []int{0, 2, len(b)} {
			_, _ = decodeDueKey(b, prefix)
		}
	})
}
