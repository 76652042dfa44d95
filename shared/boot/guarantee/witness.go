package guarantee

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// witnessDepth is how many levels of properties below an answer are watched.
const witnessDepth = 3

// Witness watches the answers of a package's tests and tells which documented properties of them were never seen filled. Let it Watch
// the planes of the tests, and ask for its Verdict in TestMain when all have run.
type Witness struct {
	mu   sync.Mutex
	rows []watched
	seen map[string]map[string]bool // property paths by operation
	all  map[string][]string
}

type watched struct {
	method string
	segs   []string
	name   string
}

// NewWitness is a witness that has seen nothing.
func NewWitness() *Witness {
	return &Witness{seen: map[string]map[string]bool{}}
}

// Watch looks at a plane's calls from now on. The first plane also says which rows the dialect has and what they document.
func (w *Witness) Watch(t testing.TB, dialect string, p *boottest.Plane) {
	t.Helper()
	w.mu.Lock()
	known := w.all != nil
	w.mu.Unlock()
	if !known {
		w.learn(t, Table{Dialect: dialect}, p)
	}
	p.Seen = w.see
}

func (w *Witness) learn(t testing.TB, tb Table, p *boottest.Plane) {
	t.Helper()
	rows, doc := tb.rows(t, p), tb.served(t, p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all != nil {
		return
	}
	w.all = map[string][]string{}
	for _, op := range rows {
		w.rows = append(w.rows, watched{op.Method, strings.Split("/"+tb.Dialect+op.Path, "/"), op.Name})
		w.seen[op.Name] = map[string]bool{}
		if s, ok := doc.response(op.Name); ok {
			w.all[op.Name] = paths(s, "", witnessDepth)
		}
	}
}

// paths are the property paths of a schema: "stacks[].links.self". Elements of arrays and values of maps are one.
func paths(s schema, at string, depth int) []string {
	if inner, ok := s.within(); ok {
		return paths(inner, at+"[]", depth)
	}
	if depth == 0 {
		return nil
	}
	var out []string
	for name, p := range s.properties() {
		path := strings.TrimPrefix(at+"."+name, ".")
		out = append(out, path)
		out = append(out, paths(p, path, depth-1)...)
	}
	sort.Strings(out)
	return out
}

// see is told of every call.
func (w *Witness) see(r boottest.Request, a boottest.Answer) {
	if a.Status < 200 || a.Status > 299 || len(a.Body) == 0 {
		return
	}
	name := w.rowOf(r)
	if name == "" {
		return
	}
	d := json.NewDecoder(bytes.NewReader(a.Body))
	d.UseNumber()
	var body any
	if d.Decode(&body) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(name, body, "", 0)
}

// rowOf is the row that a request leads to: among those that fit, the one with most fixed segments.
func (w *Witness) rowOf(r boottest.Request) string {
	path, _, _ := strings.Cut(r.Path, "?")
	have := strings.Split(path, "/")
	w.mu.Lock()
	defer w.mu.Unlock()
	best, name := -1, ""
	for _, row := range w.rows {
		if row.method != r.Method || len(row.segs) != len(have) {
			continue
		}
		fixed := 0
		for i, s := range row.segs {
			switch {
			case s == have[i]:
				fixed++
			case !strings.Contains(s, "{"):
				fixed = -len(have)
			}
		}
		if fixed > best {
			best, name = fixed, row.name
		}
	}
	return name
}

func (w *Witness) note(row string, v any, at string, depth int) {
	if depth > 2*witnessDepth { // arrays and maps between the levels count as levels here
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			w.note(row, e, at+"[]", depth+1)
		}
	case map[string]any:
		for name, e := range v {
			path := strings.TrimPrefix(at+"."+name, ".")
			if filled(e) {
				w.seen[row][path] = true
			}
			w.note(row, e, path, depth+1)
			w.note(row, e, at+"[]", depth+1) // where the document calls this a map
		}
	}
}

// filled reports whether a value says something: not null, "", 0, false, [] or {}.
func filled(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case bool:
		return v
	case json.Number:
		return v != "0"
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// report is what a witness found.
type report struct {
	properties int      // documented and watched
	unseen     []string // "Operation property" of those never seen filled and not allowed to be
	needless   []string // allowed ones that were seen after all, or that no row documents
}

func (w *Witness) report(allowed map[string]string) report {
	w.mu.Lock()
	defer w.mu.Unlock()
	var r report
	needed := map[string]bool{}
	for _, row := range w.rows {
		for _, path := range w.all[row.name] {
			r.properties++
			if w.seen[row.name][path] {
				continue
			}
			key := allows(allowed, row.name, path)
			if key == "" {
				r.unseen = append(r.unseen, row.name+" "+path)
			}
			needed[key] = true
		}
	}
	for key := range allowed {
		if !needed[key] {
			r.needless = append(r.needless, key)
		}
	}
	slices.Sort(r.needless)
	return r
}

// allows is the entry that allows a property to be empty, or "". An entry holds for what lies below its property too, "*" stands for every
// operation, and "* .name" for every property of a name.
func allows(allowed map[string]string, operation, path string) string {
	if key := "* ." + path[strings.LastIndexByte(path, '.')+1:]; allowed[key] != "" {
		return key
	}
	for at := path; at != ""; {
		for _, who := range []string{operation, "*"} {
			if key := who + " " + at; allowed[key] != "" {
				return key
			}
		}
		at = strings.TrimSuffix(at[:max(strings.LastIndexByte(at, '.'), 0)], "[]")
	}
	return ""
}

// Verdict is the exit code of a package's tests that ended with code. It prints which properties were never seen filled. When every test of
// the package ran and succeeded, one that allowed does not name makes them fail, and so does a name that allowed need not
// hold. allowed gives a reason by "Operation property"; see allows.
func (w *Witness) Verdict(code int, allowed map[string]string) int {
	r := w.report(allowed)
	if r.properties == 0 {
		return code // no test made a plane
	}
	fmt.Printf("witness: %d response properties documented, %d allowed to be empty, %d never seen filled\n", r.properties, len(allowed), len(r.unseen))
	whole := code == 0 && wholePackage()
	if !whole && !testing.Verbose() {
		return code
	}
	for _, u := range r.unseen {
		fmt.Printf("  never seen filled: %s\n", u)
	}
	for _, n := range r.needless {
		if !whole {
			break // what is left out may be where it is needed
		}
		fmt.Printf("  allowed to be empty, but seen filled or not documented: %s\n", n)
	}
	if whole && len(r.unseen)+len(r.needless) > 0 {
		return 1
	}
	return code
}

// wholePackage reports whether no flag left tests out.
func wholePackage() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}
