package guarantee

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// verdict is what must become of an input.
type verdict int

const (
	refused  verdict = iota // a fault of the client, in the vendor's words, and nothing is written
	accepted                // as if it were the sample
	either                  // one of the two: the row decides, but nothing breaks
)

// input is one way to call a row.
type input struct {
	name   string
	change func(r boottest.Request) boottest.Request
	want   verdict
	field  string // the refusal must name it, or where in the body a number is out of range; "" does not matter
}

// Inputs sends every row what it must refuse and what it must put up with: bodies that are no JSON, are too deep, are packed badly,
// have wrong, missing, absent and unknown properties; path parameters and queries of every odd sort. Whatever is refused is
// refused with the vendor's error and has written nothing. lenient gives a reason for each input that a row accepts though it need not, by
// "Operation input".
func Inputs(t *testing.T, tb Table, lenient map[string]string) {
	p := tb.New(t)
	doc := tb.served(t, p)
	used := map[string]bool{}
	cases := 0
	tb.each(t, p, func(t *testing.T, op api.Operation, sample Sample) {
		r := sample(p)
		inputs := pathInputs(tb, op, tb.parameters(t, op, r))
		inputs = append(inputs, queryInputs(doc, op)...)
		if s, required, ok := doc.request(op.Name); ok && isObject(r.Body) {
			inputs = append(inputs, bodyInputs(t, r, s, required)...)
		}
		for _, in := range inputs {
			cases++
			want := in.want
			if why := lenient[op.Name+" "+in.name]; why != "" {
				want, used[op.Name+" "+in.name] = either, true
			}
			p.Spy.Reset()
			a := p.Do(tb.proper(p, in.change(r)))
			ok := a.Status >= 200 && a.Status < 300
			if want != accepted && !ok {
				require.True(t, a.Status >= 400 && a.Status < 500, "%s: %s", in.name, a)
				require.Zero(t, p.Spy.Writes(), "%s was refused and wrote", in.name)
				if op.Method != http.MethodHead {
					tb.Problem(t, a)
					named := strings.Contains(string(a.Body), in.field) || strings.Contains(string(a.Body), "the number at byte")
					require.True(t, named, "%s: the refusal does not name %s: %s", in.name, in.field, a)
				}
				continue
			}
			require.True(t, ok && want != refused, "%s: %s", in.name, a)
			if op.Method != http.MethodGet && op.Method != http.MethodHead {
				r = sample(p) // this one may be used up
			}
		}
		call(t, p, tb.proper(p, r))
	})
	for l := range lenient {
		require.True(t, used[l], "%s is not lenient, or is no property", l)
	}
	t.Logf("%d inputs", cases)
}

// odd are path segments that name nothing, as they are written in a path.
var odd = map[string]string{
	"slash": "a%2Fb", "NUL": "a%00b", "dots": "..", "encoded dots": "%2E%2E", "one dot": "%2E", "newline": "a%0Ab",
	"300 characters": strings.Repeat("x", 300), "unicode": "%E2%98%83", "no UTF-8": "%FF%FE", "space": "a%20b", "question mark": "a%3Fb",
	"hash": "a%23b", "quote": "a%22b", "percent": "a%25b",
}

// oddTexts are texts in JSON that a rule may refuse and nothing may stumble over.
var oddTexts = map[string]string{
	"empty": `""`, "control characters": `"\u0000\n"`, "punctuation": `"☃/../%2F\"'{"`, "5,000 characters": `"` + strings.Repeat("x", 5000) + `"`,
}

func pathInputs(tb Table, op api.Operation, values map[string]string) (out []input) {
	for _, name := range sorted(values) {
		for _, sort := range sorted(odd) {
			out = append(out, input{name: fmt.Sprintf("%s with %s", name, sort), want: refused, change: func(r boottest.Request) boottest.Request {
				return tb.withParameter(op, r, name, odd[sort])
			}})
		}
	}
	return out
}

func queryInputs(doc *document, op api.Operation) (out []input) {
	params := doc.parameters(op.Name, "query")
	for _, name := range sorted(params) {
		values := map[string]verdict{strings.Repeat("x", 3000): either, "\x00": either, "☃": either, "\xff": either, "": either}
		switch s := params[name]; {
		case s.is("integer"):
			values = map[string]verdict{"abc": refused, "99999999999999999999": refused, "1e3": refused, "1.5": refused, "\x00": refused, "0": either, "-1": either, "": either}
		case s.is("number"):
			values = map[string]verdict{"abc": refused, "": either}
		case s.is("boolean"):
			values = map[string]verdict{"maybe": refused, "2": refused, "": either}
		case strings.Contains(strings.ToLower(name), "token") || strings.Contains(strings.ToLower(name), "cursor"):
			values = map[string]verdict{"garbage": refused, strings.Repeat("A", 64): refused, "é": refused, "\x00": refused}
		}
		for _, v := range sorted(values) {
			out = append(out, input{name: fmt.Sprintf("query %s=%.20q", name, v), want: values[v], field: name, change: func(r boottest.Request) boottest.Request {
				return withQuery(r, name, v)
			}})
		}
	}
	return append(out, input{name: "unknown query", want: accepted, change: func(r boottest.Request) boottest.Request {
		return withQuery(r, "unheardOf", "1")
	}})
}

func withQuery(r boottest.Request, name, value string) boottest.Request {
	path, query, _ := strings.Cut(r.Path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		panic("a sample with a bad query: " + err.Error())
	}
	q.Set(name, value)
	r.Path = path + "?" + q.Encode()
	return r
}

// bodyInputs are the bodies made from a sample's.
func bodyInputs(t *testing.T, sample boottest.Request, s schema, required bool) []input {
	t.Helper()
	text := textOf(t, sample.Body)
	// body replaces the body; pack sends it compressed.
	body := func(name string, b any, want verdict, field string) input {
		return input{name: name, want: want, field: field, change: func(r boottest.Request) boottest.Request {
			r.Body, r.Gzip = b, false
			return r
		}}
	}
	packed := func(name string, b []byte, want verdict) input {
		return input{name: name, want: want, change: func(r boottest.Request) boottest.Request {
			r.Body, r.Gzip = b, false
			r.Header = http.Header{"Content-Encoding": {"gzip"}}
			return r
		}}
	}
	header := func(name, key, value string, want verdict) input {
		return input{name: name, want: want, change: func(r boottest.Request) boottest.Request {
			// The sample of this moment, not of the first: it may have been made anew.
			r.Header = http.Header{key: {value}}
			return r
		}}
	}
	nothing := refused
	if !required {
		nothing = either
	}
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	out := []input{
		body("no body", nil, nothing, ""),
		body("empty body", "", nothing, ""),
		body("null", "null", refused, ""),
		body("no JSON at all", "<xml/>", refused, ""),
		body("a text", `"text"`, refused, ""),
		body("a number", "1e400", refused, ""),
		body("a list", "[]", refused, ""),
		body("half an object", `{"a":`, refused, ""),
		body("two values", string(text)+"{}", refused, ""),
		body("10,000 levels", deep, refused, ""),
		body("10,000 levels in a property", `{"a":`+deep+`}`, refused, ""),
		body("no UTF-8", "{\"\xff\":1}", refused, ""),
		packed("gzip cut off", zip(text)[:len(zip(text))-9], refused),
		packed("gzip with a broken sum", broken(zip(text)), refused),
		packed("no gzip under its name", text, refused),
		header("brotli", "Content-Encoding", "br", refused),
		header("no content type", "Content-Type", "", accepted),
		header("another content type", "Content-Type", "text/html; charset=latin1", accepted),
	}
	props := s.properties()
	var first map[string]any
	require.NoError(t, json.Unmarshal(text, &first), "the sample's body is no JSON object")
	for _, name := range sorted(props) {
		p := props[name]
		set := func(what string, value string, want verdict) input {
			return property(fmt.Sprintf("%s is %s", name, what), name, value, want)
		}
		switch {
		case p.is("string"):
			out = append(out, set("a number", "7", refused), set("an object", "{}", refused))
			for _, sort := range sorted(oddTexts) {
				in := set(sort, oddTexts[sort], either)
				in.field = "" // the sentence is the rule's, in its own words
				out = append(out, in)
			}
		case p.is("integer"), p.is("number"):
			out = append(out, set("a text", `"x"`, refused), set("a list", "[]", refused), set("huge", "1e400", refused))
			if p.is("integer") {
				out = append(out, set("a fraction", "1.5", refused), set("beyond 64 bits", "99999999999999999999", refused))
			}
		case p.is("boolean"):
			out = append(out, set("a text", `"x"`, refused), set("a number", "1", refused))
		case p.is("array"):
			out = append(out, set("a text", `"x"`, refused), set("an object", "{}", refused), set("a list of the wrong", "[[[]]]", refused))
		case p.is("object"), len(p.properties()) > 0:
			out = append(out, set("a text", `"x"`, refused), set("a list", "[]", refused))
		}
		must := either
		if slices.Contains(s.required(), name) {
			must = refused
		}
		out = append(out, set("null", "null", either), property(name+" is missing", name, "", must))
	}
	if _, isMap := s.within(); isMap {
		return out // every property is known
	}
	return append(out, property("an unknown property", "unheardOf", `{"a":[1,null,"é"]}`, accepted))
}

// isObject reports whether a sample's body is a JSON object; the properties of what is sent as bytes or as a list are not varied.
func isObject(body any) bool {
	switch b := body.(type) {
	case nil:
		return false
	case []byte:
		return bytes.HasPrefix(b, []byte("{")) && json.Valid(b)
	case string:
		return strings.HasPrefix(b, "{") && json.Valid([]byte(b))
	}
	raw, err := json.Marshal(body)
	return err == nil && bytes.HasPrefix(raw, []byte("{"))
}

// property replaces one property of the sample's body; value "" leaves it out.
func property(what, name, value string, want verdict) input {
	field := name
	if want == accepted {
		field = ""
	}
	return input{name: what, want: want, field: field, change: func(r boottest.Request) boottest.Request {
		raw, ok := r.Body.([]byte)
		if !ok {
			var err error
			if raw, err = json.Marshal(r.Body); err != nil {
				panic("a sample that JSON cannot hold: " + err.Error())
			}
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			panic("a sample that is no JSON object: " + err.Error())
		}
		delete(members, name)
		var b bytes.Buffer
		b.WriteByte('{')
		for _, k := range sorted(members) {
			fmt.Fprintf(&b, "%q:%s,", k, members[k])
		}
		if value != "" {
			fmt.Fprintf(&b, "%q:%s,", name, value)
		}
		r.Body = append(bytes.TrimSuffix(b.Bytes(), []byte(",")), '}')
		return r
	}}
}

func textOf(t testing.TB, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case []byte:
		return b
	case string:
		return []byte(b)
	}
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	return raw
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // to memory
	_ = w.Close()
	return out.Bytes()
}

// broken changes the checksum at the end.
func broken(z []byte) []byte {
	z = slices.Clone(z)
	z[len(z)-8] ^= 0xff
	return z
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
