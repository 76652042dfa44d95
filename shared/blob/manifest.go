package blob

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Manifest lists the chunks of one document, in order.
type Manifest struct {
	Size   int64  `json:"size"`   // bytes of the document
	SHA256 string `json:"sha256"` // lower-case hex of the document
	Chunks []Ref  `json:"chunks"`
}

// Ref is one chunk of a document.
type Ref struct {
	ID   string `json:"id"`
	Size int    `json:"n"` // plain bytes
}

// Check returns ErrCorrupt for a manifest that no Write returned, so that a reader may rely on its sizes.
func (m Manifest) Check() error {
	if m.Size < 0 || m.Size > MaxDocument {
		return fmt.Errorf("%w: a manifest of %d bytes", ErrCorrupt, m.Size)
	}
	if sum, err := hex.DecodeString(m.SHA256); err != nil || len(sum) != 32 || m.SHA256 != strings.ToLower(m.SHA256) {
		return fmt.Errorf("%w: the checksum in the manifest is not 64 lower-case hex digits", ErrCorrupt)
	}
	var total int64
	for i, ref := range m.Chunks {
		if err := CheckID(ref.ID); err != nil {
			return fmt.Errorf("%w: chunk %d of the manifest: %w", ErrCorrupt, i, err)
		}
		if ref.Size < 1 || ref.Size > MaxChunk {
			return fmt.Errorf("%w: chunk %d of the manifest has %d bytes", ErrCorrupt, i, ref.Size)
		}
		if total += int64(ref.Size); total > m.Size {
			break
		}
	}
	if total != m.Size {
		return fmt.Errorf("%w: the chunks in the manifest do not add up to its %d bytes", ErrCorrupt, m.Size)
	}
	return nil
}
