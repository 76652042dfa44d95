// Package keyringtest is the suite that every keyring passes.
package keyringtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/keyring"
)

const stack = "stack/0198c5f0"

// Run runs the suite. Each call of open gives a keyring of its own, with master keys of its own.
func Run(t *testing.T, open func(t *testing.T) keyring.Keyring) {
	t.Run("an unwrapped data key opens what the new one sealed", func(t *testing.T) {
		k := open(t)
		made := newKey(t, k, stack)
		again := unwrap(t, k, made.Wrapped(), stack)
		assert.Equal(t, made.Wrapped(), again.Wrapped())
		for _, plain := range []string{"", "a", "a longer secret that fills more than one block of the cipher"} {
			opened, err := again.Open(made.Seal([]byte(plain), []byte("aad")), []byte("aad"))
			require.NoError(t, err)
			assert.Equal(t, plain, string(opened))
			assert.Equal(t, made.Address([]byte(plain)), again.Address([]byte(plain)))
		}
	})

	t.Run("a data key does not unwrap for another context", func(t *testing.T) {
		k := open(t)
		wrapped := newKey(t, k, stack).Wrapped()
		for _, other := range []string{"", "stack/0198c5f", "stack/0198c5f00", "environment/0198c5f0", stack + "\x00"} {
			refuses(t, k, wrapped, other)
		}
	})

	t.Run("a wrapped key with any flipped, missing or added byte does not unwrap", func(t *testing.T) {
		k := open(t)
		wrapped := newKey(t, k, stack).Wrapped()
		for i := range wrapped {
			for _, flip := range []byte{0x01, 0x20, 0xff} {
				changed := slices.Clone(wrapped)
				changed[i] ^= flip
				refuses(t, k, changed, stack)
			}
			refuses(t, k, wrapped[:i], stack)
		}
		refuses(t, k, append(slices.Clone(wrapped), 0), stack)
		refuses(t, k, nil, stack)
		unwrap(t, k, wrapped, stack)
	})

	t.Run("two data keys differ, also for one context", func(t *testing.T) {
		k := open(t)
		a, b := newKey(t, k, stack), newKey(t, k, stack)
		assert.NotEqual(t, a.Wrapped(), b.Wrapped())
		assert.NotEqual(t, a.Address([]byte("x")), b.Address([]byte("x")))
		_, err := b.Open(a.Seal([]byte("x"), nil), nil)
		require.ErrorIs(t, err, keyring.ErrWrongKey)
	})

	t.Run("a data key of another keyring does not unwrap", func(t *testing.T) {
		refuses(t, open(t), newKey(t, open(t), stack).Wrapped(), stack)
	})

	t.Run("what a caller does to a wrapped key changes nothing", func(t *testing.T) {
		k := open(t)
		made := newKey(t, k, stack)
		mine := made.Wrapped()
		again := unwrap(t, k, mine, stack)
		clear(mine)
		clear(again.Wrapped())
		assert.Equal(t, made.Wrapped(), again.Wrapped())
		unwrap(t, k, made.Wrapped(), stack)
	})

	t.Run("many may wrap and unwrap at once", func(t *testing.T) {
		k := open(t)
		shared := newKey(t, k, stack)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 8 {
					own := fmt.Sprintf("stack/%d-%d", i, j)
					made, err := k.NewDataKey(t.Context(), own)
					if !assert.NoError(t, err) {
						return
					}
					_, err = k.Unwrap(t.Context(), made.Wrapped(), own)
					assert.NoError(t, err)
					again, err := k.Unwrap(t.Context(), shared.Wrapped(), stack)
					if assert.NoError(t, err) {
						_, err = again.Open(shared.Seal([]byte(own), nil), nil)
						assert.NoError(t, err)
					}
				}
			})
		}
		wg.Wait()
	})

	t.Run("a rewrapped data key is the same key, bound to the same context", func(t *testing.T) {
		k := open(t)
		r, ok := k.(keyring.Rewrapper)
		if !ok {
			return // not every keyring offers it; there is nothing that could be wrong then
		}
		made := newKey(t, k, stack)
		wrapped, err := r.Rewrap(t.Context(), made.Wrapped(), stack)
		require.NoError(t, err)
		assert.Equal(t, made.Address([]byte("x")), unwrap(t, k, wrapped, stack).Address([]byte("x")))
		refuses(t, k, wrapped, "stack/other")
		_, err = r.Rewrap(t.Context(), made.Wrapped(), "stack/other")
		require.ErrorIs(t, err, keyring.ErrWrongKey)
	})
}

func newKey(t *testing.T, k keyring.Keyring, boundTo string) *keyring.DataKey {
	t.Helper()
	key, err := k.NewDataKey(t.Context(), boundTo)
	require.NoError(t, err)
	return key
}

func unwrap(t *testing.T, k keyring.Keyring, wrapped []byte, boundTo string) *keyring.DataKey {
	t.Helper()
	key, err := k.Unwrap(t.Context(), wrapped, boundTo)
	require.NoError(t, err)
	return key
}

func refuses(t *testing.T, k keyring.Keyring, wrapped []byte, boundTo string) {
	t.Helper()
	key, err := k.Unwrap(t.Context(), wrapped, boundTo)
	require.ErrorIs(t, err, keyring.ErrWrongKey)
	require.Nil(t, key)
}
