package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// router finds the row of a request by method and raw path. Within a segment a fixed text wins over a parameter behind a fixed
// text ("email={email}"), that over a parameter, that over the rest of the path; where the more special way leads to no row of
// the method, the others are tried. So rows may overlap in any way, and the table's order does not matter.
type router struct{ root node }

type node struct {
	fixed  map[string]*node
	mixed  []mixed // longest prefix first
	param  *node
	rest   *node
	routes map[string]*route // by method; of rows that end here
}

type mixed struct {
	prefix string
	node   *node
}

// segment is one part of a pattern. Fixed text alone has no param; rest takes what follows, slashes included.
type segment struct {
	text, param string
	rest        bool
}

// parsePath reads the path of a pattern.
func parsePath(path string) ([]segment, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("path %q does not begin with a slash", path)
	}
	if path == "/" {
		return nil, nil
	}
	parts := strings.Split(path[1:], "/")
	segs := make([]segment, 0, len(parts))
	seen := map[string]bool{}
	for i, p := range parts {
		text, inner, braced := strings.Cut(p, "{")
		s := segment{text: text}
		if braced {
			name, ok := strings.CutSuffix(inner, "}")
			name, s.rest = strings.CutSuffix(name, "...")
			s.param = name
			if !ok || name == "" || strings.ContainsAny(name, "{}") || seen[name] {
				return nil, fmt.Errorf("path %q: bad parameter in segment %q", path, p)
			}
			if s.rest && (i != len(parts)-1 || text != "") {
				return nil, fmt.Errorf("path %q: %q must be the whole last segment", path, p)
			}
			seen[name] = true
		}
		if p == "" || strings.ContainsAny(text, "}%?# ") || text == "." || text == ".." {
			return nil, fmt.Errorf("path %q: bad segment %q", path, p)
		}
		segs = append(segs, s)
	}
	return segs, nil
}

// params are the names of the parameters, in order.
func params(segs []segment) []string {
	var names []string
	for _, s := range segs {
		if s.param != "" {
			names = append(names, s.param)
		}
	}
	return names
}

// shape is the path without the names of its parameters: two rows of one method and shape cannot be told apart.
func shape(segs []segment) string {
	var b strings.Builder
	for _, s := range segs {
		b.WriteString("/" + s.text)
		switch {
		case s.rest:
			b.WriteString("{...}")
		case s.param != "":
			b.WriteString("{}")
		}
	}
	return b.String()
}

// add puts a route where its pattern leads.
func (rt *router) add(r *route) error {
	n := &rt.root
	for _, s := range r.segs {
		n = n.child(s)
	}
	if n.routes == nil {
		n.routes = map[string]*route{}
	}
	if other := n.routes[r.op.Method]; other != nil {
		return fmt.Errorf("%s %s: %s and %s are the same", r.op.Method, r.op.Path, other.op.Name, r.op.Name)
	}
	n.routes[r.op.Method] = r
	return nil
}

func (n *node) child(s segment) *node {
	switch {
	case s.rest:
		if n.rest == nil {
			n.rest = &node{}
		}
		return n.rest
	case s.param != "" && s.text != "":
		for _, m := range n.mixed {
			if m.prefix == s.text {
				return m.node
			}
		}
		m := mixed{s.text, &node{}}
		n.mixed = append(n.mixed, m)
		slices.SortStableFunc(n.mixed, func(a, b mixed) int { return len(b.prefix) - len(a.prefix) })
		return m.node
	case s.param != "":
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	c := n.fixed[s.text]
	if c == nil {
		c = &node{}
		n.fixed[s.text] = c
	}
	return c
}

// find returns the route of a method on decoded segments and the values of its parameters. HEAD is served by GET where there is
// no row of its own.
func (rt *router) find(method string, segs []string) (*route, []string) {
	r, values := rt.root.find(method, segs, make([]string, 0, 8))
	if r == nil && method == http.MethodHead {
		r, values = rt.root.find(http.MethodGet, segs, values[:0])
	}
	return r, values
}

func (n *node) find(method string, segs, values []string) (*route, []string) {
	if len(segs) == 0 {
		return n.routes[method], values
	}
	s, more := segs[0], segs[1:]
	if c := n.fixed[s]; c != nil {
		if r, v := c.find(method, more, values); r != nil {
			return r, v
		}
	}
	for _, m := range n.mixed {
		if len(s) > len(m.prefix) && strings.HasPrefix(s, m.prefix) {
			if r, v := m.node.find(method, more, append(values, s[len(m.prefix):])); r != nil {
				return r, v
			}
		}
	}
	if n.param != nil {
		if r, v := n.param.find(method, more, append(values, s)); r != nil {
			return r, v
		}
	}
	if n.rest != nil {
		if r := n.rest.routes[method]; r != nil {
			return r, append(values, strings.Join(segs, "/"))
		}
	}
	return nil, values
}

// methods that any row may have, in the order in which Allow names them.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LOCK", "UNLOCK"}

// allowed are the methods with which these segments lead to a row.
func (rt *router) allowed(segs []string) []string {
	var out []string
	for _, m := range methods {
		if r, _ := rt.find(m, segs); r != nil {
			out = append(out, m)
		}
	}
	return out
}

// splitPath cuts a raw (still encoded) path into decoded segments. Slashes between segments count once however often they are
// written, and one at the end does not count; %2F stays inside its segment. ok is false for paths that no row can have: bad
// encoding, "." and ".." in any spelling, control characters, and bytes that are not UTF-8.
func splitPath(raw string) (segs []string, ok bool) {
	segs = make([]string, 0, 12)
	for part := range strings.SplitSeq(raw, "/") {
		if part == "" {
			continue
		}
		s := part
		if strings.IndexByte(part, '%') >= 0 {
			var err error
			if s, err = url.PathUnescape(part); err != nil {
				return nil, false
			}
		}
		if s == "." || s == ".." || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, false
		}
		segs = append(segs, s)
	}
	return segs, true
}
