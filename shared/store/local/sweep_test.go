package local

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// ticker is a clock that tests move.
type ticker struct{ unix atomic.Int64 }

func newTicker() *ticker {
	c := &ticker{}
	c.unix.Store(1_800_000_000)
	return c
}

func (c *ticker) now() time.Time { return time.Unix(c.unix.Load(), 0).UTC() }

// stored counts what is on disk in all tables.
func stored(t *testing.T, d *DB) (n int) {
	t.Helper()
	iter, err := d.engine.NewIter(&pebble.IterOptions{})
	require.NoError(t, err)
	for ok := iter.First(); ok; ok = iter.Next() {
		n++
	}
	require.NoError(t, iter.Close())
	return n
}

func TestSweepRemovesWhatExpiredWithItsIndexEntriesAndNothingElse(t *testing.T) {
	clock := newTicker()
	d, err := Open(t.TempDir(), Options{Now: clock.now, NoSync: true})
	require.NoError(t, err)
	defer d.Close()
	for n := range 250 {
		i := store.Item{Key: store.Key{PK: "p", SK: fmt.Sprint(n)}, Kind: "k", Schema: 1, Due: clock.now(), Expires: clock.now().Add(time.Minute)}
		if n%5 == 0 {
			i.Expires = i.Expires.Add(time.Hour)
		}
		require.NoError(t, d.Write(t.Context(), store.Create(i)))
	}
	require.Equal(t, 750, stored(t, d))
	removed, err := d.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, removed)

	clock.unix.Add(60)
	removed, err = d.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, removed)
	require.Equal(t, 150, stored(t, d))
	page, err := d.Query(t.Context(), store.Query{PK: "p"})
	require.NoError(t, err)
	require.Len(t, page.Items, 50)
}

func TestSweepLeavesAnItemThatWasPutAnewMeanwhile(t *testing.T) {
	clock := newTicker()
	d, err := Open(t.TempDir(), Options{Now: clock.now, NoSync: true})
	require.NoError(t, err)
	defer d.Close()
	i := store.Item{Key: store.Key{PK: "p", SK: "s"}, Kind: "k", Schema: 1, Expires: clock.now().Add(time.Minute)}
	require.NoError(t, d.Write(t.Context(), store.Create(i)))
	clock.unix.Add(60)
	stale, err := d.expiring(t.Context())
	require.NoError(t, err)
	require.Len(t, stale, 1)

	i.Expires = time.Time{}
	require.NoError(t, d.Write(t.Context(), store.Create(i)))
	removed, err := d.drop(stale)
	require.NoError(t, err)
	require.Zero(t, removed)
	_, err = d.Get(t.Context(), i.Key)
	require.NoError(t, err)
	require.Equal(t, 1, stored(t, d))
}

func TestSweepStopsWhenItsContextEnds(t *testing.T) {
	d, err := Open(t.TempDir(), Options{Now: newTicker().now, NoSync: true})
	require.NoError(t, err)
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Sweep(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestADamagedItemIsAnErrorThatNamesItsKey(t *testing.T) {
	d, err := Open(t.TempDir(), Options{Now: newTicker().now, NoSync: true})
	require.NoError(t, err)
	defer d.Close()
	k := store.Key{PK: "p", SK: "damaged"}
	require.NoError(t, d.engine.Set(appendItemKey(nil, k), []byte{itemFormat, 0}, nil))
	_, err = d.Get(t.Context(), k)
	require.ErrorIs(t, err, errTorn)
	require.ErrorContains(t, err, "p damaged")
	_, err = d.Query(t.Context(), store.Query{PK: "p"})
	require.ErrorIs(t, err, errTorn)
	require.ErrorContains(t, err, "damaged")
	require.ErrorIs(t, d.Write(t.Context(), store.Check(k, 1)), errTorn)
}
