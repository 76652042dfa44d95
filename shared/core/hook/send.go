package hook

import (
	"context"
	"strconv"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
)

// userAgent is what receivers see of the caller.
const userAgent = "Polyplane-Hooks/1"

// send makes one call. A receiver that cannot be reached is an attempt, not an error; an error is of our own.
func send(ctx context.Context, p ports.Ports, ws Wordings, d Delivery, to Target) (Attempt, error) {
	w, err := ws.of(d.Dialect)
	if err != nil {
		return Attempt{}, err
	}
	secret, err := to.Secret.open(ctx, p, d.Owner)
	if err != nil {
		return Attempt{}, err
	}
	a := Attempt{At: p.Now(), URL: to.URL}
	body, unix := []byte(d.Body), a.At.Unix()
	headers := []outbound.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: userAgent},
		{Name: "Webhook-Id", Value: d.ID},
		{Name: "Webhook-Timestamp", Value: strconv.FormatInt(unix, 10)},
	}
	var signature []byte
	if secret != nil {
		signature = mac(secret, body)
		headers = append(headers, outbound.Header{Name: "Webhook-Signature", Value: standardSignature(secret, d.ID, unix, body)})
	}
	headers = append(headers, w.Headers(d.ID, d.Kind, signature)...)
	a.Headers = lines(headers)
	answer, err := p.Outbound.Call(ctx, outbound.Request{URL: to.URL, Headers: headers, Body: body})
	a.Duration = answer.Duration
	if f := outbound.AsFailure(err); f != nil {
		a.Failure = f.Message
		return a, nil
	}
	if err != nil {
		return a, err
	}
	a.Status, a.AnswerHeaders, a.Answer = answer.Status, []byte(lines(answer.Headers)), answer.Body
	return a, nil
}

// Ping sends a hook its dialect's test message now, active or not, and returns what became of it.
func Ping(ctx context.Context, p ports.Ports, ws Wordings, o Owner, name string) (Delivery, error) {
	h, err := Find(ctx, p, o, name)
	if err != nil {
		return Delivery{}, err
	}
	w, err := ws.of(h.Value.Dialect)
	if err != nil {
		return Delivery{}, err
	}
	m, err := w.Ping(h.Value, p.Now())
	if err != nil {
		return Delivery{}, err
	}
	return now(ctx, p, ws, o, h.Value, Delivery{Kind: m.Kind, Body: string(m.Body)},
		func(ctx context.Context) store.Change {
			return audit.Record(ctx, p, o.Organization.ID, "webhook-pinged", "pinged webhook %s of %s", name, o.Label)
		})
}

// Redeliver sends now what an earlier delivery of the hook sent, as a delivery of its own, and returns what became of it.
func Redeliver(ctx context.Context, p ports.Ports, ws Wordings, o Owner, name, id string) (Delivery, error) {
	h, err := Find(ctx, p, o, name)
	if err != nil {
		return Delivery{}, err
	}
	old, err := find(ctx, p, o, h.Value, id)
	if err != nil {
		return Delivery{}, err
	}
	return now(ctx, p, ws, o, h.Value, Delivery{Kind: old.Kind, Body: old.Body, Repeats: old.ID},
		func(ctx context.Context) store.Change {
			return audit.Record(ctx, p, o.Organization.ID, "webhook-redelivered", "sent delivery %s of webhook %s of %s again", id, name, o.Label)
		})
}

// now sends a delivery within the request, once, and keeps the record. A client that hangs up does not take the record away.
func now(ctx context.Context, p ports.Ports, ws Wordings, o Owner, h Hook, d Delivery, entry func(context.Context) store.Change) (Delivery, error) {
	at := p.Now()
	d.ID, d.Created = deliveryID(at, p.NewID(), h.ID), at
	d.Owner, d.Organization, d.Label = o.Scope, o.Organization.ID, o.Label
	d.Hook, d.HookID, d.Dialect = h.Name, h.ID, h.Dialect
	a, err := send(ctx, p, ws, d, Target{URL: h.URL, Secret: h.Secret})
	if err != nil {
		return Delivery{}, err
	}
	d.Attempts, d.Last, d.State = 1, &a, Failed
	if a.ok() {
		d.State = Delivered
	}
	kept := context.WithoutCancel(ctx)
	return d, p.Store.Write(kept, newDelivery(d), entry(kept))
}

// schedule is how long to wait after each failed attempt; after the last there is no other.
var schedule = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

// patience is how long a hook may fail without one success before it is made inactive.
const patience = 120 * time.Hour
