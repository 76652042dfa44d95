// Package project is projects: what groups stacks, environments and resources below an organization.
package project

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Project groups what belongs together below an organization.
type Project struct {
	ID           string    `json:"id"`
	Organization string    `json:"organization"` // id
	Name         string    `json:"name"`
	Created      time.Time `json:"created"`
	CreatedBy    string    `json:"createdBy"` // user id
}

// row is the project's line in the organization's list.
type row struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

type name struct {
	ID string `json:"id"`
}

var (
	kind     = store.NewKind[Project]("project", 1)
	rowKind  = store.NewKind[row]("project-row", 1)
	nameKind = store.NewKind[name]("project-name", 1)
)

// NamePattern is what a project may be called.
var NamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// CheckName returns the fault of a name that no project may have, or nil. field is where the name stood in the request.
func CheckName(field, called string) error {
	if !NamePattern.MatchString(called) {
		return fault.Wrong(field, "project name %q must be 1 to 100 letters, digits, '_', '.' or '-'", called)
	}
	return nil
}

// Create returns the changes that make a project whose name must be free in its organization.
func Create(pr Project) []store.Change {
	return []store.Change{
		kind.Create(keys.ProjectHead(pr.ID), pr),
		nameKind.Create(keys.ProjectName(pr.Organization, pr.Name), name{ID: pr.ID}),
		rowKind.Create(keys.ProjectRow(pr.Organization, pr.ID), row{Name: pr.Name, Created: pr.Created}),
	}
}

// Find returns the id of a project by name; ok is false when there is none. check states in a write that it still has the name.
func Find(ctx context.Context, p ports.Ports, organization, called string) (id string, check store.Change, ok bool, err error) {
	if !NamePattern.MatchString(called) {
		return "", store.Change{}, false, nil
	}
	n, err := nameKind.Get(ctx, p.Store, keys.ProjectName(organization, called))
	if errors.Is(err, store.ErrNotFound) {
		return "", store.Check(keys.ProjectName(organization, called), 0), false, nil
	}
	if err != nil {
		return "", store.Change{}, false, err
	}
	return n.Value.ID, n.Check(), true, nil
}
