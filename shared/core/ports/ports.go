// Package ports is what the core is given to work with: the ports to the outside, a clock and a source of ids.
package ports

import (
	"log/slog"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/list"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
)

// Ports is given to every noun of the core by boot.
type Ports struct {
	Store   store.Store
	Blobs   blob.Store
	Keyring keyring.Keyring
	Now     func() time.Time   // the injected clock, UTC
	NewID   func() string      // a fresh UUID, version 7: ordered by creation
	Random  func(n int) []byte // n bytes from a secure source
	Log     *slog.Logger
	Cursors list.Cursors

	Outbound outbound.Caller // for calls to addresses that users choose
}
