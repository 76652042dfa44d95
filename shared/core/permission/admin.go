package permission

import "slices"

// ForOrganizationAdmins reports whether of all roles only that of an organization's administrator grants the verb.
func (v Verb) ForOrganizationAdmins() bool {
	for r, vs := range verbs {
		if r != OrganizationOwner && slices.Contains(vs, v) {
			return false
		}
	}
	return slices.Contains(verbs[OrganizationOwner], v)
}

// ForStackAdmins reports whether on a stack only its administrators hold the verb: who may change the stack does not.
func (v Verb) ForStackAdmins() bool {
	return slices.Contains(verbs[StackManager], v) && !slices.Contains(verbs[StackWriter], v)
}
