package update

import (
	"context"
	"errors"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
)

// Finished is the data of the events update.finished and preview.finished. It holds names as they were when the update ended, so that
// it can still be told when the stack is gone.
type Finished struct {
	Stack        string           `json:"stack"`        // id
	Organization string           `json:"organization"` // id
	Update       string           `json:"update"`       // id
	Kind         Kind             `json:"kind"`
	Preview      bool             `json:"preview,omitempty"` // nothing was changed
	Version      int64            `json:"version"`
	Outcome      Status           `json:"outcome"`
	Resources    int              `json:"resources"`
	Changes      map[string]int64 `json:"changes,omitempty"` // see Head.Changes
	By           string           `json:"by"`                // login
	ByName       string           `json:"byName,omitempty"`

	OrganizationName  string `json:"organizationName,omitempty"`
	OrganizationTitle string `json:"organizationTitle,omitempty"` // its display name
	Project           string `json:"project,omitempty"`           // name
	Name              string `json:"name,omitempty"`              // of the stack
}

// finished is what an event tells of an update that ended.
func finished(o organization.Organization, s stack.Stack, u Head, outcome Status) Finished {
	return Finished{
		Stack: s.ID, Organization: o.ID, Update: u.ID, Kind: u.Kind, Preview: u.DryRun, Version: u.Version,
		Outcome: outcome, Resources: u.Resources, Changes: u.Changes, By: u.By.Login, ByName: u.By.Name,
		OrganizationName: o.Name, OrganizationTitle: o.DisplayName, Project: s.ProjectName, Name: s.Name,
	}
}

// previewed tells that a dry run ended. The stack is called what it was called when the run started: it is not read for this.
func previewed(ctx context.Context, p ports.Ports, l Lease, u Head) ([]store.Change, error) {
	o, err := organization.Of(ctx, p, l.Organization)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // nobody is left to be told
	}
	if err != nil {
		return nil, err
	}
	s := stack.Stack{ID: l.Stack, ProjectName: l.Path[1], Name: l.Path[2]}
	return []store.Change{event.New(p, o.ID, "preview.finished", finished(o, s, u, l.Outcome))}, nil
}
