package stack

import (
	"context"
	"strings"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/project"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Filter narrows a listing; empty fields do not.
type Filter struct {
	Organization string `json:"o,omitempty"` // name, in any case
	Project      string `json:"p,omitempty"` // name
	TagName      string `json:"t,omitempty"`
	TagValue     string `json:"v,omitempty"` // only with TagName
	Role         string `json:"r,omitempty"` // id of a custom role: only stacks that it lets its holders read
}

// Summary is a stack as a listing shows it.
type Summary struct {
	ID, Organization, Project, Name string // Organization and Project are names
	UpdatedAt                       int64  // Unix seconds; 0 when never updated
	Held                            bool   // an update runs
	Resources                       int
}

// position is where a listing stands: in which organization, behind which row.
type position struct {
	Organization string `json:"o"`
	After        string `json:"a,omitempty"`
}

// OfUser lists the stacks that a principal may see, by organization, project and age, or where the principal sees single stacks only, by
// organization and age; with the token of the next page or "". A member without a role on every stack pays for the stacks granted to
// them and their teams, not for those of the organization, unless a custom role asks of each stack whether it applies. A page holds at
// most limit stacks and may hold fewer.
func OfUser(ctx context.Context, p ports.Ports, by permission.Principal, f Filter, limit int, token string) ([]Summary, string, error) {
	binding := strings.Join([]string{"stacks", by.Holder(), f.Organization, f.Project, f.TagName, f.TagValue, f.Role}, "\x00")
	var at position
	if token != "" {
		if err := p.Cursors.Open(binding, token, "continuationToken", &at); err != nil {
			return nil, "", err
		}
	}
	orgs, err := f.within(ctx, p, by)
	if err != nil {
		return nil, "", err
	}
	var out []Summary
	for _, o := range orgs {
		if o.ID < at.Organization {
			continue
		}
		v, ok, err := newView(ctx, p, by, o, f)
		if err != nil {
			return nil, "", err
		}
		if !ok {
			continue
		}
		after := ""
		if o.ID == at.Organization {
			after = at.After
		}
		for {
			found, next, more, err := v.page(ctx, p, after, limit-len(out))
			if err != nil {
				return nil, "", err
			}
			out = append(out, found...)
			if more && len(out) >= limit {
				return out, p.Cursors.Make(binding, position{Organization: o.ID, After: next}), nil
			}
			if !more {
				break
			}
			after = next
		}
		if len(out) >= limit {
			return out, p.Cursors.Make(binding, position{Organization: o.ID, After: "~"}), nil
		}
	}
	return out, "", nil
}

// within are the organizations that a listing goes through: the one that the filter names, or all that the principal is within.
func (f Filter) within(ctx context.Context, p ports.Ports, by permission.Principal) ([]organization.Organization, error) {
	if f.Organization == "" {
		joined, err := organization.Within(ctx, p, by)
		out := make([]organization.Organization, len(joined))
		for i, j := range joined {
			out[i] = j.Organization
		}
		return out, err
	}
	id, err := organization.IDOf(ctx, p, f.Organization)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s, err := organization.StandingOf(ctx, p, by, id); err != nil || !s.Within {
		return nil, err
	}
	o, err := organization.Of(ctx, p, id)
	return []organization.Organization{o}, err
}

func idOfRow(k store.Key) string { return k.SK[strings.LastIndexByte(k.SK, '/')+1:] }

// AnyInProject reports whether a project of this name exists and has a stack.
func AnyInProject(ctx context.Context, p ports.Ports, organization, called string) (bool, error) {
	id, _, ok, err := project.Find(ctx, p, organization, called)
	if err != nil || !ok {
		return false, err
	}
	q := store.Query{PK: keys.StackRows(organization), Prefix: id + "/", Limit: 1}
	for {
		page, err := p.Store.Query(ctx, q)
		if err != nil || len(page.Items) > 0 || !page.More {
			return len(page.Items) > 0, err
		}
		q.After = page.Next
	}
}

// CountResources returns how many stacks an organization has and how many resources are in their checkpoints. It reads every list row.
func CountResources(ctx context.Context, p ports.Ports, organization string) (stacks, resources int, err error) {
	q := store.Query{PK: keys.StackRows(organization)}
	for {
		docs, page, err := rowKind.Page(ctx, p.Store, q)
		if err != nil {
			return 0, 0, err
		}
		for _, d := range docs {
			stacks++
			resources += d.Value.Resources
		}
		if !page.More {
			return stacks, resources, nil
		}
		q.After = page.Next
	}
}
