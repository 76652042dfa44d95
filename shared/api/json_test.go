package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func record(w *world, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func TestAWrongBodyIsOneFaultThatNamesTheField(t *testing.T) {
	cases := map[string]struct{ body, field, message string }{
		"a wrong type":         {`{"name":5}`, "body.name", "body.name: expected string"},
		"a wrong nested type":  {`{"name":"n","part":{"kind":1}}`, "body.part.kind", "body.part.kind: expected string"},
		"a missing value":      {`{}`, "body.name", "body.name: a value is required"},
		"a missing nested one": {`{"name":"n","part":{}}`, "body.part.kind", "body.part.kind: a value is required"},
		"out of range":         {`{"name":"n","size":-1}`, "body.size", "body.size: expected number >= 0"},
		"an overflow":          {`{"name":"n","size":1e30}`, "body.size", "body.size: expected integer"},
		"another kind":         {`[]`, "body", "body: expected object"},
		"no body":              {``, "body", "a request body is required"},
		"white space":          {" \n", "body", "a request body is required"},
		"null":                 {` null `, "body", "a request body is required"},
		"broken":               {`{"name":`, "body", "body: not valid JSON at byte 8: unexpected end of JSON input"},
		"garbage after it":     {`{"name":"n"} x`, "body", "body: not valid JSON at byte 14: invalid character 'x' after top-level value"},
		"two values":           {`{"name":"n"}{}`, "body", "body: not valid JSON at byte 13: invalid character '{' after top-level value"},
		"not UTF-8":            {"{\"name\":\"\xff\"}", "body", "body: not valid UTF-8"},
		"deep arrays":          {strings.Repeat("[", 10_000), "body", "body: nested more than 512 levels deep"},
		"deep objects":         {strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), "body", "body: nested more than 512 levels deep"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rec := newWorld(things()...).post("/api/things/o/x", c.body)
			require.Equal(t, 400, rec.Code)
			e := errorOf(t, rec)
			require.Equal(t, c.message, e.Message)
			require.Equal(t, c.field, e.Field)
		})
	}
}

func TestAllWrongFieldsAreDetails(t *testing.T) {
	type in struct {
		Page int    `query:"page" minimum:"1"`
		Sort string `query:"sort" enum:"up,down"`
		Must string `query:"must" required:"true"`
		Body thing
	}
	w := newWorld(row("POST /api/many", "Many", func(ctx, *in) (*struct{}, error) { return nil, nil }))
	e := errorOf(t, w.post("/api/many?page=x&sort=hidden", `{"name":1,"size":"hidden"}`))
	require.Equal(t, "query.page: invalid integer", e.Message)
	require.Equal(t, []fault.Detail{
		{Field: "query.page", Message: "invalid integer"},
		{Field: "query.sort", Message: `expected value to be one of "up, down"`},
		{Field: "query.must", Message: "a value is required"},
		{Field: "body.name", Message: "expected string"},
		{Field: "body.size", Message: "expected integer"},
	}, e.Details)
}

func TestUnknownPropertiesAndDeepButAllowedBodiesAreAccepted(t *testing.T) {
	w := newWorld(things()...)
	deep := strings.Repeat("[", 511) + strings.Repeat("]", 511)
	for _, body := range []string{`{"name":"n","more":` + deep + `}`, `{"name":"[[[\"{{{"}`} {
		require.Equal(t, 200, w.post("/api/things/o/x", body).Code)
	}
}

func TestAPointerBodyIsOptional(t *testing.T) {
	type in struct{ Body *subject }
	w := newWorld(row("POST /api/maybe", "Maybe", func(_ ctx, in *in) (*textOut, error) {
		if in.Body == nil {
			return &textOut{Body: []byte("none")}, nil
		}
		return &textOut{Body: []byte(in.Body.Kind)}, nil
	}))
	require.Equal(t, "none", w.post("/api/maybe", "").Body.String())
	require.Equal(t, "k", w.post("/api/maybe", `{"kind":"k"}`).Body.String())
}

func TestNoAcceptIsRefused(t *testing.T) {
	w := newWorld(things()...)
	for _, accept := range []string{"application/vnd.pulumi+9", "application/x-tar", "text/html;q=0.1", "garbage", "application/json;q=0"} {
		rec := w.do(ask{path: "/api/things/o/x", header: map[string]string{"Accept": accept, "Content-Type": "application/json"}})
		require.Equal(t, 200, rec.Code)
		require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	}
}

func TestTheOutputChoosesItsContentType(t *testing.T) {
	type out struct {
		ContentType string `header:"Content-Type"`
		Body        thing
	}
	w := newWorld(row("GET /api/hal", "Hal", func(ctx, *struct{}) (*out, error) {
		return &out{ContentType: "application/hal+json", Body: thing{Name: "<&>"}}, nil
	}))
	rec := w.get("/api/hal")
	require.Equal(t, "application/hal+json", rec.Header().Get("Content-Type"))
	require.Equal(t, `{"name":"<&>"}`, rec.Body.String(), "HTML is not escaped and nothing is appended")
}

func TestRawHandlersDecodeJSONAsStrictly(t *testing.T) {
	var v thing
	require.NoError(t, api.DecodeJSON([]byte(`{"name":"n","more":1}`), &v))
	require.Equal(t, "n", v.Name)
	for _, bad := range []string{"", "null", `{"name":1}`, `{} {}`, strings.Repeat("[", 513)} {
		require.True(t, fault.Is(api.DecodeJSON([]byte(bad), &v), fault.Invalid), bad)
	}
}

func TestAnOptTellsAbsentFromNullFromAValue(t *testing.T) {
	w := newWorld(things()...)
	for _, body := range []string{`{"name":"n"}`, `{"name":"n","tag":null}`, `{"name":"n","tag":""}`, `{"name":"n","tag":"t","part":{"kind":"k"}}`, `{"name":"n","part":null}`} {
		rec := w.post("/api/things/o/x", body)
		require.Equal(t, 200, rec.Code, rec.Body.String())
		require.Equal(t, body, rec.Body.String())
	}
	require.Equal(t, "body.tag: expected string", errorOf(t, w.post("/api/things/o/x", `{"name":"n","tag":7}`)).Message)
}

func TestAnOptAppliesWhatItSays(t *testing.T) {
	value := "old"
	api.Opt[string]{}.Apply(&value)
	require.Equal(t, "old", value)
	api.Some("new").Apply(&value)
	require.Equal(t, "new", value)
	api.Null[string]().Apply(&value)
	require.Empty(t, value)
	require.Equal(t, "other", api.Null[string]().Or("other"))
	require.Equal(t, api.Null[int](), api.SomeOrNull[int](nil))
	require.True(t, api.Null[int]().IsNull())
	require.False(t, api.Null[int]().IsZero())
}

func TestAnOptServesQueryParameters(t *testing.T) {
	type in struct {
		Page api.Opt[int] `query:"page" minimum:"0"`
	}
	w := newWorld(row("GET /api/pages", "Pages", func(_ ctx, in *in) (*struct{ Body api.Opt[int] }, error) {
		return &struct{ Body api.Opt[int] }{in.Page}, nil
	}))
	for query, want := range map[string]string{"": "null", "?page=0": "0", "?page=3": "3"} {
		require.Equal(t, want, w.get("/api/pages"+query).Body.String(), query)
	}
	require.Equal(t, "query.page: invalid integer", errorOf(t, w.get("/api/pages?page=x")).Message)
	require.Equal(t, "query.page: expected number >= 0", errorOf(t, w.get("/api/pages?page=-1")).Message)
}

func FuzzOptKeepsWhatItReads(f *testing.F) {
	for _, s := range []string{`{}`, `{"o":null}`, `{"o":""}`, `{"o":"x"}`, `{"o":1}`, `{"o":{"a":[null]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var with struct {
			O api.Opt[json.RawMessage] `json:"o,omitzero"`
		}
		var plain map[string]json.RawMessage
		err := json.Unmarshal([]byte(s), &plain)
		if json.Unmarshal([]byte(s), &with) != nil || err != nil {
			return
		}
		for k := range plain {
			if k != "o" && strings.EqualFold(k, "o") {
				return // encoding/json matches names without regard to case, and the last one wins
			}
		}
		raw, there := plain["o"]
		require.Equal(t, there, !with.O.IsZero())
		require.Equal(t, there && string(raw) == "null", with.O.IsNull())
		v, ok := with.O.Get()
		require.Equal(t, there && string(raw) != "null", ok)
		if ok {
			require.Equal(t, string(raw), string(v))
		}
		out, err := json.Marshal(with)
		require.NoError(t, err)
		again := with
		again.O = api.Opt[json.RawMessage]{}
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, with.O.IsNull(), again.O.IsNull())
		require.Equal(t, with.O.IsZero(), again.O.IsZero())
	})
}
