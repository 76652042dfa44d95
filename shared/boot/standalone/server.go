// Package standalone runs everything in one process on one machine: every dialect and every worker, on the embedded store, in one
// directory.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/metrics"
	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Server is an opened data directory and its listeners.
type Server struct {
	settings  Settings
	data      *data
	installed installation.Installed
	dialects  []api.Dialect
	sites     []site
	control   net.Listener
	log       *slog.Logger
	started   time.Time
}

// site is one listener and what it serves.
type site struct {
	name    string // of the dialect; empty for the gateway
	root    string // path of its openapi.json's directory
	listen  net.Listener
	handler http.Handler
}

// How long requests may take, so that no client holds a connection for nothing.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 5 * time.Minute
	answerTimeout = 10 * time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 30 * time.Second
)

// Open opens the data directory, completes the first start, and listens. Nothing is served before Serve.
func Open(ctx context.Context, s Settings, log *slog.Logger) (srv *Server, err error) {
	srv = &Server{settings: s, log: log, started: now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, srv.close())
		}
	}()
	if srv.data, err = openData(s.Data, log); err != nil {
		return srv, err
	}
	p := &srv.data.ports
	srv.installed, err = installation.Open(ctx, *p, installation.Draft{Organization: s.Org, Login: "admin", Token: s.Token})
	if err != nil {
		return srv, err
	}
	p.Cursors = srv.installed.Cursors
	meter := metrics.New()
	front := boot.Front(*p, boot.FrontConfig{
		Begin: meter.Begin, Observe: meter.Observe, Metrics: meter.Handler(),
		Health: func(ctx context.Context) error {
			_, err := p.Store.Get(ctx, keys.Installation())
			return err
		},
	})
	srv.dialects = boot.Dialects(*p)
	if err := api.Check(srv.dialects...); err != nil {
		return srv, err
	}
	if err := srv.listen(front); err != nil {
		return srv, err
	}
	return srv, srv.listenControl(ctx)
}

// listen opens the gateway's port and one for each dialect. Port 0 takes any free ones.
func (s *Server) listen(front *api.Front) error {
	host, text, err := net.SplitHostPort(s.settings.Addr)
	if err != nil {
		return fmt.Errorf("--addr %q: %w", s.settings.Addr, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("--addr %q: the port must be a number", s.settings.Addr)
	}
	s.sites = append(s.sites, site{handler: front.Gateway(s.dialects...)})
	for _, d := range s.dialects {
		s.sites = append(s.sites, site{name: d.Name, root: d.Root, handler: front.Handler(d)})
	}
	for i := range s.sites {
		at := 0
		if port > 0 {
			at = port + i
		}
		addr := net.JoinHostPort(host, strconv.Itoa(at))
		if s.sites[i].listen, err = net.Listen("tcp", addr); err != nil {
			return fmt.Errorf("cannot listen on %s: %w. Choose other ports with --addr", addr, err)
		}
	}
	return nil
}

// Gateway is the base URL below which every dialect has a prefix.
func (s *Server) Gateway() string { return "http://" + s.sites[0].listen.Addr().String() }

// BaseURL is the root of a dialect on its own port, or "".
func (s *Server) BaseURL(dialect string) string {
	for _, at := range s.sites {
		if at.name == dialect {
			return "http://" + at.listen.Addr().String()
		}
	}
	return ""
}

// Token is the administrator's token, if it is known: at the first start, or when it was given.
func (s *Server) Token() string { return s.installed.Token }

// Organization is the name of the organization that the first start made.
func (s *Server) Organization() string { return s.installed.Organization.Name }

// Serve answers requests and runs the workers until ctx ends; then requests in flight are finished, and the directory is closed.
func (s *Server) Serve(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	s.startWorkers(work, &workers)

	var servers []*http.Server
	failed := make(chan error, len(s.sites)+1)
	serve := func(h http.Handler, l net.Listener) {
		srv := &http.Server{
			Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(l) }()
	}
	for _, at := range s.sites {
		serve(at.handler, at.listen)
	}
	serve(s.controls(), s.control)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("stopping", "reason", context.Cause(ctx))
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var stopping sync.WaitGroup
	for _, srv := range servers {
		stopping.Go(func() { _ = srv.Shutdown(end) })
	}
	stopping.Wait()
	stopWork()
	workers.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.close())
}

func (s *Server) close() error {
	for _, at := range s.sites {
		if at.listen != nil {
			_ = at.listen.Close()
		}
	}
	if s.control != nil {
		_ = s.control.Close()
	}
	if s.data == nil {
		return nil
	}
	return s.data.close()
}

// How often the workers look. Events are looked for at once after a write that left some; this is for those that were missed.
const (
	relayEvery = 200 * time.Millisecond
	sweepEvery = 5 * time.Second
	ttlEvery   = 10 * time.Minute
	batch      = 100
)

func (s *Server) startWorkers(ctx context.Context, wg *sync.WaitGroup) {
	p := s.data.ports
	relay := boot.Relay(p)
	s.every(ctx, wg, "relay", relayEvery, func() error { _, err := relay.Deliver(ctx, batch); return err })
	s.every(ctx, wg, "sweep", sweepEvery, func() error { _, err := update.Sweep(ctx, p, batch); return err })
	s.every(ctx, wg, "expire", ttlEvery, func() error { _, err := s.data.store.Sweep(ctx); return err })
}

// every runs work again and again until ctx ends. An error is logged and the work tried again.
func (s *Server) every(ctx context.Context, wg *sync.WaitGroup, name string, interval time.Duration, work func() error) {
	wg.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := work(); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
					s.log.Error("worker", "name", name, "error", err)
				}
			}
		}
	})
}

// Greet prints where everything is and what to try next.
func (s *Server) Greet(w io.Writer) {
	dir, err := filepath.Abs(s.settings.Data)
	if err != nil {
		dir = s.settings.Data
	}
	fmt.Fprintf(w, "Polyplane is ready (%d ms).\n\n", now().Sub(s.started).Milliseconds())
	fmt.Fprintf(w, "  %-14s %s\n", "gateway", s.Gateway())
	for _, d := range s.dialects {
		fmt.Fprintf(w, "  %-14s %s   or %s/%s\n", d.Name, s.BaseURL(d.Name), s.Gateway(), d.Name)
	}
	fmt.Fprintf(w, "  %-14s %s\n", "organization", s.Organization())
	fmt.Fprintf(w, "  %-14s %s\n", "data", dir)
	token := s.Token()
	switch {
	case token != "" && s.settings.Token == "":
		fmt.Fprintf(w, "  %-14s %s\n", "token", token)
		fmt.Fprintf(w, "\nThe token is the administrator's and is shown this once. Keep it; `polyplane token NAME` makes another.\n")
	case token != "":
		token = "$POLYPLANE_TOKEN"
	default:
		token = "<your token>"
		fmt.Fprintf(w, "\nThe administrator's token was shown at the first start; `polyplane token NAME` makes another.\n")
	}
	fmt.Fprintf(w, "\nTry:\n  export PULUMI_ACCESS_TOKEN=%s\n  pulumi login %s\n  pulumi stack init %s/PROJECT/dev && pulumi up\n\n", token, s.BaseURL("pulumi"), s.Organization())
	if f, ok := w.(*os.File); ok {
		_ = f.Sync()
	}
}
