package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// edit is one element of a text delta as the client sends it. Lines and columns are not used.
type edit struct {
	Span *struct {
		Start *point `json:"start"`
		End   *point `json:"end"`
	} `json:"Span"`
	NewText string `json:"NewText"`
}

type point struct {
	Offset *int64 `json:"offset"` // bytes from the start of the base text
}

// ApplyDelta applies byte edits to the text that was saved before and compares the result's SHA-256 (hexadecimal). Edits
// come in ascending order and do not overlap; two may touch. base is not changed.
//
// Every failure is an Invalid fault that names the edit ("body.deploymentDelta[3].Span.end.offset") or the hash
// ("body.checkpointHash", reason "checkpoint-hash-mismatch"); the client answers either by sending the whole text.
func ApplyDelta(base, delta []byte, wantSHA256 string) ([]byte, error) {
	if len(wantSHA256) != 2*sha256.Size {
		return nil, fault.Wrong("body.checkpointHash", "the hash is a SHA-256 in hexadecimal")
	}
	if c, _ := (&scanner{data: delta}).peek(0); c != '[' {
		return nil, fault.Wrong(deltaField, "the delta is an array of edits")
	}
	var edits []edit
	if err := json.Unmarshal(delta, &edits); err != nil {
		return nil, fault.Wrong(deltaField, "the delta is an array of edits").Because(err)
	}
	size := len(base)
	for _, e := range edits {
		size += len(e.NewText)
	}
	out := make([]byte, 0, size)
	copied := int64(0)
	for i, e := range edits {
		start, end, err := e.span(i, copied, int64(len(base)))
		if err != nil {
			return nil, err
		}
		out = append(append(out, base[copied:start]...), e.NewText...)
		copied = end
	}
	out = append(out, base[copied:]...)
	sum := sha256.Sum256(out)
	if !strings.EqualFold(hex.EncodeToString(sum[:]), wantSHA256) {
		return nil, fault.Wrong("body.checkpointHash", "the edited text does not have the hash that was announced").
			WithReason("checkpoint-hash-mismatch")
	}
	return out, nil
}

const deltaField = "body.deploymentDelta"

// span returns an edit's byte range, which starts at or after from and ends at or before limit.
func (e edit) span(i int, from, limit int64) (start, end int64, err error) {
	at := fmt.Sprintf("%s[%d].Span", deltaField, i)
	if e.Span == nil || e.Span.Start == nil || e.Span.Start.Offset == nil {
		return 0, 0, fault.Wrong(at+".start.offset", "edit %d needs the offset where it starts", i)
	}
	if e.Span.End == nil || e.Span.End.Offset == nil {
		return 0, 0, fault.Wrong(at+".end.offset", "edit %d needs the offset where it ends", i)
	}
	start, end = *e.Span.Start.Offset, *e.Span.End.Offset
	switch {
	case start < from:
		return 0, 0, fault.Wrong(at+".start.offset", "edit %d starts at byte %d, before byte %d, where the one before it ended",
			i, start, from)
	case end < start:
		return 0, 0, fault.Wrong(at+".end.offset", "edit %d ends at byte %d, before it starts", i, end)
	case end > limit:
		return 0, 0, fault.Wrong(at+".end.offset", "edit %d ends at byte %d, but the saved text has %d bytes", i, end, limit)
	}
	return start, end, nil
}
