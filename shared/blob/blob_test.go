package blob_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
	"github.com/polyplane/polyplane/shared/keyring"
)

const scope = "stack/0198c5f0"

var key = keyring.NewDataKeyFrom([32]byte{1, 2, 3}, nil)

// counted counts what is put.
type counted struct {
	blob.Store
	chunks, bytes int
}

func (c *counted) Put(ctx context.Context, scope string, chunks []blob.Chunk) error {
	c.chunks += len(chunks)
	for _, chunk := range chunks {
		c.bytes += len(chunk.Data)
	}
	return c.Store.Put(ctx, scope, chunks)
}

func newStore() (*counted, *blobtest.Clock) {
	clock := blobtest.NewClock()
	return &counted{Store: blobtest.NewMemory(clock.Now)}, clock
}

func write(t require.TestingT, s blob.Store, now time.Time, doc []byte) blob.Manifest {
	m, err := blob.Write(context.Background(), s, scope, key, now, doc)
	require.NoError(t, err)
	return m
}

func read(t require.TestingT, s blob.Store, m blob.Manifest) []byte {
	doc, err := blob.Read(context.Background(), s, scope, key, m)
	require.NoError(t, err)
	return doc
}

// random is a document that does not compress.
func random(seed uint64, n int) []byte {
	doc := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(doc)
	return doc
}

// drawDocument draws documents of all sorts: short and long, random, repetitive and textual.
func drawDocument(t *rapid.T) []byte {
	n := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(16<<10-2, 16<<10+2), rapid.IntRange(0, 400<<10)).Draw(t, "size")
	switch rapid.IntRange(0, 2).Draw(t, "sort") {
	case 0:
		return random(rapid.Uint64().Draw(t, "seed"), n)
	case 1:
		return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
	default:
		return newCheckpoint(n).document()[:n]
	}
}

func TestAnyDocumentComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t)
		s, clock := newStore()
		m := write(t, s, clock.Now(), doc)
		require.NoError(t, m.Check())
		require.EqualValues(t, len(doc), m.Size)
		require.True(t, bytes.Equal(doc, read(t, s, m)))

		stored, err := json.Marshal(m)
		require.NoError(t, err)
		var again blob.Manifest
		require.NoError(t, json.Unmarshal(stored, &again))
		require.True(t, bytes.Equal(doc, read(t, s, again)))
	})
}

func TestShortDocumentsAreOneChunkAndAnEmptyOneIsNone(t *testing.T) {
	s, clock := newStore()
	for size, chunks := range map[int]int{0: 0, 1: 1, 1000: 1, 16 << 10: 1} {
		assert.Len(t, write(t, s, clock.Now(), random(1, size)).Chunks, chunks, "%d bytes", size)
	}
	m := write(t, s, clock.Now(), nil)
	stored, err := json.Marshal(m)
	require.NoError(t, err)
	assert.Contains(t, string(stored), `"chunks":[]`)
	assert.Empty(t, read(t, s, m))
}

func TestChunksHaveTheirSizes(t *testing.T) {
	s, clock := newStore()
	for _, doc := range [][]byte{random(1, 4<<20), make([]byte, 1<<20), newCheckpoint(1 << 20).document()} {
		m := write(t, s, clock.Now(), doc)
		for _, ref := range m.Chunks[:len(m.Chunks)-1] {
			require.GreaterOrEqual(t, ref.Size, 16<<10)
			require.LessOrEqual(t, ref.Size, 256<<10)
		}
	}
	average := 4 << 20 / len(write(t, s, clock.Now(), random(1, 4<<20)).Chunks)
	assert.Greater(t, average, 48<<10)
	assert.Less(t, average, 112<<10)
}

// The cuts are pinned: if they moved with a new version of a library, the next version of every document would be stored whole.
func TestTheCutsStayWhereTheyAre(t *testing.T) {
	s, clock := newStore()
	var sizes []int
	for _, ref := range write(t, s, clock.Now(), random(7, 1<<20)).Chunks {
		sizes = append(sizes, ref.Size)
	}
	assert.Equal(t, []int{90655, 129813, 67102, 87224, 67099, 66833, 73221, 17062, 76341, 75870, 65769, 90749, 33334, 72018, 35486}, sizes)
}

func TestAChangeAnywhereLeavesTheChunksFarFromItShared(t *testing.T) {
	s, clock := newStore()
	var docs [4][]byte
	for i := range docs {
		docs[i] = random(uint64(i), 1500<<10)
		write(t, s, clock.Now(), docs[i])
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := rapid.SampledFrom(docs[:]).Draw(t, "doc")
		at := rapid.IntRange(0, len(doc)).Draw(t, "at")
		cut := min(rapid.IntRange(0, 5000).Draw(t, "cut"), len(doc)-at)
		inserted := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "inserted")
		changed := slices.Concat(doc[:at], inserted, doc[at+cut:])
		s.chunks = 0
		m := write(t, s, clock.Now(), changed)
		require.LessOrEqual(t, s.chunks, len(m.Chunks)/2, "of %d chunks", len(m.Chunks))
	})
}

func TestTheSameAgainStoresNothingAndGivesTheSameManifest(t *testing.T) {
	s, clock := newStore()
	doc := random(1, 1<<20)
	first := write(t, s, clock.Now(), doc)
	s.chunks = 0
	clock.Pass(blob.Grace / 2)
	assert.Equal(t, first, write(t, s, clock.Now(), doc))
	assert.Zero(t, s.chunks)
}

func TestAChunkThatADocumentRepeatsIsPutOnce(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), make([]byte, 2<<20))
	assert.Greater(t, len(m.Chunks), 4)
	assert.LessOrEqual(t, s.chunks, 2)
	assert.Less(t, s.bytes, 1000, "zeros are compressed")
}

func TestChunksOlderThanHalfTheGraceArePutAgain(t *testing.T) {
	s, clock := newStore()
	doc := random(1, 1<<20)
	m := write(t, s, clock.Now(), doc)
	clock.Pass(blob.Grace/2 + time.Second)
	s.chunks = 0
	write(t, s, clock.Now(), doc)
	assert.Equal(t, len(m.Chunks), s.chunks)
	s.chunks = 0
	write(t, s, clock.Now(), doc)
	assert.Zero(t, s.chunks, "they are young again")
}

func TestADocumentTooLargeIsRefused(t *testing.T) {
	s, clock := newStore()
	_, err := blob.Write(t.Context(), s, scope, key, clock.Now(), make([]byte, blob.MaxDocument+1))
	require.ErrorIs(t, err, blob.ErrTooLarge)
	_, err = blob.Write(t.Context(), s, "../x", key, clock.Now(), nil)
	require.Error(t, err)
}

func TestADocumentIsReadOnlyBelowItsScopeAndWithItsKey(t *testing.T) {
	s, clock := newStore()
	doc := random(1, 100<<10)
	m := write(t, s, clock.Now(), doc)
	_, err := blob.Read(t.Context(), s, scope, keyring.NewDataKeyFrom([32]byte{9}, nil), m)
	require.ErrorIs(t, err, blob.ErrCorrupt)
	require.ErrorIs(t, err, keyring.ErrWrongKey)

	_, err = blob.Read(t.Context(), s, "stack/other", key, m)
	require.ErrorIs(t, err, blob.ErrCorrupt)
	require.ErrorIs(t, err, blob.ErrNotFound)

	// Whoever can write to the store cannot move a chunk either.
	for _, ref := range m.Chunks {
		sealed, err := s.Get(t.Context(), scope, []string{ref.ID})
		require.NoError(t, err)
		require.NoError(t, s.Store.Put(t.Context(), "stack/other", []blob.Chunk{{ID: ref.ID, Data: sealed[0]}}))
	}
	_, err = blob.Read(t.Context(), s, "stack/other", key, m)
	require.ErrorIs(t, err, keyring.ErrWrongKey)
}

func TestAnyFlippedByteInAnyStoredChunkIsNoticed(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), newCheckpoint(300<<10).document())
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.SampledFrom(m.Chunks).Draw(t, "chunk")
		sealed, err := s.Get(context.Background(), scope, []string{ref.ID})
		require.NoError(t, err)
		changed := bytes.Clone(sealed[0])
		switch rapid.IntRange(0, 2).Draw(t, "damage") {
		case 0:
			changed[rapid.IntRange(0, len(changed)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		case 1:
			changed = changed[:rapid.IntRange(0, len(changed)-1).Draw(t, "cut")]
		default:
			changed = append(changed, rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "added")...)
		}
		require.NoError(t, s.Store.Put(context.Background(), scope, []blob.Chunk{{ID: ref.ID, Data: changed}}))
		_, err = blob.Read(context.Background(), s, scope, key, m)
		require.ErrorIs(t, err, blob.ErrCorrupt)
		require.NoError(t, s.Store.Put(context.Background(), scope, []blob.Chunk{{ID: ref.ID, Data: sealed[0]}}))
		read(t, s, m)
	})
}

func TestAnyFlippedByteInAManifestIsNoticedOrChangesNothing(t *testing.T) {
	s, clock := newStore()
	doc := random(3, 80<<10)
	m := write(t, s, clock.Now(), doc)
	stored, err := json.Marshal(m)
	require.NoError(t, err)
	for i := range stored {
		for bit := range 8 {
			changed := bytes.Clone(stored)
			changed[i] ^= 1 << bit
			var again blob.Manifest
			if json.Unmarshal(changed, &again) != nil {
				continue
			}
			got, err := blob.Read(t.Context(), s, scope, key, again)
			if err == nil {
				require.True(t, bytes.Equal(doc, got), "%s", changed)
				require.Equal(t, m, again, "only a spelling of the JSON that means the same may pass: %s", changed)
				continue
			}
			require.ErrorIs(t, err, blob.ErrCorrupt, "%s", changed)
		}
	}
}

func TestAManifestThatLiesIsCorrupt(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), random(1, 200<<10))
	for name, lie := range map[string]func(*blob.Manifest){
		"negative":          func(m *blob.Manifest) { m.Size = -1 },
		"huge":              func(m *blob.Manifest) { m.Size = 1 << 60 },
		"huge chunk":        func(m *blob.Manifest) { m.Size, m.Chunks[0].Size = 1<<40, 1<<40 },
		"negative chunk":    func(m *blob.Manifest) { m.Chunks[0].Size = -m.Chunks[0].Size },
		"overflow":          func(m *blob.Manifest) { m.Chunks[0].Size = 1<<63 - 1 },
		"longer chunk":      func(m *blob.Manifest) { m.Size++; m.Chunks[0].Size++ },
		"shifted":           func(m *blob.Manifest) { m.Chunks[0].Size--; m.Chunks[1].Size++ },
		"swapped":           func(m *blob.Manifest) { m.Chunks[0], m.Chunks[1] = m.Chunks[1], m.Chunks[0] },
		"one less":          func(m *blob.Manifest) { m.Size -= int64(m.Chunks[0].Size); m.Chunks = m.Chunks[1:] },
		"one twice":         func(m *blob.Manifest) { m.Size += int64(m.Chunks[0].Size); m.Chunks = append(m.Chunks, m.Chunks[0]) },
		"capital checksum":  func(m *blob.Manifest) { m.SHA256 = strings.ToUpper(m.SHA256) },
		"no checksum":       func(m *blob.Manifest) { m.SHA256 = "" },
		"id that is a path": func(m *blob.Manifest) { m.Chunks[0].ID = "../../../../etc/passwd" },
		"no chunks":         func(m *blob.Manifest) { m.Chunks = nil },
		"nothing":           func(m *blob.Manifest) { *m = blob.Manifest{} },
	} {
		t.Run(name, func(t *testing.T) {
			lying := m
			lying.Chunks = slices.Clone(m.Chunks)
			lie(&lying)
			_, err := blob.Read(t.Context(), s, scope, key, lying)
			require.ErrorIs(t, err, blob.ErrCorrupt)
		})
	}
}

func TestAChunkThatUnpacksToMoreThanItSaysIsCorruptAndTakesNoMemory(t *testing.T) {
	s, _ := newStore()
	bomb := blob.SealPacked(key, scope, blobtest.ID("x"), make([]byte, 64<<20))
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{bomb}))
	m := blob.Manifest{Size: 100, SHA256: blobtest.ID("x"), Chunks: []blob.Ref{{ID: bomb.ID, Size: 100}}}
	require.Less(t, allocatedBy(func() {
		_, err := blob.Read(t.Context(), s, scope, key, m)
		require.ErrorIs(t, err, blob.ErrCorrupt)
	}), uint64(8<<20))
}

func TestAChunkThatHoldsSomethingElseThanItsAddressSaysIsCorrupt(t *testing.T) {
	s, _ := newStore()
	doc, other := []byte("what was written"), []byte("what is stored.?")
	require.NoError(t, s.Put(t.Context(), scope, []blob.Chunk{blob.SealPacked(key, scope, key.Address(doc), other)}))
	m := blob.Manifest{Size: int64(len(other)), SHA256: blobtest.ID(string(other)), Chunks: []blob.Ref{{ID: key.Address(doc), Size: len(other)}}}
	_, err := blob.Read(t.Context(), s, scope, key, m)
	require.ErrorIs(t, err, blob.ErrCorrupt)
}

// allocatedBy returns how many bytes were allocated while f ran.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAChangeOfACheckpointStoresLittle(t *testing.T) {
	s, clock := newStore()
	c := newCheckpoint(2 << 20)
	write(t, s, clock.Now(), c.document())
	s.bytes = 0
	const changes = 10 // the benchmark makes 100 of 10 MB
	for range changes {
		c.change()
		write(t, s, clock.Now(), c.document())
	}
	assert.Less(t, s.bytes/changes, 130_000, "bytes stored per change")
}
