package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// table is a store of which only reads matter; it counts round trips.
type table struct {
	store.Store
	items map[store.Key]store.Item
	trips int
}

func (f *table) Get(_ context.Context, k store.Key) (store.Item, error) {
	f.trips++
	if i, ok := f.items[k]; ok {
		return i, nil
	}
	return store.Item{}, store.ErrNotFound
}

func (f *table) BatchGet(_ context.Context, ks []store.Key) ([]store.Item, error) {
	f.trips++
	out := make([]store.Item, len(ks))
	for i, k := range ks {
		out[i] = f.items[k]
		out[i].Key = k
	}
	return out, nil
}

func (f *table) Write(_ context.Context, changes ...store.Change) error {
	f.trips++
	for _, c := range changes {
		i := c.Item
		i.Version = 2
		f.items[i.Key] = i
	}
	return nil
}

func at(n int) store.Key { return store.Key{PK: "p", SK: fmt.Sprint(n)} }

func newTable() (*table, store.Store) {
	f := &table{items: map[store.Key]store.Item{}}
	for n := range 5 {
		f.items[at(n)] = store.Item{Key: at(n), Version: 1}
	}
	return f, store.Remembering(f)
}

func TestARequestReadsAnItemOnceAndAfreshBehindItsWrite(t *testing.T) {
	f, s := newTable()
	ctx := store.Remember(context.Background())
	for range 3 {
		_, err := s.Get(ctx, at(1))
		require.NoError(t, err)
		_, err = s.Get(ctx, at(99))
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	require.Equal(t, 2, f.trips)
	require.NoError(t, s.Write(ctx, store.Change{Op: store.OpReplace, Item: store.Item{Key: at(1)}}))
	i, err := s.Get(ctx, at(1))
	require.NoError(t, err)
	require.EqualValues(t, 2, i.Version)
	_, err = s.Get(context.Background(), at(1))
	require.NoError(t, err)
	require.Equal(t, 5, f.trips, "a context without memory reads every time")
}

func TestAPrefetchIsOneRoundTripHoweverManyAreAskedForOneByOne(t *testing.T) {
	f, s := newTable()
	ctx := store.Remember(context.Background())
	store.Prefetch(ctx, s, at(1), at(2), at(99))
	require.Equal(t, 1, f.trips)
	for _, n := range []int{1, 2, 99} {
		_, _ = s.Get(ctx, at(n))
	}
	require.Equal(t, 1, f.trips)
	store.Prefetch(context.Background(), s, at(1))
	store.Prefetch(ctx, f, at(3))
	require.Equal(t, 1, f.trips, "without memory there is nothing to fetch into")
}

func TestWhatARequestReadIsFetchedAtOnceForTheNext(t *testing.T) {
	f, s := newTable()
	h := store.NewHints(10)
	request := func(more ...int) int {
		f.trips = 0
		ctx := store.Remember(context.Background())
		h.Prefetch(ctx, s, "caller", "caller doing it")
		_, _ = s.Get(ctx, at(1))
		_, _ = s.Get(ctx, at(2))
		h.Learn(ctx, "caller")
		h.Follow(ctx, "caller doing it")
		for _, n := range more {
			_, _ = s.Get(ctx, at(n))
		}
		return f.trips
	}
	require.Equal(t, 4, request(3, 4))
	require.Equal(t, 1, request(3, 4))
	require.Equal(t, 1, request(), "one that reads nothing more")
	require.Equal(t, 1, request(4), "leaves what was known")
	require.Equal(t, 2, request(4, 3), "a guess that was not needed is given up")
}

func TestWhatIsReadBehindAWriteIsNotGuessed(t *testing.T) {
	f, s := newTable()
	h := store.NewHints(10)
	request := func() {
		ctx := store.Remember(context.Background())
		h.Prefetch(ctx, s, "a")
		h.Follow(ctx, "a")
		require.NoError(t, s.Write(ctx, store.Change{Op: store.OpReplace, Item: store.Item{Key: at(1)}}))
		_, _ = s.Get(ctx, at(1))
	}
	request()
	f.trips = 0
	request()
	require.Equal(t, 2, f.trips)
}

func TestHintsAreKeptForTheAddressesUsedLast(t *testing.T) {
	f, s := newTable()
	h := store.NewHints(2)
	for n := range 3 {
		ctx := store.Remember(context.Background())
		_, _ = s.Get(ctx, at(n))
		h.Learn(ctx, fmt.Sprint(n))
	}
	for n, trips := range []int{0, 1, 1} {
		f.trips = 0
		h.Prefetch(store.Remember(context.Background()), s, fmt.Sprint(n))
		require.Equal(t, trips, f.trips, "address %d", n)
	}
}

func TestAStoreOfOneScopePrefetchesWithinItAlone(t *testing.T) {
	f, s := newTable()
	elsewhere := store.Key{PK: "stack/other", SK: "head"}
	f.items[elsewhere] = store.Item{Key: elsewhere, Version: 1}
	narrow := store.In(s, store.ScopeOf(at(1)))
	ctx := store.Remember(context.Background())
	store.Prefetch(ctx, narrow, at(1), elsewhere)
	require.Equal(t, 1, f.trips)
	_, err := narrow.Get(ctx, at(1))
	require.NoError(t, err)
	require.Equal(t, 1, f.trips)
	_, err = s.Get(ctx, elsewhere)
	require.NoError(t, err)
	require.Equal(t, 2, f.trips)
	var scope *store.ScopeError
	_, err = narrow.Get(ctx, elsewhere)
	require.ErrorAs(t, err, &scope)
}
