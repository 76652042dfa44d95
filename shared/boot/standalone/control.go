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

	"github.com/polyplane/polyplane/shared/core/installation"
)

// The running process holds the data directory, so the program's other commands ask it through a socket in that directory, which only
// its owner may open. When nothing runs, they open the directory themselves.

type order struct {
	Backup string `json:"backup,omitempty"` // absolute directory to make
	Token  string `json:"token,omitempty"`  // name of a token to make
}

type report struct {
	Token string `json:"token,omitempty"`
	Error string `json:"error,omitempty"`
}

func (s *Server) listenControl(ctx context.Context) error {
	at := filepath.Join(s.settings.Data, socketAt)
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // the directory is locked by us, so a socket that is there is a dead process's
	}
	var err error
	if s.control, err = new(net.ListenConfig).Listen(ctx, "unix", at); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return os.Chmod(at, 0o600)
}

func (s *Server) controls() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	return report{}, errors.New("nothing to do")
}

// command has an order carried out by the process that runs on the data directory, or here when none does.
func command(ctx context.Context, s Settings, o order) (report, error) {
	if _, err := os.Stat(filepath.Join(s.Data, storeDir)); err != nil {
		return report{}, fmt.Errorf("%s holds no Polyplane data: %w", s.Data, err)
	}
	at := filepath.Join(s.Data, socketAt)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at)
	}}}
	body, err := json.Marshal(o)
	if err != nil {
		return report{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/", bytes.NewReader(body))
	if err != nil {
		return report{}, err
	}
	res, err := client.Do(req)
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		d, err := openData(s.Data, slog.New(slog.DiscardHandler))
		if err != nil {
			return report{}, err
		}
		r, err := d.obey(ctx, o)
		return r, errors.Join(err, d.close())
	}
	if err != nil {
		return report{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var r report
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
		return report{}, err
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

func newToken(ctx context.Context, s Settings, called string, out io.Writer) error {
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

// restore makes a data directory from a backup. The directory must not exist or be empty, so that nothing is overwritten.
func restore(s Settings, from string, out io.Writer) error {
	for _, part := range []string{storeDir, blobDir, keyFile} {
		if _, err := os.Stat(filepath.Join(from, part)); err != nil {
			return fmt.Errorf("%s is not a whole backup: %w", from, err)
		}
	}
	if there, err := os.ReadDir(s.Data); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty: choose another directory with --data", s.Data)
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(s.Data, os.DirFS(from)); err != nil {
		return err
	}
	if err := private(s.Data); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Restored %s into %s.\n", from, s.Data)
	return err
}

// private takes everybody else's rights away and makes the copies durable.
func private(root string) error {
	return filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
