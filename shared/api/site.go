package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// site is one dialect, served.
type site struct {
	front   *Front
	dialect Dialect
	prefix  string // in front of every path of the dialect; "" or "/<name>"
	router  router
	docPath []string // segments of the OpenAPI document's path; nil when there is none
	doc     func() ([]byte, error)
}

func newSite(f *Front, d Dialect) *site {
	s := &site{front: f, dialect: d}
	s.dialect.Operations = slices.Clone(d.Operations)
	for i := range s.dialect.Operations {
		op := &s.dialect.Operations[i]
		if f.cfg.Groups != nil && !slices.Contains(f.cfg.Groups, op.Group) {
			continue
		}
		r, err := newRoute(op, f.bodyCap(op))
		if err == nil {
			err = s.router.add(r)
		}
		if err != nil {
			panic(fmt.Sprintf("api: dialect %s: %v", d.Name, err))
		}
	}
	s.docPath, _ = splitPath(d.Root + "/openapi.json")
	s.doc = sync.OnceValues(func() ([]byte, error) { return document(&s.dialect) })
	return s
}

func (s *site) isDocument(segs []string) bool {
	return s.docPath != nil && slices.Equal(segs, s.docPath)
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segs, ok := splitPath(r.URL.EscapedPath())
	s.serve(w, r, segs, ok)
}

// call is one request on its way.
type call struct {
	*site
	r      *http.Request
	answer answer
	id     string
	start  time.Time
	route  *route // nil when no row serves it
	body   *body
	fault  *fault.Fault
	ctx    context.Context // as the gate returned it
	gone   bool            // the client left before the answer
}

// serve answers a request whose path has been cut into segments; pathOK is false when no row can have such a path.
func (s *site) serve(w http.ResponseWriter, r *http.Request, segs []string, pathOK bool) {
	c := &call{site: s, r: r, id: s.front.cfg.NewID(), start: s.front.cfg.Now(), ctx: r.Context()}
	c.answer = answer{to: w, head: r.Method == http.MethodHead, zip: acceptsGzip(r.Header["Accept-Encoding"])}
	var values []string
	if pathOK {
		c.route, values = s.router.find(r.Method, segs)
	}
	s.front.cfg.Begin(s.dialect.Name, c.operation())
	defer c.end()
	c.stamp()
	switch {
	case c.route != nil && !preflight(r):
		c.attempt(func() error { return c.serveRow(values) })
	case pathOK && s.isDocument(segs) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		c.attempt(c.serveDocument)
	default:
		c.attempt(func() error { return c.serveNothing(segs, pathOK) })
	}
}

// attempt runs one way to answer, turns what it returns or panics with into a fault, and renders that.
func (c *call) attempt(serve func() error) {
	err := func() (err error) {
		defer func() {
			switch p := recover(); {
			case p == nil:
			case p == http.ErrAbortHandler: // compared as net/http does
				panic(p)
			default:
				err = &panicked{value: p, stack: debug.Stack()}
			}
		}()
		return serve()
	}()
	if err != nil {
		c.fail(err)
	}
	c.answer.finish()
}

// panicked is a panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// serveRow lets the caller in and runs the row.
func (c *call) serveRow(values []string) error {
	op := c.route.op
	var credential Credential
	var err error
	if c.dialect.Credential != nil {
		// Public rows may know headers of their own: a token endpoint takes "Authorization: Basic".
		if credential, err = c.dialect.Credential(c.r); err != nil && op.Need.Public == "" {
			return err
		}
	}
	var target permission.Target
	if c.dialect.Target != nil {
		target = c.dialect.Target(func(name string) string {
			if i := slices.Index(c.route.names, name); i >= 0 {
				return values[i]
			}
			return ""
		})
	}
	told := c.told(op)
	ctx, err := c.front.cfg.Gate.Enter(told, credential, op.Need, target)
	if err != nil {
		return err
	}
	c.ctx = c.front.cfg.AuditContext(ctx, FactsOf(told))
	c.answer.stream = op.Streams
	c.answer.whole = !op.hasBodyFunc()
	c.body = openBody(c.r, c.route.cap, op.takesJSON())
	r := c.r.WithContext(c.ctx)
	r.Body = c.body
	defer c.body.Close()
	x := newExchange(c.route, values, r, &c.answer)
	c.route.bind().handler(x)
	return x.failed
}

// told is the request's context with what the front tells everybody behind it.
func (c *call) told(op *Operation) context.Context {
	ctx := context.WithValue(c.ctx, operationKey{}, op.Name)
	ctx = context.WithValue(ctx, factsKey{}, c.facts(op))
	return context.WithValue(ctx, baseKey{}, c.front.cfg.Origin(c.r)+c.prefix)
}

// serveDocument answers with the OpenAPI document, which needs no credential.
func (c *call) serveDocument() error {
	doc, err := c.doc()
	if err != nil {
		return err
	}
	c.answer.whole = true
	c.answer.Header().Set("Content-Type", "application/json")
	_, _ = c.answer.Write(doc)
	return nil
}

// serveNothing answers what no row serves: preflights, wrong methods and unknown paths.
func (c *call) serveNothing(segs []string, pathOK bool) error {
	var allowed []string
	if pathOK {
		if allowed = c.router.allowed(segs); allowed == nil && c.isDocument(segs) {
			allowed = []string{http.MethodGet, http.MethodHead}
		}
	}
	if allowed == nil {
		return fault.Missing("There is nothing at this path.").WithReason("no-such-path")
	}
	list := strings.Join(append(allowed, http.MethodOptions), ", ")
	c.answer.Header().Set("Allow", list)
	if c.r.Method == http.MethodOptions {
		c.allowOrigin(list)
		c.answer.WriteHeader(http.StatusNoContent)
		return nil
	}
	return fault.New(fault.Invalid, "The method %s is not allowed here; allowed are %s.", clip(c.r.Method, 20), list).WithReason(ReasonMethodNotAllowed)
}

// fail renders the fault that err is, or cuts the connection when a part of another answer has left already.
func (c *call) fail(err error) {
	if errors.Is(err, context.Canceled) && errors.Is(c.r.Context().Err(), context.Canceled) {
		c.gone = true
		c.answer.drop()
		c.answer.status = statusClientGone
		panic(http.ErrAbortHandler)
	}
	c.fault = faultOf(err, c.id)
	if !c.answer.drop() {
		panic(http.ErrAbortHandler)
	}
	allow := c.answer.Header()["Allow"]
	clear(c.answer.Header())
	c.stamp()
	if allow != nil {
		c.answer.Header()["Allow"] = allow
	}
	c.answer.again()
	out := render(&c.dialect, visible(c.fault), c.id)
	h := c.answer.Header()
	if c.fault.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(c.fault.RetryAfter.Seconds()))))
	}
	for k, v := range out.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	h.Set("Content-Type", out.ContentType)
	c.answer.WriteHeader(out.Status)
	if out.Body != nil {
		_, _ = c.answer.Write(out.Body.([]byte))
	}
}

// stamp sets the headers that every answer has.
func (c *call) stamp() {
	h := c.answer.Header()
	h.Set("X-Request-Id", c.id)
	if c.dialect.RequestIDHeader != "" {
		h.Set(c.dialect.RequestIDHeader, c.id)
	}
	if c.dialect.Header != nil {
		c.dialect.Header(h)
	}
	c.exposeTo(c.r.Header.Get("Origin"))
}

func (c *call) operation() string {
	if c.route == nil {
		return ""
	}
	return c.route.op.Name
}

func remoteIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
