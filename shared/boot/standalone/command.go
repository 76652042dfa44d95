package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
)

var errUsage = errors.New("usage")

func run(args []string, out, errs io.Writer, env func(string) string) error {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var s Settings
	f := flags(command, &s, errs, env)
	switch command {
	case "serve", "token", "backup", "restore":
	case "help":
		fmt.Fprint(out, usage)
		return nil
	default:
		fmt.Fprint(errs, usage)
		return errUsage
	}
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-help") && command == "serve" {
		fmt.Fprint(out, usage)
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted := 1
	if command == "serve" {
		wanted = 0
	}
	if f.NArg() != wanted {
		f.Usage()
		return errUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch command {
	case "token":
		return newToken(ctx, s, f.Arg(0), out)
	case "backup":
		return backup(ctx, s, f.Arg(0), out)
	case "restore":
		return restore(s, f.Arg(0), out)
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
