package guarantee

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store"
)

// class is how a row treats a caller.
type class int

const (
	letIn class = 0
	// The others are HTTP statuses.
	unauthenticated class = http.StatusUnauthorized
	forbidden       class = http.StatusForbidden
	hidden          class = http.StatusNotFound
)

// classOf is what a row owes a caller.
func classOf(need permission.Need, who caller, target permission.Target) class {
	switch {
	case need.Public != "":
		return letIn
	case need.Lease && who.lease:
		return forbidden // a lease, but not this one
	case need.Lease, who.user == "":
		return unauthenticated
	case need.Self:
		return letIn
	}
	switch permission.Decide(who.grants(target), need) {
	case permission.Allowed:
		return letIn
	case permission.Hidden:
		return hidden
	}
	return forbidden
}

// Matrix calls every row with every kind of credential. Who is refused is refused in the row's class, has written nothing, has made
// the store touch nothing but what deciding takes (see finding), and cannot tell what is hidden from what is not there: the two
// answers are the same bytes but for the request id. The same request then succeeds with its proper caller.
func Matrix(t *testing.T, tb Table) {
	c := assemble(t, tb)
	callers := c.callers()
	tb.each(t, c.Plane, func(t *testing.T, op api.Operation, sample Sample) {
		fresh := func() (boottest.Request, permission.Target) {
			r := sample(c.Plane)
			target := tb.target(t, c.Plane, op, r)
			if actsOnStack(op) {
				c.letRead(t, target)
			}
			return r, target
		}
		r, target := fresh()
		for _, who := range callers {
			want := classOf(op.Need, who, target)
			if want == letIn {
				continue
			}
			c.Spy.Reset()
			a := c.Do(with(r, who.credential))
			calls := c.Spy.Calls()
			require.Equal(t, int(want), a.Status, "%s: %s", who.name, a)
			tb.Problem(t, a)
			mayTouch(t, c, who, want, calls)
			if want == hidden {
				c.sameAsAbsent(t, op, with(r, who.credential), a)
			}
		}
		call(t, c.Plane, tb.proper(c.Plane, r))
		for _, who := range callers {
			if classOf(op.Need, who, target) != letIn {
				continue
			}
			r, _ := fresh()
			c.Spy.Reset()
			if tb.Own[op.Name] && who.user != c.ownerID {
				a := c.Do(with(r, who.credential))
				require.Equal(t, http.StatusNotFound, a.Status, "%s: %s", who.name, a)
				require.Zero(t, c.Spy.Writes(), "%s wrote", who.name)
				continue
			}
			a := call(t, c.Plane, with(r, who.credential))
			calls := c.Spy.Calls()
			if op.Need.Public == "" { // else it is not the caller's credential that lets them in, but what the request itself shows
				mayTouch(t, c, who, letIn, calls)
			}
			if who.user == c.strangerID {
				require.NotContains(t, string(a.Body), closed, "%s: the answer tells of an organization that is not theirs", who.name)
			}
		}
	})
}

// actsOnStack reports whether the row's target is a stack that exists before the call.
func actsOnStack(op api.Operation) bool { return strings.HasPrefix(string(op.Need.Hide), "stack:") }

// sameAsAbsent compares an answer about what is hidden with the answers about things that are not there.
func (c *cast) sameAsAbsent(t *testing.T, op api.Operation, r boottest.Request, got boottest.Answer) {
	t.Helper()
	for name, value := range c.table.parameters(t, op, r) {
		nobody := absent(value)
		other := c.Do(c.table.withParameter(op, r, name, nobody))
		said := string(other.Body)
		if len(value) > 3 { // what is shorter stands in other words too
			said = strings.ReplaceAll(said, nobody, value)
		}
		require.Equal(t, got.Status, other.Status, "with another %s", name)
		require.Equal(t, string(got.Body), said, "with another %s", name)
		require.Equal(t, c.headers(t, got), c.headers(t, other), "with another %s", name)
	}
}

// headers are an answer's headers but for the request id.
func (c *cast) headers(t testing.TB, a boottest.Answer) http.Header {
	h := a.Header.Clone()
	h.Del("X-Request-Id")
	h.Del(c.table.dialect(t, c.Plane).RequestIDHeader)
	return h
}

// absent is a name as long as value that nothing has.
func absent(value string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return '0'
		}
		return r
	}, value)
}

// mayTouch fails when a call went where it had no business.
func mayTouch(t *testing.T, c *cast, who caller, as class, calls []boottest.Call) {
	t.Helper()
	for _, call := range calls {
		if as != letIn {
			require.NotEqual(t, "Write", call.Method, "%s was refused and wrote %v", who.name, call.Keys)
		}
		for _, k := range call.Keys {
			ok := false
			switch {
			case as == unauthenticated:
				ok = strings.HasPrefix(k.PK, string(store.Global)+"#token/")
			case who.lease && as == forbidden:
				ok = k.SK == "lease"
			case who.user == "" || who.lease:
				ok = true // a public row, or work under its own lease
			case who.user == c.strangerID:
				ok = finding(k, who.user) || as == letIn && store.ScopeOf(k) == store.Scope("organization/"+c.foreignID)
			case as == hidden:
				ok = finding(k, who.user) || k.PK == "organization/"+c.closedID // a member may know the organization's head
			default:
				ok = store.ScopeOf(k) != store.Scope("organization/"+c.foreignID) && k.PK != "user/"+c.strangerID
			}
			require.True(t, ok, "%s touched %s", who.name, k)
		}
	}
}

// finding reports whether a key is one that it takes to find out what a caller may see. Of a tenant that is where names lead (the
// global address of the organization's name, the name items of its projects and stacks) and what it keeps about the caller: the
// membership, and the grant on the stack. Besides them there are the caller's token and what is their own.
func finding(k store.Key, user string) bool {
	scope, collection, _ := strings.Cut(k.PK, "#")
	switch {
	case scope == string(store.Global), scope == "user/"+user, k.SK == "name":
		return true
	case collection == "members":
		return k.SK == user
	case collection == "grants":
		return k.SK == "user/"+user
	}
	return false
}
