// Package event is what the core tells the world: every event is an outbox item in the write that it tells of, and is handed on at
// least once. Consumers are idempotent.
package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Event is one thing that happened in an organization.
type Event struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"` // "stack.created", "stack.updated", "stack.deleted" …
	Organization string          `json:"organization"`
	At           time.Time       `json:"at"`
	Data         json.RawMessage `json:"data"`
	Attempts     int             `json:"attempts,omitempty"` // failed deliveries so far
}

var kind = store.NewKind[Event]("outbox", 1)

// Kind is the kind of an event's item, for those who watch writes for events.
var Kind = kind.Name()

// New is the change that puts an event into the outbox. data is what consumers need and holds no secret.
func New(p ports.Ports, organization, name string, data any) store.Change {
	body, err := json.Marshal(data)
	if err != nil {
		panic("event: data that JSON cannot hold: " + err.Error()) // a defect in the type
	}
	e := Event{ID: p.NewID(), Name: name, Organization: organization, At: p.Now(), Data: body}
	return kind.Create(keys.Outbox(organization, e.ID), e, store.DueAt(e.At))
}

// Consumer acts on an event. It may see an event twice and must end in the same state.
type Consumer func(ctx context.Context, e Event) error

// Relay hands events of the outbox to consumers and removes those that all of them took.
type Relay struct {
	Ports     ports.Ports
	Consumers map[string][]Consumer // by event name; events without consumers are removed
}

// retryDelay is how long a failed event waits: doubling from a second, at most ten minutes.
func retryDelay(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 20), 10*time.Minute)
}

// Deliver hands on what is due, up to limit events, and returns how many were handed on.
func (r *Relay) Deliver(ctx context.Context, limit int) (int, error) {
	found, err := r.Ports.Store.Due(ctx, store.DueQuery{Kind: kind.Name(), Before: r.Ports.Now().Add(time.Millisecond), Limit: limit})
	if err != nil {
		return 0, err
	}
	done := 0
	for _, key := range found {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		d, err := kind.Get(ctx, r.Ports.Store, key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return done, err
		}
		if err := r.deliver(ctx, d); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

func (r *Relay) deliver(ctx context.Context, d store.Doc[Event]) error {
	for _, consume := range r.Consumers[d.Value.Name] {
		if err := guarded(ctx, consume, d.Value); err != nil {
			r.Ports.Log.Warn("event not delivered", "event", d.Value.Name, "id", d.Value.ID, "attempts", d.Value.Attempts+1, "error", err)
			d.Due = r.Ports.Now().Add(retryDelay(d.Value.Attempts))
			d.Value.Attempts++
			return ignoreConflict(r.Ports.Store.Write(ctx, kind.Replace(d)))
		}
	}
	return ignoreConflict(r.Ports.Store.Write(ctx, d.Delete()))
}

// guarded keeps a consumer that panics from stopping the relay: its event waits and is tried again, as after an error.
func guarded(ctx context.Context, consume Consumer, e Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("consumer panicked: %v", r)
		}
	}()
	return consume(ctx, e)
}

// ignoreConflict: another relay handled the event at the same time, which is as good.
func ignoreConflict(err error) error {
	if store.AsConflict(err) != nil {
		return nil
	}
	return err
}
