package parallel_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob/internal/parallel"
)

func TestEverythingIsDoneOnceByNoMoreThanTheWorkers(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 200} {
		var done [100]atomic.Int32
		var now, most atomic.Int32
		require.NoError(t, parallel.Do(workers, len(done), func(i int) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			done[i].Add(1)
			now.Add(-1)
			return nil
		}))
		for i := range done {
			require.EqualValues(t, 1, done[i].Load())
		}
		assert.LessOrEqual(t, int(most.Load()), max(workers, 1))
	}
}

func TestTheFirstErrorIsReturnedAndStopsTheRest(t *testing.T) {
	broken := errors.New("broken")
	for _, workers := range []int{1, 4} {
		var calls atomic.Int32
		err := parallel.Do(workers, 1_000_000, func(i int) error {
			if calls.Add(1); i == 10 {
				return broken
			}
			return nil
		})
		require.ErrorIs(t, err, broken)
		assert.Less(t, calls.Load(), int32(1_000_000))
	}
}

func TestNothingToDoIsDone(t *testing.T) {
	require.NoError(t, parallel.Do(4, 0, func(int) error { panic("called") }))
}
