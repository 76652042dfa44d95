package audit_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/store"
)

// gauge is a store that looks at the heap at every query.
type gauge struct {
	store.Store
	peak uint64
}

func (g *gauge) Query(ctx context.Context, q store.Query) (store.Page, error) {
	p, err := g.Store.Query(ctx, q)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	g.peak = max(g.peak, m.HeapAlloc)
	return p, err
}

const manyEntries = 100_000

// filled is an organization with 100,000 entries in 50 hours.
func filled(b *testing.B) *world {
	w := newWorld(b, "o1")
	var changes []store.Change
	for i := range manyEntries {
		w.at(beginning.Add(time.Duration(i) * 50 * time.Hour / manyEntries))
		c := audit.Record(context.Background(), w.Ports, "o1", "stack-update-completed", "completed update %d of stack acme/project-%d/production: succeeded", i, i%50)
		if changes = append(changes, c); len(changes) == store.MaxChanges {
			w.write(changes...)
			changes = changes[:0]
		}
	}
	w.at(beginning.Add(51 * time.Hour))
	return w
}

// measured runs work b.N times and reports entries a second and the highest heap above what was there before.
func measured(b *testing.B, w *world, work func()) {
	g := &gauge{Store: w.Store}
	w.Store = g
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ResetTimer()
	for range b.N {
		work()
	}
	b.ReportMetric(float64(b.N)*manyEntries/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(g.peak-min(g.peak, m.HeapAlloc))/(1<<20), "MB-peak")
}

func BenchmarkSeal(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := filled(b)
		b.StartTimer()
		w.seal()
	}
	b.ReportMetric(float64(b.N)*manyEntries/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkVerify(b *testing.B) {
	w := filled(b)
	w.seal()
	measured(b, w, func() {
		if v := w.verify(); v.Finding != nil || v.Entries != manyEntries {
			b.Fatalf("%+v", v)
		}
	})
}

func BenchmarkExport(b *testing.B) {
	w := filled(b)
	measured(b, w, func() {
		all, err := audit.Export(context.Background(), w.Ports, "o1", audit.Filter{To: audit.At(w.Now())}, "CSV")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, err := range all {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != manyEntries {
			b.Fatal(n)
		}
	})
}

func BenchmarkList(b *testing.B) {
	w := filled(b)
	for b.Loop() {
		page, next, err := audit.List(context.Background(), w.Ports, "o1", audit.Filter{}, 100)
		if err != nil || len(page) != 100 || next == "" {
			b.Fatal(len(page), next, err)
		}
	}
}
