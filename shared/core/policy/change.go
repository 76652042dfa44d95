package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Change is one way in which a group becomes another; fields that are nil change nothing. Of several set ones the group's name is changed
// first and its stacks before its packs.
type Change struct {
	Field string // where the change stands in the request, "body" or "body[2]"

	Name        *string
	Stacks      *[]Member // instead of those that were added
	AddStack    *Member
	RemoveStack *Member
	Packs       *[]Enabling // instead of those that are enabled
	AddPack     *Enabling
	RemovePack  *Enabling
}

// Enabling names a version of a pack and how it is enforced. Without tag and number it is the newest version; of a pack to remove it is the
// one that is enabled.
type Enabling struct {
	Name         string
	Tag          string
	Number       int64
	Config       map[string]json.RawMessage // by policy; enforcementLevel in it sets the level
	Environments []string
}

// ChangeGroup makes changes to a group, in order, all or none. What is added replaces what is there, configuration included.
func ChangeGroup(ctx context.Context, p ports.Ports, o organization.Organization, called string, changes []Change) error {
	return again(ctx, func(ctx context.Context) error {
		prefetch(ctx, p, o.ID, called, changes)
		g, err := findGroup(ctx, p, o.ID, called)
		if err != nil {
			return err
		}
		w := newWork(p, o, g)
		for _, c := range changes {
			if err := w.apply(ctx, c); err != nil {
				return err
			}
		}
		return w.write(ctx, called)
	})
}

// prefetch reads in one round trip what the changes name.
func prefetch(ctx context.Context, p ports.Ports, organization, called string, changes []Change) {
	wanted := []store.Key{keys.PolicyGroup(organization, defaultID)}
	if called != DefaultGroup && groupText.MatchString(called) {
		wanted = append(wanted, keys.PolicyGroupName(organization, called))
	}
	for _, c := range changes {
		for _, m := range []*Member{c.AddStack, c.RemoveStack} {
			if m != nil && stack.NamePattern.MatchString(m.Name) && stack.NamePattern.MatchString(m.Project) {
				wanted = append(wanted, keys.StackName(organization, m.Project, m.Name))
			}
		}
		for _, e := range []*Enabling{c.AddPack, c.RemovePack} {
			if e != nil && packName.MatchString(e.Name) {
				wanted = append(wanted, keys.PolicyPack(organization, e.Name), keys.OrganizationKey(organization))
			}
		}
	}
	store.Prefetch(ctx, p.Store, wanted...)
}

// work is a group on its way, with what must be written together with it.
type work struct {
	ports.Ports
	org     organization.Organization
	group   store.Doc[Group]
	packs   map[string]*store.Doc[Pack]       // by name
	members map[string]*store.Doc[membership] // by stack id
	alive   map[string]store.Change           // stacks that must still be called as they are
	names   []store.Change                    // old and new name item
}

func newWork(p ports.Ports, o organization.Organization, g store.Doc[Group]) *work {
	g.Value.Packs = slices.Clone(g.Value.Packs)
	return &work{
		Ports: p, org: o, group: g, packs: map[string]*store.Doc[Pack]{},
		members: map[string]*store.Doc[membership]{}, alive: map[string]store.Change{},
	}
}

func (w *work) apply(ctx context.Context, c Change) error {
	if c.Name != nil {
		if err := w.rename(ctx, *c.Name, c.Field+".newName"); err != nil {
			return err
		}
	}
	if c.Stacks != nil {
		if err := w.setStacks(ctx, *c.Stacks, c.Field+".stacks"); err != nil {
			return err
		}
	}
	if c.AddStack != nil {
		if err := w.addStack(ctx, *c.AddStack, c.Field+".addStack"); err != nil {
			return err
		}
	}
	if c.RemoveStack != nil {
		if err := w.removeStack(ctx, *c.RemoveStack, c.Field+".removeStack"); err != nil {
			return err
		}
	}
	if c.Packs != nil {
		if err := w.setPacks(ctx, *c.Packs, c.Field+".policyPacks"); err != nil {
			return err
		}
	}
	if c.AddPack != nil {
		if err := w.enable(ctx, *c.AddPack, c.Field+".addPolicyPack"); err != nil {
			return err
		}
	}
	if c.RemovePack != nil {
		return w.disable(ctx, *c.RemovePack)
	}
	return nil
}

func (w *work) rename(ctx context.Context, called, field string) error {
	if w.group.Value.IsDefault() {
		return fault.Wrong(field, "the default policy group cannot be renamed")
	}
	if err := checkGroupName(field, called); err != nil {
		return err
	}
	if called == w.group.Value.Name {
		return nil
	}
	if len(w.names) > 0 {
		return fault.Wrong(field, "a policy group is renamed once in a request")
	}
	old, err := groupNameKind.Get(ctx, w.Store, keys.PolicyGroupName(w.org.ID, w.group.Value.Name))
	if err != nil {
		return err
	}
	_, err = groupNameKind.Get(ctx, w.Store, keys.PolicyGroupName(w.org.ID, called))
	if err == nil || called == DefaultGroup {
		return fault.New(fault.Conflict, "policy group %q already exists", called).WithReason("already-exists")
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	w.group.Value.Name = called
	w.names = []store.Change{old.Delete(), groupNameKind.Create(keys.PolicyGroupName(w.org.ID, called), groupName{ID: w.group.Value.ID})}
	return nil
}

// find returns the head of the stack that a request names.
func (w *work) find(ctx context.Context, m Member, field string) (stack.Stack, error) {
	if m.Project == "" {
		return stack.Stack{}, fault.Wrong(field+".routingProject", "name the stack's project: a stack is written project/stack")
	}
	s, err := stack.Find(ctx, w.Ports, w.org.ID, m.Project, m.Name)
	return s.Value, err
}

// member returns the membership of a stack as it is on the way to be.
func (w *work) member(ctx context.Context, id string) (*store.Doc[membership], error) {
	if m := w.members[id]; m != nil {
		return m, nil
	}
	at := keys.PolicyMembership(w.org.ID, id)
	m, err := membershipKind.Get(ctx, w.Store, at)
	if errors.Is(err, store.ErrNotFound) {
		m, err = store.Doc[membership]{Key: at}, nil
	}
	if err != nil {
		return nil, err
	}
	m.Value.Groups = slices.Clone(m.Value.Groups)
	w.members[id] = &m
	return &m, nil
}

func (w *work) addStack(ctx context.Context, m Member, field string) error {
	s, err := w.find(ctx, m, field)
	if err != nil {
		return err
	}
	if w.alive[s.ID], err = stack.Alive(ctx, w.Ports, s); err != nil {
		return err
	}
	d, err := w.member(ctx, s.ID)
	if err == nil && !slices.Contains(d.Value.Groups, w.group.Value.ID) {
		d.Value.Groups = append(d.Value.Groups, w.group.Value.ID)
	}
	return err
}

func (w *work) removeStack(ctx context.Context, m Member, field string) error {
	s, err := w.find(ctx, m, field)
	if err != nil {
		return err
	}
	d, err := w.member(ctx, s.ID)
	if err != nil {
		return err
	}
	i := slices.Index(d.Value.Groups, w.group.Value.ID)
	switch {
	case i < 0 && w.group.Value.IsDefault():
		return fault.Wrong(field, "stack %s/%s was not added to the default policy group: it leaves that by being added to another one", m.Project, m.Name)
	case i < 0:
		return fault.Missing("stack %s/%s is not in policy group %q", m.Project, m.Name, w.group.Value.Name)
	}
	d.Value.Groups = slices.Delete(d.Value.Groups, i, i+1)
	return nil
}

func (w *work) setStacks(ctx context.Context, wanted []Member, field string) error {
	have, err := added(ctx, w.Ports, w.org.ID, w.group.Value.ID)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for i, m := range wanted {
		at := fmt.Sprintf("%s[%d]", field, i)
		s, err := w.find(ctx, m, at)
		if err != nil {
			return err
		}
		keep[s.ID] = true
		if !slices.Contains(have, s.ID) {
			if err := w.addStack(ctx, m, at); err != nil {
				return err
			}
		}
	}
	for _, id := range have {
		if keep[id] {
			continue
		}
		d, err := w.member(ctx, id)
		if err != nil {
			return err
		}
		d.Value.Groups = slices.DeleteFunc(d.Value.Groups, func(g string) bool { return g == w.group.Value.ID })
	}
	return nil
}

// pack returns the head of a pack as it is on the way to be.
func (w *work) pack(ctx context.Context, name string) (*store.Doc[Pack], error) {
	if d := w.packs[name]; d != nil {
		return d, nil
	}
	d, err := packOf(ctx, w.Ports, w.org.ID, name)
	if err != nil {
		return nil, err
	}
	d.Value.Versions = slices.Clone(d.Value.Versions)
	w.packs[name] = &d
	return &d, nil
}

func (w *work) enable(ctx context.Context, e Enabling, field string) error {
	d, err := w.pack(ctx, e.Name)
	if err != nil {
		return err
	}
	i, err := d.Value.meant(e)
	if err != nil {
		return err
	}
	v := d.Value.Versions[i]
	about, err := published(ctx, w.Ports, w.org.ID, d.Value, v)
	if err != nil {
		return err
	}
	if err := checkConfig(about.Policies, e.Config, field+".config"); err != nil {
		return err
	}
	if len(e.Environments) > maxEnvironments {
		return fault.Wrong(field+".environments", "a policy pack takes at most %d environments", maxEnvironments)
	}
	a := Applied{
		Pack: d.Value.ID, Version: v.ID, Name: e.Name, DisplayName: about.DisplayName, Number: v.Number, Tag: v.Tag,
		Config: e.Config, Environments: e.Environments,
	}
	if w.group.Value.Mode == Audit {
		if a.Enforced, err = reporting(about.Policies, e.Config); err != nil {
			return err
		}
	}
	packs := w.group.Value.Packs
	at := slices.IndexFunc(packs, func(o Applied) bool { return o.Name == e.Name })
	switch {
	case at >= 0:
		if err := w.release(ctx, packs[at]); err != nil {
			return err
		}
		packs[at] = a
	case len(packs) >= maxGroupPacks:
		return fault.Wrong(field, "a policy group has at most %d policy packs", maxGroupPacks)
	default:
		w.group.Value.Packs = append(packs, a)
	}
	users := &d.Value.Versions[i].Groups
	*users = append(slices.Clone(*users), w.group.Value.ID)
	return nil
}

// meant is the position of the complete version that a request means.
func (pk Pack) meant(e Enabling) (int, error) {
	called, ok := e.Tag, true
	if called == "" && e.Number != 0 {
		called = strconv.FormatInt(e.Number, 10)
		if i := slices.IndexFunc(pk.Versions, func(v Version) bool { return v.Number == e.Number && v.Complete }); i >= 0 {
			return i, nil
		}
	}
	i, err := 0, error(nil)
	if called == "" {
		if i, ok = pk.newest(); !ok {
			return 0, fault.Missing("policy pack %q has no published version", pk.Name)
		}
		return i, nil
	}
	if i, err = pk.find(called); err != nil {
		return 0, err
	}
	if !pk.Versions[i].Complete {
		return 0, missingVersion(pk.Name, called)
	}
	return i, nil
}

// release takes the group out of the users of a version.
func (w *work) release(ctx context.Context, a Applied) error {
	d, err := w.pack(ctx, a.Name)
	if err != nil {
		return err
	}
	for i, v := range d.Value.Versions {
		if v.ID == a.Version {
			d.Value.Versions[i].Groups = slices.DeleteFunc(slices.Clone(v.Groups), func(g string) bool { return g == w.group.Value.ID })
		}
	}
	return nil
}

func (w *work) disable(ctx context.Context, e Enabling) error {
	packs := w.group.Value.Packs
	at := slices.IndexFunc(packs, func(a Applied) bool {
		is := e.Tag == "" || e.Tag == a.Tag || e.Tag == strconv.FormatInt(a.Number, 10)
		if e.Tag == "" && e.Number != 0 {
			is = e.Number == a.Number || a.Tag == strconv.FormatInt(e.Number, 10)
		}
		return a.Name == e.Name && is
	})
	if at < 0 {
		return fault.Missing("policy pack %q is not enabled in policy group %q in that version", e.Name, w.group.Value.Name)
	}
	if err := w.release(ctx, packs[at]); err != nil {
		return err
	}
	w.group.Value.Packs = slices.Delete(packs, at, at+1)
	return nil
}

func (w *work) setPacks(ctx context.Context, wanted []Enabling, field string) error {
	for _, a := range w.group.Value.Packs {
		if err := w.release(ctx, a); err != nil {
			return err
		}
	}
	w.group.Value.Packs = nil
	for i, e := range wanted {
		if err := w.enable(ctx, e, fmt.Sprintf("%s[%d]", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// packChanges are the changes of the packs whose users changed.
func (w *work) packChanges() []store.Change {
	var out []store.Change
	for _, name := range slices.Sorted(maps.Keys(w.packs)) {
		out = append(out, packKind.Replace(*w.packs[name]))
	}
	return out
}

func (w *work) write(ctx context.Context, called string) error {
	changes := append(w.names, w.packChanges()...)
	if w.group.Exists() {
		changes = append(changes, groupKind.Replace(w.group))
	} else {
		changes = append(changes, groupKind.Create(w.group.Key, w.group.Value))
	}
	for _, id := range slices.Sorted(maps.Keys(w.members)) {
		m := *w.members[id]
		switch {
		case len(m.Value.Groups) == 0 && m.Exists():
			changes = append(changes, m.Delete())
		case len(m.Value.Groups) > 0 && m.Exists():
			changes = append(changes, membershipKind.Replace(m))
		case len(m.Value.Groups) > 0:
			changes = append(changes, membershipKind.Create(m.Key, m.Value))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.alive)) {
		changes = append(changes, w.alive[id])
	}
	changes = append(changes, audit.Record(ctx, w.Ports, w.org.ID, "policy-group-updated", "changed policy group %s", called))
	if len(changes) > store.MaxCoreChanges {
		return fault.New(fault.TooLarge, "the request changes more than can be changed at once: send fewer stacks and policy packs in one request")
	}
	err := w.Store.Write(ctx, changes...)
	var limit *store.LimitError
	if errors.As(err, &limit) {
		return fault.New(fault.TooLarge, "the configuration of the policy group's packs is larger than %d KB", store.MaxItemBytes>>10)
	}
	return err
}
