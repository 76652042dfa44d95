package storetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// dueItem is an item of the kind that is due so many milliseconds from the clock's start.
func dueItem(f *fixture, kind, sk string, ms int) store.Item {
	i := item("p/"+sk, sk, "x")
	i.Kind, i.Due = kind, newClock().now().Add(time.Duration(ms)*time.Millisecond)
	return i
}

// dueKeys returns the sort keys of what is due before so many milliseconds from the clock's start.
func (f *fixture) dueKeys(kind string, ms, limit int) []string {
	f.Helper()
	before := newClock().now().Add(time.Duration(ms) * time.Millisecond)
	keys, err := f.Due(f.ctx, store.DueQuery{Kind: kind, Before: before, Limit: limit})
	require.NoError(f, err)
	out := []string{}
	for _, k := range keys {
		require.Equal(f, "p/"+k.SK, k.PK)
		out = append(out, k.SK)
	}
	return out
}

var due = []test{
	{"what is due comes earliest first, whatever its partition", func(f *fixture) {
		for n, ms := range []int{500, -3600000, 40, 0, 41, 3600000} {
			f.write(store.Create(dueItem(f, doc, fmt.Sprint(n), ms)))
		}
		require.Equal(f, []string{"1", "3", "2", "4", "0", "5"}, f.dueKeys(doc, 3600001, 100))
	}},
	{"the time before is exclusive to the millisecond", func(f *fixture) {
		f.write(store.Create(dueItem(f, doc, "a", 10)))
		require.Empty(f, f.dueKeys(doc, 9, 10))
		require.Empty(f, f.dueKeys(doc, 10, 10))
		require.Equal(f, []string{"a"}, f.dueKeys(doc, 11, 10))
	}},
	{"the limit keeps the earliest", func(f *fixture) {
		for n := range 20 {
			f.write(store.Create(dueItem(f, doc, fmt.Sprintf("%02d", n), 1000-n)))
		}
		require.Equal(f, []string{"19", "18", "17"}, f.dueKeys(doc, 2000, 3))
		require.Len(f, f.dueKeys(doc, 2000, 100), 20)
	}},
	{"each kind has its own index, also where one name begins like another", func(f *fixture) {
		for _, kind := range []string{"k", "kk", "k#", "kind"} {
			f.write(store.Create(dueItem(f, kind, "of "+kind, 5)))
		}
		require.Equal(f, []string{"of k"}, f.dueKeys("k", 10, 10))
		require.Equal(f, []string{"of kk"}, f.dueKeys("kk", 10, 10))
		require.Empty(f, f.dueKeys("other", 10, 10))
	}},
	{"items without a due time are not in it", func(f *fixture) {
		f.write(store.Create(item("p/a", "a", "x")))
		require.Empty(f, f.dueKeys(doc, 1<<40, 10))
	}},
	{"replace moves the item, also out of the index and into another kind's", func(f *fixture) {
		f.write(store.Create(dueItem(f, doc, "a", 100)))
		f.write(store.Replace(at(dueItem(f, doc, "a", 300), 1)))
		require.Empty(f, f.dueKeys(doc, 200, 10))
		require.Equal(f, []string{"a"}, f.dueKeys(doc, 400, 10))
		f.write(store.Replace(at(dueItem(f, doc, "a", 50), 2)))
		require.Equal(f, []string{"a"}, f.dueKeys(doc, 1000, 10))
		f.write(store.Replace(at(dueItem(f, "storetest.other", "a", 50), 3)))
		require.Empty(f, f.dueKeys(doc, 1000, 10))
		require.Equal(f, []string{"a"}, f.dueKeys("storetest.other", 1000, 10))
		f.write(store.Replace(at(item("p/a", "a", "x"), 4)))
		require.Empty(f, f.dueKeys("storetest.other", 1000, 10))
	}},
	{"a replace that leaves the due time leaves the item in the index", func(f *fixture) {
		f.write(store.Create(dueItem(f, doc, "a", 100)))
		f.write(store.Replace(at(dueItem(f, doc, "a", 100), 1)))
		require.Equal(f, []string{"a"}, f.dueKeys(doc, 200, 10))
	}},
	{"delete takes the item out", func(f *fixture) {
		f.write(store.Create(dueItem(f, doc, "a", 100)))
		f.write(store.Delete(key("p/a", "a"), 1))
		require.Empty(f, f.dueKeys(doc, 1000, 10))
	}},
	{"a write that fails leaves the index as it was", func(f *fixture) {
		f.write(store.Create(dueItem(f, doc, "a", 100)))
		f.conflict([]int{2},
			store.Replace(at(dueItem(f, doc, "a", 900), 1)),
			store.Create(dueItem(f, doc, "b", 100)),
			store.Check(key("p", "none"), 1))
		require.Equal(f, []string{"a"}, f.dueKeys(doc, 200, 10))
	}},
	{"keep moves the item like any put", func(f *fixture) {
		f.write(store.Keep(dueItem(f, leaf, "a", 100)))
		f.write(store.Keep(dueItem(f, leaf, "a", 500)))
		require.Empty(f, f.dueKeys(leaf, 200, 10))
		require.Equal(f, []string{"a"}, f.dueKeys(leaf, 600, 10))
	}},
}
