// Package blobtest is the suite that every blob store passes, and a store in memory for tests of what lies above the port.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
)

const scope = "stack/0198c5f0"

// Clock is a clock that stands until it is moved.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock makes a clock that stands at some noon.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass moves the clock.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Run runs the suite. Each call of open gives an empty store whose Put times come from now.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) blob.Store) {
	for name, test := range map[string]func(*testing.T, blob.Store, *Clock){
		"what is put is got, in the order asked":                   testGet,
		"a missing chunk is not found, whatever else is there":     testMissing,
		"stat tells size and put time of what exists":              testStat,
		"a chunk put again is there once, younger":                 testPutAgain,
		"a list is ordered, paged and complete":                    testList,
		"scopes do not see each other":                             testScopes,
		"deleted chunks are gone and missing ones no error":        testDelete,
		"only what was put before the cutoff is deleted by it":     testDeleteBefore,
		"ids and scopes that are none are refused":                 testRefused,
		"a chunk too large is refused":                             testTooLarge,
		"bytes in the hands of a caller are the caller's":          testAliasing,
		"a context that is over stops every call":                  testContext,
		"many may put, get, list and delete at once":               testConcurrency,
		"of putting and deleting at once, the put chunk survives":  testPutAgainstDelete,
		"a put of many chunks, some of them the same, stores them": testMany,
	} {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			test(t, open(t, clock.Now), clock)
		})
	}
}

// ID makes an id as an address would be: uniformly spread.
func ID(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func put(t *testing.T, s blob.Store, scope string, contents ...string) {
	t.Helper()
	var chunks []blob.Chunk
	for _, c := range contents {
		chunks = append(chunks, blob.Chunk{ID: ID(c), Data: []byte(c)})
	}
	require.NoError(t, s.Put(t.Context(), scope, chunks))
}

func listed(t *testing.T, s blob.Store, scope string) []string {
	t.Helper()
	infos, err := s.List(t.Context(), scope, "", 1000)
	require.NoError(t, err)
	ids := make([]string, len(infos))
	for i, info := range infos {
		ids[i] = info.ID
	}
	return ids
}

func sortedIDs(contents ...string) []string {
	ids := make([]string, len(contents))
	for i, c := range contents {
		ids[i] = ID(c)
	}
	slices.Sort(ids)
	return ids
}

func testGet(t *testing.T, s blob.Store, _ *Clock) {
	put(t, s, scope, "a", "b", "")
	put(t, s, scope, "c")
	got, err := s.Get(t.Context(), scope, []string{ID("c"), ID("a"), ID(""), ID("b"), ID("a")})
	require.NoError(t, err)
	var texts []string
	for _, data := range got {
		texts = append(texts, string(data))
	}
	assert.Equal(t, []string{"c", "a", "", "b", "a"}, texts)

	got, err = s.Get(t.Context(), scope, nil)
	require.NoError(t, err)
	assert.Empty(t, got)
	require.NoError(t, s.Put(t.Context(), scope, nil))
}

func testMissing(t *testing.T, s blob.Store, _ *Clock) {
	_, err := s.Get(t.Context(), scope, []string{ID("a")})
	require.ErrorIs(t, err, blob.ErrNotFound)
	put(t, s, scope, "a", "c")
	_, err = s.Get(t.Context(), scope, []string{ID("a"), ID("b"), ID("c")})
	require.ErrorIs(t, err, blob.ErrNotFound)
}

func testStat(t *testing.T, s blob.Store, clock *Clock) {
	put(t, s, scope, "a")
	clock.Pass(time.Hour)
	put(t, s, scope, "bcd")
	infos, err := s.Stat(t.Context(), scope, []string{ID("a"), ID("bcd"), ID("missing")})
	require.NoError(t, err)
	require.Len(t, infos, 2)
	assert.Equal(t, ID("a"), infos[ID("a")].ID)
	assert.Equal(t, 1, infos[ID("a")].Size)
	assert.Equal(t, 3, infos[ID("bcd")].Size)
	assert.WithinDuration(t, clock.Now().Add(-time.Hour), infos[ID("a")].Put, time.Second)
	assert.WithinDuration(t, clock.Now(), infos[ID("bcd")].Put, time.Second)

	infos, err = s.Stat(t.Context(), "stack/empty", []string{ID("a")})
	require.NoError(t, err)
	assert.Empty(t, infos)
}

func testPutAgain(t *testing.T, s blob.Store, clock *Clock) {
	put(t, s, scope, "a", "b")
	clock.Pass(time.Hour)
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: ID("a"), Data: []byte("sealed anew")}}))
	infos, err := s.List(t.Context(), scope, "", 10)
	require.NoError(t, err)
	require.Len(t, infos, 2)
	for _, info := range infos {
		if info.ID == ID("a") {
			assert.Equal(t, len("sealed anew"), info.Size)
			assert.WithinDuration(t, clock.Now(), info.Put, time.Second)
		} else {
			assert.WithinDuration(t, clock.Now().Add(-time.Hour), info.Put, time.Second)
		}
	}
	got, err := s.Get(t.Context(), scope, []string{ID("a")})
	require.NoError(t, err)
	assert.Equal(t, "sealed anew", string(got[0]))
}

func testList(t *testing.T, s blob.Store, clock *Clock) {
	infos, err := s.List(t.Context(), scope, "", 10)
	require.NoError(t, err)
	require.Empty(t, infos)

	var contents []string
	for i := range 40 {
		contents = append(contents, strings.Repeat("x", i))
	}
	put(t, s, scope, contents...)
	want := sortedIDs(contents...)
	for _, limit := range []int{1, 7, 39, 40, 41} {
		var ids []string
		for after := ""; ; {
			page, err := s.List(t.Context(), scope, after, limit)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), limit)
			for _, info := range page {
				ids = append(ids, info.ID)
				assert.Equal(t, ID(strings.Repeat("x", info.Size)), info.ID)
				assert.WithinDuration(t, clock.Now(), info.Put, time.Second)
			}
			after = ids[len(ids)-1]
		}
		assert.Equal(t, want, ids, "limit %d", limit)
	}
	// A cursor need not be the id of a chunk that is still there.
	require.NoError(t, s.Delete(t.Context(), scope, want[10:11]))
	page, err := s.List(t.Context(), scope, want[10], 1)
	require.NoError(t, err)
	require.Len(t, page, 1)
	assert.Equal(t, want[11], page[0].ID)
}

func testScopes(t *testing.T, s blob.Store, _ *Clock) {
	scopes := []string{"stack/1", "stack/10", "Stack/1", "stack/1/x", "stack", "stack_1", "stack-1", "stack:1", "s.1", "x/stack/1"}
	for i, sc := range scopes {
		put(t, s, sc, "shared", fmt.Sprint("own ", i))
	}
	for i, sc := range scopes {
		assert.Equal(t, sortedIDs("shared", fmt.Sprint("own ", i)), listed(t, s, sc), sc)
		_, err := s.Get(t.Context(), sc, []string{ID(fmt.Sprint("own ", i+1))})
		require.ErrorIs(t, err, blob.ErrNotFound, sc)
	}
	require.NoError(t, s.Delete(t.Context(), scopes[0], sortedIDs("shared", "own 0", "own 1")))
	assert.Empty(t, listed(t, s, scopes[0]))
	for i, sc := range scopes[1:] {
		assert.Equal(t, sortedIDs("shared", fmt.Sprint("own ", i+1)), listed(t, s, sc), sc)
	}
}

func testDelete(t *testing.T, s blob.Store, _ *Clock) {
	require.NoError(t, s.Delete(t.Context(), scope, []string{ID("never")}))
	put(t, s, scope, "a", "b", "c")
	require.NoError(t, s.Delete(t.Context(), scope, []string{ID("a"), ID("never"), ID("c"), ID("a")}))
	assert.Equal(t, sortedIDs("b"), listed(t, s, scope))
	put(t, s, scope, "a")
	assert.Equal(t, sortedIDs("a", "b"), listed(t, s, scope))
	require.NoError(t, s.Delete(t.Context(), scope, sortedIDs("a", "b")))
	assert.Empty(t, listed(t, s, scope))
}

func testDeleteBefore(t *testing.T, s blob.Store, clock *Clock) {
	put(t, s, scope, "renewed", "old", "old but not asked for")
	clock.Pass(time.Hour)
	cutoff := clock.Now()
	clock.Pass(time.Hour)
	put(t, s, scope, "renewed", "new")
	deleted, err := s.DeleteBefore(t.Context(), scope, sortedIDs("renewed", "old", "new", "never"), cutoff)
	require.NoError(t, err)
	assert.Equal(t, []string{ID("old")}, deleted)
	assert.Equal(t, sortedIDs("renewed", "new", "old but not asked for"), listed(t, s, scope))
}

func testRefused(t *testing.T, s blob.Store, _ *Clock) {
	put(t, s, scope, "a")
	good := ID("a")
	for _, id := range []string{"", "..", "../../../etc/passwd", good[:63], good + "0", strings.ToUpper(good), good[:62] + "/.", good[:63] + "\x00"} {
		require.Error(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: ID("b")}, {ID: id}}), "%q", id)
		_, err := s.Get(t.Context(), scope, []string{id})
		require.Error(t, err, "%q", id)
		require.NotErrorIs(t, err, blob.ErrNotFound, "%q", id)
		_, err = s.Stat(t.Context(), scope, []string{id})
		require.Error(t, err, "%q", id)
		require.Error(t, s.Delete(t.Context(), scope, []string{id}), "%q", id)
		_, err = s.DeleteBefore(t.Context(), scope, []string{id}, time.Unix(1<<40, 0))
		require.Error(t, err, "%q", id)
	}
	for _, sc := range []string{
		"", "/", "..", "../x", "stack/..", "stack/../x", "stack//x", "/stack", "stack/", "stack/.x",
		"a b", "a\x00", "ä", `a\b`, strings.Repeat("x", blob.MaxScope+1),
	} {
		require.Error(t, s.Put(t.Context(), sc, []blob.Chunk{{ID: good}}), "%q", sc)
		_, err := s.Get(t.Context(), sc, []string{good})
		require.Error(t, err, "%q", sc)
		require.NotErrorIs(t, err, blob.ErrNotFound, "%q", sc)
		_, err = s.Stat(t.Context(), sc, []string{good})
		require.Error(t, err, "%q", sc)
		_, err = s.List(t.Context(), sc, "", 10)
		require.Error(t, err, "%q", sc)
		require.Error(t, s.Delete(t.Context(), sc, []string{good}), "%q", sc)
	}
	assert.Equal(t, []string{good}, listed(t, s, scope), "a refused put stores nothing")
}

func testTooLarge(t *testing.T, s blob.Store, _ *Clock) {
	largest := make([]byte, blob.MaxStored)
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: ID("a"), Data: largest}}))
	err := s.Put(t.Context(), scope, []blob.Chunk{{ID: ID("b"), Data: append(largest, 0)}})
	require.ErrorIs(t, err, blob.ErrTooLarge)
}

func testAliasing(t *testing.T, s blob.Store, _ *Clock) {
	mine := []byte("abc")
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: ID("abc"), Data: mine}}))
	clear(mine)
	got, err := s.Get(t.Context(), scope, []string{ID("abc")})
	require.NoError(t, err)
	require.Equal(t, "abc", string(got[0]))
	clear(got[0])
	got, err = s.Get(t.Context(), scope, []string{ID("abc")})
	require.NoError(t, err)
	require.Equal(t, "abc", string(got[0]))
}

func testContext(t *testing.T, s blob.Store, _ *Clock) {
	put(t, s, scope, "a")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	ids := []string{ID("a")}
	require.ErrorIs(t, s.Put(over, scope, []blob.Chunk{{ID: ID("b")}}), context.Canceled)
	_, err := s.Get(over, scope, ids)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Stat(over, scope, ids)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.List(over, scope, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Delete(over, scope, ids), context.Canceled)
	assert.Equal(t, ids, listed(t, s, scope))
}

func testMany(t *testing.T, s blob.Store, _ *Clock) {
	var chunks []blob.Chunk
	var ids []string
	for i := range 300 {
		content := fmt.Sprint("chunk ", i%200)
		chunks = append(chunks, blob.Chunk{ID: ID(content), Data: []byte(content)})
		ids = append(ids, ID(content))
	}
	require.NoError(t, s.Put(t.Context(), scope, chunks))
	assert.Len(t, listed(t, s, scope), 200)
	got, err := s.Get(t.Context(), scope, ids)
	require.NoError(t, err)
	for i := range got {
		require.True(t, bytes.Equal(chunks[i].Data, got[i]))
	}
}

func testConcurrency(t *testing.T, s blob.Store, _ *Clock) {
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for j := range 6 {
				own, shared := fmt.Sprint("own ", i, j), fmt.Sprint("shared ", j)
				chunks := []blob.Chunk{{ID: ID(own), Data: []byte(own)}, {ID: ID(shared), Data: []byte(shared)}}
				assert.NoError(t, s.Put(t.Context(), scope, chunks))
				got, err := s.Get(t.Context(), scope, []string{ID(shared), ID(own)})
				if assert.NoError(t, err) {
					assert.Equal(t, shared, string(got[0]))
					assert.Equal(t, own, string(got[1]))
				}
				_, err = s.List(t.Context(), scope, "", 5)
				assert.NoError(t, err)
				assert.NoError(t, s.Delete(t.Context(), scope, []string{ID(own)}))
			}
		})
	}
	wg.Wait()
	assert.Len(t, listed(t, s, scope), 6)
}

// testPutAgainstDelete puts chunks again while others delete them for being old: whoever comes first, a put that returned stays.
func testPutAgainstDelete(t *testing.T, s blob.Store, clock *Clock) {
	contents := []string{"a", "b", "c", "d"}
	for range 10 {
		put(t, s, scope, contents...)
		clock.Pass(time.Hour)
		cutoff := clock.Now()
		clock.Pass(time.Hour)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := s.DeleteBefore(t.Context(), scope, sortedIDs(contents...), cutoff)
				assert.NoError(t, err)
			})
		}
		for _, c := range contents {
			wg.Go(func() {
				assert.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{{ID: ID(c), Data: []byte(c)}}))
			})
		}
		wg.Wait()
		require.Equal(t, sortedIDs(contents...), listed(t, s, scope))
	}
}
