package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

var writes = []test{
	{"a created item has version 1 and everything that was written", func(f *fixture) {
		i := item("user/1", "head", `{"name":"ada"}`)
		i.Schema = 7
		i.Due, i.Expires = f.clock.now().Add(1234567*time.Millisecond), f.clock.now().Add(time.Hour)
		f.write(store.Create(i))
		f.has(at(i, 1))
	}},
	{"create of a taken key fails and changes nothing", func(f *fixture) {
		f.write(store.Create(item("p", "a", "first")))
		f.conflict([]int{0}, store.Create(item("p", "a", "second")))
		f.has(at(item("p", "a", "first"), 1))
	}},
	{"the version a caller writes into a create is ignored", func(f *fixture) {
		f.write(store.Create(at(item("p", "a", "x"), 41)))
		f.has(at(item("p", "a", "x"), 1))
	}},
	{"replace counts versions up by one", func(f *fixture) {
		f.write(store.Create(item("p", "a", "0")))
		for v := int64(1); v <= 5; v++ {
			f.write(store.Replace(at(item("p", "a", fmt.Sprint(v)), v)))
			f.has(at(item("p", "a", fmt.Sprint(v)), v+1))
		}
	}},
	{"replace of another version fails, older, newer or absent", func(f *fixture) {
		f.write(store.Create(item("p", "a", "1")))
		f.write(store.Replace(at(item("p", "a", "2"), 1)))
		f.conflict([]int{0}, store.Replace(at(item("p", "a", "x"), 1)))
		f.conflict([]int{0}, store.Replace(at(item("p", "a", "x"), 3)))
		f.conflict([]int{0}, store.Replace(at(item("p", "b", "x"), 1)))
		f.has(at(item("p", "a", "2"), 2))
		f.hasNot(key("p", "b"))
	}},
	{"replace may change kind, schema and every time", func(f *fixture) {
		i := item("p", "a", "1")
		i.Due, i.Expires = f.clock.now(), f.clock.now().Add(time.Minute)
		f.write(store.Create(i))
		j := item("p", "a", "")
		j.Kind, j.Schema = leaf, 3
		f.write(store.Replace(at(j, 1)))
		f.has(at(j, 2))
	}},
	{"delete removes exactly the version it names", func(f *fixture) {
		f.write(store.Create(item("p", "a", "1")))
		f.conflict([]int{0}, store.Delete(key("p", "a"), 2))
		f.conflict([]int{0}, store.Delete(key("p", "b"), 1))
		f.write(store.Delete(key("p", "a"), 1))
		f.hasNot(key("p", "a"))
		f.conflict([]int{0}, store.Delete(key("p", "a"), 1))
	}},
	{"a key that was deleted begins again at version 1", func(f *fixture) {
		f.write(store.Create(item("p", "a", "1")))
		f.write(store.Replace(at(item("p", "a", "2"), 1)))
		f.write(store.Delete(key("p", "a"), 2))
		f.write(store.Create(item("p", "a", "3")))
		f.has(at(item("p", "a", "3"), 1))
	}},
	{"check states a version or an absence and writes nothing", func(f *fixture) {
		f.write(store.Create(item("p", "a", "1")))
		f.write(store.Check(key("p", "a"), 1), store.Check(key("p", "b"), 0))
		f.has(at(item("p", "a", "1"), 1))
		f.conflict([]int{0, 1}, store.Check(key("p", "a"), 0), store.Check(key("p", "b"), 1))
		f.conflict([]int{0}, store.Check(key("p", "a"), 2))
		f.hasNot(key("p", "b"))
	}},
	{"a write is all or nothing, and a conflict names every failed condition", func(f *fixture) {
		f.write(store.Create(item("p", "a", "1")), store.Create(item("q", "b", "1")))
		f.conflict([]int{1, 2, 4},
			store.Create(item("p", "new", "x")),
			store.Create(item("p", "a", "x")),
			store.Replace(at(item("q", "b", "x"), 9)),
			store.Check(key("q", "none"), 0),
			store.Delete(key("q", "c"), 1),
			store.Keep(store.Item{Key: key("p", "leaf"), Kind: leaf, Schema: 1}),
		)
		f.hasNot(key("p", "new"))
		f.hasNot(key("p", "leaf"))
		f.has(at(item("p", "a", "1"), 1))
		f.has(at(item("q", "b", "1"), 1))
	}},
	{"a hundred changes over many partitions are one write, and one more is refused", func(f *fixture) {
		var changes []store.Change
		for n := range store.MaxChanges + 1 {
			changes = append(changes, store.Create(item(fmt.Sprintf("p%d", n%7), fmt.Sprint(n), "x")))
		}
		var limit *store.LimitError
		require.ErrorAs(f, f.Write(f.ctx, changes...), &limit)
		f.hasNot(key("p0", "0"))
		f.write(changes[:store.MaxChanges]...)
		f.has(at(item("p1", "99", "x"), 1))
	}},
	{"keep puts an immutable item, again and again", func(f *fixture) {
		i := store.Item{Key: key("p", "batch/1"), Kind: leaf, Schema: 1, Body: []byte("same")}
		f.write(store.Keep(i))
		f.has(at(i, 1))
		f.write(store.Keep(i))
		f.has(at(i, 1))
	}},
	{"keep over an item that has a higher version is version 1 again", func(f *fixture) {
		i := store.Item{Key: key("p", "a"), Kind: leaf, Schema: 1, Body: []byte("x")}
		f.write(store.Create(i))
		f.write(store.Replace(at(i, 1)))
		f.write(store.Keep(i))
		f.has(at(i, 1))
	}},
	{"keep of a kind that is not immutable is refused", func(f *fixture) {
		require.Error(f, f.Write(f.ctx, store.Keep(item("p", "a", "x"))))
		f.hasNot(key("p", "a"))
	}},
	{"what Validate refuses is refused before anything is touched", func(f *fixture) {
		ok := store.Create(item("p", "a", "x"))
		for name, changes := range map[string][]store.Change{
			"no changes":      {},
			"a key twice":     {ok, store.Check(key("p", "a"), 0)},
			"no kind":         {ok, store.Create(store.Item{Key: key("p", "b"), Schema: 1})},
			"no schema":       {ok, store.Create(store.Item{Key: key("p", "b"), Kind: doc})},
			"no sort key":     {ok, store.Create(item("p", "", "x"))},
			"NUL in a key":    {ok, store.Create(item("p\x00q", "b", "x"))},
			"a huge sort key": {ok, store.Create(item("p", strings.Repeat("s", store.MaxSortKey+1), "x"))},
			"a huge item":     {ok, store.Create(item("p", "b", strings.Repeat("x", store.MaxItemBytes)))},
			"delete of none":  {ok, store.Delete(key("p", "b"), 0)},
		} {
			require.Error(f, f.Write(f.ctx, changes...), name)
			require.Nil(f, store.AsConflict(f.Write(f.ctx, changes...)), name)
		}
		f.hasNot(key("p", "a"))
	}},
	{"the largest item and the largest keys go in and come back", func(f *fixture) {
		i := item(strings.Repeat("p", store.MaxPartitionKey), strings.Repeat("s", store.MaxSortKey), "")
		i.Body = bytes.Repeat([]byte{0xff, 0, 1}, store.MaxItemBytes/3)
		i.Body = i.Body[:store.MaxItemBytes-i.Size()+len(i.Body)]
		require.Equal(f, store.MaxItemBytes, i.Size())
		f.write(store.Create(i))
		f.has(at(i, 1))
	}},
	{"four megabytes go into one write and no more", func(f *fixture) {
		var changes []store.Change
		for n := range 11 {
			changes = append(changes, store.Create(item("p", fmt.Sprint("part", n), strings.Repeat("x", 390<<10))))
		}
		var limit *store.LimitError
		require.ErrorAs(f, f.Write(f.ctx, changes...), &limit)
		f.write(changes[:10]...)
		for _, c := range changes[:10] {
			f.has(at(c.Item, 1))
		}
	}},
	{"a write whose context has ended changes nothing", func(f *fixture) {
		ctx, cancel := cancelled(f.ctx)
		defer cancel()
		require.ErrorIs(f, f.Write(ctx, store.Create(item("p", "a", "x"))), ctx.Err())
		f.hasNot(key("p", "a"))
	}},
}
