package update

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
)

// DeleteStack deletes a stack that no update holds; see stack.Delete.
func DeleteStack(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, s store.Doc[stack.Stack], force bool) error {
	var err error
	for range attempts {
		if s, err = Unlocked(ctx, p, o, s); err != nil {
			return err
		}
		if err = stack.Delete(ctx, p, by, o, s, force); store.AsConflict(err) == nil {
			return err
		}
		if s, err = reread(ctx, p, s.Value); err != nil {
			return err
		}
	}
	return err
}
