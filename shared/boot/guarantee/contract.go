package guarantee

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Contract compares the document that the dialect serves with the vendor's, for the rows that are served: each exists there under its
// operationId, with the same method, path and names of path parameters, and serves every property that the vendor requires of its
// answer. divergences gives a reason for each difference that is meant, by "Operation what". When there is no file at path, the test
// says so and how many rows were not compared; the served document must be sound all the same.
func Contract(t *testing.T, tb Table, path string, divergences map[string]string) {
	p := tb.New(t)
	have := tb.served(t, p)
	rows := tb.rows(t, p)
	require.Len(t, have.operations, len(rows), "the served document does not hold every row")
	for _, op := range rows {
		d := have.operations[op.Name]
		require.Equal(t, op.Method, d.method, op.Name)
		require.Equal(t, strings.ReplaceAll(op.Path, "...}", "}"), d.path, op.Name)
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		fmt.Printf("contract: NOT COMPARED: %s is not there; %d rows of %s unchecked against the vendor's document\n", path, len(rows), tb.Dialect)
		return
	}
	require.NoError(t, err)
	var root map[string]any
	require.NoError(t, yaml.Unmarshal(text, &root))
	want := newDocument(root)
	var differences []string
	for _, op := range rows {
		differences = append(differences, compare(op.Name, have, want)...)
	}
	for _, d := range differences {
		if divergences[d] == "" {
			t.Errorf("%s", d)
		}
	}
	for d := range divergences {
		require.Contains(t, differences, d, "this divergence is not there any more")
	}
	t.Logf("contract: %d rows compared with %d operations of %s", len(rows), len(want.operations), path)
}

// compare tells how an operation differs from the vendor's.
func compare(name string, have, want *document) (differences []string) {
	differs := func(format string, args ...any) {
		differences = append(differences, name+" "+fmt.Sprintf(format, args...))
	}
	w, ok := want.operations[name]
	if !ok {
		differs("does not exist")
		return differences
	}
	h := have.operations[name]
	if h.method != w.method {
		differs("is %s, served as %s", w.method, h.method)
	}
	if shapeOfPath(h.path) != shapeOfPath(w.path) {
		differs("is at %s, served at %s", w.path, h.path)
	} else if h.path != w.path {
		differs("names its parameters %s, served as %s", w.path, h.path)
	}
	ws, ok := want.response(name)
	if !ok {
		return differences
	}
	hs, ok := have.response(name)
	if !ok {
		differs("answers with a body, none is served")
		return differences
	}
	for _, missing := range lacking(hs, ws, "", witnessDepth) {
		differs("answer lacks %s", missing)
	}
	return differences
}

// shapeOfPath is a path without the names of its parameters.
func shapeOfPath(path string) string {
	segs := strings.Split(path, "/")
	for i, s := range segs {
		if text, _, ok := strings.Cut(s, "{"); ok {
			segs[i] = text + "{}"
		}
	}
	return strings.Join(segs, "/")
}

// lacking are the paths of required properties of want that have does not document.
func lacking(have, want schema, at string, depth int) []string {
	if w, ok := want.within(); ok {
		if h, ok := have.within(); ok {
			return lacking(h, w, at+"[]", depth)
		}
		return nil
	}
	if depth == 0 {
		return nil
	}
	var out []string
	hp, wp := have.properties(), want.properties()
	if _, open := have.within(); open {
		return nil // what a client wrote, served as it is
	}
	required := want.required()
	for name := range wp {
		path := strings.TrimPrefix(at+"."+name, ".")
		h, served := hp[name]
		switch {
		case served:
			out = append(out, lacking(h, wp[name], path, depth-1)...)
		case slices.Contains(required, name):
			out = append(out, path)
		}
	}
	sort.Strings(out)
	return out
}
