package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

// timings are the durations of calls, sorted.
type timings []time.Duration

func (t timings) at(quantile float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[min(int(quantile*float64(len(t))), len(t)-1)]
}

// timed makes so many calls with each of the clients at once. call gets the number of its client and of its own call.
func timed(clients, times int, call func(client, n int) error) (timings, error) {
	all := make([]timings, clients)
	errs := make(chan error, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := range times {
				began := time.Now()
				if err := call(c, n); err != nil {
					errs <- err
					return
				}
				all[c] = append(all[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	close(errs)
	out := timings(slices.Concat(all...))
	slices.Sort(out)
	return out, <-errs
}

// rate calls from so many goroutines for a while and returns calls a second.
func rate(workers int, long time.Duration, call func(worker, n int) error) (float64, error) {
	var done atomic.Int64
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		wg.Go(func() {
			for n := 0; time.Since(began) < long; n++ {
				if err := call(w, n); err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	close(errs)
	return float64(done.Load()) / took.Seconds(), <-errs
}

// storeTable measures the embedded store below everything else.
func storeTable(c scale) error {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := local.Open(filepath.Join(dir, "store"), local.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	t := newTable("store: the embedded store, items of 500 bytes, every write synced", "what", "workers", "a second", "target")
	defer t.end()

	ctx := context.Background()
	const writers, partitions, each = 32, 100, 100
	body := make([]byte, 500)
	for i := range body {
		body[i] = byte(rand.IntN(256))
	}
	item := func(pk, sk string) store.Item {
		return store.Item{Key: store.Key{PK: pk, SK: sk}, Kind: "bench", Schema: 1, Body: body}
	}
	for p := range partitions {
		var changes []store.Change
		for i := range each {
			changes = append(changes, store.Create(item(fmt.Sprintf("s/%d#items", p), fmt.Sprintf("%03d", i))))
		}
		if err := db.Write(ctx, changes...); err != nil {
			return err
		}
	}
	measure := func(what string, workers int, target string, call func(worker, n int) error) error {
		r, err := rate(workers, c.long, call)
		if err == nil {
			t.row(what, workers, fmt.Sprintf("%.0f", r), target)
		}
		return err
	}
	for _, workers := range []int{1, writers} {
		target := "10000"
		if workers == 1 {
			target = "-"
		}
		err := measure("conditional write", workers, target, func(w, n int) error {
			i := item(fmt.Sprintf("w/%d-%d#own", workers, w), "head")
			if n == 0 {
				return db.Write(ctx, store.Create(i))
			}
			i.Version = int64(n)
			return db.Write(ctx, store.Replace(i))
		})
		if err != nil {
			return err
		}
	}
	if err := measure("point read", 4, "40000", func(int, int) error {
		_, err := db.Get(ctx, store.Key{PK: fmt.Sprintf("s/%d#items", rand.IntN(partitions)), SK: fmt.Sprintf("%03d", rand.IntN(each))})
		return err
	}); err != nil {
		return err
	}
	return measure("query of 100", 4, "-", func(int, int) error {
		page, err := db.Query(ctx, store.Query{PK: fmt.Sprintf("s/%d#items", rand.IntN(partitions)), Limit: each})
		if err == nil && len(page.Items) != each {
			err = fmt.Errorf("a page of %d", len(page.Items))
		}
		return err
	})
}
