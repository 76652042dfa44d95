package standalone

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Greet prints where everything is and what to try next.
func (s *Server) Greet(w io.Writer) {
	dir, err := filepath.Abs(s.settings.Data)
	if err != nil {
		dir = s.settings.Data
	}
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %-14s %s\n", name, text) }
	fmt.Fprintf(&b, "Polyplane is ready (%d ms).\n\n", s.data.now().Sub(s.started).Milliseconds())
	line("gateway", s.Gateway())
	for _, d := range s.dialects {
		line(d.Name, fmt.Sprintf("%s   or %s/%s", s.BaseURL(d.Name), s.Gateway(), d.Name))
	}
	line("organization", s.Organization())
	line("data", dir)
	token := s.installed.Token
	switch {
	case token != "" && s.settings.Token == "":
		line("token", token)
		b.WriteString("\nThe token is the administrator's and is shown this once. Keep it; `polyplane token NAME` makes another.\n")
	case token != "" && os.Getenv("POLYPLANE_TOKEN") == token:
		token = "$POLYPLANE_TOKEN"
	case token != "":
		token = "<the token you gave>"
	default:
		token = "<your token>"
		b.WriteString("\nThe administrator's token was shown at the first start; `polyplane token NAME` makes another.\n")
	}
	if !loopback(s.sites[0].listen.Addr()) {
		b.WriteString("\nOther machines can reach this one, without encryption: put a proxy with TLS before it.\n")
	}
	fmt.Fprintf(&b, "\nTry, in the directory of a Pulumi program:\n  export PULUMI_ACCESS_TOKEN=%s\n  pulumi login %s\n  pulumi stack init %s/PROJECT/dev && pulumi up\n\n",
		token, s.BaseURL("pulumi"), s.Organization())
	_, _ = io.WriteString(w, b.String())
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// baseURL is how a client on this machine reaches a listener.
func baseURL(l net.Listener) string {
	t, ok := l.Addr().(*net.TCPAddr)
	if !ok || !t.IP.IsUnspecified() {
		return "http://" + l.Addr().String()
	}
	return fmt.Sprintf("http://127.0.0.1:%d", t.Port)
}
