package local_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// pair is one step of a writer: two items in two partitions with the same number, and one more in a growing journal.
func pair(writer string, step int64) []store.Change {
	body := binary.BigEndian.AppendUint64(nil, uint64(step))
	item := func(pk, sk string) store.Item {
		return store.Item{Key: store.Key{PK: pk, SK: sk}, Kind: "pair", Schema: 1, Version: step - 1, Body: body, Due: fixed()}
	}
	left, right := item("left", writer), item("right", writer)
	journal := store.Create(item("journal/"+writer, fmt.Sprintf("%012d", step)))
	if step == 1 {
		return []store.Change{store.Create(left), store.Create(right), journal}
	}
	return []store.Change{store.Replace(left), store.Replace(right), journal}
}

// lastPair reads how far a writer came, and fails when its last step is torn.
func lastPair(t *testing.T, s store.Store, writer string) int64 {
	t.Helper()
	items, err := s.BatchGet(t.Context(), []store.Key{{PK: "left", SK: writer}, {PK: "right", SK: writer}})
	require.NoError(t, err)
	step := items[0].Version
	require.Equal(t, step, items[1].Version, "writer %s: half of a write is there", writer)
	if step > 0 {
		require.Equal(t, binary.BigEndian.AppendUint64(nil, uint64(step)), items[0].Body)
		require.Equal(t, items[0].Body, items[1].Body)
	}
	var journal int64
	for q := (store.Query{PK: "journal/" + writer}); ; {
		p, err := s.Query(t.Context(), q)
		require.NoError(t, err)
		for _, i := range p.Items {
			journal++
			require.Equal(t, fmt.Sprintf("%012d", journal), i.SK, "writer %s: a gap in the journal", writer)
		}
		if !p.More {
			break
		}
		q.After = p.Next
	}
	require.Equal(t, step, journal, "writer %s: the journal is not the pair's", writer)
	return step
}

func TestABackupTakenWhileWritingIsAWholePrefix(t *testing.T) {
	const writers, backups = 4, 3
	dir := t.TempDir()
	d := open(t, dir, local.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var acked [writers]atomic.Int64
	var wg sync.WaitGroup
	moving := make(chan struct{}, writers)
	for w := range writers {
		wg.Go(func() {
			for step := int64(1); ctx.Err() == nil; step++ {
				if err := d.Write(context.Background(), pair(fmt.Sprint(w), step)...); err != nil {
					t.Errorf("step %d: %v", step, err)
					return
				}
				acked[w].Store(step)
				if step%50 == 0 {
					select {
					case moving <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	for n := range backups {
		<-moving
		var before [writers]int64
		for w := range writers {
			before[w] = acked[w].Load()
		}
		to := filepath.Join(t.TempDir(), "below", fmt.Sprint("backup", n))
		require.NoError(t, d.Backup(t.Context(), to))
		b := open(t, to, local.Options{})
		for w := range writers {
			require.GreaterOrEqual(t, lastPair(t, b, fmt.Sprint(w)), before[w], "an acknowledged write is missing")
		}
		require.NoError(t, b.Write(t.Context(), pair("new", 1)...), "a backup can be written to")
		require.ErrorContains(t, d.Backup(t.Context(), to), "file already exists")
		left, err := filepath.Glob(filepath.Join(filepath.Dir(to), ".backup-*"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
	stop()
	wg.Wait()
	_, err := d.Get(t.Context(), store.Key{PK: "left", SK: "new"})
	require.ErrorIs(t, err, store.ErrNotFound, "what is written to a backup does not come back")
}
