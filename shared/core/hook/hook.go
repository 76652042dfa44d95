// Package hook tells receivers on the web of what happens: hooks, which organizations and stacks own, and deliveries, one for each event
// that a hook asked for.
//
// An event reaches FanOut through the outbox, at least once. FanOut makes one delivery for each hook that wants the event; the id of
// the delivery is made of the event's and the hook's, so that a repeated event makes none a second time. What is sent is written
// down at that moment, so later changes of what the event speaks of do not show in it. Each delivery stands in the due index until a
// Worker has it delivered or has given up; a lease on it keeps two workers from sending it at once. A worker that dies between sending
// and writing that down makes the receiver see the same delivery, of the same id, twice.
//
// How a hook's messages read is its dialect's business: see Wording.
package hook

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Hook is one subscription of an owner.
type Hook struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"` // unique in its owner; never changes
	DisplayName string    `json:"displayName"`
	Dialect     string    `json:"dialect"` // whose wording its messages have
	URL         string    `json:"url"`     // may hold a secret: it is shown to those who may change the hook, and to nobody else
	Format      string    `json:"format"`  // one of the dialect's
	Active      bool      `json:"active"`
	Created     time.Time `json:"created"`
	Subscription
	Secret *Secret `json:"secret,omitempty"` // nil when messages are not signed

	FailingSince time.Time `json:"failingSince,omitzero"` // of the first failure behind the last success
	Disabled     string    `json:"disabled,omitempty"`    // why the hook was made inactive by the service itself; empty when it was not
}

// Subscription is what a hook wants to hear of. Filters and Groups are the dialect's words for it and are only shown; Topics are the
// core's, all of them: what the groups stand for included.
type Subscription struct {
	Filters []string `json:"filters,omitempty"`
	Groups  []string `json:"groups,omitempty"`
	Topics  []string `json:"topics"`
}

// Secret is what a hook's messages are signed with, sealed.
type Secret struct {
	Key    []byte `json:"key"`    // wrapped data key, bound to the owner's scope
	Sealed []byte `json:"sealed"` // changes with every new secret
}

// maxHooks is how many hooks an owner may have.
const maxHooks = 100

var hookKind = store.NewKind[Hook]("hook", 1)

// namePattern is what a hook may be called.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// Owner is what a hook belongs to. Get one from OfOrganization or OfStack.
type Owner struct {
	Scope        store.Scope
	Organization organization.Organization
	Label        string // for people: "organization acme", "stack acme/shop/dev"

	stack *stack.Stack
}

// OfOrganization is an organization as the owner of hooks.
func OfOrganization(o organization.Organization) Owner {
	return Owner{Scope: keys.Organization(o.ID), Organization: o, Label: "organization " + o.Name}
}

// OfStack is a stack as the owner of hooks.
func OfStack(o organization.Organization, s stack.Stack) Owner {
	return Owner{Scope: keys.Stack(s.ID), Organization: o, Label: "stack " + s.Path(o.Name), stack: &s}
}

// alive are the changes that state, in a write below the owner, that the owner still exists.
func (o Owner) alive(ctx context.Context, p ports.Ports) ([]store.Change, error) {
	if o.stack == nil {
		return nil, nil
	}
	c, err := stack.Alive(ctx, p, *o.stack)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fault.Missing("%s not found", o.Label)
	}
	return []store.Change{c}, err
}

// Find returns an owner's hook, or fault.NotFound.
func Find(ctx context.Context, p ports.Ports, o Owner, name string) (store.Doc[Hook], error) {
	missing := fault.Missing("webhook %q not found in %s", name, o.Label)
	if !namePattern.MatchString(name) {
		return store.Doc[Hook]{}, missing
	}
	d, err := hookKind.Get(ctx, p.Store, keys.Hook(o.Scope, name))
	if errors.Is(err, store.ErrNotFound) {
		return d, missing
	}
	return d, err
}

// OfOwner returns all hooks of an owner, in order of name.
func OfOwner(ctx context.Context, p ports.Ports, o Owner) ([]Hook, error) {
	docs, err := hookKind.All(ctx, p.Store, store.Query{PK: keys.Hooks(o.Scope)}, 2*maxHooks)
	if err != nil {
		return nil, err
	}
	out := make([]Hook, len(docs))
	for i, d := range docs {
		out[i] = d.Value
	}
	return out, nil
}

// wants reports whether a hook is to hear of something.
func (h Hook) wants(topic string, at time.Time) bool {
	return h.Active && !at.Before(h.Created) && slices.Contains(h.Topics, topic)
}
