package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/store"
)

var models = []test{
	{"any sequence of calls answers as a plain map would", func(f *fixture) {
		run := 0
		rapid.Check(f.T, func(t *rapid.T) {
			run++
			m := newModel(f, run)
			t.Repeat(map[string]func(*rapid.T){
				"write":     m.write,
				"get":       m.get,
				"batch get": m.batchGet,
				"query":     m.query,
				"due":       m.due,
				"wait":      m.wait,
			})
			m.compareAll(t)
		})
	}},
}

// model is what the store should hold: a map, with the rules of the port in their simplest words. Every run has partitions and
// kinds of its own, so that all share one store.
type model struct {
	*fixture
	items      map[store.Key]store.Item
	partitions []string
	kinds      []string // the last is immutable
}

func newModel(f *fixture, run int) *model {
	p := fmt.Sprintf("run/%d", run)
	m := &model{
		fixture: f, items: map[store.Key]store.Item{},
		partitions: []string{p, p + "#", p + "#a", p + "\x01"},
		kinds:      []string{p + "a", p + "ab", p + "leaf"},
	}
	store.NewKind[store.Raw](m.kinds[2], 1).Immutable()
	return m
}

// sortKeys of the model are few and alike, so that ranges, prefixes and collisions are met often.
var modelSKs = []string{"\x01", "a", "a\x01", "a#", "a#1", "a#2", "a#\U0010ffff", "aa", "b", "é", "\U0010ffff"}

func (m *model) key(t *rapid.T) store.Key {
	return store.Key{PK: rapid.SampledFrom(m.partitions).Draw(t, "pk"), SK: rapid.SampledFrom(modelSKs).Draw(t, "sk")}
}

// live is the item of the key, or one with version 0.
func (m *model) live(k store.Key) store.Item {
	i, ok := m.items[k]
	if !ok || !i.Expires.IsZero() && i.Expires.Unix() <= m.clock.now().Unix() {
		return store.Item{Key: k}
	}
	return i
}

func (m *model) change(t *rapid.T, k store.Key) store.Change {
	i := store.Item{
		Key: k, Kind: rapid.SampledFrom(m.kinds).Draw(t, "kind"), Schema: rapid.IntRange(1, 3).Draw(t, "schema"),
		Body: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body"),
	}
	if rapid.Bool().Draw(t, "has due") {
		i.Due = m.moment(t, "due")
	}
	if rapid.IntRange(0, 3).Draw(t, "has end") == 0 {
		i.Expires = m.clock.now().Add(time.Duration(rapid.IntRange(-2, 20).Draw(t, "life")) * time.Second)
	}
	have := m.live(k).Version
	if rapid.IntRange(0, 9).Draw(t, "wrong version") == 0 {
		have += int64(rapid.IntRange(-1, 1).Draw(t, "off by"))
	}
	i.Version = max(have, 0)
	switch op := rapid.SampledFrom([]store.Op{store.OpCreate, store.OpReplace, store.OpDelete, store.OpCheck, store.OpKeep}).Draw(t, "op"); {
	case op == store.OpCheck:
		return store.Check(k, i.Version)
	case op == store.OpKeep:
		i.Kind = m.kinds[2]
		return store.Keep(i)
	case op == store.OpCreate || i.Version < 1:
		return store.Create(i)
	case op == store.OpDelete:
		return store.Delete(k, i.Version)
	default:
		return store.Replace(i)
	}
}

// moment is near the clock's present, in steps of half a millisecond, so that cutting to milliseconds matters.
func (m *model) moment(t *rapid.T, label string) time.Time {
	return m.clock.now().Add(time.Duration(rapid.IntRange(-8, 8).Draw(t, label)) * time.Millisecond / 2)
}

func (m *model) write(t *rapid.T) {
	var changes []store.Change
	for n := range rapid.IntRange(1, 4).Draw(t, "changes") {
		k := m.key(t)
		if !slices.ContainsFunc(changes, func(c store.Change) bool { return c.Item.Key == k }) || n == 0 {
			changes = append(changes, m.change(t, k))
		}
	}
	var failed []int
	after := map[store.Key]store.Item{}
	for n, c := range changes {
		have := m.live(c.Item.Key).Version
		switch {
		case c.Op == store.OpCreate && have != 0,
			c.Op != store.OpCreate && c.Op != store.OpKeep && have != c.Item.Version:
			failed = append(failed, n)
		case c.Op == store.OpReplace:
			after[c.Item.Key] = at(c.Item, have+1)
		case c.Op == store.OpDelete:
			after[c.Item.Key] = store.Item{}
		case c.Op != store.OpCheck:
			after[c.Item.Key] = at(c.Item, 1)
		}
	}
	err := m.Write(m.ctx, changes...)
	if failed != nil {
		if err := sameConflict(err, failed, changes); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range after {
		if i.Version == 0 {
			delete(m.items, k)
		} else {
			m.items[k] = i
		}
	}
}

func (m *model) get(t *rapid.T) {
	k := m.key(t)
	got, err := m.Get(m.ctx, k)
	want := m.live(k)
	if (err != nil) != (want.Version == 0) {
		t.Fatalf("get of %q: version %d expected, got %v", k, want.Version, err)
	}
	if got.Key = k; same(want, got) != nil {
		t.Fatal(same(want, got))
	}
}

func (m *model) batchGet(t *rapid.T) {
	keys := rapid.SliceOfN(rapid.Custom(m.key), 0, 30).Draw(t, "keys")
	got, err := m.BatchGet(m.ctx, keys)
	if err != nil || len(got) != len(keys) {
		t.Fatalf("%d items for %d keys, %v", len(got), len(keys), err)
	}
	for n, k := range keys {
		if err := same(m.live(k), got[n]); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *model) query(t *rapid.T) {
	bound := rapid.SampledFrom(append([]string{"", "", "", "a#0", "c"}, modelSKs...))
	q := store.Query{
		PK:         rapid.SampledFrom(m.partitions).Draw(t, "pk"),
		Prefix:     rapid.SampledFrom([]string{"", "", "a", "a#", "b", "\U0010ffff"}).Draw(t, "prefix"),
		From:       bound.Draw(t, "from"),
		To:         bound.Draw(t, "to"),
		After:      bound.Draw(t, "after"),
		Descending: rapid.Bool().Draw(t, "down"),
		Limit:      rapid.IntRange(0, 5).Draw(t, "limit"),
	}
	m.compare(t, q)
}

func (m *model) compare(t *rapid.T, q store.Query) {
	got, _, err := walk(m.ctx, m.Store, q)
	if err != nil {
		t.Fatal(err)
	}
	var want []store.Item
	for k := range m.items {
		i := m.live(k)
		behind := q.After == "" || !q.Descending && k.SK > q.After || q.Descending && k.SK < q.After
		if i.Version > 0 && k.PK == q.PK && strings.HasPrefix(k.SK, q.Prefix) && k.SK >= q.From && (q.To == "" || k.SK < q.To) && behind {
			want = append(want, i)
		}
	}
	slices.SortFunc(want, func(a, b store.Item) int {
		if q.Descending {
			a, b = b, a
		}
		return cmp.Compare(a.SK, b.SK)
	})
	if len(got) != len(want) {
		t.Fatalf("%+v: want %d items, got %d", q, len(want), len(got))
	}
	for n := range want {
		if err := same(want[n], got[n]); err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
	}
}

func (m *model) compareAll(t *rapid.T) {
	for _, pk := range m.partitions {
		m.compare(t, store.Query{PK: pk})
	}
}

// due compares the due times in their order: among equal ones any order will do.
func (m *model) due(t *rapid.T) {
	q := store.DueQuery{
		Kind: rapid.SampledFrom(m.kinds).Draw(t, "kind"), Before: m.moment(t, "before"), Limit: rapid.IntRange(1, 50).Draw(t, "limit"),
	}
	got, err := m.Due(m.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	var want, have []int64
	for k := range m.items {
		if i := m.live(k); i.Version > 0 && i.Kind == q.Kind && !i.Due.IsZero() && i.Due.Truncate(time.Millisecond).Before(q.Before) {
			want = append(want, i.Due.UnixMilli())
		}
	}
	slices.Sort(want)
	want = want[:min(len(want), q.Limit)]
	seen := map[store.Key]bool{}
	for _, k := range got {
		if i := m.live(k); i.Version == 0 || i.Kind != q.Kind || seen[k] {
			t.Fatalf("%q is due in %q: absent, of another kind, or twice", k, q.Kind)
		}
		seen[k] = true
		have = append(have, m.items[k].Due.UnixMilli())
	}
	if !slices.Equal(want, have) {
		t.Fatalf("due of %q before %v: want %v, got %v", q.Kind, q.Before.UnixMilli(), want, have)
	}
}

func (m *model) wait(t *rapid.T) {
	m.clock.advance(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
}
