package blob_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
	"github.com/polyplane/polyplane/shared/blob/dir"
)

func openDir(b *testing.B, clock *blobtest.Clock) *counted {
	b.Helper()
	s, err := dir.Open(b.TempDir(), clock.Now)
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	return &counted{Store: s}
}

func BenchmarkFirstWriteOfACheckpointOf10MB(b *testing.B) {
	clock := blobtest.NewClock()
	doc := newCheckpoint(10 << 20).document()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		b.StopTimer()
		s := openDir(b, clock)
		b.StartTimer()
		m := write(b, s, clock.Now(), doc)
		b.ReportMetric(float64(s.bytes), "stored/op")
		b.ReportMetric(float64(len(m.Chunks)), "chunks/op")
	}
}

// BenchmarkNextWriteOfACheckpointOf10MB is best run with -benchtime 100x: each iteration changes one resource.
func BenchmarkNextWriteOfACheckpointOf10MB(b *testing.B) {
	clock := blobtest.NewClock()
	s, c := openDir(b, clock), newCheckpoint(10<<20)
	write(b, s, clock.Now(), c.document())
	s.bytes, s.chunks = 0, 0
	for b.Loop() {
		b.StopTimer()
		c.change()
		doc := c.document()
		b.StartTimer()
		write(b, s, clock.Now(), doc)
	}
	b.ReportMetric(float64(s.bytes)/float64(b.N), "stored/op")
	b.ReportMetric(float64(s.chunks)/float64(b.N), "put/op")
}

func BenchmarkReadOfACheckpointOf10MB(b *testing.B) {
	clock := blobtest.NewClock()
	s := openDir(b, clock)
	doc := newCheckpoint(10 << 20).document()
	m := write(b, s, clock.Now(), doc)
	b.SetBytes(m.Size)
	b.ReportAllocs()
	for b.Loop() {
		read(b, s, m)
	}
}

func BenchmarkWriteOfADocumentOf10KB(b *testing.B) {
	clock := blobtest.NewClock()
	s := openDir(b, clock)
	doc := newCheckpoint(10 << 10).document()
	for i := 0; b.Loop(); i++ {
		copy(doc[len(doc)/2:], []byte{byte(i), byte(i >> 8), byte(i >> 16)})
		write(b, s, clock.Now(), doc)
	}
}

var _ blob.Store = (*counted)(nil)
