package update

import (
	"bytes"
	"context"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
)

// StackDraft is a stack that a client wants, with what it shall begin with.
type StackDraft struct {
	stack.Draft
	State []byte   // an untyped deployment that becomes version 1's checkpoint, byte for byte; nil or null begins without
	Teams []string // names of teams that may update it
}

// maxTeams is how many teams may be named when a stack is made.
const maxTeams = 20

// CreateStack makes a stack as stack.Create does, and in the same write imports its first state and gives teams the role of a writer. A
// team that does not exist, and a state that cannot be imported, are fault.Invalid and make nothing.
func CreateStack(ctx context.Context, p ports.Ports, by permission.Principal, author By, o organization.Organization, d StackDraft) (stack.Stack, error) {
	if len(d.Teams) > maxTeams {
		return stack.Stack{}, fault.Wrong("teams", "at most %d teams can be named, %d were", maxTeams, len(d.Teams))
	}
	holders := map[string]bool{}
	for i, called := range d.Teams {
		t, err := organization.FindTeam(ctx, p, o, called)
		if fault.Is(err, fault.NotFound) {
			return stack.Stack{}, fault.Wrong(fmt.Sprintf("teams[%d]", i), "team %q not found in organization %s", called, o.Name)
		}
		if err != nil {
			return stack.Stack{}, err
		}
		holders["team/"+t.Value.ID] = true
	}
	var first []store.Change
	d.Prepare = func(s *stack.Stack) error {
		if len(d.State) == 0 || bytes.Equal(bytes.TrimSpace(d.State), []byte("null")) {
			return nil
		}
		var err error
		first, err = begin(ctx, p, s, author, d.State)
		return err
	}
	d.With = func(s stack.Stack) []store.Change {
		changes := first
		for holder := range holders {
			changes = append(changes, stack.GrantTo(s, holder, permission.StackWriter)...)
		}
		return changes
	}
	return stack.Create(ctx, p, by, o, d.Draft)
}

// begin gives a stack that is being made its first version.
func begin(ctx context.Context, p ports.Ports, s *stack.Stack, author By, text []byte) ([]store.Change, error) {
	found, err := importable(ctx, p, *s, text)
	if err != nil {
		return nil, err
	}
	key, err := stack.DataKey(ctx, p, *s)
	if err != nil {
		return nil, err
	}
	m, err := keepText(ctx, p, s.ID, key, text)
	if err != nil {
		return nil, err
	}
	now := p.Now()
	h := Head{
		ID: p.NewID(), Stack: s.ID, Kind: Import, Status: Succeeded, By: author, Program: Program{Message: "created with a state"},
		Created: now, Started: now, Ended: now, Version: 1, Resources: found.Resources,
	}
	s.Version, s.LastUpdate, s.UpdatedAt = h.Version, h.ID, now
	s.Checkpoint = &stack.Checkpoint{Version: h.Version, Resources: found.Resources}
	return append(recorded(h),
		stack.KeepCheckpoint(s.ID, h.Version, stack.Manifest{Manifest: m, Update: h.ID, Resources: found.Resources, Saved: now})), nil
}
