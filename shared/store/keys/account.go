package keys

import "github.com/polyplane/polyplane/shared/store"

// Account is the scope of an account.
func Account(id string) store.Scope { return store.Scope("account/" + id) }

// AccountHead is the account's own document.
func AccountHead(id string) store.Key { return head(Account(id)) }
