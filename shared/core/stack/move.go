package stack

import (
	"context"
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
			return nil, missing(s.ProjectName, s.Name) // deleted or moved since it was read
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

// maxGrantsRead bounds the grants of a stack that a transfer reads.
const maxGrantsRead = 1000

// Transfer moves a stack that no update holds to another organization under its own names. Grants of people who are members there move
// with it; those of everybody else, of teams and of tokens end, since they were given by another organization. A caller without a grant
// becomes the stack's creator there. When there are more grants than one write takes, they must be taken back first.
func Transfer(ctx context.Context, p ports.Ports, by permission.Principal, from, to organization.Organization, d store.Doc[Stack]) error {
	path := d.Value.Path(from.Name)
	changes, err := move(ctx, p, &d.Value, to.ID, by.ID, d.Value.ProjectName, d.Value.Name)
	if err != nil {
		return err
	}
	more, grants, err := moveGrants(ctx, p, by, from, to, d.Value)
	if err != nil {
		return err
	}
	left := Happened{Stack: d.Value.ID, Organization: from.ID, Project: d.Value.ProjectName, Name: d.Value.Name, By: by.Login}
	changes = append(append(changes, more...), Replace(d),
		event.New(p, from.ID, "stack.transferred", left), // what the old organization kept about the stack goes
		audit.Record(ctx, p, from.ID, "stack-transferred-to-organization", "transferred stack %s to organization %s", path, to.Name),
		audit.Record(ctx, p, to.ID, "stack-transferred-to-organization", "received stack %s from organization %s", d.Value.Path(to.Name), from.Name))
	if len(changes) > store.MaxCoreChanges {
		return fault.New(fault.Conflict, "%d people and teams hold permissions on the stack, more than can be moved at once: take some back before the transfer", grants)
	}
	return p.Store.Write(ctx, changes...)
}

// moveGrants are the changes that bring the grants on a stack to another organization, and how many grants those are.
func moveGrants(ctx context.Context, p ports.Ports, by permission.Principal, from, to organization.Organization, s Stack) ([]store.Change, int, error) {
	grants, err := grantKind.All(ctx, p.Store, store.Query{PK: keys.StackGrants(s.ID)}, maxGrantsRead)
	if err != nil {
		return nil, 0, err
	}
	wanted := make([]store.Key, len(grants))
	people := make([]string, len(grants)) // user ids; for a team or a token a key that leads nowhere
	for i, g := range grants {
		holder := keys.HolderOf(g.Key)
		wanted[i] = keys.HolderGrant(from.ID, holder, s.ID)
		people[i] = strings.TrimPrefix(holder, "user/")
	}
	mirrors, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, 0, err
	}
	members, err := organization.MemberDocs(ctx, p, to.ID, people)
	if err != nil {
		return nil, 0, err
	}
	var changes []store.Change
	caller := false
	for i, g := range grants {
		holder := keys.HolderOf(g.Key)
		if mirrors[i].Version > 0 {
			changes = append(changes, store.Delete(mirrors[i].Key, mirrors[i].Version))
		}
		if !members[i].Exists() {
			changes = append(changes, g.Delete())
			continue
		}
		caller = caller || holder == by.Holder()
		changes = append(changes, members[i].Check(), grantKind.Create(keys.HolderGrant(to.ID, holder, s.ID), g.Value))
	}
	if !caller {
		changes = append(changes, GrantTo(s, by.Holder(), permission.StackCreator)...)
	}
	return changes, len(grants), nil
}
