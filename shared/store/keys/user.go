package keys

import "github.com/polyplane/polyplane/shared/store"

// User is the scope of a user: what belongs to a person across organizations.
func User(id string) store.Scope { return store.Scope("user/" + id) }

// UserHead is the user's own document.
func UserHead(id string) store.Key { return head(User(id)) }

// Membership is the user's side of a membership; Member is the organization's.
func Membership(user, organization string) store.Key {
	return in(User(user), "organizations", organization)
}

// Memberships is the partition of all organizations of a user, in order of organization id.
func Memberships(user string) string { return User(user).Partition("organizations") }

// UserToken is the list row of one of the user's tokens.
func UserToken(user, token string) store.Key { return in(User(user), "tokens", token) }

// UserTokens is the partition of a user's tokens, in order of creation.
func UserTokens(user string) string { return User(user).Partition("tokens") }

// UserGrants is the partition of all grants of a user in one organization.
func UserGrants(user, organization string) string {
	return User(user).Partition("grants/" + organization)
}
