package hook

import (
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/outbound"
)

// Wording is how a dialect writes to receivers.
type Wording interface {
	// Tell writes a message about an occasion in the hook's format.
	Tell(h Hook, o Occasion) (Message, error)

	// Ping writes the message that tests a hook.
	Ping(h Hook, at time.Time) (Message, error)

	// Headers are the vendor's own headers of a delivery, beside the standard ones. signature is the HMAC-SHA256 of the body under the
	// hook's secret; nil when the hook has none.
	Headers(id, kind string, signature []byte) []Header
}

// Header is one line of a header.
type Header = outbound.Header

// Message is what is sent.
type Message struct {
	Kind string // the vendor's name for this kind of message
	Body []byte // JSON
}

// Wordings are the wordings of all dialects, by the dialect's name.
type Wordings map[string]Wording

func (w Wordings) of(dialect string) (Wording, error) {
	if v, ok := w[dialect]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("hook: no wording for the dialect %q", dialect)
}
