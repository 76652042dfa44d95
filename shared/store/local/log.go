package local

import (
	"fmt"
	"log/slog"
	"os"
)

// engineLog hands Pebble's messages to the log.
type engineLog struct{ log *slog.Logger }

func (l engineLog) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l engineLog) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble calls it when the log or the manifest could not be written, and what is stored is unknown until
// the directory is opened again.
func (l engineLog) Fatalf(format string, args ...any) {
	l.log.Error("the embedded store cannot go on: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
