package local_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// benchItem has a body of 1 KB of which half is noise, as in the notes that the targets come from.
func benchItem(pk, sk string, version int64) store.Item {
	body := make([]byte, 0, 1024)
	for len(body) < 512 {
		body = binary.LittleEndian.AppendUint64(body, rand.Uint64())
	}
	body = append(body, strings.Repeat("x", 512)...)
	return store.Item{Key: store.Key{PK: pk, SK: sk}, Kind: "bench", Schema: 1, Version: version, Body: body}
}

// clients runs f in 32 goroutines until b is over.
func clients(b *testing.B, f func(client int, pb *testing.PB)) {
	b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0)))
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) { f(int(next.Add(1)), pb) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func BenchmarkDurableConditionalWritesOf32Clients(b *testing.B) {
	d := open(b, b.TempDir(), local.Options{})
	clients(b, func(client int, pb *testing.PB) {
		pk := fmt.Sprintf("stack/%d", client)
		for v := int64(0); pb.Next(); v++ {
			c := store.Create(benchItem(pk, "head", 0))
			if v > 0 {
				c = store.Replace(benchItem(pk, "head", v))
			}
			if err := d.Write(b.Context(), c); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Four items, two conditions and a due time: what an operation of the core writes with its audit entry.
func BenchmarkDurableWritesOfFourItemsOf32Clients(b *testing.B) {
	d := open(b, b.TempDir(), local.Options{})
	clients(b, func(client int, pb *testing.PB) {
		pk := fmt.Sprintf("stack/%d", client)
		for v := int64(0); pb.Next(); v++ {
			head := store.Create(benchItem(pk, "head", 0))
			if v > 0 {
				head = store.Replace(benchItem(pk, "head", v))
			}
			outbox := benchItem(pk+"#outbox", fmt.Sprintf("%012d", v), 0)
			outbox.Due = fixed()
			if err := d.Write(b.Context(), head, store.Create(outbox),
				store.Create(benchItem(pk+"#updates", fmt.Sprintf("%012d", v), 0)),
				store.Create(benchItem("account/1#audit", fmt.Sprintf("%d-%012d", client, v), 0))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// loaded is a store of 100 partitions with 500 items of 1 KB each.
func loaded(b *testing.B, dir string) *local.DB {
	d := open(b, dir, local.Options{NoSync: true})
	for p := range 100 {
		for from := 0; from < 500; from += 100 {
			var changes []store.Change
			for n := from; n < from+100; n++ {
				changes = append(changes, store.Create(benchItem(fmt.Sprintf("p/%d", p), fmt.Sprintf("%06d", n), 0)))
			}
			require.NoError(b, d.Write(b.Context(), changes...))
		}
	}
	return d
}

func BenchmarkPointReadsOf32Clients(b *testing.B) {
	d := loaded(b, b.TempDir())
	clients(b, func(_ int, pb *testing.PB) {
		for pb.Next() {
			k := store.Key{PK: fmt.Sprintf("p/%d", rand.IntN(100)), SK: fmt.Sprintf("%06d", rand.IntN(500))}
			if _, err := d.Get(b.Context(), k); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkQueriesFor100ItemsOf32Clients(b *testing.B) {
	d := loaded(b, b.TempDir())
	clients(b, func(_ int, pb *testing.PB) {
		for pb.Next() {
			q := store.Query{PK: fmt.Sprintf("p/%d", rand.IntN(100)), From: fmt.Sprintf("%06d", rand.IntN(400)), Limit: 100}
			p, err := d.Query(b.Context(), q)
			if err != nil || len(p.Items) != 100 {
				b.Errorf("%d items, %v", len(p.Items), err)
				return
			}
		}
	})
}

// A backup is opened like a store after a crash: what was not flushed to a table is replayed from the log.
func BenchmarkOpenOf50MBAfterACrash(b *testing.B) {
	dir := b.TempDir()
	d := loaded(b, dir)
	for n := range b.N {
		b.StopTimer()
		to := fmt.Sprintf("%s-crashed-%d", dir, n)
		require.NoError(b, d.Backup(b.Context(), to))
		b.StartTimer()
		again, err := local.Open(to, local.Options{Now: fixed})
		require.NoError(b, err)
		b.StopTimer()
		require.NoError(b, again.Close())
		b.StartTimer()
	}
}
