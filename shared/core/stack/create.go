package stack

import (
	"context"

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

// Draft is what a client says of a stack that it wants.
type Draft struct {
	Project string // name; made with its first stack
	Name    string
	Tags    map[string]string
	Config  *Config

	Prepare func(*Stack) error         // completes the head before it is written, once its key is there; nil does nothing
	With    func(Stack) []store.Change // more for the write that makes it; nil adds nothing
}

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

// Create makes a stack, its data key, the creator's grant and, with the first stack of a project, the project. A taken name is
// fault.Conflict, "already exists".
func Create(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, d Draft) (Stack, error) {
	if err := project.CheckName("project", d.Project); err != nil {
		return Stack{}, err
	}
	if err := CheckName("name", d.Name); err != nil {
		return Stack{}, err
	}
	if err := CheckTags("tags", d.Tags); err != nil {
		return Stack{}, err
	}
	s := Stack{
		ID: p.NewID(), Organization: o.ID, ProjectName: d.Project, Name: d.Name,
		Created: p.Now(), CreatedBy: by.ID, Tags: d.Tags, Config: d.Config,
	}
	key, err := p.Keyring.NewDataKey(ctx, string(keys.Stack(s.ID)))
	if err != nil {
		return Stack{}, err
	}
	s.Key = key.Wrapped()
	if d.Prepare != nil {
		if err := d.Prepare(&s); err != nil {
			return Stack{}, err
		}
	}
	for range attempts {
		err = create(ctx, p, by, o, d, &s)
		if store.AsConflict(err) == nil {
			return s, err
		}
		// Either the stack's name is taken, or somebody made or removed the project at the same time.
		if _, findErr := Find(ctx, p, o.ID, s.ProjectName, s.Name); findErr == nil {
			return Stack{}, fault.New(fault.Conflict, "stack %q already exists", s.Path(o.Name)).WithReason("already-exists")
		}
	}
	return Stack{}, err
}

func create(ctx context.Context, p ports.Ports, by permission.Principal, o organization.Organization, d Draft, s *Stack) error {
	id, named, ok, err := project.Find(ctx, p, o.ID, s.ProjectName)
	if err != nil {
		return err
	}
	var changes []store.Change
	if ok {
		s.Project = id
		changes = append(changes, named)
	} else {
		pr := project.Project{ID: p.NewID(), Organization: o.ID, Name: s.ProjectName, Created: s.Created, CreatedBy: by.ID}
		s.Project = pr.ID
		changes = append(changes, project.Create(pr)...)
	}
	changes = append(changes, GrantTo(*s, by.Holder(), permission.StackCreator)...)
	changes = append(changes,
		kind.Create(keys.StackHead(s.ID), *s),
		nameKind.Create(keys.StackName(o.ID, s.ProjectName, s.Name), name{ID: s.ID}),
		rowKind.Create(keys.StackRow(o.ID, s.Project, s.ID), rowOf(*s)),
		event.New(p, o.ID, "stack.created", happened(by, o, *s)),
		audit.Record(ctx, p, o.ID, "stack-created", "created stack %s", s.Path(o.Name)),
	)
	if d.With != nil {
		changes = append(changes, d.With(*s)...)
	}
	return p.Store.Write(ctx, changes...)
}

// Happened is the data of the events stack.created and stack.deleted: names as they were then.
type Happened struct {
	Stack        string `json:"stack"`        // id
	Organization string `json:"organization"` // id
	Project      string `json:"project"`      // name
	Name         string `json:"name"`
	By           string `json:"by"` // login
	ByName       string `json:"byName,omitempty"`

	OrganizationName  string `json:"organizationName,omitempty"`
	OrganizationTitle string `json:"organizationTitle,omitempty"` // its display name
}

func happened(by permission.Principal, o organization.Organization, s Stack) Happened {
	return Happened{
		Stack: s.ID, Organization: o.ID, Project: s.ProjectName, Name: s.Name, By: by.Login, ByName: by.Name,
		OrganizationName: o.Name, OrganizationTitle: o.DisplayName,
	}
}
