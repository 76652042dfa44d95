package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

func TestTheScopeOfAKeyIsItsTextUpToTheFirstHash(t *testing.T) {
	for pk, scope := range map[string]store.Scope{
		"stack/1":                 "stack/1",
		"stack/1#updates":         "stack/1",
		"stack/1#updates#journal": "stack/1",
		"#odd":                    "",
		"global#token":            store.Global,
	} {
		require.Equal(t, scope, store.ScopeOf(store.Key{PK: pk, SK: "s"}), pk)
	}
}

func TestThePartitionOfACollectionLiesInItsScope(t *testing.T) {
	s := store.Scope("organization/7")
	require.Equal(t, "organization/7", s.Partition(""))
	require.Equal(t, "organization/7#members", s.Partition("members"))
	for _, c := range []string{"", "members", "a#b"} {
		require.Equal(t, s, store.ScopeOf(store.Key{PK: s.Partition(c), SK: "s"}))
	}
}

func TestANarrowedStoreReachesItsScopesAndNothingElse(t *testing.T) {
	whole := open(t)
	mine, shared, foreign := store.Scope("stack/1"), store.Scope("account/1"), store.Scope("stack/11")
	require.NoError(t, whole.Write(t.Context(), store.Create(item(foreign.Partition(""), "head", 0))))
	s := store.In(whole, mine, shared)

	require.NoError(t, s.Write(t.Context(), store.Create(item(mine.Partition(""), "head", 0)), store.Create(item(shared.Partition("stacks"), "1", 0))))
	_, err := s.Get(t.Context(), key("stack/1", "head"))
	require.NoError(t, err)
	items, err := s.BatchGet(t.Context(), []store.Key{key("account/1#stacks", "1"), key("stack/1", "none")})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 0}, []int64{items[0].Version, items[1].Version})
	page, err := s.Query(t.Context(), store.Query{PK: "account/1#stacks"})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)

	outside := func(err error) {
		t.Helper()
		var e *store.ScopeError
		require.ErrorAs(t, err, &e)
		require.Equal(t, []store.Scope{mine, shared}, e.Allowed)
		require.ErrorContains(t, err, "outside the scopes")
	}
	for _, pk := range []string{"stack/11", "stack/11#updates", "stack", "stack/1 ", "account", "global#token", "#stack/1"} {
		_, err = s.Get(t.Context(), key(pk, "head"))
		outside(err)
		_, err = s.BatchGet(t.Context(), []store.Key{key("stack/1", "head"), key(pk, "head")})
		outside(err)
		_, err = s.Query(t.Context(), store.Query{PK: pk})
		outside(err)
		for _, c := range []store.Change{
			store.Create(item(pk, "new", 0)), store.Replace(item(pk, "head", 0)), store.Delete(key(pk, "head"), 1), store.Check(key(pk, "head"), 1),
		} {
			outside(s.Write(t.Context(), store.Create(item("stack/1", "new", 0)), c))
		}
	}
	_, err = s.Due(t.Context(), store.DueQuery{Kind: "k", Before: noon(), Limit: 1})
	outside(err)
	_, err = whole.Get(t.Context(), key("stack/1", "new"))
	require.ErrorIs(t, err, store.ErrNotFound, "a write that was refused left something")
}

func TestAnErrorOfTheStoreBelowComesThroughTheScope(t *testing.T) {
	s := store.In(open(t), "stack/1")
	_, err := s.Get(t.Context(), key("stack/1", "none"))
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NotNil(t, store.AsConflict(s.Write(t.Context(), store.Check(key("stack/1", "none"), 1))))
	require.Error(t, s.Write(t.Context()))
}

// In of a narrowed store replaces the scopes: only code that holds a scope value can name it, and the permission decision is what
// gives those out.
func TestScopesOfANarrowedStoreAreReplacedNotWidened(t *testing.T) {
	s := store.In(store.In(open(t), "stack/1"), "stack/2")
	require.NoError(t, s.Write(t.Context(), store.Create(item("stack/2", "head", 0))))
	var e *store.ScopeError
	_, err := s.Get(t.Context(), key("stack/1", "head"))
	require.ErrorAs(t, err, &e)
}
