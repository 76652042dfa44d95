// Package stack is stacks: the state of infrastructure as code, its names, tags, key, grants and checkpoint. What changes a stack
// is in package update.
package stack

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Stack is the head of a stack.
type Stack struct {
	ID           string            `json:"id"`
	Organization string            `json:"organization"` // id
	Project      string            `json:"project"`      // id
	ProjectName  string            `json:"projectName"`
	Name         string            `json:"name"`
	Created      time.Time         `json:"created"`
	CreatedBy    string            `json:"createdBy"` // user id
	Tags         map[string]string `json:"tags,omitempty"`
	Config       *Config           `json:"config,omitempty"`
	Key          []byte            `json:"key,omitempty"` // wrapped data key, bound to the stack's scope

	Version    int64     `json:"version"`              // of the last update that was started, previews aside; 0 at first
	LastUpdate string    `json:"lastUpdate,omitempty"` // id of the update of that version
	UpdatedAt  time.Time `json:"updatedAt,omitzero"`   // when that update last started or ended

	Checkpoint *Checkpoint `json:"checkpoint,omitempty"` // nil before the first
	Lock       *Lock       `json:"lock,omitempty"`       // the update that may change the stack now
	Moved      bool        `json:"moved,omitempty"`      // was renamed or transferred at some time
	Deleted    bool        `json:"deleted,omitempty"`    // tombstone: the name is free, the rest is being purged
}

// Config is the service-side configuration that a client keeps with the stack.
type Config struct {
	Environment     string `json:"environment,omitempty"`
	SecretsProvider string `json:"secretsProvider,omitempty"`
	EncryptedKey    string `json:"encryptedKey,omitempty"`
	EncryptionSalt  string `json:"encryptionSalt,omitempty"`
}

// Checkpoint tells which checkpoint is current. The manifest is an item of its own, under the version.
type Checkpoint struct {
	Version   int64 `json:"version"`   // of the update that left it
	Resources int   `json:"resources"` // in it, the root stack resource included
}

// Lock says which update holds the stack.
type Lock struct {
	Update string    `json:"update"` // id
	Kind   string    `json:"kind"`
	By     string    `json:"by"` // login
	Since  time.Time `json:"since"`
}

// Manifest is the stored form of a checkpoint: the untyped deployment text {"version":…,"deployment":…} as one blob.
type Manifest struct {
	blob.Manifest
	Update    string    `json:"update"` // id of the update that left it
	Resources int       `json:"resources"`
	Saved     time.Time `json:"saved"`
}

// row is the stack's line in the organization's list; at most 300 bytes.
type row struct {
	Name        string    `json:"n"`
	ProjectName string    `json:"p"`
	UpdatedAt   time.Time `json:"u,omitzero"`
	Resources   int       `json:"r"`
	Held        bool      `json:"h,omitempty"` // by a running update
}

type name struct {
	ID string `json:"id"`
}

var (
	kind         = store.NewKind[Stack]("stack", 1)
	nameKind     = store.NewKind[name]("stack-name", 1)
	rowKind      = store.NewKind[row]("stack-row", 1)
	manifestKind = store.NewKind[Manifest]("checkpoint", 1).Immutable()
)

// NamePattern is what a stack may be called.
var NamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// Path is how people write a stack: organization/project/stack.
func (s Stack) Path(organization string) string {
	return organization + "/" + s.ProjectName + "/" + s.Name
}

// Find returns the stack of a name, or fault.NotFound. organization is the organization's id.
func Find(ctx context.Context, p ports.Ports, organization, project, called string) (store.Doc[Stack], error) {
	id, err := IDOf(ctx, p, organization, project, called)
	if err != nil {
		return store.Doc[Stack]{}, err
	}
	d, err := Of(ctx, p, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (d.Value.Deleted || !d.Value.isCalled(organization, project, called)) {
		return store.Doc[Stack]{}, missing(project, called) // deleted or moved since its name was read
	}
	return d, err
}

func (s Stack) isCalled(organization, project, called string) bool {
	return s.Organization == organization && s.ProjectName == project && s.Name == called
}

// Reread returns a stack as it is now, for a write that lost a race. One that was deleted or moved meanwhile is fault.NotFound, even when
// another stack has its name: what was asked for was asked for under that name, by somebody who may do it there.
func Reread(ctx context.Context, p ports.Ports, s Stack) (store.Doc[Stack], error) {
	d, err := Find(ctx, p, s.Organization, s.ProjectName, s.Name)
	if err == nil && d.Value.ID != s.ID {
		return store.Doc[Stack]{}, missing(s.ProjectName, s.Name)
	}
	return d, err
}

// IDOf returns the id of the stack of a name, or fault.NotFound. It reads nothing of the stack but where its name leads.
func IDOf(ctx context.Context, p ports.Ports, organization, project, called string) (string, error) {
	if !NamePattern.MatchString(called) || !NamePattern.MatchString(project) {
		return "", missing(project, called)
	}
	n, err := nameKind.Get(ctx, p.Store, keys.StackName(organization, project, called))
	if errors.Is(err, store.ErrNotFound) {
		return "", missing(project, called)
	}
	return n.Value.ID, err
}

func missing(project, called string) error {
	return fault.Missing("stack %q not found in project %q", called, project)
}

// Of returns the head of a stack by id, tombstones included.
func Of(ctx context.Context, p ports.Ports, id string) (store.Doc[Stack], error) {
	return kind.Get(ctx, p.Store, keys.StackHead(id))
}

// Replace is the change that writes a stack's head over the version it was read at.
func Replace(d store.Doc[Stack]) store.Change { return kind.Replace(d) }

// Alive is the change that states, in a write below the stack, that the stack still exists under its name.
func Alive(ctx context.Context, p ports.Ports, s Stack) (store.Change, error) {
	n, err := nameKind.Get(ctx, p.Store, keys.StackName(s.Organization, s.ProjectName, s.Name))
	if errors.Is(err, store.ErrNotFound) || err == nil && n.Value.ID != s.ID {
		return store.Change{}, missing(s.ProjectName, s.Name)
	}
	return n.Check(), err
}

// Row returns the change that brings the stack's list row up to date with its head.
func Row(ctx context.Context, p ports.Ports, s Stack) (store.Change, error) {
	d, err := rowKind.Get(ctx, p.Store, keys.StackRow(s.Organization, s.Project, s.ID))
	if errors.Is(err, store.ErrNotFound) {
		return store.Change{}, missing(s.ProjectName, s.Name) // deleted or moved since it was read
	}
	if err != nil {
		return store.Change{}, err
	}
	d.Value = rowOf(s)
	return rowKind.Replace(d), nil
}

func rowOf(s Stack) row {
	r := row{Name: s.Name, ProjectName: s.ProjectName, UpdatedAt: s.UpdatedAt, Held: s.Lock != nil}
	if s.Checkpoint != nil {
		r.Resources = s.Checkpoint.Resources
	}
	return r
}
