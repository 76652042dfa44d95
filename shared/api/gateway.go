package api

import (
	"io"
	"net/http"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// gateway serves several dialects, each below its name.
type gateway struct {
	front *Front
	sites map[string]*site
	bare  *site // for paths that belong to no dialect
}

// Gateway serves every dialect below /<name>, and beside them /healthz and /metrics. It panics as Handler does.
func (f *Front) Gateway(ds ...Dialect) http.Handler {
	g := &gateway{front: f, sites: map[string]*site{}, bare: newSite(f, Dialect{})}
	g.bare.docPath = nil
	for _, d := range ds {
		if d.Name == "" || g.sites[d.Name] != nil {
			panic("api: two dialects named " + d.Name)
		}
		g.sites[d.Name] = newSite(f, d)
		g.sites[d.Name].prefix = "/" + d.Name
	}
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	segs, ok := splitPath(r.URL.EscapedPath())
	if !ok {
		// No row has such a path; the answer is still in the words of the dialect whose prefix it has.
		first, _, _ := strings.Cut(strings.TrimLeft(r.URL.EscapedPath(), "/"), "/")
		s := g.sites[first]
		if s == nil {
			s = g.bare
		}
		s.serve(w, r, nil, false)
		return
	}
	if len(segs) == 0 {
		g.bare.serve(w, r, nil, false)
		return
	}
	s := g.sites[segs[0]]
	switch {
	case s != nil:
		s.serve(w, r, segs[1:], true)
	case len(segs) == 1 && segs[0] == "healthz":
		g.health(w, r)
	case len(segs) == 1 && segs[0] == "metrics" && g.front.cfg.Metrics != nil:
		g.front.cfg.Metrics.ServeHTTP(w, r)
	default:
		g.bare.serve(w, r, segs, true)
	}
}

// health answers whoever asks whether this process can work. What is wrong goes to the log.
func (g *gateway) health(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if check := g.front.cfg.Health; check != nil {
		if err := check(r.Context()); err != nil {
			g.front.cfg.Log.ErrorContext(r.Context(), "unhealthy", "cause", err)
			w.WriteHeader(StatusOf(fault.New(fault.Unavailable, "")))
			_, _ = io.WriteString(w, "not well\n")
			return
		}
	}
	_, _ = io.WriteString(w, "ok\n")
}
