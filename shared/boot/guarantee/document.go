package guarantee

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// document is an OpenAPI document.
type document struct {
	operations map[string]described // by operationId
	root       map[string]any
}

// described is one operation of a document.
type described struct {
	method, path string
	node         map[string]any
}

// schema is one schema with references followed.
type schema struct {
	doc  *document
	node map[string]any
}

// served is the document that the dialect serves.
func (tb Table) served(t testing.TB, p *boottest.Plane) *document {
	t.Helper()
	a := p.Do(boottest.Request{Method: http.MethodGet, Path: "/" + tb.Dialect + tb.dialect(t, p).Root + "/openapi.json"})
	var root map[string]any
	a.Into(t, http.StatusOK, nil)
	require.NoError(t, json.Unmarshal(a.Body, &root))
	return newDocument(root)
}

func newDocument(root map[string]any) *document {
	d := &document{operations: map[string]described{}, root: root}
	paths, _ := root["paths"].(map[string]any)
	for path, methods := range paths {
		ms, _ := methods.(map[string]any)
		for method, op := range ms {
			node, ok := op.(map[string]any)
			if id, _ := node["operationId"].(string); ok && id != "" {
				d.operations[id] = described{strings.ToUpper(method), path, node}
			}
		}
	}
	return d
}

// at follows a path of names into the document, references included.
func (d *document) at(node any, names ...string) map[string]any {
	for i := 0; ; i++ {
		m, _ := node.(map[string]any)
		for range 20 {
			ref, ok := m["$ref"].(string)
			if !ok {
				break
			}
			m = d.at(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		if i == len(names) || m == nil {
			return m
		}
		node = m[names[i]]
	}
}

func (d *document) schema(node any) schema { return schema{d, d.at(node)} }

// request is the schema of an operation's JSON body; ok is false when it has none.
func (d *document) request(id string) (s schema, required, ok bool) {
	body := d.at(d.operations[id].node["requestBody"])
	node := d.at(body, "content", "application/json", "schema")
	if node == nil { // a raw body
		for _, media := range d.at(body, "content") {
			node = d.at(media, "schema")
		}
	}
	required, _ = body["required"].(bool)
	return schema{d, node}, required, node != nil
}

// response is the schema of an operation's successful answer.
func (d *document) response(id string) (schema, bool) {
	responses := d.at(d.operations[id].node["responses"])
	for status, r := range responses {
		if strings.HasPrefix(status, "2") {
			if node := d.at(r, "content", "application/json", "schema"); node != nil {
				return schema{d, node}, true
			}
		}
	}
	return schema{}, false
}

// parameters are an operation's parameters in a place ("path", "query"), by name.
func (d *document) parameters(id, place string) map[string]schema {
	out := map[string]schema{}
	list, _ := d.operations[id].node["parameters"].([]any)
	for _, p := range list {
		if node := d.at(p); node["in"] == place {
			out[node["name"].(string)] = d.schema(node["schema"])
		}
	}
	return out
}

func (s schema) properties() map[string]schema {
	out := map[string]schema{}
	for name, node := range s.doc.at(s.node["properties"]) {
		out[name] = s.doc.schema(node)
	}
	all, _ := s.node["allOf"].([]any)
	for _, part := range all {
		for name, p := range s.doc.schema(part).properties() {
			out[name] = p
		}
	}
	return out
}

func (s schema) required() []string {
	var out []string
	list, _ := s.node["required"].([]any)
	for _, n := range list {
		out = append(out, n.(string))
	}
	all, _ := s.node["allOf"].([]any)
	for _, part := range all {
		out = append(out, s.doc.schema(part).required()...)
	}
	return out
}

// within is the schema of the elements of an array or of the values of a map; ok is false for anything else.
func (s schema) within() (schema, bool) {
	for _, name := range []string{"items", "additionalProperties"} {
		if node := s.doc.at(s.node[name]); node != nil {
			return schema{s.doc, node}, true
		}
	}
	return schema{}, false
}

// is reports whether the type is among the schema's.
func (s schema) is(kind string) bool {
	switch t := s.node["type"].(type) {
	case string:
		return t == kind
	case []any:
		return slices.Contains(t, any(kind))
	}
	return false
}
