// Package compress makes small documents smaller before they are sealed. It is the core's one place for zstd.
package compress

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

var (
	encoder = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(0), zstd.WithWindowSize(1<<20)))
	decoder = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(256<<20)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options above are constant
	}
	return v
}

// Zstd compresses a document. It is safe for concurrent use.
func Zstd(plain []byte) []byte { return encoder.EncodeAll(plain, make([]byte, 0, len(plain)/4+64)) }

// Unzstd opens what Zstd made, up to most bytes.
func Unzstd(packed []byte, most int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(packed); err == nil && h.HasFCS && h.FrameContentSize > uint64(most) {
		return nil, fmt.Errorf("compress: %d bytes, at most %d allowed", h.FrameContentSize, most)
	}
	plain, err := decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if len(plain) > most {
		return nil, fmt.Errorf("compress: %d bytes, at most %d allowed", len(plain), most)
	}
	return plain, nil
}
