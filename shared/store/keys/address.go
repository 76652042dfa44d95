package keys

import "github.com/polyplane/polyplane/shared/store"

// Every global address: what a request can name before its tenant is known. Each has a partition of its own, so that no
// partition collects all tenants.

// Token is the address of a token by the SHA-256 of its text, in hex.
func Token(hash string) store.Key { return in(store.Global, "token/"+hash, "token") }

// OrganizationName is the address of an organization by its name, without regard to case.
func OrganizationName(name string) store.Key {
	return in(store.Global, "organization/"+folded(name), "name")
}

// Login is the address of a user by login, without regard to case.
func Login(login string) store.Key { return in(store.Global, "login/"+folded(login), "name") }

// Installation marks that the first start was completed.
func Installation() store.Key { return in(store.Global, "installation", "first-start") }
