package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
)

// each runs f in n goroutines that start together and returns what they return.
func each(n int, f func(n int) error) error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errors.Join(errs...)
}

// outcome is what became of a write in a race. It is unclear when the store was unavailable once and the repeat met a conflict:
// the conflict may be with the first attempt.
type outcome int

const (
	lost outcome = iota
	won
	unclear
)

// try writes until the store answers.
func try(ctx context.Context, s store.Store, changes ...store.Change) (outcome, error) {
	for loser := lost; ; loser = unclear {
		err := s.Write(ctx, changes...)
		switch {
		case err == nil:
			return won, nil
		case store.AsConflict(err) != nil:
			return loser, nil
		case !errors.Is(err, store.ErrUnavailable):
			return lost, err
		}
	}
}

// race lets n writers try at once; write gives the change of each. It states that exactly one wins.
func (f *fixture) race(n int, write func(n int) store.Change) {
	f.Helper()
	var outcomes [unclear + 1]atomic.Int32
	require.NoError(f, each(n, func(n int) error {
		o, err := try(f.ctx, f.Store, write(n))
		outcomes[o].Add(1)
		return err
	}))
	require.LessOrEqual(f, outcomes[won].Load(), int32(1))
	require.Positive(f, outcomes[won].Load()+outcomes[unclear].Load())
}

// add counts a counter up by read and Replace until it succeeds.
func add(ctx context.Context, s store.Store, k store.Key) error {
	for {
		i, err := s.Get(ctx, k)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(i.Body))
		if err != nil {
			return err
		}
		i.Body = []byte(strconv.Itoa(n + 1))
		if o, err := try(ctx, s, store.Replace(i)); o == won || err != nil {
			return err
		}
	}
}

var concurrency = []test{
	{"of concurrent creates of one key exactly one wins", func(f *fixture) {
		for round := range 10 {
			sk := fmt.Sprint(round)
			f.race(16, func(n int) store.Change { return store.Create(item("p", sk, fmt.Sprint(n))) })
			got, err := f.Get(f.ctx, key("p", sk))
			require.NoError(f, err)
			require.EqualValues(f, 1, got.Version)
		}
	}},
	{"of concurrent replaces of one version exactly one wins", func(f *fixture) {
		f.write(store.Create(item("p", "a", "x")))
		for v := int64(1); v <= 20; v++ {
			f.race(8, func(n int) store.Change { return store.Replace(at(item("p", "a", fmt.Sprint(n)), v)) })
			got, err := f.Get(f.ctx, key("p", "a"))
			require.NoError(f, err)
			require.Equal(f, v+1, got.Version)
		}
	}},
	{"no count is lost when many count up by read and replace", func(f *fixture) {
		const workers, times = 8, 25
		counters := []store.Key{key("p", "a"), key("p", "b"), key("q", "a")}
		for _, k := range counters {
			f.write(store.Create(item(k.PK, k.SK, "0")))
		}
		require.NoError(f, each(workers, func(n int) error {
			for i := range times {
				if err := add(f.ctx, f.Store, counters[(n+i)%len(counters)]); err != nil {
					return err
				}
			}
			return nil
		}))
		total := 0
		for _, k := range counters {
			got, err := f.Get(f.ctx, k)
			require.NoError(f, err)
			n, err := strconv.Atoi(string(got.Body))
			require.NoError(f, err)
			require.EqualValues(f, n+1, got.Version)
			total += n
		}
		require.GreaterOrEqual(f, total, workers*times)
	}},
	{"writes that cross over the same keys neither stop nor tear", func(f *fixture) {
		keys := []store.Key{key("p", "a"), key("p", "b"), key("q", "a"), key("q", "b")}
		for _, k := range keys {
			f.write(store.Create(item(k.PK, k.SK, "0")))
		}
		require.NoError(f, each(8, func(n int) error {
			for i := range 20 {
				items, err := f.BatchGet(f.ctx, keys)
				if err != nil {
					return err
				}
				from, to := items[(n+i)%4], items[(n+i+1+n%3)%4] // each worker in another order
				a, _ := strconv.Atoi(string(from.Body))
				b, _ := strconv.Atoi(string(to.Body))
				from.Body, to.Body = []byte(strconv.Itoa(a-1)), []byte(strconv.Itoa(b+1))
				if _, err := try(f.ctx, f.Store, store.Replace(from), store.Replace(to)); err != nil {
					return err
				}
			}
			return nil
		}))
		sum := 0
		items, err := f.BatchGet(f.ctx, keys)
		require.NoError(f, err)
		for _, i := range items {
			n, _ := strconv.Atoi(string(i.Body))
			sum += n
		}
		require.Zero(f, sum, "what one item lost another must have won")
	}},
	{"a check holds until the write it guards is done", func(f *fixture) {
		f.write(store.Create(item("p", "guard", "open")))
		guarded := func(pk string, i int) (outcome, error) {
			return try(f.ctx, f.Store, store.Check(key("p", "guard"), 1), store.Create(item(pk, fmt.Sprint(i), "")))
		}
		require.NoError(f, each(9, func(n int) error {
			if n == 0 {
				o, err := try(f.ctx, f.Store, store.Replace(at(item("p", "guard", "closed"), 1)))
				if o == lost && err == nil {
					return errors.New("the guard could not be closed")
				}
				return err
			}
			for i := range 20 {
				o, err := guarded(fmt.Sprint("w", n), i)
				if err != nil {
					return err
				}
				guard, err := f.Get(f.ctx, key("p", "guard"))
				if err != nil {
					return err
				}
				if o == lost && guard.Version == 1 {
					return errors.New("a guarded write failed while the guard was open")
				}
				if guard.Version == 2 {
					if o, err := guarded(fmt.Sprint("late", n), i); o != lost || err != nil {
						return errors.Join(errors.New("a guarded write passed a closed guard"), err)
					}
				}
			}
			return nil
		}))
	}},
}
