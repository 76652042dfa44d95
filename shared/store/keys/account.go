package keys

import "github.com/polyplane/polyplane/shared/store"

// Account is the scope of an account.
func Account(id string) store.Scope { return store.Scope("account/" + id) }

// AccountHead is the account's own document.
func AccountHead(id string) store.Key { return head(Account(id)) }

// AccountOrganization says that an organization belongs to an account.
func AccountOrganization(account, organization string) store.Key {
	return in(Account(account), "organizations", organization)
}

// AccountOrganizations is the partition of an account's organizations, in order of organization id.
func AccountOrganizations(account string) string {
	return Account(account).Partition("organizations")
}
