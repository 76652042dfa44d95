// Package parallel does the same to many things at once, a bounded number at a time.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Do calls work(0) … work(n-1) in up to workers goroutines, waits for all of them and returns the first error that came. After
// an error no further call is started.
func Do(workers, n int, work func(i int) error) error {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			if err := work(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next   atomic.Int64
		failed atomic.Bool
		once   sync.Once
		first  error
		wg     sync.WaitGroup
	)
	for range workers {
		wg.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := work(i); err != nil {
					once.Do(func() { first = err })
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return first
}
