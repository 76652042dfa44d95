package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// dying is an item that expires a minute after the clock's start.
func dying(sk string) store.Item {
	i := item("p/"+sk, sk, "x")
	i.Expires = newClock().now().Add(time.Minute)
	return i
}

var expiry = []test{
	{"an item is there until its second comes and absent from then on", func(f *fixture) {
		f.write(store.Create(dying("a")))
		f.clock.advance(time.Minute - time.Nanosecond)
		f.has(at(dying("a"), 1))
		f.clock.advance(time.Nanosecond)
		f.hasNot(dying("a").Key)
		items, err := f.BatchGet(f.ctx, []store.Key{dying("a").Key})
		require.NoError(f, err)
		require.Zero(f, items[0].Version)
		require.Equal(f, dying("a").Key, items[0].Key)
		require.Empty(f, f.sortKeys(store.Query{PK: "p/a"}))
	}},
	{"queries pass over expired items, on full pages too", func(f *fixture) {
		var want []string
		for _, sk := range []string{"a", "b", "c", "d", "e", "f"} {
			i := item("p", sk, "x")
			if sk != "b" && sk != "f" {
				i.Expires = f.clock.now().Add(time.Minute)
			} else {
				want = append(want, sk)
			}
			f.write(store.Create(i))
		}
		f.clock.advance(time.Hour)
		for limit := range 4 {
			require.Equal(f, want, f.sortKeys(store.Query{PK: "p", Limit: limit}))
			require.Equal(f, []string{"f", "b"}, f.sortKeys(store.Query{PK: "p", Limit: limit, Descending: true}))
		}
	}},
	{"the due index passes over expired items", func(f *fixture) {
		i := dueItem(f, doc, "a", 10)
		i.Expires = f.clock.now().Add(time.Minute)
		f.write(store.Create(i), store.Create(dueItem(f, doc, "b", 20)))
		require.Equal(f, []string{"a", "b"}, f.dueKeys(doc, 100, 10))
		f.clock.advance(time.Minute)
		require.Equal(f, []string{"b"}, f.dueKeys(doc, 100, 1))
	}},
	{"create takes the key of an expired item and starts at version 1", func(f *fixture) {
		i := dying("a")
		i.Due = f.clock.now()
		f.write(store.Create(i))
		f.write(store.Replace(at(i, 1)))
		f.conflict([]int{0}, store.Create(item("p/a", "a", "new")))
		f.clock.advance(time.Minute)
		f.write(store.Create(item("p/a", "a", "new")))
		f.has(at(item("p/a", "a", "new"), 1))
		require.Empty(f, f.dueKeys(doc, 1000, 10))
		f.clock.advance(time.Hour)
		f.has(at(item("p/a", "a", "new"), 1))
	}},
	{"replace, delete and check find an expired item absent", func(f *fixture) {
		f.write(store.Create(dying("a")))
		f.clock.advance(time.Minute)
		f.conflict([]int{0}, store.Replace(at(item("p/a", "a", "new"), 1)))
		f.conflict([]int{0}, store.Delete(key("p/a", "a"), 1))
		f.conflict([]int{0}, store.Check(key("p/a", "a"), 1))
		f.write(store.Check(key("p/a", "a"), 0))
	}},
	{"replace can put off the end, or take it away", func(f *fixture) {
		f.write(store.Create(dying("a")), store.Create(dying("b")))
		later := dying("a")
		later.Expires = later.Expires.Add(time.Hour)
		f.write(store.Replace(at(later, 1)), store.Replace(at(item("p/b", "b", "x"), 1)))
		f.clock.advance(2 * time.Minute)
		f.has(at(later, 2))
		f.has(at(item("p/b", "b", "x"), 2))
		f.clock.advance(time.Hour)
		f.hasNot(later.Key)
		f.has(at(item("p/b", "b", "x"), 2))
	}},
	{"an item may be written with its end in the past, and is absent at once", func(f *fixture) {
		i := item("p", "a", "x")
		i.Expires = f.clock.now().Add(-time.Hour)
		f.write(store.Create(i))
		f.hasNot(i.Key)
		f.write(store.Create(i))
		f.write(store.Create(item("p", "a", "y")))
		f.has(at(item("p", "a", "y"), 1))
	}},
	{"keep over an expired item puts it", func(f *fixture) {
		i := dying("a")
		i.Kind = leaf
		f.write(store.Keep(i))
		f.clock.advance(time.Minute)
		j := i
		j.Expires = f.clock.now().Add(time.Minute)
		f.write(store.Keep(j))
		f.has(at(j, 1))
	}},
}
