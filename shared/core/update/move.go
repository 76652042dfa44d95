package update

import (
	"context"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/project"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// RenameStack gives a stack another name or project, an empty one meaning "as it is", and returns the id of the update that records it.
// The checkpoint's URNs are rewritten; history, tags, grants and the key stay, so that secrets sealed before still open. Nothing to
// change is fault.Invalid; a taken name or a held stack fault.Conflict.
func RenameStack(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], by By, newProject, newName string) (id string, err error) {
	if newProject == "" {
		newProject = s.Value.ProjectName
	}
	if newName == "" {
		newName = s.Value.Name
	}
	if newProject == s.Value.ProjectName && newName == s.Value.Name {
		return "", fault.Wrong("newName", "the stack is already called %s/%s: nothing to rename", newProject, newName)
	}
	if err := project.CheckName("newProject", newProject); err != nil {
		return "", err
	}
	if err := stack.CheckName("newName", newName); err != nil {
		return "", err
	}
	err = again(ctx, p, o, s, func(s store.Doc[stack.Stack]) error {
		id, err = rename(ctx, p, o, s, by, newProject, newName)
		return err
	})
	return id, err
}

func rename(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], by By, newProject, newName string) (string, error) {
	in := instant{
		kind: Rename, by: by, message: fmt.Sprintf("renamed from %s/%s to %s/%s", s.Value.ProjectName, s.Value.Name, newProject, newName),
		slug: "stack-renamed", format: "renamed stack %s to " + newProject + "/" + newName,
		change: func(v *stack.Stack) ([]store.Change, error) {
			return stack.Rename(ctx, p, v, by.User, newProject, newName)
		},
	}
	if c := s.Value.Checkpoint; c != nil {
		store.Prefetch(ctx, p.Store,
			keys.Checkpoint(s.Value.ID, c.Version), keys.ProjectName(s.Value.Organization, newProject),
			keys.StackName(s.Value.Organization, newProject, newName), keys.StackRow(s.Value.Organization, s.Value.Project, s.Value.ID))
		key, err := stack.DataKey(ctx, p, s.Value)
		if err != nil {
			return "", err
		}
		text, ok, err := stack.CheckpointText(ctx, p, s.Value.ID, c.Version, key)
		if err != nil {
			return "", err
		}
		if ok {
			from := checkpoint.Place{Organization: o.Name, Project: s.Value.ProjectName, Stack: s.Value.Name}
			to := checkpoint.Place{Organization: o.Name, Project: newProject, Stack: newName}
			if in.text, err = checkpoint.MoveText(text, from, to); err != nil {
				return "", err
			}
			in.resources = c.Resources
		}
	}
	return perform(ctx, p, o, s, in)
}

// TransferStack gives a stack to another organization, in which the caller may create stacks. Nothing below the stack is rewritten:
// history, tags, key, configuration and hooks go with it; for grants see stack.Transfer. A taken name or a held stack is fault.Conflict.
func TransferStack(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, s store.Doc[stack.Stack], to string) error {
	target, err := organization.Find(ctx, p, to)
	if err != nil {
		return err
	}
	standing, err := organization.StandingOf(ctx, p, by, target.ID)
	if err != nil {
		return err
	}
	if !standing.Within {
		return fault.Missing("organization %q not found", to)
	}
	if !standing.Grants(target, permission.Subject{}).Allow(permission.StackCreate) {
		return fault.New(fault.Forbidden, "%s may not create stacks in organization %s", by.Login, target.Name)
	}
	if target.ID == o.ID {
		return fault.Wrong("toOrg", "the stack already belongs to %s", target.Name)
	}
	return again(ctx, p, o, s, func(s store.Doc[stack.Stack]) error {
		return stack.Transfer(ctx, p, by, o, target, s)
	})
}
