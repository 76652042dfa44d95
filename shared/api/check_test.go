package api_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/permission"
)

type hidden struct {
	Org string `path:"org"`
}

func TestCheckNamesEveryMistakeInATable(t *testing.T) {
	type wrongOpt struct {
		Body struct {
			Deep []struct {
				Tag api.Opt[string] `json:"tag"`
			} `json:"deep"`
		}
	}
	type withBody struct{ Body thing }
	none := failing(nil)
	cases := map[string]struct {
		ops  []api.Operation
		says string
	}{
		"the same shape twice": {[]api.Operation{
			row("GET /a/{org}", "A", func(ctx, *Path) (*struct{}, error) { return nil, nil }),
			row("GET /a/{thing}", "B", func(ctx, *struct {
				Thing string `path:"thing"`
			}) (*struct{}, error) {
				return nil, nil
			}),
		}, "same method and shape as A"},
		"the same name twice":        {[]api.Operation{row("GET /a", "A", none), row("GET /b", "A", none)}, "another row has this name"},
		"no name":                    {[]api.Operation{row("GET /a", "", none)}, "no name"},
		"no group":                   {[]api.Operation{api.Op("GET /a", "A", "", needRead, nothing, none)}, "no group"},
		"no permission":              {[]api.Operation{api.Op("GET /a", "A", group.Stacks, permission.Need{}, nothing, none)}, "no permission"},
		"no trace":                   {[]api.Operation{api.Op("GET /a", "A", group.Stacks, needRead, audit.Trace{}, none)}, "no audit trace"},
		"two minds":                  {[]api.Operation{api.Op("GET /a", "A", group.Stacks, permission.Need{Public: "x", Self: true}, nothing, none)}, "both public and not"},
		"no method":                  {[]api.Operation{row("/a", "A", none)}, "unknown method"},
		"an odd method":              {[]api.Operation{row("FETCH /a", "A", none)}, "unknown method"},
		"a bad path":                 {[]api.Operation{row("GET a", "A", none)}, "does not begin with a slash"},
		"a parameter without field":  {[]api.Operation{row("GET /a/{org}", "A", none)}, `path parameter "org" has no field`},
		"a field without parameter":  {[]api.Operation{row("GET /a", "A", func(ctx, *Path) (*struct{}, error) { return nil, nil })}, `"org" is not in the path`},
		"fields that huma overlooks": {[]api.Operation{row("GET /a/{org}", "A", func(ctx, *struct{ hidden }) (*struct{}, error) { return nil, nil })}, "hidden.Org is in an embedded struct that is not exported"},
		"an Opt that is required":    {[]api.Operation{row("PUT /a", "A", func(ctx, *wrongOpt) (*struct{}, error) { return nil, nil })}, "Tag is an Opt without omitzero"},
		"a GET with a body":          {[]api.Operation{row("GET /a", "A", func(ctx, *withBody) (*struct{}, error) { return nil, nil })}, "a GET has no body"},
		"a status of failure":        {[]api.Operation{row("GET /a", "A", none, api.Status(404))}, "not one of success"},
		"a negative cap":             {[]api.Operation{row("GET /a", "A", none, api.BodyCap(-1))}, "negative body cap"},
		"what huma refuses": {[]api.Operation{row("GET /a", "A", func(ctx, *struct {
			P *string `query:"p"`
		}) (*struct{}, error) {
			return nil, nil
		})}, "huma: A: pointers are not supported"},
		"a row of the void": {[]api.Operation{{Method: "GET", Path: "/a", Name: "A"}}, "not made by Op"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, api.Check(api.Dialect{Name: "tiny", Operations: c.ops}), c.says)
		})
	}
	require.NoError(t, api.Check(newWorld(things()...).dialect))
	require.ErrorContains(t, api.Check(api.Dialect{Name: "a"}, api.Dialect{Name: "a"}), "two dialects")
	require.ErrorContains(t, api.Check(api.Dialect{Name: "A b"}), "lower-case")
	require.ErrorContains(t, api.Check(api.Dialect{Name: "a", Root: "/x/"}), "root")
}

func TestAHandlerOfAnImpossibleTablePanicsAtOnce(t *testing.T) {
	require.Panics(t, func() { newWorld(row("GET /a", "A", failing(nil)), row("GET /a", "B", failing(nil))) })
	require.Panics(t, func() { newWorld(row("GET a", "A", failing(nil))) })
}

func TestTheDocumentDescribesEveryRowWithoutACredential(t *testing.T) {
	type Thing struct { // another type of the same name
		Other int `json:"other"`
	}
	ops := append(things(),
		row("GET /api/files/{rest...}", "File", func(ctx, *struct {
			Rest string `path:"rest"`
		}) (*textOut, error) {
			return nil, nil
		}, api.ResponseShape(thing{}), api.Summary("A file"), api.Tags("files"), api.Idempotent()),
		row("GET /api/other", "Other", func(ctx, *struct{}) (*struct{ Body Thing }, error) { return nil, nil }),
		api.Op("GET /api/elsewhere", "Elsewhere", group.Identity, needRead, nothing, failing(nil)),
	)
	w := newWorld(ops...)
	w.Groups = []group.Group{group.Stacks}
	w.serve()
	rec := w.do(ask{path: "/api/openapi.json", stranger: true})
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	require.NotContains(t, rec.Body.String(), "$schema")
	require.NotContains(t, rec.Body.String(), `"Problem"`)

	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Tags        []string
			Idempotent  bool `json:"x-idempotent"`
			RequestBody struct {
				Required bool
				Content  map[string]struct{ Schema map[string]any }
			}
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.Equal(t, "PutThing", doc.Paths["/api/things/{org}/{thing}"]["post"].OperationID)
	require.Equal(t, "Elsewhere", doc.Paths["/api/elsewhere"]["get"].OperationID, "the document holds the rows of other functions too")
	file := doc.Paths["/api/files/{rest}"]["get"]
	require.Equal(t, "A file", file.Summary)
	require.Equal(t, []string{"files"}, file.Tags)
	require.True(t, file.Idempotent)
	require.Equal(t, "#/components/schemas/Thing", file.Responses["200"].Content["application/json"].Schema["$ref"])
	require.Equal(t, "#/components/schemas/TinyError", file.Responses["default"].Content["application/json"].Schema["$ref"])
	raw := doc.Paths["/api/raw/{org}"]["post"].RequestBody
	require.True(t, raw.Required)
	require.Len(t, raw.Content, 2)
	require.Equal(t, "#/components/schemas/Thing", raw.Content["application/json"].Schema["$ref"])
	require.Contains(t, doc.Components.Schemas["Thing"].Properties, "part")
	require.Equal(t, []string{"name"}, doc.Components.Schemas["Thing"].Required)
	require.Contains(t, doc.Components.Schemas["ThingInApi_test"].Properties, "other", "%v", rec.Body.String())

	rec = w.do(ask{path: "/api/openapi.json", stranger: true, header: map[string]string{"Accept-Encoding": "gzip"}})
	require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"))
	z, err := gzip.NewReader(rec.Body)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(&map[string]any{}))
}

func TestTheGatewayServesEveryDialectBelowItsName(t *testing.T) {
	tiny := newWorld(things()...)
	other := newWorld(row("GET /hello", "Hello", sized)).dialect
	other.Name, other.Root = "other", ""
	var sick error
	tiny.Health = func(context.Context) error { return sick }
	tiny.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("counts")) })
	tiny.handler = api.New(tiny.Config).Gateway(tiny.dialect, other)
	for path, want := range map[string]string{
		"/tiny/api/things/o/a%2Fb": `{"name":"o|a/b"}`,
		"//tiny//api/things/o/x/":  `{"name":"o|x"}`,
		"/other/hello?n=3":         "xxx",
		"/healthz":                 "ok\n",
		"/metrics":                 "counts",
	} {
		rec := tiny.get(path)
		require.Equal(t, 200, rec.Code, path)
		require.Equal(t, want, rec.Body.String())
	}
	require.Equal(t, 200, tiny.get("/tiny/api/openapi.json").Code)
	require.Equal(t, 200, tiny.get("/other/openapi.json").Code)
	for _, path := range []string{"/", "/api/things/o/x", "/openapi.json", "/healthz/x", "/%zz"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawPath, r.URL.Path = path, path
		rec := record(tiny, r)
		require.Equal(t, 404, rec.Code, path)
		require.True(t, strings.HasPrefix(rec.Body.String(), `{"code":"not_found"`), rec.Body.String())
		require.NotEmpty(t, rec.Header().Get("X-Request-Id"))
	}
	for _, path := range []string{"/tiny/nowhere", "/tiny/../other/hello", "/tiny/%00"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawPath, r.URL.Path = path, path
		require.Equal(t, 404, errorOf(t, record(tiny, r)).Code, "below a dialect its own body is used")
	}
	sick = errSecret
	rec := tiny.get("/healthz")
	require.Equal(t, 503, rec.Code)
	require.NotContains(t, rec.Body.String(), "10.0.0.7")
	require.Contains(t, tiny.log.String(), "10.0.0.7")
}
