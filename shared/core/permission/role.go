package permission

import "slices"

// Role names a set of verbs. Roles are data: a dialect's own roles are listed here, so that one decision serves all dialects.
type Role string

// The roles of an organization.
const (
	OrganizationOwner  Role = "organization-admin"
	OrganizationMember Role = "organization-member"
)

// The roles on a stack (Pulumi's stack permissions 101 to 104; creator counts as admin).
const (
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
		OrganizationOwner:  slices.Concat(admins, []Verb{OrganizationRead, OrganizationAdmin, StackCreate}),
		OrganizationMember: {OrganizationRead, StackCreate},
		StackReader:        reads,
		StackWriter:        writes,
		StackManager:       admins,
		StackCreator:       admins,
	}
)

// Known reports whether the role exists.
func (r Role) Known() bool { _, ok := verbs[r]; return ok }

// Verbs returns what the role grants; the slice must not be changed.
func (r Role) Verbs() []Verb { return verbs[r] }
