package standalone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/polyplane/polyplane/shared/core/fault"
)

const usage = `polyplane: one control plane that speaks five APIs

  polyplane serve               run on this machine (the default)
  polyplane token NAME          make one more token for the administrator
  polyplane backup DIRECTORY    copy everything into a new directory, while it runs or not
  polyplane restore DIRECTORY   make a data directory from a backup
  polyplane audit verify        tell whether the audit is still what it was sealed as
  polyplane import pulumi SRC   bring the stacks of a Pulumi backend, while it runs or not

Each takes -h.
`

// errUsage says that what is wrong with the arguments was told already.
var errUsage = errors.New("usage")

// Main is the program: it runs the command that args name and returns the exit status, 2 when the arguments make no sense.
func Main(args []string) int { return program(args, Hooks{}) }

func program(args []string, h Hooks) int {
	err := run(args, h, os.Stdout, os.Stderr, os.Getenv)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	text := err.Error()
	if f := fault.As(err); f != nil && f.Cause == nil {
		text = f.Message
	}
	fmt.Fprintln(os.Stderr, "polyplane:", text)
	return 1
}

func run(args []string, h Hooks, out, errs io.Writer, env func(string) string) error {
	command := "serve"
	switch {
	case len(args) > 0 && (args[0] == "help" || args[0] == "--help" || args[0] == "-help"):
		_, err := fmt.Fprint(out, usage)
		return err
	case len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		command, args = args[0], args[1:]
		if command == "audit" && len(args) > 0 {
			command, args = command+" "+args[0], args[1:]
		}
	}
	if command == "import" {
		return importCommand(args, h, out, errs, env)
	}
	takes, known := arguments[command]
	if !known {
		fmt.Fprintf(errs, "polyplane: there is no command %q\n\n%s", command, usage)
		return errUsage
	}
	s := Settings{Hooks: h}
	f := flags(command, &s, errs, env)
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return errUsage
	}
	if f.NArg() != len(strings.Fields(takes)) {
		f.Usage()
		return errUsage
	}
	ctx, stop := interruptible()
	defer stop()
	switch command {
	case "token":
		return newToken(ctx, s, f.Arg(0), out)
	case "backup":
		return backup(ctx, s, f.Arg(0), out)
	case "restore":
		return restore(s, f.Arg(0), out)
	case "audit verify":
		return verifyAudit(ctx, s, out)
	}
	log, err := s.logger(errs)
	if err != nil {
		return err
	}
	server, err := Open(ctx, s, log)
	if err != nil {
		return err
	}
	server.Greet(out)
	return server.Serve(ctx)
}

// interruptible ends with the first signal to stop; a second one ends the process at once.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
