package stack

import (
	"context"
	"strings"

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
}

// Summary is a stack as a listing shows it.
type Summary struct {
	ID, Organization, Project, Name string // Organization and Project are names
	UpdatedAt                       int64  // Unix seconds; 0 when never updated
	Resources                       int
}

// position is where a listing stands: in which organization, behind which row.
type position struct {
	Organization string `json:"o"`
	After        string `json:"a,omitempty"`
}

// OfUser lists the stacks that a user may see, by organization, project and age, with the token of the next page or "". A member
// without a role on every stack pays for the stacks granted to them, not for those of the organization. A page holds at most limit
// stacks and may hold fewer.
func OfUser(ctx context.Context, p ports.Ports, by permission.Principal, f Filter, limit int, token string) ([]Summary, string, error) {
	binding := strings.Join([]string{"stacks", by.ID, f.Organization, f.Project, f.TagName, f.TagValue}, "\x00")
	var at position
	if token != "" {
		if err := p.Cursors.Open(binding, token, "continuationToken", &at); err != nil {
			return nil, "", err
		}
	}
	orgs, err := organization.OfUser(ctx, p, by.ID)
	if err != nil {
		return nil, "", err
	}
	var out []Summary
	for _, o := range orgs {
		if o.ID < at.Organization || f.Organization != "" && !strings.EqualFold(f.Organization, o.Name) {
			continue
		}
		after := ""
		if o.ID == at.Organization {
			after = at.After
		}
		for {
			found, next, more, err := page(ctx, p, by, o, f, after, limit-len(out))
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

// page reads one page of one organization: rows of the organization for whoever sees all stacks, else the user's grants.
func page(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Joined, f Filter, after string, limit int) (out []Summary, next string, more bool, err error) {
	q := store.Query{PK: keys.StackRows(o.ID), After: after, Limit: limit}
	var projectID string
	if f.Project != "" {
		id, _, ok, err := project.Find(ctx, p, o.ID, f.Project)
		if err != nil || !ok {
			return nil, "", false, err
		}
		projectID = id
		q.Prefix = id + "/"
	}
	var rows []store.Doc[row]
	if (permission.Grants{o.Role, o.StackRole}).Allow(permission.StackRead) {
		docs, pg, err := rowKind.Page(ctx, p.Store, q)
		if err != nil {
			return nil, "", false, err
		}
		rows, next, more = docs, pg.Next, pg.More
	} else {
		docs, pg, err := grantKind.Page(ctx, p.Store, store.Query{PK: keys.UserGrants(by.ID, o.ID), After: after, Limit: limit})
		if err != nil {
			return nil, "", false, err
		}
		var wanted []store.Key
		for _, g := range docs {
			if projectID == "" || g.Value.Project == projectID {
				wanted = append(wanted, keys.StackRow(o.ID, g.Value.Project, strings.TrimPrefix(g.SK, "stack/")))
			}
		}
		items, err := p.Store.BatchGet(ctx, wanted)
		if err != nil {
			return nil, "", false, err
		}
		for _, i := range items {
			d, err := rowKind.Decode(i)
			if err != nil {
				return nil, "", false, err
			}
			if d.Exists() {
				rows = append(rows, d)
			}
		}
		next, more = pg.Next, pg.More
	}
	if f.TagName != "" {
		if rows, err = tagged(ctx, p, rows, f); err != nil {
			return nil, "", false, err
		}
	}
	for _, r := range rows {
		s := Summary{ID: idOfRow(r.Key), Organization: o.Name, Project: r.Value.ProjectName, Name: r.Value.Name, Resources: r.Value.Resources}
		if !r.Value.UpdatedAt.IsZero() {
			s.UpdatedAt = r.Value.UpdatedAt.Unix()
		}
		out = append(out, s)
	}
	return out, next, more, nil
}

func idOfRow(k store.Key) string { return k.SK[strings.LastIndexByte(k.SK, '/')+1:] }

// tagged keeps the rows whose stack has the wanted tag; tags stand in the heads.
func tagged(ctx context.Context, p ports.Ports, rows []store.Doc[row], f Filter) ([]store.Doc[row], error) {
	heads := make([]store.Key, len(rows))
	for i, r := range rows {
		heads[i] = keys.StackHead(idOfRow(r.Key))
	}
	items, err := p.Store.BatchGet(ctx, heads)
	if err != nil {
		return nil, err
	}
	var kept []store.Doc[row]
	for i, it := range items {
		d, err := kind.Decode(it)
		if err != nil {
			return nil, err
		}
		if v, ok := d.Value.Tags[f.TagName]; ok && (f.TagValue == "" || v == f.TagValue) {
			kept = append(kept, rows[i])
		}
	}
	return kept, nil
}

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
