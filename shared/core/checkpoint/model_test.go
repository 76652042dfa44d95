package checkpoint_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// history is the journal of one made-up update, as the client's engine would write it, and the deployment it starts from.
type history struct {
	base    string
	entries []string // in sequence: entry i has sequence number i+1
	want    []string // URNs of the resulting resources, when the update ran to its end
	elided  []int    // entries whose loss the client does not notice, because it waits for no answer
}

// engine makes up an update: it walks a program in the order of its dependencies, like the client's engine, and deletes
// afterwards what the program no longer has.
type engine struct {
	t       *rapid.T
	out     history
	nextOp  int
	base    []*baseResource // by index
	program []string        // URNs registered so far
	news    []newResource
}

type baseResource struct {
	urn  string
	raw  string // empty when a refresh made it unknown
	gone bool
}

type newResource struct {
	urn       string
	operation int
}

func (e *engine) chance(percent int) bool {
	return rapid.IntRange(0, 99).Draw(e.t, "chance") < percent
}

func (e *engine) emit(kind, operation int, parts ...string) {
	e.out.entries = append(e.out.entries, entry(len(e.out.entries)+1, kind, operation, parts...))
}

func (e *engine) operation() int { e.nextOp++; return e.nextOp }

// makeHistory draws an update. With whole, it runs to its end; otherwise it may break off anywhere.
func makeHistory(t *rapid.T, whole bool) history {
	e := &engine{t: t}
	e.makeBase()
	e.emit(6, 0, `"secretsProvider":{"type":"service","state":{"stack":"s"}}`)
	if e.chance(10) {
		e.emit(5, 0, `"newSnapshot":`+e.out.base)
	}
	if e.chance(40) {
		e.refreshAll()
	}
	e.walk()
	e.deleteRest()
	for _, n := range e.news {
		e.out.want = append(e.out.want, n.urn)
	}
	if !whole {
		e.out.entries = e.out.entries[:rapid.IntRange(0, len(e.out.entries)).Draw(t, "broken off after")]
	}
	return e.out
}

// makeBase draws a deployment whose resources refer to earlier ones only.
func (e *engine) makeBase() {
	var list, urns []string
	for i := range rapid.IntRange(0, 8).Draw(e.t, "base resources") {
		u := urn(fmt.Sprint("r", i))
		raw := e.resource(u, urns)
		list = append(list, raw)
		urns = append(urns, u)
		e.base = append(e.base, &baseResource{urn: u, raw: raw})
	}
	e.out.base = base(list...)
}

// resource draws a resource that refers to some of the URNs.
func (e *engine) resource(u string, to []string, extra ...string) string {
	pick := func(label string) []string {
		if len(to) == 0 {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(to), 0, min(3, len(to)), rapid.ID[string]).Draw(e.t, label)
	}
	var members []string
	n := rapid.IntRange(1, 9).Draw(e.t, "rev")
	members = append(members, fmt.Sprintf(`"urn":%q,"custom":true,"id":"i-%d","type":"t:m:R","rev":%d`, u, n, n))
	if parents := pick("parent"); len(parents) > 0 {
		members = append(members, fmt.Sprintf(`"parent":%q`, parents[0]))
	}
	if list := pick("dependencies"); len(list) > 0 {
		members = append(members, `"dependencies":["`+strings.Join(list, `","`)+`"]`)
	}
	if list := pick("property dependencies"); len(list) > 0 {
		members = append(members, `"propertyDependencies":{"p":["`+strings.Join(list, `","`)+`"],"q":["`+list[0]+`"]}`)
	}
	if list := pick("deleted with"); len(list) > 0 {
		members = append(members, fmt.Sprintf(`"deletedWith":%q`, list[0]))
	}
	if list := pick("replace with"); len(list) > 1 {
		members = append(members, fmt.Sprintf(`"replaceWith":[%q]`, list[1]))
	}
	return "{" + strings.Join(append(members, extra...), ",") + "}"
}

// refreshAll refreshes every resource of the base in place and makes the result the base.
func (e *engine) refreshAll() {
	var kept []*baseResource
	var urns []string
	for _, r := range e.base {
		r.raw = ""
	}
	for i, r := range e.base {
		op := e.operation()
		e.emit(0, op)
		switch old := fmt.Sprintf(`"removeOld":%d`, i); {
		case e.chance(20):
			e.emit(3, op, old, `"isRefresh":true`)
			continue
		case e.chance(10):
			e.emit(2, op, old, `"isRefresh":true`)
		default:
			e.emit(3, op, old, `"isRefresh":true`, state(e.resource(r.urn, urns)))
		}
		kept = append(kept, r)
		urns = append(urns, r.urn)
	}
	e.emit(7, 0)
	e.base = kept
}

// walk registers the program: some of the base's resources, changed or not, and some new ones.
func (e *engine) walk() {
	for i, r := range e.base {
		if e.chance(20) {
			e.register(urn(fmt.Sprint("n", i)))
		}
		switch old := fmt.Sprintf(`"removeOld":%d`, i); {
		case e.chance(15): // no longer in the program
		case e.chance(50) && e.unchanged(r):
			op := e.operation()
			e.emit(0, op)
			e.emit(1, op, old, state(r.raw))
			e.out.elided = append(e.out.elided, len(e.out.entries)-2, len(e.out.entries)-1)
			e.registered(r.urn, op)
			r.gone = true
		case e.chance(35):
			e.finish(r.urn, 0, "", old)
			r.gone = true
		case e.chance(30):
			e.finish(r.urn, e.begin("updating", r.urn), "", old)
			r.gone = true
		case e.chance(30):
			e.finish(r.urn, e.begin("creating", r.urn), "", fmt.Sprintf(`"deleteOld":%d`, i))
		case e.chance(30):
			op := e.begin("deleting", r.urn)
			e.emit(1, op, fmt.Sprintf(`"pendingReplacementOld":%d`, i))
			e.finish(r.urn, e.begin("creating", r.urn), "", old)
			r.gone = true
		case e.chance(20):
			e.finish(r.urn+"-renamed", e.begin("updating", r.urn), fmt.Sprintf(`"aliases":[%q]`, r.urn), old)
			r.gone = true
		default: // a refresh that takes part in the walk, and then the same
			op := e.operation()
			e.emit(0, op)
			e.emit(1, op, old, `"isRefresh":true`, state(e.resource(r.urn, e.program)))
			again := e.operation()
			e.emit(0, again)
			e.emit(1, again, fmt.Sprintf(`"removeNew":%d`, op), state(e.resource(r.urn, e.program)))
			e.registered(r.urn, again)
			r.gone = true
		}
	}
}

// unchanged reports whether the program can register the resource as it is in the base.
func (e *engine) unchanged(r *baseResource) bool {
	if r.raw == "" {
		return false
	}
	for _, to := range references(parse(e.t, []byte(base(r.raw))).Resources[0]) {
		if !slices.Contains(e.program, to) {
			return false
		}
	}
	return true
}

func (e *engine) begin(kind, u string) int {
	op := e.operation()
	e.emit(0, op, pendingOp(kind, fmt.Sprintf(`{"urn":%q}`, u)))
	return op
}

// register creates a resource that the base does not have; sometimes it fails, and the program goes on without it.
func (e *engine) register(u string) {
	op := e.begin("creating", u)
	if e.chance(20) {
		e.emit(2, op, state(e.resource(u, e.program)))
		return
	}
	e.finish(u, op, "")
}

// finish ends a step with a resource and perhaps its outputs.
func (e *engine) finish(u string, op int, extra string, parts ...string) {
	if op == 0 {
		op = e.operation()
		e.emit(0, op)
	}
	var extras []string
	if extra != "" {
		extras = []string{extra}
	}
	e.emit(1, op, append(parts, state(e.resource(u, e.program, extras...)))...)
	if e.chance(20) {
		e.emit(4, e.operation(), fmt.Sprintf(`"removeNew":%d`, op), state(e.resource(u, e.program, extras...)))
	}
	e.registered(u, op)
}

func (e *engine) registered(u string, op int) {
	e.program = append(e.program, u)
	e.news = append(e.news, newResource{u, op})
}

// deleteRest deletes what is left of the base and, sometimes, the last new resource; dependents first.
func (e *engine) deleteRest() {
	for i := len(e.base) - 1; i >= 0; i-- {
		if !e.base[i].gone {
			e.emit(1, e.begin("deleting", e.base[i].urn), fmt.Sprintf(`"removeOld":%d`, i))
		}
	}
	if len(e.news) > 0 && e.chance(10) {
		last := e.news[len(e.news)-1]
		e.news = e.news[:len(e.news)-1]
		e.emit(1, e.begin("deleting", last.urn), fmt.Sprintf(`"removeNew":%d`, last.operation))
	}
}

// integrity is what the client checks when it reads a checkpoint; empty when it would accept it.
func integrity(d deployment) string {
	before := map[string]bool{}
	live := map[string]int{}
	for _, r := range d.Resources {
		for _, to := range references(r) {
			if !before[to] {
				return fmt.Sprintf("%s refers to %s, which is not before it", r.URN, to)
			}
		}
		before[r.URN] = true
		if !r.Delete {
			if live[r.URN]++; live[r.URN] > 1 {
				return r.URN + " is there twice"
			}
		}
		if len(r.Aliases) > 0 {
			return r.URN + " still has aliases"
		}
	}
	return ""
}

// references lists what must stand before a resource.
func references(r modelResource) []string {
	all := append([]string{}, r.Dependencies...)
	for _, list := range r.PropertyDependencies {
		all = append(all, list...)
	}
	for _, single := range []string{r.Parent, r.DeletedWith} {
		if single != "" {
			all = append(all, single)
		}
	}
	return all
}

func joinLines(entries []string) string {
	var out bytes.Buffer
	for _, e := range entries {
		out.WriteString(e + "\n")
	}
	return out.String()
}
