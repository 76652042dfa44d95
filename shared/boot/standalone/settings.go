package standalone

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Settings are the flags of the program; each has an environment name too, and the flag wins.
type Settings struct {
	Addr  string // of the gateway; each dialect gets one of the next ports
	Data  string // directory
	Org   string // name of the organization that the first start makes
	Token string // a fixed administrator token, for scripts
	Log   string // level: debug, info, warn, error
}

const environment = "\nEvery flag can be given in the environment: POLYPLANE_ADDR, POLYPLANE_DATA, POLYPLANE_ORG, POLYPLANE_TOKEN, POLYPLANE_LOG.\n"

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
		f.StringVar(&s.Token, "token", env("POLYPLANE_TOKEN"), "a fixed administrator token of 40 characters or more (better given in the environment)")
		f.StringVar(&s.Log, "log", or("POLYPLANE_LOG", "warn"), "least level that is logged to standard error: debug, info (every request), warn, error")
	}
	f.Usage = func() {
		fmt.Fprintf(errs, "usage: polyplane %s [flags]%s\n", command, map[string]string{"backup": " DIRECTORY", "restore": " DIRECTORY", "token": " NAME"}[command])
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

const usage = `polyplane: one control plane that speaks five APIs

  polyplane serve               run on this machine (the default)
  polyplane token NAME          make one more token for the administrator
  polyplane backup DIRECTORY    copy everything into a new directory, while it runs or not
  polyplane restore DIRECTORY   make a data directory from a backup

Each takes -h.
`

// Main is the program: it runs the command that args name and returns the exit status.
func Main(args []string) int {
	err := run(args, os.Stdout, os.Stderr, os.Getenv)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(os.Stderr, "polyplane:", err)
	return 1
}
