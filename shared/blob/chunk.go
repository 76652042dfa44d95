package blob

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	_ "github.com/PlakarKorp/go-cdc-chunkers/chunkers/fastcdc" // registers the algorithm used below
	"github.com/klauspost/compress/zstd"

	"github.com/polyplane/polyplane/shared/keyring"
)

// minChunk is the size below which a document is one chunk, and no chunk but the last is smaller. With a normal size of 64 KB a
// change costs one chunk or two.
const (
	minChunk    = 16 << 10
	normalChunk = 64 << 10
)

// The cuts decide what two versions share, so the algorithm is named with its version: another one would not make anything
// unreadable, but the next version of every document would be stored whole.
const cutting = "fastcdc-v1.0.0"

var cutters = sync.Pool{New: func() any {
	c, err := chunkers.NewChunker(cutting, bytes.NewReader(nil), &chunkers.ChunkerOpts{MinSize: minChunk, NormalSize: normalChunk, MaxSize: MaxChunk})
	if err != nil {
		panic(err) // only for sizes that contradict each other
	}
	return c
}}

// split cuts a document where its content says so: after an insertion or removal the cuts behind it fall where they fell before.
// The pieces are parts of doc, not copies.
func split(doc []byte) ([][]byte, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	if len(doc) <= minChunk {
		return [][]byte{doc}, nil
	}
	c := cutters.Get().(*chunkers.Chunker)
	defer func() {
		c.Reset(bytes.NewReader(nil)) // lets go of the document
		cutters.Put(c)
	}()
	c.Reset(bytes.NewReader(doc))
	pieces := make([][]byte, 0, len(doc)/normalChunk+1)
	for len(doc) > 0 {
		piece, err := c.Next()
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("blob: cutting the document: %w", err)
		}
		if len(piece) == 0 || len(piece) > len(doc) {
			return nil, fmt.Errorf("blob: cutting the document: a piece of %d bytes where %d are left", len(piece), len(doc))
		}
		pieces = append(pieces, doc[:len(piece):len(piece)])
		doc = doc[len(piece):]
	}
	return pieces, nil
}

// The first plain byte of a chunk says how the rest is packed.
const (
	packedRaw  = 0
	packedZstd = 1
)

// One encoder and one decoder serve the whole process, as many calls at a time as there are processors; made at their first use,
// since a function that touches no blob should not pay for them.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(MaxChunk), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
		if err != nil {
			panic(err) // only for options that contradict each other
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
		if err != nil {
			panic(err) // as above
		}
		return d
	})
)

// additional binds what is sealed to its place: a chunk copied below another scope or address does not open.
func additional(scope, id string) []byte { return []byte(scope + "\x00" + id) }

func sealChunk(key *keyring.DataKey, scope, id string, plain []byte) Chunk {
	packed := append(make([]byte, 0, len(plain)+1), packedZstd)
	packed = encoder().EncodeAll(plain, packed)
	if len(packed) > len(plain) {
		packed = append(append(packed[:0], packedRaw), plain...)
	}
	return Chunk{ID: id, Data: key.Seal(packed, additional(scope, id))}
}

// openChunk puts the plain bytes of a chunk into dst, whose length they must have. It never writes or allocates more.
func openChunk(key *keyring.DataKey, scope string, ref Ref, sealed, dst []byte) error {
	packed, err := key.Open(sealed, additional(scope, ref.ID))
	if err != nil {
		return fmt.Errorf("%w: chunk %s does not open: %w", ErrCorrupt, ref.ID, err)
	}
	n := -1
	switch {
	case len(packed) == 0:
	case packed[0] == packedRaw:
		if len(packed)-1 == len(dst) {
			n = copy(dst, packed[1:])
		}
	case packed[0] == packedZstd:
		plain, err := decoder().DecodeAll(packed[1:], dst[:0:len(dst)])
		if err != nil {
			return fmt.Errorf("%w: chunk %s does not unpack: %w", ErrCorrupt, ref.ID, err)
		}
		n = len(plain)
	}
	if n != len(dst) || key.Address(dst) != ref.ID {
		return fmt.Errorf("%w: chunk %s holds something else", ErrCorrupt, ref.ID)
	}
	return nil
}
