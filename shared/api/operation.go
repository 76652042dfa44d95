package api

import (
	"context"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// Operation is one row of a dialect's table. Make it with Op; the fields are for those who read the table.
type Operation struct {
	Method string // "GET"
	Path   string // "/api/stacks/{organization}/{project}/{stack}"
	Name   string // the contract's operationId

	Group group.Group
	Need  permission.Need
	Trace audit.Trace

	Status       int      // of success; 0 means 200 with a body and 204 without
	BodyCap      int64    // bytes of the decompressed request body; 0 means the front's default
	ContentTypes []string // of a raw request body, first the one that is documented
	Streams      bool     // the answer is written through as it comes, neither held back nor compressed
	Idempotent   bool     // the client may repeat the call with the same input and nothing more happens
	Summary      string
	Tags         []string

	in, out               reflect.Type
	requestOf, responseOf reflect.Type // documented shapes of raw bodies
	register              func(huma.API, huma.Operation)
}

// Option changes what differs from the default in one row.
type Option func(*Operation)

// Status is the status of success, where it is neither 200 (with a body) nor 204 (without).
func Status(code int) Option { return func(o *Operation) { o.Status = code } }

// BodyCap is the size up to which a request body is taken, in bytes after decompression, where it is not the front's default.
func BodyCap(bytes int64) Option { return func(o *Operation) { o.BodyCap = bytes } }

// RawBody says which content types the row's RawBody has, for the OpenAPI document; the first is the main one. A raw body that
// came as JSON is decompressed when it looks like gzip, any other only when Content-Encoding says so.
func RawBody(contentTypes ...string) Option {
	return func(o *Operation) { o.ContentTypes = contentTypes }
}

// Streams says that the answer is written through as it comes (see Stream).
func Streams() Option { return func(o *Operation) { o.Streams = true } }

// Idempotent says that the client may repeat the call.
func Idempotent() Option { return func(o *Operation) { o.Idempotent = true } }

// Summary is one line for the OpenAPI document.
func Summary(text string) Option { return func(o *Operation) { o.Summary = text } }

// Tags group the row in the OpenAPI document.
func Tags(tags ...string) Option { return func(o *Operation) { o.Tags = tags } }

// RequestShape documents the JSON shape of a raw request body by a value of a type that has it. Nothing is validated by it.
func RequestShape(v any) Option { return func(o *Operation) { o.requestOf = reflect.TypeOf(v) } }

// ResponseShape documents the JSON shape of a raw response body by a value of a type that has it.
func ResponseShape(v any) Option { return func(o *Operation) { o.responseOf = reflect.TypeOf(v) } }

// Op makes a row. To add an operation to a dialect:
//
//  1. Find it in the vendor's contract: method, path, operationId, parameters, bodies, status.
//  2. In the file of its noun write the input and the output, as below.
//  3. Write the handler: decode is done, one call into core, encode. Return the core's faults as they are.
//  4. Add the row to the table in operations.go. Ask the strictest permission that works (permission.Requires), or say why none
//     is needed (permission.Public). Say what the audit keeps, or why nothing.
//  5. Run the tests: Check tells what is wrong with the row, the tenant matrix calls it with every kind of credential.
//
// An input and an output look like this:
//
//	type renameStackIn struct {
//		Organization string `path:"organization"` // every parameter of the path has its field
//		Page         int    `query:"page" minimum:"1" default:"1"`
//		Agent        string `header:"User-Agent"`
//		Body         struct {
//			Name string          `json:"name" maxLength:"100"` // required, for it has neither omitempty nor omitzero
//			Note string          `json:"note,omitempty"`       // optional
//			Tag  api.Opt[string] `json:"tag,omitzero"`         // absent, null and "" are three things
//		}
//	}
//
//	type renameStackOut struct {
//		ETag string `header:"ETag"` // not sent when empty
//		Body stack
//	}
//
// A pointer Body is an optional body. `RawBody []byte` instead of Body keeps the bytes as they came (DecodeJSON reads them;
// `required:"false"` lets it be empty). In an output `Body []byte` with a string field tagged header:"Content-Type" keeps them
// as they go, and a Body made by Stream is written piece by piece. Without a Body the answer is 204 (see Status); a Status int
// field in the output overrides the row's. A struct that inputs or outputs embed has an exported name, or huma does not see its
// fields. Constraints are tags: https://huma.rocks/features/request-validation/
//
// pattern is "METHOD /path/{parameter}". A parameter is a whole segment, may follow a fixed text in its segment
// ("/users/email={email}"), and as the last segment may take the rest of the path ("{name...}"). A fixed segment wins over a
// parameter, so rows may overlap. A row whose shape is wrong is reported by Check.
func Op[I, O any](pattern, name string, g group.Group, need permission.Need, trace audit.Trace, handler func(context.Context, *I) (*O, error), opts ...Option) Operation {
	method, path, _ := strings.Cut(pattern, " ")
	o := Operation{
		Method: method, Path: path, Name: name, Group: g, Need: need, Trace: trace,
		in: reflect.TypeFor[I](), out: reflect.TypeFor[O](),
	}
	for _, opt := range opts {
		opt(&o)
	}
	raw := rawBodyField(o.in)
	o.register = func(api huma.API, row huma.Operation) {
		huma.Register(api, row, func(ctx context.Context, in *I) (*O, error) {
			ownRawBody(reflect.ValueOf(in).Elem(), raw)
			out, err := handler(ctx, in)
			if err != nil {
				return nil, &problem{err: err}
			}
			return out, nil
		})
	}
	return o
}

// hasBodyFunc reports whether the output writes its own body.
func (o *Operation) hasBodyFunc() bool {
	f, ok := field(o.out, "Body")
	return ok && f.Type.Kind() == reflect.Func
}

// takesJSON reports whether the input has a body that is decoded.
func (o *Operation) takesJSON() bool {
	_, ok := field(o.in, "Body")
	return ok
}

func field(t reflect.Type, name string) (reflect.StructField, bool) {
	if t == nil || t.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	return t.FieldByName(name)
}

// rawBodyField is the index of RawBody []byte in an input, or nil.
func rawBodyField(t reflect.Type) []int {
	if f, ok := field(t, "RawBody"); ok && f.Type == reflect.TypeFor[[]byte]() {
		return f.Index
	}
	return nil
}

// needsRawBody reports whether a raw body may not be empty; `required:"false"` on the field lets it.
func (o *Operation) needsRawBody() bool {
	f, _ := field(o.in, "RawBody")
	return f.Tag.Get("required") != "false"
}

// rawTypes are the content types of a raw body.
func (o *Operation) rawTypes() []string {
	if len(o.ContentTypes) > 0 {
		return o.ContentTypes
	}
	f, _ := field(o.in, "RawBody")
	if t := f.Tag.Get("contentType"); t != "" {
		return []string{t}
	}
	return []string{"application/octet-stream"}
}

// pooledBuffer is the largest body buffer that huma reuses after a request.
const pooledBuffer = 1 << 20

// ownRawBody gives the handler a raw body that it may keep: huma's own lies in a buffer that the next request overwrites.
func ownRawBody(in reflect.Value, index []int) {
	if index == nil {
		return
	}
	f := in.FieldByIndex(index)
	if b := f.Bytes(); cap(b) <= pooledBuffer {
		f.SetBytes(append(make([]byte, 0, len(b)), b...))
	}
}
