package access

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// refused sees to it that an organization's audit tells of who was refused there: with a token that is not good, or knowing the
// organization and lacking the permission. That is done later, so that a refused request writes nothing and takes no longer where the
// organization exists. Who asks for what is not there, or shows no credential at all, was not refused anything; and an update that lost its
// lease is told so every time it asks.
func (g *Gate) refused(ctx context.Context, by permission.Principal, secret string, need permission.Need, target permission.Target, err error) {
	f := fault.As(err)
	d := audit.DraftOf(ctx)
	if g.Later == nil || d == nil || f == nil || secret == "" || need.Lease || target.Organization == "" ||
		f.Code != fault.Unauthenticated && f.Code != fault.Forbidden {
		return
	}
	at := g.Ports.Now()
	if !g.refusals.First(at, target.Organization, string(by.Kind)+"/"+by.ID) {
		return
	}
	draft := *d
	g.Later(func(ctx context.Context) {
		org, err := organization.IDOf(ctx, g.Ports, target.Organization)
		if err == nil {
			err = audit.Refused(ctx, g.Ports, org, draft, by, at, f.Message)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			g.Ports.Log.Warn("a refusal was not recorded", "organization", target.Organization, "error", err)
		}
	})
}
