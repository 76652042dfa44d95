package policy

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// Required is a pack that the updates of a stack must run.
type Required struct {
	Applied
	Group  string // name of the group that demands it
	Mode   Mode
	Config map[string]json.RawMessage // what it is run with
	Link   string                     // secret part of the archive's address, good for LinkLife
}

// RequiredOf returns the packs that the groups of a stack demand; with a mode only those of groups of this mode. A client runs a pack once
// in an update: of several groups that demand it a preventative one counts before one that audits, and then the one with the newest
// version.
func RequiredOf(ctx context.Context, p ports.Ports, s stack.Stack, only Mode) ([]Required, error) {
	groups, err := GroupsOf(ctx, p, s)
	if err != nil {
		return nil, err
	}
	var out []Required
	at := map[string]int{} // by pack's name
	for _, g := range groups {
		if only != "" && g.Mode != only {
			continue
		}
		for _, a := range g.Packs {
			r := Required{Applied: a, Group: g.Name, Mode: g.Mode, Config: a.Config}
			if g.Mode == Audit {
				r.Config = a.Enforced
			}
			i, ok := at[a.Name]
			switch {
			case !ok:
				at[a.Name] = len(out)
				out = append(out, r)
			case r.before(out[i]):
				out[i] = r
			}
		}
	}
	for i, r := range out {
		out[i].Link = makeLink(p, downloads, link{Organization: s.Organization, Pack: r.Pack, Name: r.Name, Version: r.Version})
	}
	return out, nil
}

func (r Required) before(o Required) bool {
	if r.Mode != o.Mode {
		return r.Mode == Preventative
	}
	return r.Number > o.Number
}
