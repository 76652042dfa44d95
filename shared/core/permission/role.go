package permission

import (
	"slices"
	"strings"
)

// Role names a set of verbs. Roles are data: a dialect's own roles are listed here, so that one decision serves all dialects.
type Role string

// The roles of an organization.
const (
	OrganizationOwner  Role = "organization-admin"
	OrganizationMember Role = "organization-member"

	// OrganizationBiller sees what the organization consumes, and no stack that is not granted.
	OrganizationBiller Role = "organization-billing"

	// OrganizationGuest knows that the organization exists. It is what a custom role adds to: it replaces the member role.
	OrganizationGuest Role = "organization-guest"

	// OrganizationCollaborator sees the stacks that were granted, and nothing of the organization.
	OrganizationCollaborator Role = "organization-collaborator"

	// TeamLead is held on a team by those who lead it.
	TeamLead Role = "team-lead"
)

// The roles on a stack (Pulumi's stack permissions 101 to 104; creator counts as admin).
const (
	StackNone    Role = "stack-none" // named, and worth nothing
	StackReader  Role = "stack-reader"
	StackWriter  Role = "stack-writer"
	StackManager Role = "stack-admin"
	StackCreator Role = "stack-creator"
)

var (
	reads  = []Verb{StackRead}
	writes = slices.Concat(reads, []Verb{StackUpdate, StackEncrypt, StackDecrypt})
	admins = slices.Concat(writes, []Verb{StackAdmin})

	verbs = map[Role][]Verb{
		OrganizationOwner: slices.Concat(admins, []Verb{
			OrganizationRead, OrganizationAdmin, OrganizationUsage, MemberAdmin, TeamAdmin, TeamUpdate, TokenAdmin, RoleAdmin, StackCreate,
		}),
		OrganizationMember:       {OrganizationRead, StackCreate},
		OrganizationBiller:       {OrganizationRead, OrganizationUsage},
		OrganizationGuest:        {OrganizationRead},
		OrganizationCollaborator: {},
		TeamLead:                 {TeamUpdate},
		StackNone:                {},
		StackReader:              reads,
		StackWriter:              writes,
		StackManager:             admins,
		StackCreator:             admins,
	}
)

// custom begins a role that is written as the verbs it grants.
const custom = "="

// Custom is the role that grants exactly these verbs.
func Custom(vs ...Verb) Role {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = string(v)
	}
	return Role(custom + strings.Join(names, ","))
}

// Known reports whether the role exists.
func (r Role) Known() bool { _, ok := verbs[r]; return ok || strings.HasPrefix(string(r), custom) }

// Verbs returns what the role grants; the slice must not be changed.
func (r Role) Verbs() []Verb {
	names, ok := strings.CutPrefix(string(r), custom)
	if !ok || names == "" {
		return verbs[r]
	}
	var out []Verb
	for name := range strings.SplitSeq(names, ",") {
		out = append(out, Verb(name))
	}
	return out
}
