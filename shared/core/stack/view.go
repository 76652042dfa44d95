package stack

import (
	"context"
	"slices"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/project"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// view is what a principal sees of one organization's stacks. There are three ways to it: every row of the organization; every row, asked
// one by one, where a custom role depends on the stack; or the grants of the principal and its teams, merged.
type view struct {
	organization organization.Organization
	standing     organization.Standing
	filter       Filter
	project      string           // id, of the filter's project
	role         *permission.Rule // of the filter's role
	all          bool             // every stack may be seen
	asks         bool             // a custom role may let stacks be seen, depending on the stack
}

// newView is false where nothing can match the filter.
func newView(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, f Filter) (*view, bool, error) {
	standing, err := organization.StandingOf(ctx, p, by, o.ID)
	if err != nil || !standing.Within {
		return nil, false, err
	}
	v := &view{organization: o, standing: standing, filter: f}
	// What a rule grants on no stack in particular it grants on every stack.
	v.all = standing.Grants(o, permission.Subject{}).Allow(permission.StackRead) ||
		standing.Role == permission.OrganizationMember && permission.Grants{o.StackRole}.Allow(permission.StackRead)
	v.asks = slices.ContainsFunc(standing.Rules, func(r permission.Rule) bool { return slices.Contains(r.Every(), permission.StackRead) })
	if f.Role != "" {
		r, err := organization.RoleOf(ctx, p, o.ID, f.Role)
		if fault.Is(err, fault.NotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		v.role = &r.Value.Rule
	}
	if f.Project != "" {
		id, _, ok, err := project.Find(ctx, p, o.ID, f.Project)
		if err != nil || !ok {
			return nil, false, err
		}
		v.project = id
	}
	return v, true, nil
}

// page returns up to limit stacks behind a position that page made.
func (v *view) page(ctx context.Context, p ports.Ports, after string, limit int) (out []Summary, next string, more bool, err error) {
	if v.all || v.asks {
		return v.rows(ctx, p, after, limit)
	}
	return v.granted(ctx, p, after, limit)
}

// rows reads one page of the organization's list.
func (v *view) rows(ctx context.Context, p ports.Ports, after string, limit int) (out []Summary, next string, more bool, err error) {
	q := store.Query{PK: keys.StackRows(v.organization.ID), After: after, Limit: limit}
	if v.project != "" {
		q.Prefix = v.project + "/"
	}
	rows, page, err := rowKind.Page(ctx, p.Store, q)
	if err != nil {
		return nil, "", false, err
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = idOfRow(r.Key)
	}
	keep, err := v.matching(ctx, p, ids)
	if err != nil {
		return nil, "", false, err
	}
	for i, r := range rows {
		if !keep[i] {
			continue
		}
		s := Summary{ID: ids[i], Organization: v.organization.Name, Project: r.Value.ProjectName, Name: r.Value.Name, Resources: r.Value.Resources}
		if !r.Value.UpdatedAt.IsZero() {
			s.UpdatedAt, s.Held = r.Value.UpdatedAt.Unix(), r.Value.Held
		}
		out = append(out, s)
	}
	return out, page.Next, page.More, nil
}

// matching tells of each stack whether it may be seen and the filter wants it. It reads only what the answer needs: the tags stand in the
// heads, the grants below the stacks.
func (v *view) matching(ctx context.Context, p ports.Ports, ids []string) ([]bool, error) {
	keep := make([]bool, len(ids))
	for i := range keep {
		keep[i] = true
	}
	var heads []store.Doc[Stack]
	if v.filter.TagName != "" || v.standing.AsksTags() && !v.all || v.role != nil && v.role.AsksTags() {
		var err error
		if heads, err = Heads(ctx, p, ids); err != nil {
			return nil, err
		}
	}
	var granted []bool
	if !v.all {
		var err error
		if granted, err = v.readable(ctx, p, ids); err != nil {
			return nil, err
		}
	}
	for i, id := range ids {
		on := permission.Subject{Stack: id}
		if heads != nil {
			on.Tags = heads[i].Value.Tags
		}
		keep[i] = v.wanted(on) && (v.all || granted[i] || v.standing.Grants(v.organization, on).Allow(permission.StackRead))
	}
	return keep, nil
}

// wanted tells whether the filter's tag and role let a stack pass.
func (v *view) wanted(on permission.Subject) bool {
	if v.filter.TagName != "" {
		if tag, ok := on.Tags[v.filter.TagName]; !ok || v.filter.TagValue != "" && tag != v.filter.TagValue {
			return false
		}
	}
	return v.role == nil || slices.Contains(v.role.Verbs(on), permission.StackRead)
}

// readable tells of each stack whether a grant lets the principal read it.
func (v *view) readable(ctx context.Context, p ports.Ports, ids []string) ([]bool, error) {
	var wanted []store.Key
	for _, id := range ids {
		for _, h := range v.standing.Holders {
			wanted = append(wanted, keys.StackGrantOf(id, h))
		}
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(ids))
	for i, it := range items {
		g, err := grantKind.Decode(it)
		if err != nil {
			return nil, err
		}
		at := i / len(v.standing.Holders)
		out[at] = out[at] || permission.Grants{g.Value.Role}.Allow(permission.StackRead)
	}
	return out, nil
}

// Heads returns the heads of the stacks of these ids, in their order and in one batch; tombstones are included, absent ones do not Exist.
func Heads(ctx context.Context, p ports.Ports, ids []string) ([]store.Doc[Stack], error) {
	wanted := make([]store.Key, len(ids))
	for i, id := range ids {
		wanted[i] = keys.StackHead(id)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]store.Doc[Stack], len(items))
	for i, it := range items {
		if out[i], err = kind.Decode(it); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// granted merges one page of the grants of all holders, each in order of stack id, without duplicates. The position is the last stack that
// was merged, so that it means the same in every holder's partition.
func (v *view) granted(ctx context.Context, p ports.Ports, after string, limit int) (out []Summary, next string, more bool, err error) {
	readable := map[string]bool{} // sort key → a grant lets it be read
	end := ""                     // no holder was read beyond this sort key; empty: all were read to their end
	for _, h := range v.standing.Holders {
		docs, page, err := grantKind.Page(ctx, p.Store, store.Query{PK: keys.HolderGrants(v.organization.ID, h), After: after, Limit: limit})
		if err != nil {
			return nil, "", false, err
		}
		for _, g := range docs {
			readable[g.SK] = readable[g.SK] || permission.Grants{g.Value.Role}.Allow(permission.StackRead)
		}
		if page.More && (end == "" || page.Next < end) {
			end = page.Next
		}
	}
	var sorted []string
	for sk := range readable {
		if end == "" || sk <= end {
			sorted = append(sorted, sk)
		}
	}
	slices.Sort(sorted)
	if len(sorted) > limit {
		sorted, end = sorted[:limit], sorted[limit-1]
	}
	var ids []string
	for _, sk := range sorted {
		if readable[sk] {
			ids = append(ids, keys.GrantedStack(sk))
		}
	}
	heads, err := Heads(ctx, p, ids)
	if err != nil {
		return nil, "", false, err
	}
	for _, d := range heads {
		s := d.Value
		if !d.Exists() || s.Deleted || s.Organization != v.organization.ID || v.project != "" && s.Project != v.project || !v.wanted(permission.Subject{Stack: s.ID, Tags: s.Tags}) {
			continue
		}
		r := rowOf(s)
		sum := Summary{ID: s.ID, Organization: v.organization.Name, Project: s.ProjectName, Name: s.Name, Resources: r.Resources}
		if !s.UpdatedAt.IsZero() {
			sum.UpdatedAt, sum.Held = s.UpdatedAt.Unix(), s.Lock != nil
		}
		out = append(out, sum)
	}
	return out, end, end != "", nil
}
