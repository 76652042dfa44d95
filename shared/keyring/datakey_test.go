package keyring_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/keyring"
)

func someKey() *keyring.DataKey {
	return keyring.NewDataKeyFrom([32]byte([]byte("0123456789abcdef0123456789ABCDEF")), []byte("wrapped"))
}

func TestAnythingSealedOpensWithTheSameKeyAndDataOnly(t *testing.T) {
	key, other := someKey(), keyring.NewDataKeyFrom([32]byte{1}, nil)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		aad := rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		sealed := key.Seal(plain, aad)
		require.Len(t, sealed, len(plain)+keyring.SealedOverhead)

		opened, err := key.Open(sealed, aad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, opened))

		_, err = other.Open(sealed, aad)
		require.ErrorIs(t, err, keyring.ErrWrongKey)
		_, err = key.Open(sealed, append(slices.Clone(aad), 0))
		require.ErrorIs(t, err, keyring.ErrWrongKey)
	})
}

func TestEveryFlippedOrMissingByteOfSomethingSealedIsNoticed(t *testing.T) {
	key := someKey()
	sealed := key.Seal([]byte("a secret"), []byte("aad"))
	for i := range sealed {
		for bit := range 8 {
			changed := slices.Clone(sealed)
			changed[i] ^= 1 << bit
			_, err := key.Open(changed, []byte("aad"))
			require.ErrorIs(t, err, keyring.ErrWrongKey, "byte %d bit %d", i, bit)
		}
		_, err := key.Open(sealed[:i], []byte("aad"))
		require.ErrorIs(t, err, keyring.ErrWrongKey)
	}
}

func TestSealingTheSameTwiceGivesDifferentBytes(t *testing.T) {
	key := someKey()
	assert.NotEqual(t, key.Seal([]byte("a secret"), nil), key.Seal([]byte("a secret"), nil))
}

// The bytes of a released format are pinned: data sealed and addressed by one version is read by all later ones.
func TestKeysAddressesAndSealedBytesOfTheFirstFormatStayReadable(t *testing.T) {
	key := someKey()
	assert.Equal(t, "f9118f29c0a498eb1ce94f75dd7d6fa8cec98fec5400c48333caaea3d3da0575", key.Address([]byte("a secret")))
	sealed, err := hex.DecodeString("01e0b2b1a617d0608cf14b7552f2c9f4f4fa0d3e03315a724d069f9943bcdae173ac961219")
	require.NoError(t, err)
	opened, err := key.Open(sealed, []byte("aad"))
	require.NoError(t, err)
	assert.Equal(t, "a secret", string(opened))
}

func TestAnAddressIsLowerCaseHexOf32BytesAndDependsOnKeyAndContent(t *testing.T) {
	a := someKey().Address([]byte("x"))
	assert.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}$`), a)
	assert.NotEqual(t, a, someKey().Address([]byte("y")))
	assert.NotEqual(t, a, keyring.NewDataKeyFrom([32]byte{1}, nil).Address([]byte("x")))
}

func TestADataKeyIsNeverPrinted(t *testing.T) {
	key := someKey()
	holder := struct {
		Key    *keyring.DataKey
		hidden *keyring.DataKey
		value  keyring.DataKey
	}{key, key, *key}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%p", "%T"} {
		fmt.Fprintf(&out, verb, key)
		fmt.Fprintf(&out, verb, *key)
		fmt.Fprintf(&out, verb, holder)
		fmt.Fprintf(&out, verb, []any{key, &holder})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("made", "key", key, "value", *key, "holder", holder)
	}
	asJSON, err := json.Marshal(holder)
	require.NoError(t, err)
	out.Write(asJSON)

	printed := strings.ToLower(out.String())
	plain := []byte("0123456789abcdef0123456789ABCDEF")
	decimal := strings.Trim(fmt.Sprint(plain[:8]), "[]")
	for _, secret := range []string{"0123456789abcdef", hex.EncodeToString(plain[:8]), decimal} {
		assert.NotContains(t, printed, secret)
	}
	assert.Contains(t, printed, "hidden")
	assert.Equal(t, "keyring.DataKey(hidden)", fmt.Sprintf("%#v", key))
	assert.Equal(t, "keyring.DataKey(hidden)", fmt.Sprintf("%d", *key))
	assert.Equal(t, "keyring.DataKey(hidden)", key.LogValue().String())
}
