package pulumi

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/hook"
)

// OrganizationWebhooksPath, WebhookPath and StackWebhookPath are exported because the front binds parameters of exported parts only.
type OrganizationWebhooksPath struct {
	Organization string `path:"orgName"`
}

type WebhookPath struct {
	OrganizationWebhooksPath
	Hook string `path:"hookName"`
}

type StackWebhookPath struct {
	StackPath
	Hook string `path:"hookName"`
}

// webhookIn is a webhook as clients write it whole.
type webhookIn struct {
	OrganizationName string   `json:"organizationName"`
	ProjectName      string   `json:"projectName,omitempty"`
	StackName        string   `json:"stackName,omitempty"`
	EnvName          string   `json:"envName,omitempty"`
	Name             string   `json:"name,omitempty"` // empty: made here
	DisplayName      string   `json:"displayName"`
	PayloadURL       string   `json:"payloadUrl"`
	Active           bool     `json:"active"`
	Format           string   `json:"format,omitempty"` // raw, slack, ms_teams
	Filters          []string `json:"filters,omitempty" nullable:"true"`
	Groups           []string `json:"groups,omitempty" nullable:"true"`
	Secret           string   `json:"secret,omitempty"`
}

// webhookEdit is a webhook as clients send it to change it: what is absent stays.
type webhookEdit struct {
	OrganizationName string            `json:"organizationName,omitempty"`
	ProjectName      string            `json:"projectName,omitempty"`
	StackName        string            `json:"stackName,omitempty"`
	EnvName          string            `json:"envName,omitempty"`
	Name             string            `json:"name,omitempty"`
	DisplayName      api.Opt[string]   `json:"displayName,omitzero"`
	PayloadURL       api.Opt[string]   `json:"payloadUrl,omitzero"`
	Active           api.Opt[bool]     `json:"active,omitzero"`
	Format           api.Opt[string]   `json:"format,omitzero"`
	Filters          api.Opt[[]string] `json:"filters,omitzero"` // with groups, replaces both
	Groups           api.Opt[[]string] `json:"groups,omitzero"`
	Secret           string            `json:"secret,omitempty"`           // empty keeps the old one, "__remove-secret" removes it
	HasSecret        bool              `json:"hasSecret,omitempty"`        // clients send back what they read; secret decides
	SecretCiphertext string            `json:"secretCiphertext,omitempty"` // likewise
}

// webhookOut is a webhook as clients read it.
type webhookOut struct {
	OrganizationName string   `json:"organizationName"`
	ProjectName      string   `json:"projectName,omitempty"`
	StackName        string   `json:"stackName,omitempty"`
	EnvName          string   `json:"envName,omitempty"`
	Name             string   `json:"name"`
	DisplayName      string   `json:"displayName"`
	PayloadURL       string   `json:"payloadUrl"`
	Active           bool     `json:"active"`
	Format           string   `json:"format"`
	Filters          []string `json:"filters,omitempty"`
	Groups           []string `json:"groups,omitempty"`
	Secret           string   `json:"secret,omitempty"` // never sent
	HasSecret        bool     `json:"hasSecret"`
	SecretCiphertext string   `json:"secretCiphertext"` // changes with the secret and cannot be opened by clients; empty without one
}

// removeSecret is what the CLI sends to have a secret removed: an empty one keeps it.
const removeSecret = "__remove-secret"

// owner is what the row's path names: the organization, or the stack.
func owner(a access.Access) hook.Owner {
	if a.Stack.Exists() {
		return hook.OfStack(a.Organization, a.Stack.Value)
	}
	return hook.OfOrganization(a.Organization)
}

func webhookOf(a access.Access, h hook.Hook) webhookOut {
	out := webhookOut{
		OrganizationName: a.Organization.Name, ProjectName: a.Stack.Value.ProjectName, StackName: a.Stack.Value.Name,
		Name: h.Name, DisplayName: h.DisplayName, PayloadURL: h.URL, Active: h.Active, Format: h.Format, Filters: h.Filters, Groups: h.Groups,
	}
	if h.Secret != nil {
		out.HasSecret, out.SecretCiphertext = true, base64.StdEncoding.EncodeToString(h.Secret.Sealed)
	}
	return out
}

// samePlace refuses a body that speaks of another place than the path.
func samePlace(a access.Access, organization, project, stack, environment string) error {
	s := a.Stack.Value
	switch {
	case organization != "" && !strings.EqualFold(organization, a.Organization.Name):
		return fault.Wrong("body.organizationName", "the body names the organization %q, the path %q", organization, a.Organization.Name)
	case environment != "":
		return fault.Wrong("body.envName", "the webhooks of an environment are kept below the environment's own path")
	case project == s.ProjectName && stack == s.Name, project == "" && stack == "":
		return nil
	case a.Stack.Exists():
		return fault.Wrong("body.stackName", "the body names the stack %q, the path %q", project+"/"+stack, s.ProjectName+"/"+s.Name)
	}
	return fault.Wrong("body.stackName", "the webhooks of a stack are kept below the stack's own path")
}

type createWebhookIn struct {
	OrganizationWebhooksPath
	Body webhookIn
}

type createStackWebhookIn struct {
	StackPath
	Body webhookIn
}

type oneWebhookOut struct{ Body webhookOut }

func (d dialect) createOrganizationWebhook(ctx context.Context, in *createWebhookIn) (*oneWebhookOut, error) {
	return d.createWebhook(ctx, in.Body)
}

func (d dialect) createStackWebhook(ctx context.Context, in *createStackWebhookIn) (*oneWebhookOut, error) {
	return d.createWebhook(ctx, in.Body)
}

func (d dialect) createWebhook(ctx context.Context, b webhookIn) (*oneWebhookOut, error) {
	a := access.Of(ctx)
	if err := samePlace(a, b.OrganizationName, b.ProjectName, b.StackName, b.EnvName); err != nil {
		return nil, err
	}
	draft := hook.Draft{
		Name: b.Name, DisplayName: b.DisplayName, Dialect: dialectName, URL: b.PayloadURL, Format: b.Format, Active: b.Active, Secret: b.Secret,
	}
	var err error
	if draft.Format, err = webhookFormat(b.Format, a.Stack.Exists()); err != nil {
		return nil, err
	}
	if draft.Subscription, err = subscription(b.Filters, b.Groups, a.Stack.Exists()); err != nil {
		return nil, err
	}
	h, err := hook.Create(ctx, d.Ports, owner(a), draft)
	if err != nil {
		return nil, err
	}
	return &oneWebhookOut{webhookOf(a, h)}, nil
}

type listWebhooksIn struct{ OrganizationWebhooksPath }

type webhooksOut struct{ Body []webhookOut }

func (d dialect) listOrganizationWebhooks(ctx context.Context, _ *listWebhooksIn) (*webhooksOut, error) {
	return d.listWebhooks(ctx)
}

func (d dialect) listStackWebhooks(ctx context.Context, _ *getStackIn) (*webhooksOut, error) {
	return d.listWebhooks(ctx)
}

func (d dialect) listWebhooks(ctx context.Context) (*webhooksOut, error) {
	a := access.Of(ctx)
	hooks, err := hook.OfOwner(ctx, d.Ports, owner(a))
	if err != nil {
		return nil, err
	}
	out := &webhooksOut{Body: make([]webhookOut, len(hooks))}
	for i, h := range hooks {
		out.Body[i] = webhookOf(a, h)
	}
	return out, nil
}

type onWebhookIn struct{ WebhookPath }

type onStackWebhookIn struct{ StackWebhookPath }

func (d dialect) getOrganizationWebhook(ctx context.Context, in *onWebhookIn) (*oneWebhookOut, error) {
	return d.getWebhook(ctx, in.Hook)
}

func (d dialect) getStackWebhook(ctx context.Context, in *onStackWebhookIn) (*oneWebhookOut, error) {
	return d.getWebhook(ctx, in.Hook)
}

func (d dialect) getWebhook(ctx context.Context, name string) (*oneWebhookOut, error) {
	a := access.Of(ctx)
	h, err := hook.Find(ctx, d.Ports, owner(a), name)
	if err != nil {
		return nil, err
	}
	return &oneWebhookOut{webhookOf(a, h.Value)}, nil
}

type updateWebhookIn struct {
	WebhookPath
	Body webhookEdit
}

type updateStackWebhookIn struct {
	StackWebhookPath
	Body webhookEdit
}

func (d dialect) updateOrganizationWebhook(ctx context.Context, in *updateWebhookIn) (*oneWebhookOut, error) {
	return d.updateWebhook(ctx, in.Hook, in.Body)
}

func (d dialect) updateStackWebhook(ctx context.Context, in *updateStackWebhookIn) (*oneWebhookOut, error) {
	return d.updateWebhook(ctx, in.Hook, in.Body)
}

// updateWebhook changes what the body names. Filters and groups are one subscription: clients send both of them whole and leave out
// the one that is empty, so that either replaces both.
func (d dialect) updateWebhook(ctx context.Context, name string, b webhookEdit) (*oneWebhookOut, error) {
	a := access.Of(ctx)
	if err := samePlace(a, b.OrganizationName, b.ProjectName, b.StackName, b.EnvName); err != nil {
		return nil, err
	}
	if b.Name != "" && b.Name != name {
		return nil, fault.Wrong("body.name", "the name of a webhook cannot be changed: the body says %q, the path %q", b.Name, name)
	}
	edit := hook.Edit{DisplayName: given(b.DisplayName), URL: given(b.PayloadURL), Active: given(b.Active)}
	if f := given(b.Format); f != nil {
		format, err := webhookFormat(*f, a.Stack.Exists())
		if err != nil {
			return nil, err
		}
		edit.Format = &format
	}
	if !b.Filters.IsZero() || !b.Groups.IsZero() {
		s, err := subscription(b.Filters.Or(nil), b.Groups.Or(nil), a.Stack.Exists())
		if err != nil {
			return nil, err
		}
		edit.Subscription = &s
	}
	switch b.Secret {
	case "":
	case removeSecret:
		edit.Secret = new(string)
	default:
		edit.Secret = &b.Secret
	}
	h, err := hook.Change(ctx, d.Ports, owner(a), name, edit)
	if err != nil {
		return nil, err
	}
	return &oneWebhookOut{webhookOf(a, h)}, nil
}

// given is the value of a field that is there and not null, or nil.
func given[T any](o api.Opt[T]) *T {
	if v, ok := o.Get(); ok {
		return &v
	}
	return nil
}

func (d dialect) deleteOrganizationWebhook(ctx context.Context, in *onWebhookIn) (*struct{}, error) {
	return nil, hook.Delete(ctx, d.Ports, owner(access.Of(ctx)), in.Hook)
}

func (d dialect) deleteStackWebhook(ctx context.Context, in *onStackWebhookIn) (*struct{}, error) {
	return nil, hook.Delete(ctx, d.Ports, owner(access.Of(ctx)), in.Hook)
}
