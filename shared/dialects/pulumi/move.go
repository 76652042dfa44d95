package pulumi

import (
	"context"

	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
)

type exportVersionIn struct {
	StackPath
	Version int64 `path:"version" minimum:"1"`
}

func (d dialect) exportStackAtVersion(ctx context.Context, in *exportVersionIn) (*rawOut, error) {
	a := access.Of(ctx)
	text, err := update.ExportVersion(ctx, d.in(ctx), a.Organization, a.Stack.Value, in.Version)
	if err != nil {
		return nil, err
	}
	return &rawOut{ContentType: "application/json", Body: text}, nil
}

type rawStackIn struct {
	StackPath
	RawBody []byte
}

// importOut spells the id as the client reads it here: with a small d.
type importOut struct {
	Body struct {
		UpdateID string `json:"updateId"`
	}
}

func (d dialect) importStack(ctx context.Context, in *rawStackIn) (*importOut, error) {
	a := access.Of(ctx)
	id, err := update.ImportText(ctx, d.in(ctx), a.Organization, a.Stack, a.By(), in.RawBody)
	if err != nil {
		return nil, err
	}
	out := &importOut{}
	out.Body.UpdateID = id
	return out, nil
}

type renameStackIn struct {
	StackPath
	Body struct {
		NewName    string `json:"newName,omitempty"`    // empty: unchanged
		NewProject string `json:"newProject,omitempty"` // empty: unchanged
	}
}

func (d dialect) renameStack(ctx context.Context, in *renameStackIn) (*importOut, error) {
	a := access.Of(ctx)
	id, err := update.RenameStack(ctx, d.Ports, a.Organization, a.Stack, a.By(), in.Body.NewProject, in.Body.NewName)
	if err != nil {
		return nil, err
	}
	out := &importOut{}
	out.Body.UpdateID = id
	return out, nil
}

type transferStackIn struct {
	StackPath
	Body struct {
		ToOrg       string `json:"toOrg"`
		FromOrg     string `json:"fromOrg,omitempty"`     // must agree with the path
		ProjectName string `json:"projectName,omitempty"` // must agree with the path
		StackName   string `json:"stackName,omitempty"`   // must agree with the path
	}
}

func (d dialect) transferStack(ctx context.Context, in *transferStackIn) (*struct{}, error) {
	for field, pair := range map[string][2]string{
		"fromOrg": {in.Body.FromOrg, in.Organization}, "projectName": {in.Body.ProjectName, in.Project}, "stackName": {in.Body.StackName, in.Stack},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return nil, fault.Wrong("body."+field, "body.%s is %q, but the path says %q", field, pair[0], pair[1])
		}
	}
	a := access.Of(ctx)
	return nil, update.TransferStack(ctx, d.Ports, a.Principal, a.Organization, a.Stack, in.Body.ToOrg)
}

type updateTagsIn struct {
	StackPath
	Body map[string]string
}

func (d dialect) updateStackTags(ctx context.Context, in *updateTagsIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, stack.ReplaceTags(ctx, d.in(ctx), a.Organization, a.Stack, in.Body)
}

type addTagIn struct {
	StackPath
	Body struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
}

func (d dialect) addStackTag(ctx context.Context, in *addTagIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, stack.AddTag(ctx, d.in(ctx), a.Organization, a.Stack, in.Body.Name, in.Body.Value)
}

type deleteTagIn struct {
	StackPath
	Tag string `path:"tagName"`
}

func (d dialect) deleteStackTag(ctx context.Context, in *deleteTagIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, stack.DeleteTag(ctx, d.in(ctx), a.Organization, a.Stack, in.Tag)
}

type stackConfigIn struct {
	StackPath
	Body stackConfig
}

type stackConfigOut struct{ Body stackConfig }

func (d dialect) updateStackConfig(ctx context.Context, in *stackConfigIn) (*stackConfigOut, error) {
	a := access.Of(ctx)
	b := in.Body
	err := stack.Configure(ctx, d.in(ctx), a.Organization, a.Stack, &stack.Config{
		Environment: b.Environment, SecretsProvider: b.SecretsProvider, EncryptedKey: b.EncryptedKey, EncryptionSalt: b.EncryptionSalt,
	})
	return &stackConfigOut{b}, err
}

func (d dialect) getStackConfig(ctx context.Context, _ *getStackIn) (*stackConfigOut, error) {
	c := access.Of(ctx).Stack.Value.Config
	if c == nil {
		return nil, fault.Missing("the stack has no configuration at the service")
	}
	return &stackConfigOut{stackConfig{Environment: c.Environment, SecretsProvider: c.SecretsProvider, EncryptedKey: c.EncryptedKey, EncryptionSalt: c.EncryptionSalt}}, nil
}

func (d dialect) deleteStackConfig(ctx context.Context, _ *getStackIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, stack.Configure(ctx, d.in(ctx), a.Organization, a.Stack, nil)
}

type logDecryptionIn struct {
	StackPath
	Body struct {
		SecretName  string `json:"secretName,omitempty"`
		CommandName string `json:"commandName,omitempty"`
	}
}

// logDecryption leaves an entry for secrets that the client opened by itself, with another provider's key.
func (d dialect) logDecryption(ctx context.Context, in *logDecryptionIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, stack.LogDecryption(ctx, d.in(ctx), a.Organization, a.Stack.Value, in.Body.SecretName, in.Body.CommandName)
}
