package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

var queries = []test{
	{"an empty partition is an empty page without more", func(f *fixture) {
		p, err := f.Query(f.ctx, store.Query{PK: "p"})
		require.NoError(f, err)
		require.Empty(f, p.Items)
		require.False(f, p.More)
	}},
	{"items come in the byte order of their sort keys, both ways", func(f *fixture) {
		shuffled := slices.Clone(awkward)
		slices.Reverse(shuffled)
		f.fill("p", shuffled...)
		want := slices.Sorted(slices.Values(awkward))
		require.Equal(f, want, f.sortKeys(store.Query{PK: "p"}))
		slices.Reverse(want)
		require.Equal(f, want, f.sortKeys(store.Query{PK: "p", Descending: true}))
	}},
	{"a query returns whole items", func(f *fixture) {
		i := item("p", "a", "\x00binary\xff")
		i.Due, i.Expires, i.Schema = f.clock.now().Add(5*time.Millisecond), f.clock.now().Add(time.Minute), 3
		f.write(store.Create(i))
		f.write(store.Replace(at(i, 1)))
		p, err := f.Query(f.ctx, store.Query{PK: "p"})
		require.NoError(f, err)
		require.Len(f, p.Items, 1)
		require.NoError(f, same(at(i, 2), p.Items[0]))
	}},
	{"a partition ends where another begins like it", func(f *fixture) {
		for _, pk := range []string{"p", "p\x01", "p#", "p#a", "pp", "o", "q"} {
			f.fill(pk, "\x01", "a", "\U0010ffff")
		}
		for _, pk := range []string{"p", "p\x01", "p#", "p#a", "pp"} {
			for _, down := range []bool{false, true} {
				require.Len(f, f.sortKeys(store.Query{PK: pk, Descending: down}), 3)
			}
		}
	}},
	{"prefix, from and to meet in their intersection", func(f *fixture) {
		f.fill("p", "a", "a/", "a/1", "a/2", "a/3", "a0", "b", "b/1", "b/\U0010ffff", "c")
		for _, x := range []struct {
			q    store.Query
			want string
		}{
			{store.Query{Prefix: "a/"}, "a/ a/1 a/2 a/3"},
			{store.Query{Prefix: "a"}, "a a/ a/1 a/2 a/3 a0"},
			{store.Query{Prefix: "b/"}, "b/1 b/\U0010ffff"},
			{store.Query{Prefix: "d"}, ""},
			{store.Query{From: "a/2", To: "b"}, "a/2 a/3 a0"},
			{store.Query{From: "a/2"}, "a/2 a/3 a0 b b/1 b/\U0010ffff c"},
			{store.Query{To: "a/2"}, "a a/ a/1"},
			{store.Query{From: "b", To: "b"}, ""},
			{store.Query{From: "c", To: "a"}, ""},
			{store.Query{Prefix: "a/", From: "a/2"}, "a/2 a/3"},
			{store.Query{Prefix: "a/", To: "a/2"}, "a/ a/1"},
			{store.Query{Prefix: "a/", From: "a/1", To: "a/3"}, "a/1 a/2"},
			{store.Query{Prefix: "a/", From: "A", To: "z"}, "a/ a/1 a/2 a/3"},
			{store.Query{Prefix: "a/", From: "b"}, ""},
			{store.Query{Prefix: "b", To: "a/2"}, ""},
		} {
			want := strings.Fields(x.want)
			for _, limit := range []int{0, 1, 2, 100} {
				x.q.PK, x.q.Limit, x.q.Descending = "p", limit, false
				require.Equal(f, want, f.sortKeys(x.q), "%+v", x.q)
				down := slices.Clone(want)
				slices.Reverse(down)
				x.q.Descending = true
				require.Equal(f, down, f.sortKeys(x.q), "%+v", x.q)
			}
		}
	}},
	{"after is exclusive in the direction of the query and need not exist", func(f *fixture) {
		f.fill("p", "a", "b", "c", "d", "e")
		f.write(store.Delete(key("p", "c"), 1))
		for _, x := range []struct {
			q    store.Query
			want string
		}{
			{store.Query{After: "b"}, "d e"},
			{store.Query{After: "c"}, "d e"},
			{store.Query{After: "bb"}, "d e"},
			{store.Query{After: "e"}, ""},
			{store.Query{After: "A"}, "a b d e"},
			{store.Query{After: "zz"}, ""},
			{store.Query{After: "b", From: "a", To: "e"}, "d"},
			{store.Query{After: "A", From: "b"}, "b d e"},
			{store.Query{After: "d", Descending: true}, "b a"},
			{store.Query{After: "c", Descending: true}, "b a"},
			{store.Query{After: "cc", Descending: true}, "b a"},
			{store.Query{After: "a", Descending: true}, ""},
			{store.Query{After: "zz", Descending: true}, "e d b a"},
			{store.Query{After: "e", From: "b", To: "e", Descending: true}, "d b"},
			{store.Query{After: "A", Descending: true}, ""},
		} {
			x.q.PK = "p"
			require.Equal(f, strings.Fields(x.want), f.sortKeys(x.q), "%+v", x.q)
		}
	}},
	{"pages of any size give every item once, while others are deleted and added", func(f *fixture) {
		var sks []string
		for n := range 25 {
			sks = append(sks, fmt.Sprintf("%02d", n))
		}
		f.fill("p", sks...)
		for _, down := range []bool{false, true} {
			for limit := 1; limit <= 26; limit += 4 {
				want := slices.Clone(sks)
				if down {
					slices.Reverse(want)
				}
				require.Equal(f, want, f.sortKeys(store.Query{PK: "p", Limit: limit, Descending: down}))
			}
		}
		p, err := f.Query(f.ctx, store.Query{PK: "p", Limit: 10})
		require.NoError(f, err)
		require.True(f, p.More)
		require.Equal(f, "09", p.Next)
		f.write(store.Delete(key("p", "09"), 1), store.Delete(key("p", "10"), 1), store.Create(item("p", "085", "")), store.Create(item("p", "105", "")))
		require.Equal(f, []string{"105", "11", "12"}, f.sortKeys(store.Query{PK: "p", After: p.Next, To: "13"}))
	}},
	{"a page ends at one megabyte examined, and holds at least one item", func(f *fixture) {
		var want []string
		for n := range 14 {
			sk := fmt.Sprintf("%02d", n)
			f.write(store.Create(item("p", sk, strings.Repeat("x", 300<<10))))
			want = append(want, sk)
		}
		for _, down := range []bool{false, true} {
			q := store.Query{PK: "p", Descending: down}
			items, pages, err := walk(f.ctx, f.Store, q)
			require.NoError(f, err)
			require.Len(f, items, len(want))
			require.GreaterOrEqual(f, pages, 4, "at most 4 of 300 KB on a page")
			require.LessOrEqual(f, pages, 6, "at least 3 of 300 KB on a page")
			p, err := f.Query(f.ctx, q)
			require.NoError(f, err)
			require.True(f, p.More)
			require.Equal(f, p.Items[len(p.Items)-1].SK, p.Next)
		}
		require.Equal(f, want, f.sortKeys(store.Query{PK: "p", Limit: 1}))
		require.Equal(f, want, f.sortKeys(store.Query{PK: "p", Limit: 100}))
	}},
	{"a query sees each write whole", func(f *fixture) {
		f.write(store.Create(item("p", "a", "0")), store.Create(item("p", "z", "0")))
		done := make(chan error, 1)
		go func() {
			for v := int64(1); v <= 100; v++ {
				body := fmt.Sprint(v)
				if err := f.Write(f.ctx, store.Replace(at(item("p", "a", body), v)), store.Replace(at(item("p", "z", body), v))); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for {
			before, err := f.Get(f.ctx, key("p", "a"))
			require.NoError(f, err)
			p, err := f.Query(f.ctx, store.Query{PK: "p"})
			require.NoError(f, err)
			require.Len(f, p.Items, 2)
			require.GreaterOrEqual(f, p.Items[0].Version, before.Version, "a later read saw an older version")
			require.GreaterOrEqual(f, p.Items[1].Version, before.Version, "half of a write was visible")
			select {
			case err := <-done:
				require.NoError(f, err)
				return
			default:
			}
		}
	}},
}
