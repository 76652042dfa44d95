package hook

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// fanOutWrite is how many deliveries one write makes at most.
const fanOutWrite = 25

// FanOut is the consumer of Events: it makes a delivery for each hook that wants the event. Seeing an event again makes nothing new.
func FanOut(p ports.Ports, ws Wordings) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		o, ok, err := occasionOf(e)
		if err != nil || !ok {
			return err
		}
		var wanted []Delivery
		for _, owner := range o.owners {
			hooks, err := hookKind.All(ctx, p.Store, store.Query{PK: keys.Hooks(owner)}, 2*maxHooks)
			if err != nil {
				return err
			}
			for _, h := range hooks {
				if !h.Value.wants(o.Topic, e.At) {
					continue
				}
				d, err := tell(ws, h.Value, owner, e, o)
				if err != nil {
					return err
				}
				wanted = append(wanted, d)
			}
		}
		for len(wanted) > 0 {
			n := min(len(wanted), fanOutWrite)
			if err := createMissing(ctx, p, wanted[:n]); err != nil {
				return err
			}
			wanted = wanted[n:]
		}
		return nil
	}
}

// tell writes down what a hook is sent about an event.
func tell(ws Wordings, h Hook, owner store.Scope, e event.Event, o Occasion) (Delivery, error) {
	w, err := ws.of(h.Dialect)
	if err != nil {
		return Delivery{}, err
	}
	m, err := w.Tell(h, o)
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{
		ID: deliveryID(e.At, e.ID, h.ID), Owner: owner, Organization: e.Organization, Label: "organization " + o.Org.Name,
		Hook: h.Name, HookID: h.ID, Dialect: h.Dialect, Kind: m.Kind, Body: string(m.Body), Created: e.At, State: Waiting,
	}
	if _, ok := keys.StackOf(owner); ok {
		d.Label = "stack " + o.Org.Name + "/" + o.Project + "/" + o.Stack
		d.Target = &Target{URL: h.URL, Secret: h.Secret}
	}
	return d, nil
}

// createMissing creates those deliveries that are not there yet. Two that do so at once do not disturb each other.
func createMissing(ctx context.Context, p ports.Ports, ds []Delivery) error {
	for range 8 {
		changes := make([]store.Change, len(ds))
		for i, d := range ds {
			changes[i] = newDelivery(d)
		}
		err := p.Store.Write(ctx, changes...)
		c := store.AsConflict(err)
		if c == nil {
			return err
		}
		var missing []Delivery
		for i, d := range ds {
			if !c.At(i) {
				missing = append(missing, d)
			}
		}
		if ds = missing; len(ds) == 0 {
			return nil
		}
	}
	return errors.New("hook: deliveries keep appearing while they are created")
}
