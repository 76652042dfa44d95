package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// stack is at its third shape: {"title"} became {"name"}, and then tags came.
type stack struct {
	Name string            `json:"name"`
	Tags map[string]string `json:"tags,omitempty"`
}

var (
	stacks = store.NewKind[stack]("test.stack", 3).
		UpgradeFrom(1, func(b []byte) ([]byte, error) {
			if bytes.Contains(b, []byte("poison")) {
				return nil, errPoison
			}
			return bytes.Replace(b, []byte(`"title"`), []byte(`"name"`), 1), nil
		}).
		UpgradeFrom(2, func(b []byte) ([]byte, error) {
			var s stack
			if err := json.Unmarshal(b, &s); err != nil {
				return nil, err
			}
			s.Tags = map[string]string{"upgraded": "yes"}
			return json.Marshal(s)
		})
	batches   = store.NewKind[store.Raw]("test.batch", 1).Immutable()
	errPoison = errors.New("cannot be upgraded")
)

func TestADocumentComesBackThroughItsKind(t *testing.T) {
	s, k, want := open(t), key("stack/1", "head"), stack{Name: "prod", Tags: map[string]string{"a": "b"}}
	due, end := noon().Add(time.Minute), noon().Add(time.Hour)
	require.NoError(t, s.Write(t.Context(), stacks.Create(k, want, store.DueAt(due), store.ExpiresAt(end))))
	d, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.Equal(t, store.Doc[stack]{Key: k, Version: 1, Due: due, Expires: end, Value: want}, d)

	i, err := s.Get(t.Context(), k)
	require.NoError(t, err)
	require.Equal(t, "test.stack", i.Kind)
	require.Equal(t, 3, i.Schema)
	require.JSONEq(t, `{"name":"prod","tags":{"a":"b"}}`, string(i.Body))
}

func TestReplaceKeepsDueAndExpiresUnlessTheDocumentChangesThem(t *testing.T) {
	s, k := open(t), key("stack/1", "head")
	require.NoError(t, s.Write(t.Context(), stacks.Create(k, stack{Name: "a"}, store.DueAt(noon()), store.ExpiresAt(noon().Add(time.Hour)))))
	d, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	d.Value.Name = "b"
	require.NoError(t, s.Write(t.Context(), stacks.Replace(d)))
	e, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.Equal(t, store.Doc[stack]{Key: k, Version: 2, Due: d.Due, Expires: d.Expires, Value: stack{Name: "b"}}, e)

	e.Due = time.Time{}
	require.NoError(t, s.Write(t.Context(), stacks.Replace(e)))
	due, err := s.Due(t.Context(), store.DueQuery{Kind: stacks.Name(), Before: noon().Add(time.Hour), Limit: 1})
	require.NoError(t, err)
	require.Empty(t, due)
}

func TestADocumentThatChangedSinceItWasReadCannotBeReplacedDeletedOrChecked(t *testing.T) {
	s, k := open(t), key("stack/1", "head")
	require.NoError(t, s.Write(t.Context(), stacks.Create(k, stack{})))
	old, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), old.Check()))
	require.NoError(t, s.Write(t.Context(), stacks.Replace(old)))
	for _, c := range []store.Change{stacks.Replace(old), old.Delete(), old.Check(), stacks.Create(k, stack{})} {
		require.NotNil(t, store.AsConflict(s.Write(t.Context(), c)), c.Op)
	}
	now, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), now.Delete()))
	_, err = stacks.Get(t.Context(), s, k)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestAnAbsentDocumentOfABatchDecodesToOneThatDoesNotExist(t *testing.T) {
	s := open(t)
	items, err := s.BatchGet(t.Context(), []store.Key{key("p", "none")})
	require.NoError(t, err)
	d, err := stacks.Decode(items[0])
	require.NoError(t, err)
	require.False(t, d.Exists())
	require.Equal(t, key("p", "none"), d.Key)
	require.NoError(t, s.Write(t.Context(), d.Check()), "its check states the absence")
}

func TestOlderShapesAreUpgradedStepByStepOnRead(t *testing.T) {
	for schema, body := range map[int]string{1: `{"title":"prod"}`, 2: `{"name":"prod"}`} {
		d, err := stacks.Decode(store.Item{Kind: "test.stack", Schema: schema, Version: 5, Body: []byte(body)})
		require.NoError(t, err)
		require.Equal(t, stack{Name: "prod", Tags: map[string]string{"upgraded": "yes"}}, d.Value)
		require.EqualValues(t, 5, d.Version)
	}
}

func TestReplaceWritesTheNewestShape(t *testing.T) {
	s, k := open(t), key("stack/1", "head")
	require.NoError(t, s.Write(t.Context(), store.Create(store.Item{Key: k, Kind: "test.stack", Schema: 1, Body: []byte(`{"title":"prod"}`)})))
	d, err := stacks.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), stacks.Replace(d)))
	i, err := s.Get(t.Context(), k)
	require.NoError(t, err)
	require.Equal(t, 3, i.Schema)
	require.JSONEq(t, `{"name":"prod","tags":{"upgraded":"yes"}}`, string(i.Body))
}

func TestWhatCannotBeDecodedSaysWhy(t *testing.T) {
	for _, x := range []struct {
		item store.Item
		want string
		is   error
	}{
		{store.Item{Kind: "test.stack", Schema: 4}, "schema 4 of \"test.stack\", this version knows 3", store.ErrNewerSchema},
		{store.Item{Kind: "test.batch", Schema: 1}, `is a "test.batch", not a "test.stack"`, nil},
		{store.Item{Kind: "test.stack", Schema: 1, Body: []byte("poison")}, "upgrade of p s from schema 1", errPoison},
		{store.Item{Kind: "test.stack", Schema: 3, Body: []byte("{")}, "body of p s", nil},
		{store.Item{Kind: "test.stack", Schema: 0, Body: []byte("{}")}, "no upgrade of \"test.stack\" from schema 0", nil},
	} {
		x.item.Key, x.item.Version = key("p", "s"), 1
		_, err := stacks.Decode(x.item)
		require.ErrorContains(t, err, x.want)
		if x.is != nil {
			require.ErrorIs(t, err, x.is)
		}
	}
}

func TestRawBodiesAreKeptByteForByteAndMayBeKeptAgain(t *testing.T) {
	s, k, body := open(t), key("stack/1#journal", "1"), store.Raw("\x00sealed\xff")
	for range 2 {
		require.NoError(t, s.Write(t.Context(), batches.Keep(k, body)))
	}
	d, err := batches.Get(t.Context(), s, k)
	require.NoError(t, err)
	require.Equal(t, body, d.Value)
	require.EqualValues(t, 1, d.Version)
	require.True(t, store.IsImmutable(batches.Name()))
	require.False(t, store.IsImmutable(stacks.Name()))
}

func TestPagesAndWholeRangesAreReadThroughTheKind(t *testing.T) {
	s := open(t)
	var changes []store.Change
	for n := range 10 {
		changes = append(changes, stacks.Create(key("p", fmt.Sprint(n)), stack{Name: fmt.Sprint("s", n)}))
	}
	require.NoError(t, s.Write(t.Context(), changes...))

	docs, page, err := stacks.Page(t.Context(), s, store.Query{PK: "p", Limit: 4, Descending: true})
	require.NoError(t, err)
	require.True(t, page.More)
	require.Equal(t, []string{"s9", "s6"}, []string{docs[0].Value.Name, docs[3].Value.Name})

	docs, err = stacks.All(t.Context(), s, store.Query{PK: "p", Limit: 3}, 10)
	require.NoError(t, err)
	require.Len(t, docs, 10)
	_, err = stacks.All(t.Context(), s, store.Query{PK: "p", Limit: 3}, 9)
	require.ErrorContains(t, err, "more than 9 items in p")

	require.NoError(t, s.Write(t.Context(), batches.Keep(key("p", "other"), nil)))
	_, _, err = stacks.Page(t.Context(), s, store.Query{PK: "p"})
	require.ErrorContains(t, err, `not a "test.stack"`)
}

func TestAValueThatJSONCannotHoldIsADefectOfTheType(t *testing.T) {
	require.Panics(t, func() { store.NewKind[chan int]("test.broken", 1).Create(key("p", "s"), make(chan int)) })
}
