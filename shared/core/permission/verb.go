package permission

// The verbs. A verb is added when a row needs it, here and in the roles that grant it.
const (
	OrganizationRead  Verb = "organization:read"
	OrganizationAdmin Verb = "organization:admin" // settings, policies, hooks, audit
	OrganizationUsage Verb = "organization:usage" // what the organization consumes, for those who pay
	MemberAdmin       Verb = "member:admin"       // add, change and remove members
	TeamAdmin         Verb = "team:admin"         // make and delete teams, give them stacks and roles
	TeamUpdate        Verb = "team:update"        // a team's people, words and tokens
	TokenAdmin        Verb = "token:admin"        // tokens of the organization
	RoleAdmin         Verb = "role:admin"         // custom roles
	StackCreate       Verb = "stack:create"

	StackRead    Verb = "stack:read"    // state, history, events
	StackUpdate  Verb = "stack:update"  // updates, previews, tags, import, cancel
	StackEncrypt Verb = "stack:encrypt" // make ciphertexts
	StackDecrypt Verb = "stack:decrypt" // read plaintexts
	StackAdmin   Verb = "stack:admin"   // delete, rename, transfer, hooks, collaborators
)
