package checkpoint_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

func TestTheGrammarIsThatOfTheStandardLibrary(t *testing.T) {
	agree := func(t require.TestingT, text string) {
		_, err := checkpoint.CountResources([]byte(text))
		require.Equal(t, json.Valid([]byte(text)), err == nil, "%q: %v", text, err)
	}
	for _, value := range []string{
		"0", "-0", "01", "-", "1.", "1.5", ".5", "1e", "1e+", "1E-07", "1e5x", "+1", "true", "tru", "falsee", "null", "nul", "nan",
		`""`, `"`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12fg"`, `"\u12Ef"`, "\"a\tb\"", "\"\x00\"", `"\/\b\f\n\r\t\\"`, `"12345678\"9"`, "\"1234567\x1f\"",
		"[]", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[[]", "[]]", "{}", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`,
		"[}", "{]", "[1}", `{"a":1]`, "", " ", "\ufeff1", "1 1",
	} {
		agree(t, `{"x":`+value+`}`)
		agree(t, `{"resources":[`+value+` ],"y" : [ `+value+`] }`)
	}
	whole := `{"resources":[{"a":[1,-2.5e+3,{"b":"x\u00e9\\y"},[],{}],"long text here":"more than eight bytes"},null],"z":[true,false]}`
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(whole)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			text[at] = rapid.SampledFrom([]byte("{}[],:\"\\ue0-.+1a \n\x01")).Draw(t, "byte")
		}
		if text[0] == '{' {
			agree(t, string(text))
		}
	})
}

func TestAFoldGoneBadIsRefused(t *testing.T) {
	over, entries := everyKind()
	good := string(replay(t, over, append(entries, entry(13, 0, 8, pendingOp("creating", res("e"))))...).Encode())
	_, err := checkpoint.DecodeState([]byte(good))
	require.NoError(t, err)
	head := "polyplane checkpoint state 1\n"
	for sentence, bad := range map[string]string{
		"nothing":                        "",
		"another file":                   "hello\nT {\"next\":1}\n",
		"a last line cut off":            good[:len(good)-1],
		"no last line":                   good[:strings.Index(good, "\nT ")+1],
		"a line after the last":          good + "C {\"type\":\"creating\"}\n",
		"a line of no kind":              head + "Q {}\nT {\"next\":1}\n",
		"a line without a space":         head + "B\nT {\"next\":1}\n",
		"marks that are none":            head + "B 16 {\"urn\":\"u\"}\nT {\"next\":1}\n",
		"marks that are no number":       head + "B x {\"urn\":\"u\"}\nT {\"next\":1}\n",
		"a dropped resource that is one": head + "B 1 {\"urn\":\"u\"}\nT {\"next\":1}\n",
		"a resource that is no object":   head + "B 0 []\nT {\"next\":1}\n",
		"a resource cut off":             head + "N 0 1 {\"urn\":\nT {\"next\":1}\n",
		"an operation that is no number": head + "N 0 x {\"urn\":\"u\"}\nT {\"next\":1}\n",
		"a held entry that is none":      head + "H {}\nT {\"next\":1}\n",
		"a held entry that is in turn":   head + "H " + entry(1, 0, 1) + "\nT {\"next\":1}\n",
		"a place that is not there":      head + "T {\"next\":1,\"places\":[[1,0]]}\n",
		"a sequence below the first":     head + "T {\"next\":0}\n",
		"a rest that is no object":       head + "T 1\n",
		"a rest of other types":          head + "T {\"next\":\"1\"}\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := checkpoint.DecodeState([]byte(bad))
			refusedCleanly(t, err, "internal")
		})
	}
	_, err = checkpoint.DecodeState([]byte("polyplane checkpoint state 2\nT {}\n"))
	refusedCleanly(t, err, "unavailable")
}
