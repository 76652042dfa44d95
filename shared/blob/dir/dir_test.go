package dir_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
	"github.com/polyplane/polyplane/shared/blob/dir"
)

const scope = "stack/0198c5f0"

func open(t *testing.T, root string, now func() time.Time) *dir.Store {
	t.Helper()
	s, err := dir.Open(root, now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func chunk(content string) blob.Chunk {
	return blob.Chunk{ID: blobtest.ID(content), Data: []byte(content)}
}

func put(t *testing.T, s *dir.Store, scope string, contents ...string) {
	t.Helper()
	var chunks []blob.Chunk
	for _, c := range contents {
		chunks = append(chunks, chunk(c))
	}
	require.NoError(t, s.Put(t.Context(), scope, chunks))
}

// files returns the paths of all files below root but the lock.
func files(t require.TestingT, root string) []string {
	var found []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			rel, _ := filepath.Rel(root, path)
			found = append(found, rel)
		}
		return err
	}))
	return found
}

func TestADirectoryPassesTheSuite(t *testing.T) {
	blobtest.Run(t, func(t *testing.T, now func() time.Time) blob.Store {
		return open(t, filepath.Join(t.TempDir(), "blobs"), now)
	})
}

func TestAChunkIsOneFileBelowItsScopeThatOnlyItsOwnerReads(t *testing.T) {
	root, clock := t.TempDir(), blobtest.NewClock()
	put(t, open(t, root, clock.Now), "stack/Ab.c", "x")
	id := blobtest.ID("x")
	path := filepath.Join("stack%2f%41b%2ec", id[:2], id)
	require.Equal(t, []string{path}, files(t, root))
	info, err := os.Stat(filepath.Join(root, path))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	assert.True(t, info.ModTime().Equal(clock.Now()))
}

func TestALaterOpenFindsWhatWasPutAndWhen(t *testing.T) {
	root, clock := t.TempDir(), blobtest.NewClock()
	s := open(t, root, clock.Now)
	put(t, s, scope, "x")
	require.NoError(t, s.Close())
	at := clock.Now()
	clock.Pass(time.Hour)
	infos, err := open(t, root, clock.Now).Stat(t.Context(), scope, []string{blobtest.ID("x")})
	require.NoError(t, err)
	assert.True(t, infos[blobtest.ID("x")].Put.Equal(at))
}

func TestADirectoryIsOpenOnce(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	_, err := dir.Open(root, blobtest.NewClock().Now)
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, s.Close())
	open(t, root, blobtest.NewClock().Now)
}

func TestWhatACrashLeftHalfWrittenIsRemovedByTheNextOpen(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	put(t, s, scope, "x")
	require.NoError(t, s.Close())
	half := filepath.Join(root, ".tmp", "put-123")
	require.NoError(t, os.Mkdir(half, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(half, blobtest.ID("y")), []byte("ha"), 0o600))

	s = open(t, root, blobtest.NewClock().Now)
	entries, err := os.ReadDir(filepath.Join(root, ".tmp"))
	require.NoError(t, err)
	assert.Empty(t, entries)
	_, err = s.Get(t.Context(), scope, []string{blobtest.ID("x")})
	require.NoError(t, err)
	_, err = s.Get(t.Context(), scope, []string{blobtest.ID("y")})
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func TestAPutLeavesNothingTemporary(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	put(t, s, scope, "x", "y")
	require.ErrorIs(t, s.Put(t.Context(), scope, []blob.Chunk{chunk("z"), {ID: chunk("w").ID, Data: make([]byte, blob.MaxStored+1)}}), blob.ErrTooLarge)
	require.Len(t, files(t, root), 2)
}

func TestAPutThatCannotBePlacedStoresNothing(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	require.NoError(t, os.WriteFile(filepath.Join(root, "stack%2fblocked"), nil, 0o600)) // where the scope's directory should be
	require.Error(t, s.Put(t.Context(), "stack/blocked", []blob.Chunk{chunk("x")}))
	require.Equal(t, []string{"stack%2fblocked"}, files(t, root))
}

func TestADeletedScopeLeavesNoDirectory(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	put(t, s, scope, "x", "y")
	put(t, s, "stack/other", "x")
	require.NoError(t, s.Delete(t.Context(), scope, []string{chunk("x").ID, chunk("y").ID}))
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{".lock", ".tmp", "stack%2fother"}, names)
	put(t, s, scope, "x")
}

func TestForeignFilesAreNotListed(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	put(t, s, scope, "x")
	id := chunk("x").ID
	home := filepath.Join(root, "stack%2f0198c5f0")
	require.NoError(t, os.WriteFile(filepath.Join(home, id[:2], ".DS_Store"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(home, id[:2], id+".orig"), nil, 0o600))
	infos, err := s.List(t.Context(), scope, "", 10)
	require.NoError(t, err)
	require.Len(t, infos, 1)
}

func TestAFileThatCannotBeAChunkIsNotReadWithoutEnd(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	put(t, s, scope, "x")
	path := filepath.Join(root, files(t, root)[0])
	require.NoError(t, os.Truncate(path, 1<<40))
	_, err := s.Get(t.Context(), scope, []string{chunk("x").ID})
	require.ErrorIs(t, err, blob.ErrTooLarge)
}

func TestABackupIsCompleteOpensAndStaysAsItWas(t *testing.T) {
	t.Run("by links", func(t *testing.T) { testBackup(t, func(*dir.Store) {}) })
	t.Run("by copies", func(t *testing.T) { testBackup(t, dir.WithoutLinks) })
}

func testBackup(t *testing.T, prepare func(*dir.Store)) {
	clock := blobtest.NewClock()
	root, dst := filepath.Join(t.TempDir(), "blobs"), filepath.Join(t.TempDir(), "deep", "backup")
	s := open(t, root, clock.Now)
	put(t, s, scope, "x", "y")
	put(t, s, "stack/2", "z")
	prepare(s)
	at := clock.Now()
	require.NoError(t, os.MkdirAll(dst+".partial/rest of an interrupted one", 0o700))
	require.NoError(t, s.Backup(t.Context(), dst))
	require.NoDirExists(t, dst+".partial")
	require.ElementsMatch(t, files(t, root), files(t, dst))

	clock.Pass(time.Hour)
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: chunk("x").ID, Data: []byte("sealed anew")}}))
	require.NoError(t, s.Delete(t.Context(), "stack/2", []string{chunk("z").ID}))

	backup := open(t, dst, clock.Now)
	got, err := backup.Get(t.Context(), scope, []string{chunk("x").ID, chunk("y").ID})
	require.NoError(t, err)
	assert.Equal(t, "x", string(got[0]))
	assert.Equal(t, "y", string(got[1]))
	infos, err := backup.Stat(t.Context(), scope, []string{chunk("x").ID})
	require.NoError(t, err)
	assert.True(t, infos[chunk("x").ID].Put.Equal(at))
	_, err = backup.Get(t.Context(), "stack/2", []string{chunk("z").ID})
	require.NoError(t, err)
}

func TestABackupGoesNeitherIntoTheStoreNorOverAnything(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	for _, dst := range []string{root, filepath.Join(root, "backup"), filepath.Join(root, "..", filepath.Base(root), "x")} {
		require.Error(t, s.Backup(t.Context(), dst), dst)
	}
	require.ErrorIs(t, s.Backup(t.Context(), t.TempDir()), fs.ErrExist)
	require.Empty(t, files(t, root))
}

func TestNothingIsDeletedWhileABackupHolds(t *testing.T) {
	s := open(t, t.TempDir(), blobtest.NewClock().Now)
	put(t, s, scope, "x")
	first, second := s.Hold(), s.Hold()
	ids := []string{chunk("x").ID}
	for _, release := range []func(){first, second} {
		require.ErrorIs(t, s.Delete(t.Context(), scope, ids), dir.ErrHeld)
		_, err := s.DeleteBefore(t.Context(), scope, ids, blobtest.NewClock().Now().Add(time.Hour))
		require.ErrorIs(t, err, dir.ErrHeld)
		release()
		release() // once is enough
	}
	require.NoError(t, s.Delete(t.Context(), scope, ids))
}

var wellFormed = regexp.MustCompile(`^[a-z0-9_%-]+/[0-9a-f]{2}/[0-9a-f]{64}$`)

// staysInside puts under any scope and id and checks that whatever was accepted lies where it should, and nothing lies elsewhere.
func staysInside(t interface {
	require.TestingT
	Context() context.Context
}, s *dir.Store, parent, scope, id string) {
	ctx := t.Context()
	err := s.Put(ctx, scope, []blob.Chunk{{ID: id, Data: []byte("x")}})
	found := slices.DeleteFunc(files(t, parent), func(path string) bool { return !strings.HasPrefix(path, "blobs/") })
	require.Equal(t, len(files(t, parent)), len(found), "something was written outside the store")
	if err != nil {
		require.Empty(t, found)
		return
	}
	require.Len(t, found, 1)
	require.Regexp(t, wellFormed, strings.TrimPrefix(found[0], "blobs/"))
	require.Equal(t, id, filepath.Base(found[0]))
	require.NoError(t, s.Delete(ctx, scope, []string{id}))
}

func TestNoScopeAndNoIDLeavesTheDirectory(t *testing.T) {
	parent := t.TempDir()
	s := open(t, filepath.Join(parent, "blobs"), blobtest.NewClock().Now)
	segment := rapid.OneOf(rapid.SampledFrom([]string{"..", ".", "", ".tmp", "%2f", "%2e%2e", "stack", "~", "\x00", "C:"}), rapid.String())
	rapid.Check(t, func(rt *rapid.T) {
		scope := strings.Join(rapid.SliceOfN(segment, 0, 5).Draw(rt, "scope"), rapid.SampledFrom([]string{"/", `\`, ""}).Draw(rt, "divider"))
		id := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{64}`), rapid.StringMatching(`[0-9a-fA-F./]{64}`), rapid.String()).Draw(rt, "id")
		staysInside(rt, s, parent, scope, id)
	})
}

func FuzzNoScopeAndNoIDLeavesTheDirectory(f *testing.F) {
	f.Add(scope, blobtest.ID("x"))
	f.Add("../x", blobtest.ID("x"))
	f.Add("stack/1", strings.Repeat("../", 21)+"x")
	parent := f.TempDir()
	s, err := dir.Open(filepath.Join(parent, "blobs"), blobtest.NewClock().Now)
	require.NoError(f, err)
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, scope, id string) { staysInside(t, s, parent, scope, id) })
}

func TestDifferentScopesAreDifferentDirectoriesEvenWhereCaseDoesNotCount(t *testing.T) {
	root := t.TempDir()
	s := open(t, root, blobtest.NewClock().Now)
	scopes := []string{"stack/a", "stack/A", "Stack/a", "stack-a", "stack_a", "stack.a", "stack:a", "stack/2fa", "stack2fa"}
	for _, sc := range scopes {
		put(t, s, sc, "x")
	}
	folded := map[string]bool{}
	for _, path := range files(t, root) {
		folded[strings.ToLower(path)] = true
	}
	require.Len(t, folded, len(scopes))
}

func TestADirectoryThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := dir.Open(filepath.Join(file, "blobs"), blobtest.NewClock().Now)
	require.Error(t, err)
	require.False(t, errors.Is(err, fs.ErrNotExist))
}
