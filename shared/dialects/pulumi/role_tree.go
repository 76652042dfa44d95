package pulumi

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// scopeGroup is what one verb of the core means in the vendor's permissions. A role has the verb when it lists all of them, so that it never
// grants more than it says.
type scopeGroup struct {
	verb     permission.Verb
	resource string // the vendor's type of resource
	name     string // of the vendor's group
	scopes   []string
	means    string
}

var scopeGroups = []scopeGroup{
	{permission.StackRead, "stack", "Stacks", []string{"stack:read"}, "See a stack: its state, history and events."},
	{permission.StackUpdate, "stack", "Stacks", []string{"stack:write"}, "Change a stack: updates, previews, tags, import, cancel."},
	{permission.StackEncrypt, "stack", "Stacks", []string{"stack:encrypt"}, "Encrypt values for a stack."},
	{permission.StackDecrypt, "stack", "Stacks", []string{"stack:decrypt"}, "Decrypt values of a stack."},
	{permission.StackAdmin, "stack", "Stack management",
		[]string{"stack:delete", "stack:rename", "stack:transfer", "stack_access:update"}, "Together: delete, rename and transfer a stack, and say who may do what on it."},
	{permission.StackCreate, "organization", "Organization", []string{"stack:create"}, "Create stacks."},
	{permission.OrganizationUsage, "organization", "Organization", []string{"organization:read_usage"}, "See what the organization consumes."},
	{permission.OrganizationAdmin, "organization", "Organization",
		[]string{"organization:update", "audit_logs:read", "audit_logs:export"}, "Together: the organization's settings, hooks, policies and audit log."},
	{permission.MemberAdmin, "organization", "Membership",
		[]string{"org_member:add", "org_member:update", "org_member:delete", "org_member:set_admin"}, "Together: add, change and remove members."},
	{permission.TeamAdmin, "organization", "Teams",
		[]string{"team:create", "team:update", "team:delete"}, "Together: make and delete teams and give them stacks and roles."},
	{permission.TeamUpdate, "organization", "Teams",
		[]string{"team:update", "team:create_token", "team:list_tokens", "team:delete_token"}, "Together: a team's people, words and tokens."},
	{permission.TokenAdmin, "organization", "Organization access tokens",
		[]string{"org_token:read", "org_token:create", "org_token:delete"}, "Together: tokens of the organization."},
	{permission.RoleAdmin, "organization", "Roles",
		[]string{"role:create", "role:update", "role:delete"}, "Together: custom roles."},
}

// verbsOf are the verbs that a list of permissions grants.
func verbsOf(listed []string) (out []permission.Verb) {
	for _, g := range scopeGroups {
		if !slices.ContainsFunc(g.scopes, func(s string) bool { return !slices.Contains(listed, s) }) {
			out = append(out, g.verb)
		}
	}
	return out
}

// allowing is the tree that grants what a core role does.
func allowing(r permission.Role) json.RawMessage {
	listed := []string{}
	for _, g := range scopeGroups {
		if !slices.Contains(r.Verbs(), g.verb) {
			continue
		}
		for _, s := range g.scopes {
			if !slices.Contains(listed, s) {
				listed = append(listed, s)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"__type": "PermissionDescriptorAllow", "permissions": listed})
	if err != nil {
		panic("pulumi: a list of texts that JSON cannot hold: " + err.Error())
	}
	return text
}

type rbacScope struct {
	Name     string `json:"name"`
	Metadata struct {
		Description string `json:"description"`
	} `json:"metadata"`
}

type rbacScopeGroup struct {
	Name   string      `json:"name"`
	Scopes []rbacScope `json:"scopes"`
}

type scopesOut struct {
	Body map[string][]rbacScopeGroup
}

type scopesIn struct {
	Organization string `path:"orgName"`
}

// listAvailableScopes lists the permissions that mean something here, by type of resource.
func (d dialect) listAvailableScopes(context.Context, *scopesIn) (*scopesOut, error) {
	out := &scopesOut{Body: map[string][]rbacScopeGroup{}}
	for _, g := range scopeGroups {
		groups := out.Body[g.resource]
		at := slices.IndexFunc(groups, func(o rbacScopeGroup) bool { return o.Name == g.name })
		if at < 0 {
			at, groups = len(groups), append(groups, rbacScopeGroup{Name: g.name})
		}
		for _, s := range g.scopes {
			if slices.ContainsFunc(groups[at].Scopes, func(o rbacScope) bool { return o.Name == s }) {
				continue
			}
			w := rbacScope{Name: s}
			w.Metadata.Description = g.means
			groups[at].Scopes = append(groups[at].Scopes, w)
		}
		out.Body[g.resource] = groups
	}
	return out, nil
}

// node is any node of the vendor's trees, of permissions and of expressions alike.
type node struct {
	Type string `json:"__type"`

	Permissions           []string     `json:"permissions"`
	Entries               []node       `json:"entries"`
	PermissionDescriptors []string     `json:"permissionDescriptors"`
	Condition             *node        `json:"condition"`
	SubNode               *node        `json:"subNode"`
	SubNodeForTrue        *node        `json:"subNodeForTrue"`
	SubNodeForFalse       *node        `json:"subNodeForFalse"`
	Selector              *node        `json:"selector"`
	Options               []nodeOption `json:"options"`

	Left       *node           `json:"left"`
	Right      *node           `json:"right"`
	Node       *node           `json:"node"`
	Context    *node           `json:"context"`
	Key        string          `json:"key"`
	Target     *node           `json:"target"`
	Values     json.RawMessage `json:"values"` // a set's node, or a set's texts
	Identity   string          `json:"identity"`
	Identities []string        `json:"identities"`
	Value      any             `json:"value"`
}

type nodeOption struct {
	Value *node `json:"value"`
	Node  *node `json:"node"`
}

// maxDepth bounds trees, in nodes from root to leaf.
const maxDepth = 32

func wrongTree(format string, args ...any) error { return fault.Wrong("body.details", format, args...) }

// compileDescriptor reads a tree of permissions as a rule of the core.
func compileDescriptor(text json.RawMessage) (permission.Rule, error) {
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		return permission.Rule{}, wrongTree("the details are not a tree of permissions: an object with __type is expected")
	}
	return n.rule(maxDepth)
}

func (n *node) rule(depth int) (permission.Rule, error) {
	switch {
	case n == nil:
		return permission.Rule{}, wrongTree("a node of the details has no node below it where one is needed")
	case depth == 0:
		return permission.Rule{}, wrongTree("the details are nested deeper than %d nodes", maxDepth)
	}
	switch n.Type {
	case "PermissionDescriptorAllow":
		for _, s := range n.Permissions {
			if !scopes[s] {
				return permission.Rule{}, wrongTree("there is no permission %q", s)
			}
		}
		return permission.Rule{Allow: verbsOf(n.Permissions)}, nil
	case "PermissionDescriptorGroup":
		var out permission.Rule
		for i := range n.Entries {
			r, err := n.Entries[i].rule(depth - 1)
			if err != nil {
				return out, err
			}
			out.Of = append(out.Of, r)
		}
		return out, nil
	case "PermissionDescriptorCompose":
		var out permission.Rule
		for _, id := range n.PermissionDescriptors {
			at := slices.IndexFunc(allBuiltIn(), func(b builtIn) bool { return b.id == id })
			if at < 0 {
				return out, wrongTree("PermissionDescriptorCompose takes built-in roles and sets only, and %q is none: list its permissions instead", id)
			}
			out.Allow = append(out.Allow, allBuiltIn()[at].role.Verbs()...)
		}
		return out, nil
	case "PermissionDescriptorCondition":
		return branch(n.Condition, n.SubNode, false, depth)
	case "PermissionDescriptorIfThenElse":
		return n.either(depth)
	case "PermissionDescriptorSelect":
		var out permission.Rule
		for _, o := range n.Options {
			r, err := branch(&node{Type: "PermissionExpressionEqual", Left: n.Selector, Right: o.Value}, o.Node, false, depth)
			if err != nil {
				return out, err
			}
			out.Of = append(out.Of, r)
		}
		return out, nil
	}
	return permission.Rule{}, wrongTree("there is no kind of permissions %q", n.Type)
}

// branch is a node that counts where a condition holds, or where it does not.
func branch(condition, below *node, negated bool, depth int) (permission.Rule, error) {
	c, err := condition.condition(depth - 1)
	if err != nil {
		return permission.Rule{}, err
	}
	if negated {
		c = permission.Condition{Test: permission.Not, Of: []permission.Condition{c}}
	}
	r, err := below.rule(depth - 1)
	return permission.Rule{If: &c, Of: []permission.Rule{r}}, err
}

func (n *node) either(depth int) (permission.Rule, error) {
	var out permission.Rule
	for _, b := range []struct {
		below   *node
		negated bool
	}{{n.SubNodeForTrue, false}, {n.SubNodeForFalse, true}} {
		if b.below == nil {
			continue
		}
		r, err := branch(n.Condition, b.below, b.negated, depth)
		if err != nil {
			return out, err
		}
		out.Of = append(out.Of, r)
	}
	return out, nil
}
