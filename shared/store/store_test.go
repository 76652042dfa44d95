package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

func open(t *testing.T) store.Store {
	t.Helper()
	d, err := local.Open(t.TempDir(), local.Options{Now: noon, NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func noon() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func key(pk, sk string) store.Key { return store.Key{PK: pk, SK: sk} }

func item(pk, sk string, bodyBytes int) store.Item {
	return store.Item{Key: key(pk, sk), Kind: "k", Schema: 1, Version: 1, Body: make([]byte, bodyBytes)}
}

func TestValidateRefusesWhatNoAdapterMayTouch(t *testing.T) {
	many := func(n, size int) (out []store.Change) {
		for i := range n {
			out = append(out, store.Create(item("p", fmt.Sprintf("%03d", i), size)))
		}
		return out
	}
	with := func(change func(*store.Item)) store.Item {
		i := item("p", "s", 0)
		change(&i)
		return i
	}
	overhead := item("p", "s", 0).Size()
	for _, x := range []struct {
		name    string
		changes []store.Change
		refusal string // empty: accepted
	}{
		{"nothing", nil, "a write without changes"},
		{"a hundred changes", many(store.MaxChanges, 10), ""},
		{"one more", many(store.MaxChanges+1, 10), "101 changes, at most 100 allowed"},
		{"one key in two changes", []store.Change{store.Create(item("p", "s", 0)), store.Check(key("p", "s"), 0)}, "two changes of p s"},
		{"one sort key in two partitions", []store.Change{store.Create(item("p", "s", 0)), store.Check(key("q", "s"), 0)}, ""},
		{"no partition key", []store.Change{store.Check(key("", "s"), 0)}, "incomplete key"},
		{"no sort key", []store.Change{store.Delete(key("p", ""), 1)}, "incomplete key"},
		{"a NUL in the partition key", []store.Change{store.Check(key("p\x00", "s"), 0)}, "NUL byte"},
		{"a NUL in the sort key", []store.Change{store.Check(key("p", "\x00s"), 0)}, "NUL byte"},
		{"the longest keys", []store.Change{store.Check(key(strings.Repeat("p", 2048), strings.Repeat("s", 1024)), 0)}, ""},
		{"a longer partition key", []store.Change{store.Check(key(strings.Repeat("p", 2049), "s"), 0)}, "2049 partition key bytes, at most 2048"},
		{"a longer sort key", []store.Change{store.Check(key("p", strings.Repeat("s", 1025)), 0)}, "1025 sort key bytes, at most 1024"},
		{"the largest item", []store.Change{store.Create(item("p", "s", store.MaxItemBytes-overhead))}, ""},
		{"a larger item", []store.Change{store.Replace(item("p", "s", store.MaxItemBytes-overhead+1))}, "409601 item bytes, at most 409600"},
		{"four megabytes together", many(16, 4<<20/16-item("p", "000", 0).Size()), ""},
		{"a byte more", append(many(16, 4<<20/16-item("p", "000", 0).Size()), store.Create(item("q", "s", 0))), "bytes in one write"},
		{"no kind", []store.Change{store.Create(with(func(i *store.Item) { i.Kind = "" }))}, "without kind or schema"},
		{"no schema", []store.Change{store.Replace(with(func(i *store.Item) { i.Schema = 0 }))}, "without kind or schema"},
		{"replace of no version", []store.Change{store.Replace(with(func(i *store.Item) { i.Version = 0 }))}, "without the version it replaces"},
		{"delete of no version", []store.Change{store.Delete(key("p", "s"), 0)}, "without the version it deletes"},
		{"check of an absence", []store.Change{store.Check(key("p", "s"), 0)}, ""},
		{"keep of a mutable kind", []store.Change{store.Keep(item("p", "s", 0))}, `kind "k" is not declared immutable`},
		{"keep of an immutable kind", []store.Change{store.Keep(with(func(i *store.Item) { i.Kind = batches.Name() }))}, ""},
		{"an unknown change", []store.Change{{Item: item("p", "s", 0)}}, "unknown change"},
	} {
		t.Run(x.name, func(t *testing.T) {
			err := store.Validate(x.changes)
			if x.refusal == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, x.refusal)
			var limit *store.LimitError
			require.Equal(t, strings.Contains(x.refusal, "most") || strings.Contains(x.refusal, "bytes in"), errors.As(err, &limit))
		})
	}
}

func TestAConflictTellsWhichChangeAndWhichKey(t *testing.T) {
	s := open(t)
	require.NoError(t, s.Write(t.Context(), store.Create(item("p", "a", 0))))
	err := s.Write(t.Context(), store.Check(key("p", "b"), 0), store.Create(item("p", "a", 0)))
	c := store.AsConflict(fmt.Errorf("create stack: %w", err))
	require.NotNil(t, c)
	require.True(t, c.At(1) && !c.At(0))
	require.True(t, c.On(key("p", "a")) && !c.On(key("p", "b")))
	require.ErrorContains(t, c, "p a")
	require.Nil(t, store.AsConflict(store.ErrNotFound))
}

func TestEveryOpHasAName(t *testing.T) {
	var names []string
	for op := store.Op(0); op <= store.OpKeep+1; op++ {
		names = append(names, op.String())
	}
	require.Equal(t, []string{"?", "create", "replace", "delete", "check", "keep", "keep"}, names)
}

func TestTheSizeOfAnItemGrowsWithEachOfItsParts(t *testing.T) {
	i := item("p", "s", 10)
	base := i.Size()
	i.PK, i.SK, i.Kind, i.Body = i.PK+"x", i.SK+"xx", i.Kind+"xxx", append(i.Body, bytes.Repeat([]byte("x"), 4)...)
	require.Equal(t, base+10, i.Size())
}
