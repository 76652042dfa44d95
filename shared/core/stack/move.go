package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/project"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// CheckName returns the fault of a name that no stack may have, or nil. field is where the name stood in the request.
func CheckName(field, called string) error {
	if !NamePattern.MatchString(called) {
		return fault.Wrong(field, "stack name %q must be 1 to 100 letters, digits, '_', '.' or '-'", called)
	}
	return nil
}

// Rename moves the stack's name item and list row to another name or project of its organization, making the project when there is
// none, and changes s accordingly. The caller writes s and the changes together. A taken name is fault.Conflict.
func Rename(ctx context.Context, p ports.Ports, s *Stack, user, newProject, newName string) ([]store.Change, error) {
	return move(ctx, p, s, s.Organization, user, newProject, newName)
}

// move is the part that rename and transfer share: two name items and two list rows.
func move(ctx context.Context, p ports.Ports, s *Stack, toOrganization, user, newProject, newName string) ([]store.Change, error) {
	at := keys.StackName(toOrganization, newProject, newName)
	items, err := p.Store.BatchGet(ctx, []store.Key{
		at,
		keys.StackName(s.Organization, s.ProjectName, s.Name),
		keys.StackRow(s.Organization, s.Project, s.ID),
	})
	if err != nil {
		return nil, err
	}
	if items[0].Version > 0 {
		return nil, fault.New(fault.Conflict, "stack \"%s/%s\" already exists", newProject, newName).WithReason("already-exists")
	}
	for _, i := range items[1:] {
		if i.Version == 0 {
			return nil, fmt.Errorf("stack %s has no %s", s.ID, i.Key)
		}
	}
	changes := []store.Change{store.Delete(items[1].Key, items[1].Version)}
	id, named, ok, err := project.Find(ctx, p, toOrganization, newProject)
	if err != nil {
		return nil, err
	}
	if ok {
		changes = append(changes, named)
	} else {
		made := project.Project{ID: p.NewID(), Organization: toOrganization, Name: newProject, Created: p.Now(), CreatedBy: user}
		id = made.ID
		changes = append(changes, project.Create(made)...)
	}
	oldRow := items[2]
	s.Moved = true
	s.Organization, s.Project, s.ProjectName, s.Name = toOrganization, id, newProject, newName
	if _, tagged := s.Tags[projectTag]; tagged {
		tags := make(map[string]string, len(s.Tags))
		for k, v := range s.Tags {
			tags[k] = v
		}
		tags[projectTag] = newProject
		s.Tags = tags
	}
	changes = append(changes, nameKind.Create(at, name{ID: s.ID}))
	if row := keys.StackRow(toOrganization, id, s.ID); row == oldRow.Key {
		d, err := rowKind.Decode(oldRow)
		if err != nil {
			return nil, err
		}
		d.Value = rowOf(*s)
		changes = append(changes, rowKind.Replace(d))
	} else {
		changes = append(changes, store.Delete(oldRow.Key, oldRow.Version), rowKind.Create(row, rowOf(*s)))
	}
	return changes, nil
}

// maxMovedGrants is how many grants one transfer rewrites or ends: both sides of each.
const maxMovedGrants = 30

// Transfer moves a stack that no update holds to another organization under its own names. The grants of people move with it, those of
// teams end; when there are more than one write can take, they must be taken back first.
func Transfer(ctx context.Context, p ports.Ports, by permission.Principal, from, to organization.Organization, d store.Doc[Stack]) error {
	path := d.Value.Path(from.Name)
	grants, err := grantKind.All(ctx, p.Store, store.Query{PK: keys.StackGrants(d.Value.ID)}, maxMovedGrants)
	if err != nil {
		return fault.New(fault.Conflict, "more than %d people and teams hold permissions on the stack: take them back before the transfer", maxMovedGrants).Because(err)
	}
	changes, err := move(ctx, p, &d.Value, to.ID, by.ID, d.Value.ProjectName, d.Value.Name)
	if err != nil {
		return err
	}
	for _, g := range grants {
		holder := keys.HolderOf(g.Key)
		mirror, err := grantKind.Get(ctx, p.Store, keys.HolderGrant(from.ID, holder, d.Value.ID))
		if err != nil {
			return err
		}
		changes = append(changes, mirror.Delete())
		if !strings.HasPrefix(holder, "user/") { // a team or a token of the old organization has no place in the new one
			changes = append(changes, g.Delete())
			continue
		}
		g.Value.Project = d.Value.Project
		changes = append(changes, grantKind.Replace(g), grantKind.Create(keys.HolderGrant(to.ID, holder, d.Value.ID), g.Value))
	}
	left := Happened{Stack: d.Value.ID, Organization: from.ID, Project: d.Value.ProjectName, Name: d.Value.Name, By: by.Login}
	return p.Store.Write(ctx, append(changes, Replace(d),
		event.New(p, from.ID, "stack.transferred", left), // what the old organization kept about the stack goes
		audit.Record(ctx, p, from.ID, "stack-transferred-to-organization", "transferred stack %s to organization %s", path, to.Name),
		audit.Record(ctx, p, to.ID, "stack-transferred-to-organization", "received stack %s from organization %s", d.Value.Path(to.Name), from.Name))...)
}
