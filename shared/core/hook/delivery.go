package hook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// State is where a delivery stands.
type State string

// The states. A waiting delivery is in the due index; the others are only kept as a record.
const (
	Waiting   State = "waiting"   // for its first or another attempt, or for the lease of a worker to end
	Delivered State = "delivered" // the receiver answered with a status of success
	Failed    State = "failed"    // given up
	Dropped   State = "dropped"   // the hook was made inactive first
)

// Delivery is one message to one receiver, and what became of it.
type Delivery struct {
	ID           string      `json:"id"` // a UUID that begins with the time
	Owner        store.Scope `json:"owner"`
	Organization string      `json:"organization"` // id
	Label        string      `json:"label"`        // of the owner, for people
	Hook         string      `json:"hook"`         // name
	HookID       string      `json:"hookId"`
	Dialect      string      `json:"dialect"`
	Kind         string      `json:"kind"` // the vendor's
	Body         string      `json:"body"`
	Created      time.Time   `json:"created"`
	Repeats      string      `json:"repeats,omitempty"` // id of the delivery that somebody had sent again

	State    State    `json:"state"`
	Attempts int      `json:"attempts"`
	Last     *Attempt `json:"last,omitempty"`

	// Target is where to send to when the owner is gone: what happened last to a stack is still told after its deletion.
	Target *Target `json:"target,omitempty"`
}

// Target is what of a hook is needed to send.
type Target struct {
	URL    string  `json:"url"`
	Secret *Secret `json:"secret,omitempty"`
}

// Attempt is one call.
type Attempt struct {
	At       time.Time     `json:"at"`
	Duration time.Duration `json:"duration"` // nanoseconds
	URL      string        `json:"url"`
	Headers  string        `json:"headers"` // lines that end in CR LF
	Status   int           `json:"status"`  // 0 when there was no answer

	AnswerHeaders []byte `json:"answerHeaders,omitempty"` // lines that end in CR LF
	Answer        []byte `json:"answer,omitempty"`        // its first outbound.MaxBodyKept bytes
	Failure       string `json:"failure,omitempty"`       // why there was no answer: a sentence
}

// ok reports whether the receiver took the message.
func (a Attempt) ok() bool { return a.Status >= 200 && a.Status < 300 }

// gone reports whether the receiver wants to hear no more.
func (a Attempt) gone() bool { return a.Status == 410 }

var deliveryKind = store.NewKind[Delivery]("delivery", 1)

// DeliveryKind is the kind that the due index holds what is to be sent under.
var DeliveryKind = deliveryKind.Name()

// keep is how long the record of a delivery is kept at most; keepLast is how many of a hook are kept at least, and shown.
const (
	keep     = 30 * 24 * time.Hour
	keepLast = 100
)

// deliveryID is the id of the delivery of an event to a hook: the same whenever it is asked.
func deliveryID(at time.Time, event, hook string) string {
	h := sha256.Sum256([]byte(event + "\x00" + hook))
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	copy(b[6:], h[:])
	b[6] = b[6]&0x0f | 0x70 // version 7
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func newDelivery(d Delivery) store.Change {
	opts := []store.Option{store.ExpiresAt(d.Created.Add(keep))}
	if d.State == Waiting {
		opts = append(opts, store.DueAt(d.Created))
	}
	return deliveryKind.Create(keys.Delivery(d.Owner, d.HookID, d.ID), d, opts...)
}

// maxListed bounds the answers that a list of deliveries holds, in bytes; the newest delivery is always shown.
const maxListed = 3 << 20

// DeliveriesOf returns the deliveries of a hook that were attempted, newest first: the last hundred, fewer when their answers are large.
func DeliveriesOf(ctx context.Context, p ports.Ports, o Owner, name string) ([]Delivery, error) {
	h, err := Find(ctx, p, o, name)
	if err != nil {
		return nil, err
	}
	var out []Delivery
	size := 0
	q := store.Query{PK: keys.Deliveries(o.Scope, h.Value.ID), Descending: true, Limit: keepLast}
	for {
		docs, page, err := deliveryKind.Page(ctx, p.Store, q)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if d.Value.Last == nil {
				continue
			}
			size += len(d.Value.Body) + len(d.Value.Last.Answer) + len(d.Value.Last.AnswerHeaders)
			if len(out) == keepLast || len(out) > 0 && size > maxListed {
				return out, nil
			}
			out = append(out, d.Value)
		}
		if !page.More {
			return out, nil
		}
		q.After = page.Next
	}
}

// find returns a delivery of a hook, or fault.NotFound.
func find(ctx context.Context, p ports.Ports, o Owner, h Hook, id string) (Delivery, error) {
	missing := fault.Missing("delivery %q of webhook %q not found", id, h.Name)
	if !idPattern.MatchString(id) {
		return Delivery{}, missing
	}
	d, err := deliveryKind.Get(ctx, p.Store, keys.Delivery(o.Scope, h.ID, id))
	if errors.Is(err, store.ErrNotFound) {
		return Delivery{}, missing
	}
	return d.Value, err
}

func lines(hs []outbound.Header) string {
	var b strings.Builder
	for _, h := range hs {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	return b.String()
}
