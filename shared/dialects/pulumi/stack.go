package pulumi

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
)

// ProjectPath, StackPath and UpdatePath are exported because the front binds parameters of exported parts only.
type ProjectPath struct {
	Organization string `path:"orgName"`
	Project      string `path:"projectName"`
}

type StackPath struct {
	ProjectPath
	Stack string `path:"stackName"`
}

type stackConfig struct {
	Environment     string `json:"environment"`
	SecretsProvider string `json:"secretsProvider,omitempty"`
	EncryptedKey    string `json:"encryptedKey,omitempty"`
	EncryptionSalt  string `json:"encryptionSalt,omitempty"`
}

type operationStatus struct {
	Kind    string `json:"kind"`
	Author  string `json:"author"`
	Started int64  `json:"started"` // Unix seconds
}

type stackBody struct {
	ID               string            `json:"id"`
	OrgName          string            `json:"orgName"`
	ProjectName      string            `json:"projectName"`
	StackName        string            `json:"stackName"`
	CurrentOperation *operationStatus  `json:"currentOperation,omitempty"`
	ActiveUpdate     string            `json:"activeUpdate"` // id of the most recent update; empty when there was none
	Tags             map[string]string `json:"tags,omitempty"`
	Version          int64             `json:"version"`
	Config           *stackConfig      `json:"config,omitempty"`
}

type getStackIn struct{ StackPath }

type getStackOut struct{ Body stackBody }

func (d dialect) getStack(ctx context.Context, _ *getStackIn) (*getStackOut, error) {
	a := access.Of(ctx)
	s := a.Stack.Value
	out := stackBody{
		ID: s.ID, OrgName: a.Organization.Name, ProjectName: s.ProjectName, StackName: s.Name,
		ActiveUpdate: s.LastUpdate, Tags: s.Tags, Version: s.Version,
	}
	if s.Lock != nil {
		out.CurrentOperation = &operationStatus{Kind: s.Lock.Kind, Author: s.Lock.By, Started: s.Lock.Since.Unix()}
	}
	if c := s.Config; c != nil {
		out.Config = &stackConfig{Environment: c.Environment, SecretsProvider: c.SecretsProvider, EncryptedKey: c.EncryptedKey, EncryptionSalt: c.EncryptionSalt}
	}
	return &getStackOut{out}, nil
}

type createStackIn struct {
	ProjectPath
	Body struct {
		StackName string            `json:"stackName"`
		Tags      map[string]string `json:"tags,omitempty" nullable:"true"`
		Config    *stackConfig      `json:"config,omitempty"`
		State     json.RawMessage   `json:"state,omitempty" doc:"an untyped deployment that the stack begins with"`
		Teams     []string          `json:"teams,omitempty" doc:"names of teams that may update the stack"`
	}
}

type createStackOut struct {
	Body struct {
		Messages []message `json:"messages,omitempty"`
	}
}

func (d dialect) createStack(ctx context.Context, in *createStackIn) (*createStackOut, error) {
	a := access.Of(ctx)
	draft := update.StackDraft{
		Draft: stack.Draft{Project: in.Project, Name: in.Body.StackName, Tags: in.Body.Tags},
		State: in.Body.State, Teams: in.Body.Teams,
	}
	if c := in.Body.Config; c != nil {
		draft.Config = &stack.Config{Environment: c.Environment, SecretsProvider: c.SecretsProvider, EncryptedKey: c.EncryptedKey, EncryptionSalt: c.EncryptionSalt}
	}
	if _, err := update.CreateStack(ctx, d.Ports, a.Principal, a.By(), a.Organization, draft); err != nil {
		return nil, err
	}
	return &createStackOut{}, nil
}

type projectExistsIn struct{ ProjectPath }

func (d dialect) projectExists(ctx context.Context, in *projectExistsIn) (*struct{}, error) {
	found, err := stack.AnyInProject(ctx, d.Ports, access.Of(ctx).Organization.ID, in.Project)
	if err == nil && !found {
		err = fault.Missing("project '%s/%s' not found", in.Organization, in.Project)
	}
	return nil, err
}

type deleteStackIn struct {
	StackPath
	Force        bool `query:"force"`
	ForceDestroy bool `query:"forceDestroy"`
}

func (d dialect) deleteStack(ctx context.Context, in *deleteStackIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, update.DeleteStack(ctx, d.in(ctx), a.Principal, a.Organization, a.Stack, in.Force || in.ForceDestroy)
}

// rawOut is an answer whose JSON is already written.
type rawOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// untypedDeployment documents an export; the answer is the stored text itself.
type untypedDeployment struct {
	Version    int            `json:"version"`
	Features   []string       `json:"features,omitempty"`
	Deployment map[string]any `json:"deployment" nullable:"true"`
}

func (d dialect) exportStack(ctx context.Context, _ *getStackIn) (*rawOut, error) {
	a := access.Of(ctx)
	text, err := update.Export(ctx, d.in(ctx), a.Organization, a.Stack.Value)
	if err != nil {
		return nil, err
	}
	return &rawOut{ContentType: "application/json", Body: text}, nil
}

type stackSummary struct {
	ID            string      `json:"id"`
	OrgName       string      `json:"orgName"`
	ProjectName   string      `json:"projectName"`
	StackName     string      `json:"stackName"`
	LastUpdate    *int64      `json:"lastUpdate,omitempty"` // Unix seconds; absent when never updated, 0 while an update runs
	ResourceCount *int        `json:"resourceCount,omitempty"`
	Links         *stackLinks `json:"links,omitempty"`
}

type stackLinks struct {
	Self string `json:"self"`
}

type listUserStacksIn struct {
	Organization      string `query:"organization"`
	Project           string `query:"project"`
	TagName           string `query:"tagName"`
	TagValue          string `query:"tagValue"`
	RoleID            string `query:"roleID" doc:"of a custom role: only stacks that it lets its holders read"`
	MaxResults        int    `query:"maxResults" minimum:"1" maximum:"1000" default:"100"`
	ContinuationToken string `query:"continuationToken"`
}

type listUserStacksOut struct {
	Body struct {
		Stacks            []stackSummary `json:"stacks"`
		ContinuationToken *string        `json:"continuationToken,omitempty"`
	}
}

func (d dialect) listUserStacks(ctx context.Context, in *listUserStacksIn) (*listUserStacksOut, error) {
	filter := stack.Filter{Organization: in.Organization, Project: in.Project, TagName: in.TagName, TagValue: in.TagValue, Role: in.RoleID}
	found, token, err := stack.OfUser(ctx, d.Ports, access.Of(ctx).Principal, filter, in.MaxResults, in.ContinuationToken)
	if err != nil {
		return nil, err
	}
	out := &listUserStacksOut{}
	out.Body.Stacks = make([]stackSummary, len(found))
	for i, s := range found {
		sum := stackSummary{
			ID: s.ID, OrgName: s.Organization, ProjectName: s.Project, StackName: s.Name,
			Links: &stackLinks{Self: "/" + s.Organization + "/" + s.Project + "/" + s.Name},
		}
		if s.UpdatedAt > 0 {
			sum.LastUpdate, sum.ResourceCount = &s.UpdatedAt, &s.Resources
		}
		if s.Held {
			sum.LastUpdate = new(int64) // the CLI shows 0 as "in progress"
		}
		out.Body.Stacks[i] = sum
	}
	if token != "" {
		out.Body.ContinuationToken = &token
	}
	return out, nil
}
