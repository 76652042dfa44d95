package checkpoint_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func hash(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func edit(start, end int, text string) string {
	quoted, _ := json.Marshal(text)
	return fmt.Sprintf(`{"Span":{"uri":"","start":{"line":0,"column":0,"offset":%d},"end":{"line":0,"column":0,"offset":%d}},"NewText":%s}`,
		start, end, quoted)
}

func TestADeltaEditsBytes(t *testing.T) {
	for _, test := range []struct{ sentence, base, delta, want string }{
		{"no edits keep the text", "abc", `[]`, "abc"},
		{"an edit replaces", "abcdef", `[` + edit(1, 3, "XYZ") + `]`, "aXYZdef"},
		{"edits may touch", "abcdef", `[` + edit(1, 3, "X") + `,` + edit(3, 4, "Y") + `]`, "aXYef"},
		{"an edit inserts at the end", "abc", `[` + edit(3, 3, "d") + `]`, "abcd"},
		{"insertions at one place keep their order", "ab", `[` + edit(1, 1, "x") + `,` + edit(1, 1, "y") + `]`, "axyb"},
		{"offsets count bytes", "äöü", `[` + edit(2, 4, "日本") + `]`, "ä日本ü"},
		{"a missing new text deletes", "abc", `[{"Span":{"start":{"offset":0},"end":{"offset":2}}}]`, "c"},
		{"an empty text can be filled", "", `[` + edit(0, 0, "abc") + `]`, "abc"},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			got, err := checkpoint.ApplyDelta([]byte(test.base), []byte(test.delta), hash(test.want))
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
}

func TestADeltaThatIsWrongSaysWhere(t *testing.T) {
	for _, test := range []struct{ sentence, delta, field, message string }{
		{"edits overlap", `[` + edit(0, 2, "") + `,` + edit(1, 3, "") + `]`, "body.deploymentDelta[1].Span.start.offset", "edit 1 starts at byte 1, before byte 2, where the one before it ended"},
		{"edits descend", `[` + edit(3, 3, "") + `,` + edit(0, 1, "") + `]`, "body.deploymentDelta[1].Span.start.offset", ""},
		{"an edit ends before it starts", `[` + edit(2, 1, "") + `]`, "body.deploymentDelta[0].Span.end.offset", "edit 0 ends at byte 1, before it starts"},
		{"an edit ends behind the text", `[` + edit(2, 5, "") + `]`, "body.deploymentDelta[0].Span.end.offset", "edit 0 ends at byte 5, but the saved text has 4 bytes"},
		{"an edit starts before the text", `[` + edit(-1, 1, "") + `]`, "body.deploymentDelta[0].Span.start.offset", ""},
		{"an offset is missing", `[{"Span":{"start":{"offset":0},"end":{}}}]`, "body.deploymentDelta[0].Span.end.offset", ""},
		{"the span is missing", `[{"NewText":"x"}]`, "body.deploymentDelta[0].Span.start.offset", ""},
		{"an edit is null", `[null]`, "body.deploymentDelta[0].Span.start.offset", ""},
		{"the delta is no array", `{}`, "body.deploymentDelta", ""},
		{"the delta is null", `null`, "body.deploymentDelta", ""},
		{"the delta is no JSON", `[`, "body.deploymentDelta", ""},
		{"an offset is no whole number", `[{"Span":{"start":{"offset":0.5},"end":{"offset":1}}}]`, "body.deploymentDelta", ""},
		{"the hash is another", `[` + edit(0, 1, "x") + `]`, "body.checkpointHash", "the edited text does not have the hash that was announced"},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			_, err := checkpoint.ApplyDelta([]byte("abcd"), []byte(test.delta), hash("other"))
			f := fault.As(err)
			require.NotNil(t, f, "%v", err)
			require.Equal(t, fault.Invalid, f.Code)
			require.Equal(t, test.field, f.Field)
			if test.message != "" {
				require.Equal(t, test.message, f.Message)
			}
		})
	}
	_, err := checkpoint.ApplyDelta(nil, []byte(`[]`), "abc")
	require.Equal(t, "body.checkpointHash", fault.As(err).Field)
}

func TestRandomEditsAgreeWithCutting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("abc\"\\\n{}é日😀\u2028<&>")
	text := func(n int) string {
		var out strings.Builder
		for range n {
			out.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		return out.String()
	}
	for range 1000 {
		runes := []rune(text(random.IntN(200)))
		base := string(runes)
		offset := func(rune int) int { return len(string(runes[:rune])) }
		// The model edits from the back, so that offsets in front of it still hold.
		type change struct {
			start, end int
			text       string
		}
		var changes []change
		for at := 0; at <= len(runes); {
			start := at + random.IntN(20)
			if start > len(runes) {
				break
			}
			end := min(len(runes), start+random.IntN(10))
			changes = append(changes, change{offset(start), offset(end), text(random.IntN(8))})
			at = end + random.IntN(2)
		}
		want := base
		for i := len(changes) - 1; i >= 0; i-- {
			want = want[:changes[i].start] + changes[i].text + want[changes[i].end:]
		}
		edits := make([]string, len(changes))
		for i, c := range changes {
			edits[i] = edit(c.start, c.end, c.text)
		}
		got, err := checkpoint.ApplyDelta([]byte(base), []byte("["+strings.Join(edits, ",")+"]"), strings.ToUpper(hash(want)))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}
