package permission

// The verbs. A verb is added when a row needs it, here and in the roles that grant it.
const (
	OrganizationRead  Verb = "organization:read"
	OrganizationAdmin Verb = "organization:admin" // members, tokens, settings, audit
	StackCreate       Verb = "stack:create"

	StackRead    Verb = "stack:read"    // state, history, events
	StackUpdate  Verb = "stack:update"  // updates, previews, tags, import, cancel
	StackEncrypt Verb = "stack:encrypt" // make ciphertexts
	StackDecrypt Verb = "stack:decrypt" // read plaintexts
	StackAdmin   Verb = "stack:admin"   // delete, rename, transfer, hooks, collaborators
)
