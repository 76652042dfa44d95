// Package standalone runs everything in one process on one machine: every dialect and every worker, on the embedded store, in one
// directory.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/metrics"
	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/outbound/web"
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
	imports   importing
	log       *slog.Logger
	started   time.Time
	later     later
}

// site is one listener and what it serves.
type site struct {
	name    string // of the dialect; empty for the gateway
	listen  net.Listener
	handler http.Handler
}

// How long requests may take, so that no client holds a connection for nothing. An answer's time begins with the request's headers, so
// that it covers the body's; streams end before it and are resumed.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Minute
	answerTimeout = 20 * time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 30 * time.Second
)

// Open opens the data directory, completes the first start, and listens. Nothing is served before Serve.
//
// The ports are taken before the first start is completed: its token can be shown only once, and so must not be made by a start that fails.
func Open(ctx context.Context, s Settings, log *slog.Logger) (srv *Server, err error) {
	srv = &Server{settings: s, log: log, later: make(later, maxLater), started: s.Hooks.now()()}
	defer func() {
		if err != nil {
			err = errors.Join(err, srv.close())
		}
	}()
	host, port, err := splitAddr(s.Addr)
	if err != nil {
		return srv, err
	}
	allow, err := outbound.ParseAllow(s.AllowOutbound)
	if err != nil {
		return srv, fmt.Errorf("--allow-outbound: %w", err)
	}
	if srv.data, err = openData(s.Data, s.Hooks, log); err != nil {
		return srv, err
	}
	srv.data.ports.Outbound = web.New(web.Options{Allow: allow})
	p := &srv.data.ports
	srv.dialects = boot.Dialects(*p)
	if err := srv.listen(ctx, host, port); err != nil {
		return srv, err
	}
	if err := srv.listenControl(ctx); err != nil {
		return srv, err
	}
	srv.installed, err = installation.Open(ctx, *p, installation.Draft{Organization: s.Org, Login: "admin", Token: s.Token})
	if err != nil {
		return srv, err
	}
	p.Cursors = srv.installed.Cursors
	return srv, srv.mount()
}

// mount gives every listener what it serves.
func (s *Server) mount() error {
	p := s.data.ports
	s.dialects = boot.Dialects(p) // again: now the ports are complete
	if err := api.Check(s.dialects...); err != nil {
		return err
	}
	meter := metrics.New()
	front := boot.Front(p, boot.FrontConfig{
		Begin: meter.Begin, Observe: meter.Observe, Metrics: meter.Handler(), Later: s.later.do,
		Health: func(ctx context.Context) error {
			_, err := p.Store.Get(ctx, keys.Installation())
			return err
		},
	})
	s.sites[0].handler = front.Gateway(s.dialects...)
	for i, d := range s.dialects {
		s.sites[i+1].handler = front.Handler(d)
	}
	return nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("--addr %q: it must be an address and a port, as in 127.0.0.1:8080", addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("--addr %q: the port must be a number up to 65535", addr)
	}
	return host, port, nil
}

// listen opens the gateway's port and one for each dialect. Port 0 takes any free ones.
func (s *Server) listen(ctx context.Context, host string, port int) error {
	if last := port + len(s.dialects); last > 65535 {
		return fmt.Errorf("--addr %q: the ports up to %d are needed, and 65535 is the last there is", s.settings.Addr, last)
	}
	s.sites = []site{{}}
	for _, d := range s.dialects {
		s.sites = append(s.sites, site{name: d.Name})
	}
	for i := range s.sites {
		at := 0
		if port > 0 {
			at = port + i
		}
		addr := net.JoinHostPort(host, strconv.Itoa(at))
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("another program listens on %s already: choose other ports with --addr", addr)
		}
		if err != nil {
			return fmt.Errorf("cannot listen on %s, choose another address with --addr: %w", addr, err)
		}
		s.sites[i].listen = l
	}
	return nil
}

// Gateway is the base URL below which every dialect has a prefix.
func (s *Server) Gateway() string { return baseURL(s.sites[0].listen) }

// BaseURL is the root of a dialect on its own port, or "".
func (s *Server) BaseURL(dialect string) string {
	for _, at := range s.sites {
		if at.name == dialect {
			return baseURL(at.listen)
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
	defer stopWork()
	var workers sync.WaitGroup
	s.startWorkers(work, &workers)

	quiet := slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	servers := []*http.Server{{Handler: s.controls(), ReadTimeout: headerTimeout, ErrorLog: quiet}} // a backup takes its time
	servers[0].RegisterOnShutdown(s.imports.stop)
	listeners := []net.Listener{s.control}
	for _, at := range s.sites {
		servers = append(servers, &http.Server{
			Handler: at.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: answerTimeout,
			IdleTimeout: idleTimeout, ErrorLog: quiet,
		})
		listeners = append(listeners, at.listen)
	}
	failed := make(chan error, len(servers))
	for i, srv := range servers {
		go func() { failed <- srv.Serve(listeners[i]) }()
	}
	s.log.Info("serving", "gateway", s.Gateway(), "data", s.settings.Data)

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err = <-failed:
		s.log.Error("stopping", "error", err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	var stopping sync.WaitGroup
	for _, srv := range servers {
		stopping.Go(func() {
			if err := srv.Shutdown(end); err != nil {
				s.log.Warn("requests cut off", "error", err)
				_ = srv.Close()
			}
		})
	}
	stopping.Wait()
	stopWork()
	workers.Wait()
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
