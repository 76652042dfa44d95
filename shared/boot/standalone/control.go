package standalone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/polyplane/polyplane/shared/core/installation"
)

// The running process holds the data directory, so the program's other commands ask it through a socket in that directory, which only
// its owner may open. When nothing runs, they open the directory themselves.

// order is what a command wants done: one of the fields is set.
type order struct {
	Backup string      `json:"backup,omitempty"` // absolute directory to make
	Token  string      `json:"token,omitempty"`  // name of a token to make
	Audit  *auditOrder `json:"audit,omitempty"`
}

type report struct {
	Token string       `json:"token,omitempty"`
	Audit *auditReport `json:"audit,omitempty"`
	Error string       `json:"error,omitempty"`
}

// maxSocketPath is what the operating system takes, in bytes.
const maxSocketPath = 107

// socketPath is the shortest path that leads from here to the directory's socket.
func socketPath(data string) (string, error) {
	at := filepath.Join(data, socketAt)
	abs, err := filepath.Abs(at)
	if err != nil {
		return "", err
	}
	if len(abs) < len(at) {
		at = abs
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, abs); err == nil && len(rel) < len(at) {
			at = rel
		}
	}
	if len(at) > maxSocketPath {
		return "", fmt.Errorf("the path of the data directory is too long for the socket %s in it (%d bytes, at most %d): choose a shorter one with --data",
			socketAt, len(at), maxSocketPath)
	}
	return at, nil
}

func (s *Server) listenControl(ctx context.Context) error {
	at, err := socketPath(s.settings.Data)
	if err != nil {
		return err
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // the directory is locked by us, so a socket that is there is a dead process's
	}
	before := syscall.Umask(0o077) // nobody else's from its first moment on
	s.control, err = new(net.ListenConfig).Listen(ctx, "unix", at)
	syscall.Umask(before)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

func (s *Server) controls() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == importAt {
			s.takeImport(w, r)
			return
		}
		var o order
		err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&o)
		var out report
		if err == nil {
			out, err = s.data.obey(r.Context(), o)
		}
		if err != nil {
			out.Error = err.Error()
		}
		_ = json.NewEncoder(w).Encode(out)
	})
}

func (d *data) obey(ctx context.Context, o order) (report, error) {
	switch {
	case o.Backup != "":
		return report{}, d.backup(ctx, o.Backup)
	case o.Token != "":
		text, err := installation.NewToken(ctx, d.ports, o.Token)
		return report{Token: text}, err
	}
	if o.Audit != nil {
		found, err := d.verifyAudit(ctx, *o.Audit)
		return report{Audit: found}, err
	}
	return report{}, errors.New("nothing to do")
}

// controlClient talks to the process that listens on a socket.
func controlClient(at string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at)
	}}}
}

// command has an order carried out by the process that runs on the data directory, or here when none does.
func command(ctx context.Context, s Settings, o order) (report, error) {
	if _, err := os.Stat(filepath.Join(s.Data, storeDir)); err != nil {
		return report{}, fmt.Errorf("%s holds no Polyplane data: %w", s.Data, err)
	}
	at, err := socketPath(s.Data)
	if err != nil {
		return report{}, err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return report{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/", bytes.NewReader(body))
	if err != nil {
		return report{}, err
	}
	res, err := controlClient(at).Do(req)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return commandHere(ctx, s, o)
	}
	if err != nil {
		return report{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var r report
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
		return report{}, fmt.Errorf("the running process did not answer: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

func commandHere(ctx context.Context, s Settings, o order) (report, error) {
	d, err := openData(s.Data, s.Hooks, slog.New(slog.DiscardHandler))
	if err != nil {
		return report{}, err
	}
	r, err := d.obey(ctx, o)
	return r, errors.Join(err, d.close())
}

func newToken(ctx context.Context, s Settings, called string, out io.Writer) error {
	if called == "" {
		return errors.New("a token needs a name")
	}
	r, err := command(ctx, s, order{Token: called})
	if err == nil {
		_, err = fmt.Fprintln(out, r.Token)
	}
	return err
}

func backup(ctx context.Context, s Settings, to string, out io.Writer) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	if _, err := command(ctx, s, order{Backup: to}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Backed up %s into %s. It holds the master key: keep it as you keep the data.\nRestore with: polyplane restore --data NEW %s\n", s.Data, to, to)
	return err
}
