package api

import (
	"net/http"
	"slices"
)

// preflight reports whether a browser asks whether it may ask.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// exposeTo lets pages of an origin read the answer, headers included. Cookies and other ambient credentials stay out: a caller
// shows its token in a header.
func (c *call) exposeTo(origin string) {
	if origin == "" {
		return
	}
	h := c.answer.Header()
	switch origins := c.front.cfg.Origins; {
	case origins == nil || slices.Contains(origins, "*"):
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	default:
		h.Add("Vary", "Origin")
		return
	}
	h.Set("Access-Control-Expose-Headers", "*")
}

// allowOrigin answers a preflight: the methods there are, and whatever headers the page wants to send.
func (c *call) allowOrigin(methods string) {
	h := c.answer.Header()
	if h.Get("Access-Control-Allow-Origin") == "" || !preflight(c.r) {
		return
	}
	h.Set("Access-Control-Allow-Methods", methods)
	if wanted := c.r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		h.Set("Access-Control-Allow-Headers", wanted)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", "600")
}
