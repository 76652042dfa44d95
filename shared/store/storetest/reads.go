package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

func cancelled(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx, cancel
}

var reads = []test{
	{"get of an absent key says not found", func(f *fixture) {
		f.hasNot(key("p", "a"))
		f.write(store.Create(item("p", "a", "x")))
		f.hasNot(key("p", "A"))
		f.hasNot(key("p", "aa"))
		f.hasNot(key("pa", "a"))
		f.hasNot(key("a", "p"))
	}},
	{"bodies come back byte for byte", func(f *fixture) {
		all := make([]byte, 256)
		for n := range all {
			all[n] = byte(n)
		}
		for n, body := range []string{
			"", "\x00", "\x00\x00\xff", string(all), `{"b":1, "a" : 2}`, " \n\t", "é €𝄞", "\xc3\x28 not utf-8", strings.Repeat("0", 70000),
		} {
			i := item("p", fmt.Sprint(n), body)
			f.write(store.Create(i))
			f.has(at(i, 1))
		}
	}},
	{"what was read may be changed by the reader", func(f *fixture) {
		f.write(store.Create(item("p", "a", "body")))
		got, err := f.Get(f.ctx, key("p", "a"))
		require.NoError(f, err)
		copy(got.Body, "XXXX")
		f.has(at(item("p", "a", "body"), 1))
		page, err := f.Query(f.ctx, store.Query{PK: "p"})
		require.NoError(f, err)
		copy(page.Items[0].Body, "XXXX")
		f.has(at(item("p", "a", "body"), 1))
	}},
	{"what was written may be changed by the writer", func(f *fixture) {
		i := item("p", "a", "body")
		f.write(store.Create(i))
		copy(i.Body, "XXXX")
		f.has(at(item("p", "a", "body"), 1))
	}},
	{"keys are any text without NUL", func(f *fixture) {
		for _, k := range awkward {
			f.write(store.Create(item(k, k, k)))
		}
		for _, k := range awkward {
			f.has(at(item(k, k, k), 1))
			require.Equal(f, []string{k}, f.sortKeys(store.Query{PK: k}))
		}
	}},
	{"batch get answers in the order of the keys, absent and repeated ones too", func(f *fixture) {
		f.fill("p", "a", "b", "c")
		f.fill("q", "a")
		keys := []store.Key{key("p", "c"), key("p", "none"), key("q", "a"), key("p", "a"), key("p", "c"), key("none", "a"), key("p", "none")}
		items, err := f.BatchGet(f.ctx, keys)
		require.NoError(f, err)
		require.Len(f, items, len(keys))
		for n, k := range keys {
			want := store.Item{Key: k}
			if n != 1 && n < 5 {
				want = at(item(k.PK, k.SK, "body of "+k.SK), 1)
			}
			require.NoError(f, same(want, items[n]))
		}
	}},
	{"batch get of nothing is nothing", func(f *fixture) {
		items, err := f.BatchGet(f.ctx, nil)
		require.NoError(f, err)
		require.Empty(f, items)
	}},
	{"batch get reads 250 keys at once, some large", func(f *fixture) {
		var keys []store.Key
		var want []store.Item
		for n := range 250 {
			i := item(fmt.Sprintf("p%d", n%3), fmt.Sprint(n), strings.Repeat(fmt.Sprint(n), 5000))
			keys, want = append(keys, i.Key), append(want, store.Item{Key: i.Key})
			if n%5 != 0 {
				f.write(store.Create(i))
				want[n] = at(i, 1)
			}
		}
		items, err := f.BatchGet(f.ctx, keys)
		require.NoError(f, err)
		require.Len(f, items, len(want))
		for n := range want {
			require.NoError(f, same(want[n], items[n]))
		}
	}},
	{"malformed keys are refused, not looked up", func(f *fixture) {
		for _, k := range []store.Key{{}, {PK: "p"}, {SK: "s"}, {PK: "p\x00", SK: "s"}, {PK: "p", SK: "\x00"}} {
			_, err := f.Get(f.ctx, k)
			require.Error(f, err)
			require.NotErrorIs(f, err, store.ErrNotFound)
			_, err = f.BatchGet(f.ctx, []store.Key{key("p", "a"), k})
			require.Error(f, err)
		}
		for _, pk := range []string{"", "p\x00a", strings.Repeat("p", store.MaxPartitionKey+1)} {
			_, err := f.Query(f.ctx, store.Query{PK: pk})
			require.Error(f, err)
		}
	}},
	{"reads whose context has ended return its error", func(f *fixture) {
		f.fill("p", "a")
		ctx, cancel := cancelled(f.ctx)
		defer cancel()
		_, err := f.Get(ctx, key("p", "a"))
		require.ErrorIs(f, err, context.Canceled)
		_, err = f.BatchGet(ctx, []store.Key{key("p", "a")})
		require.ErrorIs(f, err, context.Canceled)
		_, err = f.Query(ctx, store.Query{PK: "p"})
		require.ErrorIs(f, err, context.Canceled)
		_, err = f.Due(ctx, store.DueQuery{Kind: doc, Before: f.clock.now(), Limit: 1})
		require.ErrorIs(f, err, context.Canceled)
	}},
}

// awkward are keys in bytewise order that break careless codecs: separators, control bytes, prefixes of each other, all widths of
// UTF-8.
var awkward = []string{
	"\x01", "\x01\x01", " ", "!", "#", "##", "%00", "/", "0", "A", "a", "a\x01", "a ", "a#", "a#b", "a/", "aa", "b",
	"\x7f", "é", "é́", "߿", "€", "\uffff", "𝄞", "\U0010ffff",
}
