// Package boot is the wiring that both deployments share: the dialects, the front and its gate, the consumers of events. Which adapters
// stand behind the ports is chosen by boot/standalone and boot/aws.
package boot

import (
	"context"
	"net/http"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/group"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/hook"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/policy"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/team"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/dialects/pulumi"
	"github.com/polyplane/polyplane/shared/store"
)

// Dialects are all dialects, in the order of their ports on one machine.
func Dialects(p ports.Ports) []api.Dialect {
	return []api.Dialect{pulumi.New(p)}
}

// FrontConfig is what a deployment adds to the front.
type FrontConfig struct {
	Groups  []group.Group // nil serves all
	Begin   func(dialect, operation string)
	Observe func(api.Observation)
	Health  func(context.Context) error
	Metrics http.Handler

	// Later does what belongs outside the request that caused it and may be lost: when a token was last used. Nil does none of it.
	Later func(func(context.Context))
}

// hintedAddresses is for how many callers and targets one process remembers which items they read.
const hintedAddresses = 10_000

// Front is the HTTP front on the given ports.
func Front(p ports.Ports, c FrontConfig) *api.Front {
	return api.New(api.Config{
		Gate:    gate{&access.Gate{Ports: p, Hints: store.NewHints(hintedAddresses), Later: c.Later}},
		Now:     p.Now,
		NewID:   p.NewID,
		Log:     p.Log,
		Groups:  c.Groups,
		Begin:   c.Begin,
		Observe: c.Observe,
		Health:  c.Health,
		Metrics: c.Metrics,

		AuditContext: auditContext,
		Principal: func(ctx context.Context) string {
			who, _ := access.Principal(ctx)
			if who.ID == "" {
				return ""
			}
			return string(who.Kind) + ":" + who.ID
		},
	})
}

// gate lets the front ask the core.
type gate struct{ *access.Gate }

func (g gate) Enter(ctx context.Context, c api.Credential, need permission.Need, target permission.Target) (context.Context, error) {
	ctx = audit.Begin(ctx, draftOf(api.FactsOf(ctx)))
	return g.Gate.Enter(ctx, api.OperationOf(ctx), access.Form(c.Form), c.Secret, need, target)
}

func draftOf(f api.AuditFacts) *audit.Draft {
	return &audit.Draft{
		Dialect: f.Dialect, Operation: f.Operation, Slug: f.Slug, Verb: f.Verb, RequestID: f.RequestID, SourceIP: f.SourceIP,
	}
}

// auditContext gives the core what the front knows of an entry.
func auditContext(ctx context.Context, f api.AuditFacts) context.Context {
	ctx = audit.Begin(ctx, draftOf(f))
	if who, ok := access.Principal(ctx); ok {
		audit.ActAs(ctx, who)
	}
	return ctx
}

// Relay hands events to everything that acts on them.
func Relay(p ports.Ports) *event.Relay {
	consumers := map[string][]event.Consumer{
		"stack.deleted":   {stack.PurgeDeleted(p), hook.PurgeStack(p), policy.Forget(p)},
		"update.finished": {update.TidyFinished(p), policy.CollectFinished(p)},
		"member.removed":  {organization.PurgeRemovedMember(p)},
		"role.deleted":    {organization.PurgeDeletedRole(p)},
		"team.deleted":    {team.PurgeDeleted(p)},
		"hook.deleted":    {hook.PurgeDeleted(p)},

		"stack.transferred":    {policy.Forget(p)},
		"policy-pack.deleted":  {policy.PurgeRemoved(p)},
		"policy-group.deleted": {policy.PurgeDissolved(p)},
	}
	for _, name := range hook.Events() { // first: a hook of a stack hears of the stack's end before it is purged
		consumers[name] = append([]event.Consumer{hook.FanOut(p, Wordings())}, consumers[name]...)
	}
	return &event.Relay{Ports: p, Consumers: consumers}
}

// Wordings are how the hooks of each dialect read.
func Wordings() hook.Wordings { return hook.Wordings{"pulumi": pulumi.Wording()} }

// HookWorker sends what hooks have to deliver.
func HookWorker(p ports.Ports) *hook.Worker {
	return &hook.Worker{Ports: p, Wordings: Wordings()}
}
