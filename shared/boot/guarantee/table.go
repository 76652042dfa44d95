// Package guarantee proves what every row of a dialect's table promises, by walking the table: who is let in and what a stranger learns
// (Matrix), what becomes of bad input (Inputs), how many round trips a call costs (RoundTrips), what it leaves in the audit (Audit),
// which properties of its answers were ever seen filled (Witness), and whether the served document is the vendor's (Contract).
//
// A dialect's tests give it a Table: one sample request for each row, and how the vendor writes credentials and errors. A row
// without a sample fails every test that walks the table, so that no row is added without being proved.
package guarantee

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// Table is a dialect's table together with what a test needs to call every row of it.
type Table struct {
	Dialect string                                     // its name and its prefix at the gateway
	New     func(t testing.TB) *boottest.Plane         // a fresh plane
	Samples map[string]Sample                          // by operation name
	Token   func(text string) http.Header              // how a caller shows a token
	Lease   func(p *boottest.Plane) string             // starts work under a lease of its own; returns the Authorization header
	Bad     map[string]http.Header                     // credentials that nobody can read, by what is wrong with them
	Problem func(t testing.TB, a boottest.Answer)      // fails unless the body is the vendor's error for the answer's status
	Warm    func(r boottest.Request) *boottest.Request // optional: a call after which the process knows the target of r
	Own     map[string]bool                            // optional: rows open to everybody whose target is the caller's own; to others it is not there
}

// Sample makes what its row acts on, as the plane's administrator, and returns a call that succeeds. Every use makes a target of its
// own. Auth is set only where the caller is not a person but the holder of a lease.
type Sample func(p *boottest.Plane) boottest.Request

// rows are the rows of the dialect as a plane serves them.
func (tb Table) rows(t testing.TB, p *boottest.Plane) []api.Operation {
	return tb.dialect(t, p).Operations
}

func (tb Table) dialect(t testing.TB, p *boottest.Plane) api.Dialect {
	t.Helper()
	for _, d := range boot.Dialects(p.Ports) {
		if d.Name == tb.Dialect {
			return d
		}
	}
	require.FailNow(t, "no such dialect", tb.Dialect)
	return api.Dialect{}
}

// each runs prove for every row that has a sample, as a subtest, and fails the ones that have none.
func (tb Table) each(t *testing.T, p *boottest.Plane, prove func(t *testing.T, op api.Operation, sample Sample)) {
	t.Helper()
	known := map[string]bool{}
	for _, op := range tb.rows(t, p) {
		known[op.Name] = true
		t.Run(op.Name, func(t *testing.T) {
			sample := tb.Samples[op.Name]
			require.NotNil(t, sample, "the row %s %s has no sample request", op.Method, op.Path)
			prove(t, op, sample)
		})
	}
	for name := range tb.Samples {
		require.True(t, known[name], "the sample %s belongs to no row", name)
	}
}

// as is the request shown with a token.
func (tb Table) as(r boottest.Request, token string) boottest.Request {
	return with(r, tb.Token(token))
}

// with is the request with exactly these credentials.
func with(r boottest.Request, credential http.Header) boottest.Request {
	r.Auth = ""
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	for k, v := range credential {
		h[k] = v
	}
	r.Header = h
	return r
}

// proper is the request as its own caller makes it: the holder of its lease, or the plane's administrator.
func (tb Table) proper(p *boottest.Plane, r boottest.Request) boottest.Request {
	if r.Auth != "" {
		return r
	}
	return tb.as(r, p.Token)
}

// parameters are the values that a request gives the path parameters of its row.
func (tb Table) parameters(t testing.TB, op api.Operation, r boottest.Request) map[string]string {
	t.Helper()
	path, _, _ := strings.Cut(r.Path, "?")
	have := strings.Split(strings.TrimPrefix(path, "/"+tb.Dialect), "/")
	want := strings.Split(op.Path, "/")
	out := map[string]string{}
	for i, w := range want {
		text, name, ok := strings.Cut(w, "{")
		if !ok {
			require.Equal(t, w, have[i], "the sample of %s calls another row", op.Name)
			continue
		}
		value := strings.TrimPrefix(have[i], text)
		if strings.HasSuffix(name, "...}") {
			value = strings.Join(have[i:], "/")
		}
		value, err := url.PathUnescape(value)
		require.NoError(t, err)
		out[strings.TrimRight(name, ".}")] = value
	}
	return out
}

// withParameter is the request with another value in one path parameter. raw is written as it is.
func (tb Table) withParameter(op api.Operation, r boottest.Request, name, raw string) boottest.Request {
	path, query, asked := strings.Cut(r.Path, "?")
	prefix := "/" + tb.Dialect
	have := strings.Split(strings.TrimPrefix(path, prefix), "/")
	for i, w := range strings.Split(op.Path, "/") {
		if text, n, ok := strings.Cut(w, "{"); ok && strings.TrimRight(n, ".}") == name {
			have = append(have[:i:i], append([]string{text + raw}, have[i+1:]...)...)
			if strings.HasSuffix(n, "...}") {
				have = have[:i+1]
			}
		}
	}
	r.Path = prefix + strings.Join(have, "/")
	if asked {
		r.Path += "?" + query
	}
	return r
}

// target is what the request acts on, in the core's names.
func (tb Table) target(t testing.TB, p *boottest.Plane, op api.Operation, r boottest.Request) permission.Target {
	t.Helper()
	d := tb.dialect(t, p)
	if d.Target == nil {
		return permission.Target{}
	}
	values := tb.parameters(t, op, r)
	return d.Target(func(name string) string { return values[name] })
}

// call makes the call and fails unless it succeeds.
func call(t testing.TB, p *boottest.Plane, r boottest.Request) boottest.Answer {
	t.Helper()
	a := p.Do(r)
	require.True(t, a.Status >= 200 && a.Status < 300, "%s %s: %s", r.Method, r.Path, a)
	return a
}
