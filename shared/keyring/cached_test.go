package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/keyring/keyringtest"
	"github.com/polyplane/polyplane/shared/keyring/local"
)

// counting counts how often the keeper of the master key is asked, and can make it wait or fail.
type counting struct {
	keyring.Keyring
	unwraps atomic.Int32
	before  func(ctx context.Context) error
}

func (c *counting) Unwrap(ctx context.Context, wrapped []byte, boundTo string) (*keyring.DataKey, error) {
	c.unwraps.Add(1)
	if c.before != nil {
		if err := c.before(ctx); err != nil {
			return nil, err
		}
	}
	return c.Keyring.Unwrap(ctx, wrapped, boundTo)
}

func openCounting(t *testing.T) *counting {
	t.Helper()
	k, err := local.Open(t.TempDir() + "/master.key")
	require.NoError(t, err)
	return &counting{Keyring: k}
}

type clock struct{ at time.Time }

func newClock() *clock                { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func wrappedFor(t *testing.T, k keyring.Keyring, boundTo string) []byte {
	t.Helper()
	key, err := k.NewDataKey(t.Context(), boundTo)
	require.NoError(t, err)
	return key.Wrapped()
}

func TestACachedKeyringPassesTheSuite(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
		return keyring.Cached(openCounting(t), newClock().now, time.Minute, 4)
	})
}

func TestADataKeyIsUnwrappedOnceUntilItsTimeIsOver(t *testing.T) {
	inner, c := openCounting(t), newClock()
	k := keyring.Cached(inner, c.now, 5*time.Minute, 10)
	wrapped := wrappedFor(t, inner, "stack/1")
	for range 4 {
		_, err := k.Unwrap(t.Context(), wrapped, "stack/1")
		require.NoError(t, err)
		c.pass(time.Minute)
	}
	assert.EqualValues(t, 1, inner.unwraps.Load())
	c.pass(time.Minute) // five since it was unwrapped, one since it was used
	_, err := k.Unwrap(t.Context(), wrapped, "stack/1")
	require.NoError(t, err)
	assert.EqualValues(t, 2, inner.unwraps.Load())
}

func TestANewDataKeyNeedsNoUnwrapping(t *testing.T) {
	inner := openCounting(t)
	k := keyring.Cached(inner, newClock().now, time.Minute, 10)
	_, err := k.Unwrap(t.Context(), wrappedFor(t, k, "stack/1"), "stack/1")
	require.NoError(t, err)
	assert.Zero(t, inner.unwraps.Load())
}

func TestACachedKeyIsNotGivenToAnotherContext(t *testing.T) {
	inner := openCounting(t)
	k := keyring.Cached(inner, newClock().now, time.Minute, 10)
	wrapped := wrappedFor(t, k, "stack/1")
	_, err := k.Unwrap(t.Context(), wrapped, "stack/2")
	require.ErrorIs(t, err, keyring.ErrWrongKey)
}

func TestFailuresAreNotKept(t *testing.T) {
	inner := openCounting(t)
	k := keyring.Cached(inner, newClock().now, time.Minute, 10)
	wrapped := wrappedFor(t, inner, "stack/1")
	outage := errors.New("the keeper is away")
	inner.before = func(context.Context) error { return outage }
	_, err := k.Unwrap(t.Context(), wrapped, "stack/1")
	require.ErrorIs(t, err, outage)
	inner.before = nil
	_, err = k.Unwrap(t.Context(), wrapped, "stack/1")
	require.NoError(t, err)
}

func TestTheKeyUsedLongestAgoMakesRoom(t *testing.T) {
	inner := openCounting(t)
	k := keyring.Cached(inner, newClock().now, time.Minute, 2)
	unwrap := func(n int, wrapped []byte) {
		_, err := k.Unwrap(t.Context(), wrapped, fmt.Sprint("stack/", n))
		require.NoError(t, err)
	}
	var wrapped [3][]byte
	for n := range wrapped {
		wrapped[n] = wrappedFor(t, inner, fmt.Sprint("stack/", n))
	}
	unwrap(0, wrapped[0])
	unwrap(1, wrapped[1])
	unwrap(0, wrapped[0])
	unwrap(2, wrapped[2]) // 1 goes
	assert.EqualValues(t, 3, inner.unwraps.Load())
	unwrap(0, wrapped[0])
	assert.EqualValues(t, 3, inner.unwraps.Load())
	unwrap(1, wrapped[1])
	assert.EqualValues(t, 4, inner.unwraps.Load())
}

func TestCallersOfTheSameKeyShareOneUnwrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := openCounting(t)
		release := make(chan struct{})
		inner.before = func(context.Context) error { <-release; return nil }
		k := keyring.Cached(inner, newClock().now, time.Minute, 10)
		wrapped := wrappedFor(t, inner, "stack/1")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := k.Unwrap(t.Context(), wrapped, "stack/1")
				assert.NoError(t, err)
			})
		}
		synctest.Wait() // one is in the keeper, nine wait for it
		close(release)
		wg.Wait()
		assert.EqualValues(t, 1, inner.unwraps.Load())
	})
}

func TestACallerWhoGivesUpDoesNotFailThoseWhoWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := openCounting(t)
		inner.before = func(ctx context.Context) error {
			if inner.unwraps.Load() == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		k := keyring.Cached(inner, newClock().now, time.Minute, 10)
		wrapped := wrappedFor(t, inner, "stack/1")
		impatient, giveUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := k.Unwrap(impatient, wrapped, "stack/1")
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() {
				_, err := k.Unwrap(t.Context(), wrapped, "stack/1")
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		giveUp()
		wg.Wait()
		assert.EqualValues(t, 2, inner.unwraps.Load())
	})
}
