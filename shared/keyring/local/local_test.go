package local_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/keyring/keyringtest"
	"github.com/polyplane/polyplane/shared/keyring/local"
)

func open(t *testing.T, path string) *local.Keyring {
	t.Helper()
	k, err := local.Open(path)
	require.NoError(t, err)
	return k
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

func TestTheLocalKeyringPassesTheSuite(t *testing.T) {
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring { return open(t, filepath.Join(t.TempDir(), "master.key")) })
}

func TestTheFirstStartMakesFilesThatOnlyTheirOwnerReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "keys")
	open(t, filepath.Join(dir, "master.key"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the key, the canary and nothing temporary")
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
}

func TestALaterStartOpensWhatAnEarlierOneWrapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	key, err := open(t, path).NewDataKey(t.Context(), "stack/1")
	require.NoError(t, err)
	again, err := open(t, path).Unwrap(t.Context(), key.Wrapped(), "stack/1")
	require.NoError(t, err)
	assert.Equal(t, key.Address(nil), again.Address(nil))
}

func TestStartsAtTheSameTimeAgreeOnOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	keyrings := make([]*local.Keyring, 8)
	var wg sync.WaitGroup
	for i := range keyrings {
		wg.Go(func() {
			k, err := local.Open(path)
			assert.NoError(t, err)
			keyrings[i] = k
		})
	}
	wg.Wait()
	key, err := keyrings[0].NewDataKey(t.Context(), "stack/1")
	require.NoError(t, err)
	for _, k := range keyrings {
		_, err := k.Unwrap(t.Context(), key.Wrapped(), "stack/1")
		assert.NoError(t, err)
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	open(t, path)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o644} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := local.Open(path)
		require.ErrorContains(t, err, "chmod 600 "+path)
	}
	require.NoError(t, os.Chmod(path, 0o600))
	open(t, path)
}

func TestAMissingKeyIsNotReplacedWhileTheCanaryIsThere(t *testing.T) {
	dir := t.TempDir()
	path, canary := filepath.Join(dir, "master.key"), filepath.Join(dir, "canary")
	open(t, path)
	require.NoError(t, os.Remove(path))
	_, err := local.Open(path)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, canary)
	require.ErrorContains(t, err, "put the file back from its backup")
	require.NoFileExists(t, path)
}

func TestOpeningAnExistingKeyringNeverMakesAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	_, err := local.OpenExisting(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoFileExists(t, path)
	open(t, path)
	_, err = local.OpenExisting(path)
	require.NoError(t, err)
}

func TestAnotherKeyIsRefusedByTheCanary(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "master.key")
	path, canary := filepath.Join(dir, "master.key"), filepath.Join(dir, "canary")
	open(t, path)
	open(t, other)
	write(t, path, read(t, other))
	_, err := local.Open(path)
	require.ErrorIs(t, err, keyring.ErrWrongKey)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, canary)
	require.ErrorContains(t, err, "put the right file back from its backup")
}

func TestACanaryWithAnyFlippedByteIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, canary := filepath.Join(dir, "master.key"), filepath.Join(dir, "canary")
	open(t, path)
	whole := read(t, canary)
	for i := range len(whole) - 1 { // the last byte is a newline
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		write(t, canary, changed)
		_, err := local.Open(path)
		require.Error(t, err, "byte %d", i)
	}
	write(t, canary, whole)
	open(t, path)
}

func TestADamagedKeyFileIsRefusedWithoutQuotingIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	open(t, path)
	whole := string(read(t, path))
	secret := whole[strings.Index(whole, `"key": "`)+8:][:44]
	for name, damaged := range map[string]string{
		"empty":         "",
		"cut":           whole[:len(whole)/2],
		"no key":        `{"format":1,"keys":[]}`,
		"newer format":  strings.Replace(whole, `"format": 1`, `"format": 2`, 1),
		"short key":     strings.Replace(whole, secret, secret[:20], 1),
		"no hex":        strings.Replace(whole, `"id": "`, `"id": "x`, 1),
		"key unquoted":  strings.Replace(whole, `"key": "`, `"key": `, 1),
		"key as number": `{"format":1,"keys":[{"id":1,"key":2}]}`,
	} {
		write(t, path, []byte(damaged))
		_, err := local.Open(path)
		require.ErrorContains(t, err, path, name)
		require.ErrorContains(t, err, "damaged", name)
		require.NotContains(t, err.Error(), secret[:10], name)
	}
}

func TestAfterARotationOldKeysOpenAndNewOnesAreWrappedByTheNewMaster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	k := open(t, path)
	old, err := k.NewDataKey(t.Context(), "stack/1")
	require.NoError(t, err)
	require.NoError(t, k.Rotate())
	fresh, err := k.NewDataKey(t.Context(), "stack/1")
	require.NoError(t, err)
	assert.NotEqual(t, old.Wrapped()[:9], fresh.Wrapped()[:9], "they name their master keys")

	for _, k := range []*local.Keyring{k, open(t, path)} {
		for _, key := range []*keyring.DataKey{old, fresh} {
			again, err := k.Unwrap(t.Context(), key.Wrapped(), "stack/1")
			require.NoError(t, err)
			assert.Equal(t, key.Address(nil), again.Address(nil))
		}
	}

	rewrapped, err := k.Rewrap(t.Context(), old.Wrapped(), "stack/1")
	require.NoError(t, err)
	assert.Equal(t, fresh.Wrapped()[:9], rewrapped[:9])
	again, err := k.Unwrap(t.Context(), rewrapped, "stack/1")
	require.NoError(t, err)
	assert.Equal(t, old.Address(nil), again.Address(nil))
	same, err := k.Rewrap(t.Context(), rewrapped, "stack/1")
	require.NoError(t, err)
	assert.Equal(t, rewrapped, same, "nothing to do twice")
}

func TestAKeyFileFromBeforeTheRotationIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	k := open(t, path)
	before := read(t, path)
	require.NoError(t, k.Rotate())
	write(t, path, before)
	_, err := local.Open(path)
	require.ErrorContains(t, err, "not its latest version")
}

func TestACrashBetweenKeyAndCanaryIsMendedByTheNextStart(t *testing.T) {
	dir := t.TempDir()
	path, canary := filepath.Join(dir, "master.key"), filepath.Join(dir, "canary")
	k := open(t, path)
	first := read(t, canary)

	require.NoError(t, os.Remove(canary)) // as after a crash on the first start
	open(t, path)
	require.FileExists(t, canary)

	require.NoError(t, k.Rotate())
	write(t, canary, first) // as after a crash within the rotation
	open(t, path)
	require.NotEqual(t, first, read(t, canary))
	open(t, path)
}

func TestARotationThatCannotBeWrittenChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	k := open(t, path)
	require.NoError(t, os.Chmod(path, 0o644))
	require.Error(t, k.Rotate())
	require.NoError(t, os.Chmod(path, 0o600))
	key, err := k.NewDataKey(t.Context(), "stack/1")
	require.NoError(t, err)
	_, err = open(t, path).Unwrap(t.Context(), key.Wrapped(), "stack/1")
	require.NoError(t, err)
}
