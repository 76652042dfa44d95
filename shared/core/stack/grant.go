package stack

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// grant is a role on a stack, held by a user; it is written on the stack's side and on the user's.
type grant struct {
	Role    permission.Role `json:"role"`
	Project string          `json:"project"` // id, to find the list row
}

var grantKind = store.NewKind[grant]("grant", 1)

// Grant returns the changes that give a role on a stack to a user who has none on it: the stack's side and the user's.
func Grant(s Stack, user string, role permission.Role) []store.Change {
	g := grant{Role: role, Project: s.Project}
	return []store.Change{
		grantKind.Create(keys.StackGrant(s.ID, user), g),
		grantKind.Create(keys.UserGrant(user, s.Organization, s.ID), g),
	}
}

// RoleOf returns the role that a user was granted on a stack, or "".
func RoleOf(ctx context.Context, p ports.Ports, stack, user string) (permission.Role, error) {
	g, err := grantKind.Get(ctx, p.Store, keys.StackGrant(stack, user))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return g.Value.Role, err
}
