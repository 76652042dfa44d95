package checkpoint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func TestABatchThatIsWrongSaysWhere(t *testing.T) {
	good := entry(1, 0, 1)
	for _, test := range []struct{ sentence, body, field, message string }{
		{"the body is no object", `[]`, "body", "this is not the JSON that was expected: an object was expected at byte 0"},
		{"the body ends early", `{"entries":[]`, "body", "this is not the JSON that was expected: the text ends early at byte 13"},
		{"the body goes on after its end", `{"entries":[]} 1`, "body", "this is not the JSON that was expected: text follows the value at byte 15"},
		{"the body is not UTF-8", "{\"entries\":[],\"x\":\"\xff\"}", "body", "the body is not UTF-8"},
		{"entries are missing", `{}`, "body.entries", "the body needs a list of entries"},
		{"an entry is no object", `{"entries":[` + good + `,7]}`, "body.entries[1]", "an entry is an object"},
		{"an entry breaks off", `{"entries":[` + good + `,{"kind":}]}`, "body.entries[1]", ""},
		{"the version is missing", `{"entries":[{"kind":0,"sequenceID":1,"operationID":1}]}`, "body.entries[0].version", "an entry needs its version, which is 1"},
		{"the version is another", `{"entries":[{"version":2,"kind":0,"sequenceID":1,"operationID":1}]}`, "body.entries[0].version", "journal entries have version 1, not 2"},
		{"the kind is missing", `{"entries":[{"version":1,"sequenceID":1,"operationID":1}]}`, "body.entries[0].kind", "an entry needs its kind"},
		{"the kind is unknown", `{"entries":[` + good + `,` + good + `,` + good + `,` + entry(4, 10, 1) + `]}`, "body.entries[3].kind", "kinds go from 0 to 9, not 10"},
		{"the kind is negative", `{"entries":[` + entry(4, -1, 1) + `]}`, "body.entries[0].kind", "kinds go from 0 to 9, not -1"},
		{"the kind is no whole number", `{"entries":[{"version":1,"kind":1.5}]}`, "body.entries[0].kind", "kind is a whole number"},
		{"the sequence is missing", `{"entries":[{"version":1,"kind":0,"operationID":1}]}`, "body.entries[0].sequenceID", "an entry needs its sequence number"},
		{"the sequence is zero", `{"entries":[` + entry(0, 0, 1) + `]}`, "body.entries[0].sequenceID", "sequence numbers start at 1, not 0"},
		{"the sequence does not fit", `{"entries":[{"version":1,"kind":0,"sequenceID":99999999999999999999}]}`, "body.entries[0].sequenceID", "sequenceID is a whole number"},
		{"the operation is missing", `{"entries":[` + entry(1, 1, 0) + `]}`, "body.entries[0].operationID", "an entry of kind 1 (success) needs its operation"},
		{"the operation is negative", `{"entries":[` + entry(1, 6, -1) + `]}`, "body.entries[0].operationID", "operationID is not negative"},
		{"an address is negative", `{"entries":[` + entry(1, 1, 1, `"deleteOld":-1`) + `]}`, "body.entries[0].deleteOld", "deleteOld is not negative"},
		{"an address is a text", `{"entries":[` + entry(1, 1, 1, `"removeNew":"1"`) + `]}`, "body.entries[0].removeNew", "removeNew is a whole number"},
		{"the state is no object", `{"entries":[` + entry(1, 1, 1, `"state":[]`) + `]}`, "body.entries[0].state", "state is an object"},
		{"the state has no URN", `{"entries":[` + entry(1, 1, 1, `"state":{"urn":""}`) + `]}`, "body.entries[0].state.urn", "a resource needs a URN"},
		{"the operation has no resource", `{"entries":[` + entry(1, 0, 1, `"operation":{"type":"creating"}`) + `]}`, "body.entries[0].operation.resource", "an operation needs its resource"},
		{"the operation's resource has no URN", `{"entries":[` + entry(1, 0, 1, `"operation":{"type":"creating","resource":{}}`) + `]}`, "body.entries[0].operation.resource.urn", "a resource needs a URN"},
		{"the operation has no type", `{"entries":[` + entry(1, 0, 1, `"operation":{"resource":{"urn":"u"}}`) + `]}`, "body.entries[0].operation.type", "an operation needs its type"},
		{"outputs have no state", `{"entries":[` + entry(1, 4, 1, `"removeOld":0`) + `]}`, "body.entries[0].state", "an entry of kind 4 (outputs) needs the resource"},
		{"outputs are of nothing", `{"entries":[` + entry(1, 4, 1, `"state":{"urn":"u"}`) + `]}`, "body.entries[0].removeNew", "an entry of kind 4 (outputs) says which resource it is about"},
		{"a write has no snapshot", `{"entries":[` + entry(1, 5, 0, `"newSnapshot":null`) + `]}`, "body.entries[0].newSnapshot", "an entry of kind 5 (write) needs the deployment"},
		{"a write has a bad snapshot", `{"entries":[` + entry(1, 5, 0, `"newSnapshot":{"resources":[{}]}`) + `]}`, "body.entries[0].newSnapshot", "this is not a deployment: resource 0 is no object with a URN"},
		{"the provider is missing", `{"entries":[` + entry(1, 6, 0) + `]}`, "body.entries[0].secretsProvider", "an entry of kind 6 (secrets manager) needs the provider"},
		{"the reference is missing", `{"entries":[` + entry(1, 8, 1, `"extension":{}`) + `]}`, "body.entries[0].extensionRef", "an entry of kind 8 (extension parameterize) needs the reference"},
		{"the extension is missing", `{"entries":[` + entry(1, 8, 1, `"extensionRef":"r"`) + `]}`, "body.entries[0].extension", "an entry of kind 8 (extension parameterize) needs the extension"},
		{"the snippets are no list", `{"entries":[` + entry(1, 9, 0, `"snippets":{}`) + `]}`, "body.entries[0].snippets", "snippets is an array"},
		{"a flag is a number", `{"entries":[` + entry(1, 1, 1, `"isRefresh":1`) + `]}`, "body.entries[0].isRefresh", "isRefresh is true or false"},
		{
			"it is nested ten thousand deep", `{"entries":[` + entry(1, 1, 1, `"state":{"urn":"u","x":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`) + `]}`,
			"body.entries[0]", "the JSON is nested more than 1000 deep",
		},
		{"it is nested ten thousand deep outside the entries", `{"x":` + strings.Repeat(`{"a":`, 10_000), "body", "the JSON is nested more than 1000 deep"},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			_, err := checkpoint.DecodeBatch([]byte(test.body), checkpoint.Limits{})
			f := fault.As(err)
			require.NotNil(t, f, "%v", err)
			require.Equal(t, fault.Invalid, f.Code)
			require.Equal(t, test.field, f.Field)
			if test.message != "" {
				require.Equal(t, test.message, f.Message)
			}
		})
	}
}

func TestABatchWithTooManyEntriesIsTooLarge(t *testing.T) {
	body := []byte(`{"entries":[` + strings.Join([]string{entry(1, 0, 1), entry(2, 0, 2), entry(3, 0, 3)}, ",") + `]}`)
	_, err := checkpoint.DecodeBatch(body, checkpoint.Limits{Entries: 2})
	require.True(t, fault.Is(err, fault.TooLarge), "%v", err)
	entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{Entries: 3})
	require.NoError(t, err)
	require.Len(t, entries, 3)
}

func TestABatchWithoutEntriesIsGood(t *testing.T) {
	for _, body := range []string{`{"entries":[]}`, `{"entries":null}`, ` { "entries" : [ ] , "more" : 1 } `} {
		entries, err := checkpoint.DecodeBatch([]byte(body), checkpoint.Limits{})
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

func TestAnEntryIsReadWhole(t *testing.T) {
	raw := `{"version":1,"kind":1,"sequenceID":12,"operationID":7,"removeOld":0,"removeNew":3,"pendingReplacementOld":1,` +
		`"pendingReplacementNew":4,"deleteOld":2,"deleteNew":5,"state":{ "urn":"u" , "x":1.0},"operation":{"resource":{"urn":"v"},"type":"creating"},` +
		`"isRefresh":true,"requiresByteString":true,"unknown":[{}],"\u0073nippets":[1]}`
	e := decode(t, raw)[0]
	at := func(n int64) checkpoint.Ref { return checkpoint.Ref{N: n, Set: true} }
	require.Equal(t, raw, string(e.Raw()))
	require.Equal(t, checkpoint.Success, e.Kind)
	require.Equal(t, []int64{12, 7}, []int64{e.Sequence, e.Operation})
	require.Equal(t, []checkpoint.Ref{at(0), at(3), at(1), at(4), at(2), at(5)}, []checkpoint.Ref{
		e.RemoveOld, e.RemoveNew, e.PendingReplacementOld, e.PendingReplacementNew, e.DeleteOld, e.DeleteNew,
	})
	require.Equal(t, `{ "urn":"u" , "x":1.0}`, string(e.State))
	require.Equal(t, `{"resource":{"urn":"v"},"type":"creating"}`, string(e.Pending))
	require.Equal(t, `[1]`, string(e.Snippets), "a name may be escaped")
	require.True(t, e.IsRefresh && e.RequiresByteString)
}

func TestStoredEntriesKeepTheirBytes(t *testing.T) {
	first, second := entry(1, 6, 0, `"secretsProvider":{"type":"x" }`, `"later": 1.50`), entry(2, 0, 1)
	stored := checkpoint.EncodeBatch(decode(t, first, second))
	require.Equal(t, `{"entries":[`+first+",\n"+second+`]}`, string(stored))
	again, err := checkpoint.DecodeBatch(stored, checkpoint.Limits{})
	require.NoError(t, err)
	require.Equal(t, first, string(again[0].Raw()))
	require.Equal(t, `{"entries":[]}`, string(checkpoint.EncodeBatch(nil)))
}

func TestKindsHaveNames(t *testing.T) {
	require.Equal(t, "rebuilt base state", checkpoint.RebuiltBase.String())
	require.Equal(t, "kind 12", checkpoint.Kind(12).String())
	require.Equal(t, "entry 3 (write)", checkpoint.Entry{Kind: checkpoint.Write, Sequence: 3}.String())
}
