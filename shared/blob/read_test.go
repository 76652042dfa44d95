package blob_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
)

func TestAReaderGivesTheDocumentInAnyPortions(t *testing.T) {
	s, clock := newStore()
	doc := random(1, 7<<20)
	m := write(t, s, clock.Now(), doc)
	for name, through := range map[string]func(io.Reader) io.Reader{
		"as it comes": func(r io.Reader) io.Reader { return r },
		"halves":      iotest.HalfReader,
		"limited":     func(r io.Reader) io.Reader { return io.LimitReader(r, m.Size) },
	} {
		r := blob.NewReader(t.Context(), s, scope, key, m)
		got, err := io.ReadAll(through(r))
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(doc, got), name)
		require.NoError(t, r.Close())
	}
	r := blob.NewReader(t.Context(), s, scope, key, m)
	defer r.Close()
	var got bytes.Buffer
	_, err := io.CopyN(&got, r, 3<<20+17)
	require.NoError(t, err)
	n, err := io.Copy(&got, r) // through WriteTo
	require.NoError(t, err)
	require.EqualValues(t, len(doc)-3<<20-17, n)
	require.True(t, bytes.Equal(doc, got.Bytes()))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestAReaderFetchesAheadInBoundedMemory(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), random(1, 14<<20))
	spy := &gets{Store: s, took: make(chan int, 1000)}
	r := blob.NewReader(t.Context(), spy, scope, key, m)
	_, err := io.ReadFull(r, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, r.Close()) // waits for what is on its way
	close(spy.took)
	fetched := 0
	for n := range spy.took {
		fetched += n
	}
	assert.Less(t, fetched, len(m.Chunks)/2)
	_, err = r.Read(make([]byte, 1))
	require.ErrorContains(t, err, "closed")
	require.NoError(t, r.Close())
}

type gets struct {
	blob.Store
	took chan int
}

func (g *gets) Get(ctx context.Context, scope string, ids []string) ([][]byte, error) {
	g.took <- len(ids)
	return g.Store.Get(ctx, scope, ids)
}

func TestAReaderWhoseContextEndsSaysSo(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), random(1, 14<<20))
	ctx, cancel := context.WithCancel(t.Context())
	r := blob.NewReader(ctx, s, scope, key, m)
	defer r.Close()
	_, err := io.ReadFull(r, make([]byte, 1))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTheLastBytesComeOnlyWithTheRightChecksum(t *testing.T) {
	s, clock := newStore()
	m := write(t, s, clock.Now(), random(1, 5<<20))
	m.SHA256 = blobtest.ID("something else")
	r := blob.NewReader(t.Context(), s, scope, key, m)
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	require.ErrorIs(t, err, blob.ErrCorrupt)
	require.Less(t, n, m.Size)
}
