package local

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

func TestAWriteTakesEachLatchOnceWhateverItsKeysHashTo(t *testing.T) {
	l := newLatches()
	var changes []store.Change
	for n := range 3 * stripes { // more keys than stripes: every stripe is met several times, checked and written
		k := store.Key{PK: "p", SK: fmt.Sprint(n)}
		if n%2 == 0 {
			changes = append(changes, store.Check(k, 1))
		} else {
			changes = append(changes, store.Delete(k, 1))
		}
	}
	l.take(changes)()
	for n := range l.stripe {
		require.True(t, l.stripe[n].TryLock(), "stripe %d is still held", n)
	}
}

func TestChecksShareALatchAndWritesDoNot(t *testing.T) {
	l := newLatches()
	k := store.Key{PK: "p", SK: "s"}
	release := l.take([]store.Change{store.Check(k, 1)})
	l.take([]store.Change{store.Check(k, 1)})()
	taken := make(chan struct{})
	go func() {
		l.take([]store.Change{store.Delete(k, 1)})()
		close(taken)
	}()
	select {
	case <-taken:
		t.Fatal("a write took what a check held")
	default:
	}
	release()
	<-taken
}

func TestAReadWaitsForTheBatchesUnderWayInItsPartitionOnly(t *testing.T) {
	u := newUnsynced()
	synced := u.begin([]store.Change{store.Delete(store.Key{PK: "p", SK: "a"}, 1), store.Delete(store.Key{PK: "p", SK: "b"}, 1)})
	require.NoError(t, u.wait(t.Context(), "q"))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, u.wait(ended, "p"), context.Canceled)

	waited := make(chan error)
	go func() { waited <- u.wait(t.Context(), "p") }()
	select {
	case <-waited:
		t.Fatal("the read did not wait")
	default:
	}
	synced()
	require.NoError(t, <-waited)
	require.NoError(t, u.wait(ended, "p"), "nothing is under way any more")
}

func TestChecksAloneDelayNoRead(t *testing.T) {
	u := newUnsynced()
	defer u.begin([]store.Change{store.Check(store.Key{PK: "p", SK: "a"}, 1)})()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, u.wait(ctx, "p"))
}

func TestWritesStopBeforeTheDiskIsFullAndGoOnWhenThereIsRoom(t *testing.T) {
	free, looks := uint64(roomKept), 0
	var broken error
	r := newRoom(func() (uint64, error) { looks++; return free, broken })

	require.NoError(t, r.admit(1))
	require.NoError(t, r.admit(roomEvery-1))
	require.Equal(t, 1, looks, "one look serves many writes")

	free = roomKept - 1
	require.ErrorIs(t, r.admit(1), store.ErrUnavailable)
	require.ErrorIs(t, r.admit(1), store.ErrUnavailable)

	free = roomKept
	require.NoError(t, r.admit(1))

	broken = errors.New("statfs failed")
	require.NoError(t, r.admit(roomEvery))
}

func TestAFullDiskStillTakesDeletions(t *testing.T) {
	d, err := Open(t.TempDir(), Options{Now: newTicker().now, NoSync: true})
	require.NoError(t, err)
	defer d.Close()
	i := store.Item{Key: store.Key{PK: "p", SK: "s"}, Kind: "k", Schema: 1}
	require.NoError(t, d.Write(t.Context(), store.Create(i)))

	d.room = newRoom(func() (uint64, error) { return 0, nil })
	i.Version = 1
	require.ErrorIs(t, d.Write(t.Context(), store.Replace(i)), store.ErrUnavailable)
	require.NoError(t, d.Write(t.Context(), store.Delete(i.Key, 1)))
	_, err = d.Get(t.Context(), i.Key)
	require.ErrorIs(t, err, store.ErrNotFound)
}
