// Package account is the root of a tree of organizations: the unit of limits, backup and deletion.
package account

import (
	"time"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Account is the root of a tree of organizations.
type Account struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

var kind = store.NewKind[Account]("account", 1)

// Create is the change that makes an account.
func Create(a Account) store.Change { return kind.Create(keys.AccountHead(a.ID), a) }
