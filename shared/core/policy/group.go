package policy

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// CreateGroup makes a group that holds nothing. A taken name is fault.Conflict.
func CreateGroup(ctx context.Context, p ports.Ports, o organization.Organization, called string, mode Mode, label string) error {
	if err := checkGroupName("body.name", called); err != nil {
		return err
	}
	taken := fault.New(fault.Conflict, "policy group %q already exists", called).WithReason("already-exists")
	if called == DefaultGroup {
		return taken
	}
	g := Group{ID: p.NewID(), Name: called, Mode: mode, Label: label, Created: p.Now()}
	named := groupNameKind.Create(keys.PolicyGroupName(o.ID, called), groupName{ID: g.ID})
	err := p.Store.Write(ctx, groupKind.Create(keys.PolicyGroup(o.ID, g.ID), g), named,
		audit.Record(ctx, p, o.ID, "policy-group-created", "created policy group %s", called))
	if c := store.AsConflict(err); c != nil && c.On(named.Item.Key) {
		return taken
	}
	return err
}

func checkGroupName(field, called string) error {
	if !groupText.MatchString(called) {
		return fault.Wrong(field, "policy group name %q must be 1 to 100 letters, digits, '-', '_', '.' or spaces, and neither begin nor end with a space", called)
	}
	if called == "metadata" {
		return fault.Wrong(field, "no policy group can be called %q: its address means something else", called)
	}
	return nil
}

// defaultGroup is the default group as long as nobody changed it.
func defaultGroup() Group {
	return Group{ID: defaultID, Name: DefaultGroup, Mode: Preventative, Label: "stacks"}
}

// groupOf returns the group of an id. The default group is there even when it is not kept.
func groupOf(ctx context.Context, p ports.Ports, organization, id string) (store.Doc[Group], error) {
	d, err := groupKind.Get(ctx, p.Store, keys.PolicyGroup(organization, id))
	if errors.Is(err, store.ErrNotFound) && id == defaultID {
		return store.Doc[Group]{Key: keys.PolicyGroup(organization, id), Value: defaultGroup()}, nil
	}
	return d, err
}

// findGroup returns the group of a name, or fault.NotFound.
func findGroup(ctx context.Context, p ports.Ports, organization, called string) (store.Doc[Group], error) {
	if called == DefaultGroup {
		return groupOf(ctx, p, organization, defaultID)
	}
	absent := fault.Missing("policy group %q not found", called)
	if !groupText.MatchString(called) {
		return store.Doc[Group]{}, absent
	}
	n, err := groupNameKind.Get(ctx, p.Store, keys.PolicyGroupName(organization, called))
	if err == nil {
		var d store.Doc[Group]
		if d, err = groupOf(ctx, p, organization, n.Value.ID); err == nil {
			return d, nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.Doc[Group]{}, absent
	}
	return store.Doc[Group]{}, err
}

// allGroups returns every group, the default one first and the others in order of name.
func allGroups(ctx context.Context, p ports.Ports, organization string) ([]Group, error) {
	docs, err := groupKind.All(ctx, p.Store, store.Query{PK: keys.PolicyGroups(organization)}, maxGroups)
	if err != nil {
		return nil, err
	}
	out := make([]Group, 0, len(docs)+1)
	for _, d := range docs {
		out = append(out, d.Value)
	}
	if !slices.ContainsFunc(out, Group.IsDefault) {
		out = append(out, defaultGroup())
	}
	slices.SortFunc(out, func(a, b Group) int {
		if a.IsDefault() != b.IsDefault() {
			return map[bool]int{true: -1, false: 1}[a.IsDefault()]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

// Counted is a group with the number of its stacks.
type Counted struct {
	Group
	Stacks int
}

// Groups returns every group of an organization, the default one first and the others in order of name.
func Groups(ctx context.Context, p ports.Ports, organization string) ([]Counted, error) {
	groups, err := allGroups(ctx, p, organization)
	if err != nil {
		return nil, err
	}
	members, err := membershipKind.All(ctx, p.Store, store.Query{PK: keys.PolicyMemberships(organization)}, maxMembers)
	if err != nil {
		return nil, err
	}
	total, _, err := stack.CountResources(ctx, p, organization)
	if err != nil {
		return nil, err
	}
	number := map[string]int{}
	elsewhere := 0 // stacks that are not in the default group
	for _, m := range members {
		in := 0
		for _, g := range groups {
			if slices.Contains(m.Value.Groups, g.ID) {
				number[g.ID]++
				in++
			}
		}
		if in > 0 && !slices.Contains(m.Value.Groups, defaultID) {
			elsewhere++
		}
	}
	number[defaultID] = max(total-elsewhere, 0)
	out := make([]Counted, len(groups))
	for i, g := range groups {
		out[i] = Counted{Group: g, Stacks: number[g.ID]}
	}
	return out, nil
}

// Member is a stack that was added to a group.
type Member struct{ Project, Name string }

// FindGroup returns a group by name, with the stacks that were added to it by name, in that order; or fault.NotFound. The stacks that are
// in the default group because they are in no other are not among them.
func FindGroup(ctx context.Context, p ports.Ports, organization, called string) (Group, []Member, error) {
	g, err := findGroup(ctx, p, organization, called)
	if err != nil {
		return Group{}, nil, err
	}
	ids, err := added(ctx, p, organization, g.Value.ID)
	if err != nil || len(ids) == 0 {
		return g.Value, nil, err
	}
	stacks, err := stacksOf(ctx, p, organization, ids)
	if err != nil {
		return Group{}, nil, err
	}
	var out []Member
	for _, s := range stacks {
		out = append(out, Member{Project: s.ProjectName, Name: s.Name})
	}
	slices.SortFunc(out, func(a, b Member) int {
		return strings.Compare(a.Project+"/"+a.Name, b.Project+"/"+b.Name)
	})
	return g.Value, out, nil
}

// stacksOf returns those of the stacks of these ids that are the organization's, in order of the ids. What was kept of a stack may tell of
// one that was deleted or transferred a moment ago.
func stacksOf(ctx context.Context, p ports.Ports, organization string, ids []string) ([]stack.Stack, error) {
	docs, err := stack.Heads(ctx, p, ids)
	if err != nil {
		return nil, err
	}
	out := make([]stack.Stack, 0, len(docs))
	for _, d := range docs {
		if d.Exists() && !d.Value.Deleted && d.Value.Organization == organization {
			out = append(out, d.Value)
		}
	}
	return out, nil
}

// added are the ids of the stacks that were added to a group.
func added(ctx context.Context, p ports.Ports, organization, group string) ([]string, error) {
	members, err := membershipKind.All(ctx, p.Store, store.Query{PK: keys.PolicyMemberships(organization)}, maxMembers)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range members {
		if slices.Contains(m.Value.Groups, group) {
			out = append(out, m.SK)
		}
	}
	return out, nil
}

// GroupsOf returns the groups that a stack is in.
func GroupsOf(ctx context.Context, p ports.Ports, s stack.Stack) ([]Group, error) {
	org := s.Organization
	store.Prefetch(ctx, p.Store, keys.PolicyMembership(org, s.ID), keys.PolicyGroup(org, defaultID))
	m, err := membershipKind.Get(ctx, p.Store, keys.PolicyMembership(org, s.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	wanted := make([]store.Key, len(m.Value.Groups))
	for i, id := range m.Value.Groups {
		wanted[i] = keys.PolicyGroup(org, id)
	}
	store.Prefetch(ctx, p.Store, wanted...)
	var out []Group
	for _, id := range m.Value.Groups {
		g, err := groupOf(ctx, p, org, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted, and its memberships are not purged yet
		}
		if err != nil {
			return nil, err
		}
		out = append(out, g.Value)
	}
	if len(out) == 0 {
		g, err := groupOf(ctx, p, org, defaultID)
		return []Group{g.Value}, err
	}
	return out, nil
}

// Dissolved is the data of the event policy-group.deleted.
type Dissolved struct {
	Organization string `json:"organization"` // id
	Group        string `json:"group"`        // id
	Name         string `json:"name"`
}

// DeleteGroup removes a group other than the default one. Its stacks are in their other groups from then on, or in the default group.
func DeleteGroup(ctx context.Context, p ports.Ports, o organization.Organization, called string) error {
	if called == DefaultGroup {
		return fault.New(fault.Invalid, "the default policy group cannot be deleted")
	}
	return again(ctx, func(ctx context.Context) error {
		g, err := findGroup(ctx, p, o.ID, called)
		if err != nil {
			return err
		}
		n, err := groupNameKind.Get(ctx, p.Store, keys.PolicyGroupName(o.ID, called))
		if err != nil {
			return err
		}
		w := newWork(p, o, g)
		for _, a := range g.Value.Packs {
			if err := w.release(ctx, a); err != nil {
				return err
			}
		}
		return p.Store.Write(ctx, append(w.packChanges(), g.Delete(), n.Delete(),
			event.New(p, o.ID, "policy-group.deleted", Dissolved{Organization: o.ID, Group: g.Value.ID, Name: called}),
			audit.Record(ctx, p, o.ID, "policy-group-deleted", "deleted policy group %s", called))...)
	})
}

// PurgeDissolved is the consumer of policy-group.deleted: it takes the group out of its stacks' memberships.
func PurgeDissolved(p ports.Ports) event.Consumer {
	return func(ctx context.Context, e event.Event) error {
		var d Dissolved
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		ids, err := added(ctx, p, d.Organization, d.Group)
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := again(ctx, func(ctx context.Context) error {
				m, err := membershipKind.Get(ctx, p.Store, keys.PolicyMembership(d.Organization, id))
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				return p.Store.Write(ctx, without(m, d.Group))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// without is the change that takes a group out of a membership, and the membership away with its last group.
func without(m store.Doc[membership], group string) store.Change {
	m.Value.Groups = slices.DeleteFunc(slices.Clone(m.Value.Groups), func(id string) bool { return id == group })
	if len(m.Value.Groups) == 0 {
		return m.Delete()
	}
	return membershipKind.Replace(m)
}

// CountedOf returns the groups that a stack is in, as Groups tells of them.
func CountedOf(ctx context.Context, p ports.Ports, s stack.Stack) ([]Counted, error) {
	mine, err := GroupsOf(ctx, p, s)
	if err != nil {
		return nil, err
	}
	all, err := Groups(ctx, p, s.Organization)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Counted) bool {
		return !slices.ContainsFunc(mine, func(g Group) bool { return g.ID == c.ID })
	}), nil
}
