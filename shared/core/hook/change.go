package hook

import (
	"context"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Draft is what a client says of a hook that it wants.
type Draft struct {
	Name        string // empty: the service makes one of 8 hexadecimal digits
	DisplayName string
	Dialect     string
	URL         string
	Format      string
	Active      bool
	Subscription
	Secret string // empty: messages are not signed
}

// Limits of what a hook may be told to be.
const (
	maxDisplayName = 200  // characters
	maxSecret      = 1024 // bytes
)

// Create makes a hook. A taken name is fault.Conflict; a URL that may not be called is fault.Invalid.
func Create(ctx context.Context, p ports.Ports, o Owner, d Draft) (Hook, error) {
	if d.Name == "" {
		d.Name = hex.EncodeToString(p.Random(4))
	}
	if !namePattern.MatchString(d.Name) {
		return Hook{}, fault.Wrong("body.name", "the name of a webhook must be 1 to 100 letters, digits, '_', '.' or '-'")
	}
	h := Hook{
		ID: p.NewID(), Name: d.Name, DisplayName: d.DisplayName, Dialect: d.Dialect, URL: d.URL, Format: d.Format, Active: d.Active,
		Created: p.Now(), Subscription: d.Subscription,
	}
	if err := check(p, h); err != nil {
		return Hook{}, err
	}
	var err error
	if h.Secret, err = seal(ctx, p, o, d.Secret); err != nil {
		return Hook{}, err
	}
	there, err := OfOwner(ctx, p, o)
	if err != nil {
		return Hook{}, err
	}
	if len(there) >= maxHooks {
		return Hook{}, fault.New(fault.Conflict, "%s already has %d webhooks, which is as many as it may have", o.Label, maxHooks)
	}
	changes, err := o.alive(ctx, p)
	if err != nil {
		return Hook{}, err
	}
	key := keys.Hook(o.Scope, h.Name)
	err = p.Store.Write(ctx, append(changes,
		hookKind.Create(key, h),
		audit.Record(ctx, p, o.Organization.ID, "webhook-created", "created webhook %s (%s) of %s", h.Name, h.DisplayName, o.Label),
	)...)
	if c := store.AsConflict(err); c != nil && c.On(key) {
		return Hook{}, fault.New(fault.Conflict, "a webhook named %q already exists in %s", h.Name, o.Label).WithReason("already-exists")
	}
	return h, err
}

// check holds for every hook before it is written.
func check(p ports.Ports, h Hook) error {
	if n := utf8.RuneCountInString(h.DisplayName); n == 0 || n > maxDisplayName {
		return fault.Wrong("body.displayName", "the display name must be 1 to %d characters", maxDisplayName)
	}
	if err := p.Outbound.Check(h.URL); err != nil {
		f := outbound.AsFailure(err)
		if f == nil {
			return err
		}
		return fault.Wrong("body.payloadUrl", "the payload URL is not accepted: %s", f.Message)
	}
	return nil
}

// Edit is what a client wants changed; what is nil stays.
type Edit struct {
	DisplayName  *string
	URL          *string
	Format       *string
	Active       *bool
	Subscription *Subscription
	Secret       *string // empty: messages are signed no more
}

// Change edits a hook. Making it active again forgets that it failed.
func Change(ctx context.Context, p ports.Ports, o Owner, name string, e Edit) (Hook, error) {
	d, err := Find(ctx, p, o, name)
	if err != nil {
		return Hook{}, err
	}
	h := &d.Value
	set(&h.DisplayName, e.DisplayName)
	set(&h.URL, e.URL)
	set(&h.Format, e.Format)
	set(&h.Subscription, e.Subscription)
	if e.Active != nil && *e.Active && !h.Active {
		h.FailingSince, h.Disabled = time.Time{}, ""
	}
	set(&h.Active, e.Active)
	if err := check(p, *h); err != nil {
		return Hook{}, err
	}
	if e.Secret != nil {
		if h.Secret, err = seal(ctx, p, o, *e.Secret); err != nil {
			return Hook{}, err
		}
	}
	return *h, p.Store.Write(ctx,
		hookKind.Replace(d),
		audit.Record(ctx, p, o.Organization.ID, "webhook-updated", "changed webhook %s of %s", name, o.Label),
	)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Delete removes a hook. Nothing more is sent; its deliveries are purged afterwards.
func Delete(ctx context.Context, p ports.Ports, o Owner, name string) error {
	d, err := Find(ctx, p, o, name)
	if err != nil {
		return err
	}
	return p.Store.Write(ctx,
		d.Delete(),
		event.New(p, o.Organization.ID, "hook.deleted", Removed{Owner: o.Scope, Hook: d.Value.ID}),
		audit.Record(ctx, p, o.Organization.ID, "webhook-deleted", "deleted webhook %s (%s) of %s", name, d.Value.DisplayName, o.Label),
	)
}
