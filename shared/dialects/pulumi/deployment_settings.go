package pulumi

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/deployment"
	"github.com/polyplane/polyplane/shared/core/fault"
)

// deploymentSettings documents the settings. The document is the client's: members that are not listed here are kept as well.
type deploymentSettings struct {
	AgentPoolID      string         `json:"agentPoolID,omitempty"`
	CacheOptions     map[string]any `json:"cacheOptions,omitempty"`
	ExecutorContext  map[string]any `json:"executorContext,omitempty"`
	GitHub           map[string]any `json:"gitHub,omitempty"`
	OperationContext map[string]any `json:"operationContext,omitempty"`
	Source           string         `json:"source,omitempty"`
	SourceContext    map[string]any `json:"sourceContext,omitempty"`
	Tag              string         `json:"tag,omitempty"`
	VCS              map[string]any `json:"vcs,omitempty"`
	Version          int64          `json:"version,omitempty"`
}

func (d dialect) getDeploymentSettings(ctx context.Context, _ *getStackIn) (*rawOut, error) {
	s, err := deployment.SettingsOf(ctx, d.in(ctx), access.Of(ctx).Stack.Value)
	if err != nil {
		return nil, err
	}
	return &rawOut{ContentType: "application/json", Body: s.JSON()}, nil
}

func (d dialect) patchDeploymentSettings(ctx context.Context, in *rawStackIn) (*rawOut, error) {
	document, err := settingsDocument(in.RawBody)
	if err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	s, err := deployment.MergeSettings(ctx, d.in(ctx), a.Organization, a.Stack.Value, a.Principal.Login, document)
	if err != nil {
		return nil, err
	}
	return &rawOut{ContentType: "application/json", Body: s.JSON()}, nil
}

func (d dialect) replaceDeploymentSettings(ctx context.Context, in *rawStackIn) (*rawOut, error) {
	document, err := settingsDocument(in.RawBody)
	if err != nil {
		return nil, err
	}
	a := access.Of(ctx)
	s, err := deployment.ReplaceSettings(ctx, d.in(ctx), a.Organization, a.Stack.Value, a.Principal.Login, document)
	if err != nil {
		return nil, err
	}
	return &rawOut{ContentType: "application/json", Body: s.JSON()}, nil
}

// settingsDocument reads a body and checks the types of the members that are known. version is the server's and is not taken.
func settingsDocument(body []byte) (map[string]any, error) {
	var shape deploymentSettings
	if err := api.DecodeJSON(body, &shape); err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil || document == nil {
		return nil, fault.Wrong("body", "body must be an object of deployment settings").Because(err)
	}
	delete(document, "version")
	return document, nil
}

func (d dialect) deleteDeploymentSettings(ctx context.Context, _ *getStackIn) (*struct{}, error) {
	a := access.Of(ctx)
	return nil, deployment.DeleteSettings(ctx, d.in(ctx), a.Organization, a.Stack.Value)
}

type encryptSecretIn struct {
	StackPath
	Body struct {
		Secret     string `json:"secret"`
		Ciphertext string `json:"ciphertext,omitempty" doc:"not used: a secret that is sealed already needs no sealing"`
		Plaintext  string `json:"plaintext,omitempty" doc:"not used"`
	}
}

type encryptSecretOut struct {
	Body struct {
		Ciphertext string `json:"ciphertext"`
	}
}

func (d dialect) encryptDeploymentSecret(ctx context.Context, in *encryptSecretIn) (*encryptSecretOut, error) {
	sealed, err := deployment.Seal(ctx, d.in(ctx), access.Of(ctx).Stack.Value, in.Body.Secret)
	if err != nil {
		return nil, err
	}
	out := &encryptSecretOut{}
	out.Body.Ciphertext = sealed
	return out, nil
}
