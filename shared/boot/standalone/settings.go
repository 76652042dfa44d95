package standalone

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/polyplane/polyplane/shared/store"
)

// Settings are the flags of the program; each has an environment name too, and the flag wins.
type Settings struct {
	Addr  string // of the gateway; each dialect gets one of the next ports. Port 0 takes any free ones
	Data  string // directory
	Org   string // name of the organization that the first start makes
	Token string // a fixed administrator token, for scripts
	Log   string // level: debug, info, warn, error

	AllowOutbound string // what calls to users' addresses may reach besides the public internet: see outbound.ParseAllow

	Hooks Hooks
	audit auditOrder
}

// Hooks are what tests and measurements put in the way. The program sets none.
type Hooks struct {
	Now   func() time.Time              // the clock, UTC; nil is the machine's
	Store func(store.Store) store.Store // stands between the core and the table; nil is nothing
}

func (h Hooks) now() func() time.Time {
	if h.Now != nil {
		return h.Now
	}
	return func() time.Time { return time.Now().UTC() }
}

const environment = "\nEvery flag can be given in the environment: POLYPLANE_ADDR, POLYPLANE_DATA, POLYPLANE_ORG, POLYPLANE_TOKEN, POLYPLANE_LOG,\nPOLYPLANE_ALLOW_OUTBOUND.\n"

// arguments are what each command takes besides flags.
var arguments = map[string]string{"serve": "", "token": " NAME", "backup": " DIRECTORY", "restore": " DIRECTORY", "audit verify": ""}

func flags(command string, s *Settings, errs io.Writer, env func(string) string) *flag.FlagSet {
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.SetOutput(errs)
	or := func(name, otherwise string) string {
		if v := env(name); v != "" {
			return v
		}
		return otherwise
	}
	f.StringVar(&s.Data, "data", or("POLYPLANE_DATA", "data"), "directory that holds everything")
	if command == "serve" {
		f.StringVar(&s.Addr, "addr", or("POLYPLANE_ADDR", "127.0.0.1:8080"), "address of the gateway; each dialect gets one of the next ports")
		f.StringVar(&s.Org, "org", or("POLYPLANE_ORG", "acme"), "name of the organization that the first start makes")
		f.StringVar(&s.Log, "log", or("POLYPLANE_LOG", "warn"), "least level that is logged to standard error: debug, info (every request), warn, error")
		f.StringVar(&s.AllowOutbound, "allow-outbound", env("POLYPLANE_ALLOW_OUTBOUND"), "hosts, addresses and CIDR blocks, comma separated, that hooks may call although they are not public; for development")
		// Its default stays out of the help: the environment may hold the real one.
		f.Func("token", "a fixed administrator token of 40 characters or more (better given in the environment)", func(v string) error {
			s.Token = v
			return nil
		})
		s.Token = env("POLYPLANE_TOKEN")
	}
	if command == "audit verify" {
		auditFlags(f, &s.audit)
	}
	f.Usage = func() {
		fmt.Fprintf(errs, "usage: polyplane %s [flags]%s\n", command, arguments[command])
		f.PrintDefaults()
		fmt.Fprint(errs, environment)
	}
	return f
}

func (s Settings) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Log)); err != nil {
		return nil, fmt.Errorf("--log %q: it must be debug, info, warn or error", s.Log)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
}
