package api

import (
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// route is a row that is served.
type route struct {
	op    *Operation
	segs  []segment
	names []string // of the path parameters, in order
	cap   int64    // bytes of request body

	// bind makes huma's handler on the first request: a process that serves a few rows of hundreds starts as fast as if it had
	// only those. Each row has a registry of its own, so that binding one does not disturb another at work.
	bind func() *collector
}

func newRoute(op *Operation, limit int64) (*route, error) {
	segs, err := parsePath(op.Path)
	if err != nil {
		return nil, err
	}
	r := &route{op: op, segs: segs, names: params(segs), cap: limit}
	r.bind = sync.OnceValue(func() *collector {
		c := &collector{}
		register(newAPI(c, "", "", schemaNames()), op, nil)
		return c
	})
	return r, nil
}

// collector is a huma adapter that routes nothing and keeps the handler it is given.
type collector struct {
	row     *huma.Operation
	handler func(huma.Context)
}

func (c *collector) Handle(row *huma.Operation, handler func(huma.Context)) {
	c.row, c.handler = row, handler
}

func (c *collector) ServeHTTP(http.ResponseWriter, *http.Request) {}

// humaAPI changes what huma thinks of content types: every body is JSON whatever the client calls it, every answer is JSON unless
// the output says otherwise, and no Accept is refused.
type humaAPI struct{ huma.API }

func (humaAPI) Negotiate(string) (string, error) { return "application/json", nil }

func (humaAPI) Marshal(w io.Writer, _ string, v any) error {
	if _, failed := v.(*problem); failed {
		return nil // rendered by the dialect, see exchange
	}
	err := encodeJSON(w, v)
	if x, ok := w.(*answer); ok && err != nil {
		x.drop() // huma would write a sentence of its own
	}
	return err
}

func (humaAPI) Unmarshal(_ string, data []byte, v any) error {
	// huma decodes twice, first into any for validation: what is sound then is sound the second time.
	if _, first := v.(*any); first {
		if err := plausibleJSON(data); err != nil {
			return sentence(err)
		}
	}
	if err := unmarshal(data, v); err != nil {
		return sentence(err)
	}
	return nil
}

// Transform catches errors on their way to the client.
func (humaAPI) Transform(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*problem); ok {
		ctx.(*exchange).fail(p.err)
	}
	return v, nil
}

func newAPI(a huma.Adapter, title, version string, namer func(reflect.Type, string) string) humaAPI {
	config := huma.Config{OpenAPI: &huma.OpenAPI{
		Info:       &huma.Info{Title: title, Version: version},
		Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", namer)},
	}}
	config.AllowAdditionalPropertiesByDefault = true
	config.Formats = map[string]huma.Format{"application/json": {}}
	return humaAPI{huma.NewAPI(config, a)}
}

// register makes huma's operation of a row. failure is the schema of the dialect's errors, for the document.
func register(api huma.API, op *Operation, failure *huma.Schema) {
	row := huma.Operation{
		OperationID:     op.Name,
		Method:          op.Method,
		Path:            strings.ReplaceAll(op.Path, "...}", "}"),
		Summary:         op.Summary,
		Tags:            op.Tags,
		DefaultStatus:   op.Status,
		MaxBodyBytes:    -1, // the front's own body reader counts
		BodyReadTimeout: 1,  // not huma's default: exchange leaves the time to the server
		Responses:       map[string]*huma.Response{"default": {Description: "Error"}},
	}
	if failure != nil {
		row.Responses["default"].Content = map[string]*huma.MediaType{"application/json": {Schema: failure}}
	}
	if op.Idempotent {
		row.Extensions = map[string]any{"x-idempotent": true}
	}
	schemas := api.OpenAPI().Components.Schemas
	raw := rawBodyField(op.in) != nil && !op.takesJSON()
	if raw {
		row.SkipValidateBody = true
		row.RequestBody = &huma.RequestBody{}
	}
	if op.responseOf != nil {
		status := op.Status
		if status == 0 {
			status = http.StatusOK
		}
		row.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: shapeOf(schemas, op.responseOf)}},
		}
	}
	op.register(api, row)
	if raw { // afterwards, because huma describes every raw body as bytes that must be there
		row.RequestBody.Required = op.needsRawBody()
		row.RequestBody.Content = map[string]*huma.MediaType{}
		for _, t := range op.rawTypes() {
			row.RequestBody.Content[t] = &huma.MediaType{Schema: shapeOf(schemas, op.requestOf)}
		}
	}
}

func shapeOf(r huma.Registry, t reflect.Type) *huma.Schema {
	if t == nil {
		return &huma.Schema{Type: huma.TypeString, Format: "binary"}
	}
	return r.Schema(t, true, t.Name())
}

type humaContext huma.Context

// exchange is huma's view of one request: parameters come from our router, and a failure is kept instead of written.
type exchange struct {
	humaContext
	route  *route
	values []string
	answer *answer
	failed error
}

func newExchange(rt *route, values []string, r *http.Request, a *answer) *exchange {
	return &exchange{humaContext: humago.NewContext(rt.bind().row, r, a), route: rt, values: values, answer: a}
}

// Unwrap gives huma's own context.
func (x *exchange) Unwrap() huma.Context { return x.humaContext }

// Param is the decoded value of a path parameter, "" for names that the pattern does not have.
func (x *exchange) Param(name string) string {
	for i, n := range x.route.names {
		if n == name {
			return x.values[i]
		}
	}
	return ""
}

// BodyWriter is the answer.
func (x *exchange) BodyWriter() io.Writer { return x.answer }

// SetReadDeadline does nothing: how long a body may take is the server's to say.
func (x *exchange) SetReadDeadline(time.Time) error { return nil }

// fail keeps the first error and lets nothing more out.
func (x *exchange) fail(err error) {
	if x.failed == nil {
		x.failed = err
		x.answer.drop()
	}
}
