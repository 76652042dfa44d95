package keys

import "github.com/polyplane/polyplane/shared/store"

// Organization is the scope of an organization.
func Organization(id string) store.Scope { return store.Scope("organization/" + id) }

// OrganizationHead is the organization's own document.
func OrganizationHead(id string) store.Key { return head(Organization(id)) }

// Member is the organization's side of a membership; Membership is the user's.
func Member(organization, user string) store.Key {
	return in(Organization(organization), "members", user)
}

// Members is the partition of an organization's members, in order of user id.
func Members(organization string) string { return Organization(organization).Partition("members") }

// Role is a custom role of an organization.
func Role(organization, role string) store.Key { return in(Organization(organization), "roles", role) }

// Roles is the partition of an organization's custom roles, in order of creation.
func Roles(organization string) string { return Organization(organization).Partition("roles") }

// RoleName marks that a custom role has a name, without regard to case.
func RoleName(organization, name string) store.Key {
	return in(Organization(organization), "role-name/"+folded(name), "name")
}

// RoleHolder marks that a member ("member/<user>"), a team ("team/<id>") or a token ("token/<id>") holds a custom role.
func RoleHolder(organization, role, holder string) store.Key {
	return in(Organization(organization), "role/"+role+"/holders", holder)
}

// RoleHolders is the partition of the holders of a custom role.
func RoleHolders(organization, role string) string {
	return Organization(organization).Partition("role/" + role + "/holders")
}

// OrganizationToken is the list row of a token that an organization owns, or with a team one of its teams.
func OrganizationToken(organization, team, token string) store.Key {
	return store.Key{PK: OrganizationTokens(organization, team), SK: token}
}

// OrganizationTokens is the partition of the tokens of an organization, or with a team of that team, in order of creation.
func OrganizationTokens(organization, team string) string {
	if team != "" {
		return Organization(organization).Partition("team/" + team + "/tokens")
	}
	return Organization(organization).Partition("tokens")
}

// OrganizationTokenName marks that a token of an organization, or with a team of that team, has a name.
func OrganizationTokenName(organization, team, name string) store.Key {
	if team != "" {
		return in(Organization(organization), "team/"+team+"/token-name/"+name, "name")
	}
	return in(Organization(organization), "token-name/"+name, "name")
}

// ProjectName leads from a project's name in an organization to its id.
func ProjectName(organization, name string) store.Key {
	return in(Organization(organization), "project/"+name, "name")
}

// ProjectRow is the list row of a project.
func ProjectRow(organization, project string) store.Key {
	return in(Organization(organization), "projects", project)
}

// StackName leads from the names of a project and a stack in an organization to the stack's id. The item lives exactly as long
// as the stack has that name, so a Check of it in a write states "this stack is alive and still called so".
func StackName(organization, project, stack string) store.Key {
	return in(Organization(organization), "stack/"+project+"/"+stack, "name")
}

// StackRow is the list row of a stack; rows sort by project id, then by stack id.
func StackRow(organization, project, stack string) store.Key {
	return in(Organization(organization), "stacks", project+"/"+stack)
}

// StackRows is the partition of an organization's stack rows.
func StackRows(organization string) string { return Organization(organization).Partition("stacks") }

// Outbox is an event that waits to be handed on.
func Outbox(organization, id string) store.Key {
	return in(Organization(organization), "outbox", id)
}
