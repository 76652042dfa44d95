package api

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// end writes the log line and the observation of a request, whatever became of it. It runs deferred: also when the connection is
// cut by a panic that goes on.
func (c *call) end() {
	cfg := &c.front.cfg
	status := c.answer.status
	if status == 0 {
		status = http.StatusOK
	}
	took := cfg.Now().Sub(c.start)
	var in int64
	if c.body != nil {
		in = c.body.from.n
	}
	cfg.Observe(Observation{
		Dialect: c.dialect.Name, Operation: c.operation(), Status: status, Duration: took, BytesIn: in, BytesOut: c.answer.out,
	})
	level := c.level(status)
	if !cfg.Log.Enabled(c.ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs, slog.String("dialect", c.dialect.Name), slog.String("operation", c.operation()), slog.String("method", knownMethod(c.r.Method)))
	if c.route != nil {
		attrs = append(attrs, slog.String("route", c.route.op.Path))
	}
	attrs = append(attrs, slog.Int("status", status), slog.Duration("took", took),
		slog.Int64("bytes_in", in), slog.Int64("bytes_out", c.answer.out), slog.String("request_id", c.id))
	if id := c.r.Header.Get("X-Request-Id"); id != "" && printable(id) {
		attrs = append(attrs, slog.String("client_request_id", id))
	}
	if p := cfg.Principal(c.ctx); p != "" {
		attrs = append(attrs, slog.String("principal", p))
	}
	if f := c.fault; f != nil {
		attrs = append(attrs, slog.String("fault", string(f.Code)))
		if f.Reason != "" {
			attrs = append(attrs, slog.String("reason", f.Reason))
		}
		if f.Cause != nil && level == slog.LevelError {
			attrs = append(attrs, slog.String("cause", f.Cause.Error()))
		}
		var p *panicked
		if errors.As(f, &p) {
			attrs = append(attrs, slog.String("stack", string(p.stack)))
		}
	}
	cfg.Log.LogAttrs(c.ctx, level, "request", attrs...)
}

// level: ours is an error; a refusal that someone who watches for guessing wants to see is a warning; the rest, other mistakes of
// clients included, is everyday.
func (c *call) level(status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError || c.fault != nil && c.fault.Code == fault.Internal:
		return slog.LevelError
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// printable reports whether a client's own id may go into our log.
func printable(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// knownMethod keeps what a client invents out of the log.
func knownMethod(m string) string {
	for _, k := range methods {
		if k == m {
			return k
		}
	}
	if m == http.MethodOptions {
		return m
	}
	return "other"
}
