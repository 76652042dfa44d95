package pulumi

import (
	"context"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/access"
	"github.com/polyplane/polyplane/shared/core/policy"
	"github.com/polyplane/polyplane/shared/core/update"
)

// OrganizationPath and PolicyPackPath are exported because the front binds parameters of exported parts only.
type OrganizationPath struct {
	Organization string `path:"orgName"`
}

type PolicyPackPath struct {
	OrganizationPath
	Pack string `path:"policyPackName"`
}

type PolicyVersionPath struct {
	PolicyPackPath
	Version string `path:"version" doc:"the version's tag, or its number"`
}

type policyConfigSchema struct {
	Type       string                     `json:"type" enum:"object"`
	Properties map[string]json.RawMessage `json:"properties,omitempty" nullable:"true"`
	Required   []string                   `json:"required,omitempty"`
}

type policyFramework struct {
	Name          string `json:"name,omitempty"`
	Version       string `json:"version,omitempty"`
	Reference     string `json:"reference,omitempty"`
	Specification string `json:"specification,omitempty"`
}

type policyBody struct {
	Name             string              `json:"name"`
	DisplayName      string              `json:"displayName"`
	Description      string              `json:"description"`
	EnforcementLevel policy.Level        `json:"enforcementLevel" enum:"advisory,mandatory,remediate,disabled"`
	Message          string              `json:"message"`
	ConfigSchema     *policyConfigSchema `json:"configSchema,omitempty"`
	Severity         policy.Severity     `json:"severity,omitempty"`
	Framework        *policyFramework    `json:"framework,omitempty"`
	Tags             []string            `json:"tags,omitempty"`
	RemediationSteps string              `json:"remediationSteps,omitempty"`
	URL              string              `json:"url,omitempty"`
}

func (b policyBody) policy() policy.Policy {
	p := policy.Policy{
		Name: b.Name, DisplayName: b.DisplayName, Description: b.Description, Message: b.Message, Level: b.EnforcementLevel,
		Severity: b.Severity, Framework: (*policy.Framework)(b.Framework), Tags: b.Tags, Remedy: b.RemediationSteps, URL: b.URL,
	}
	if s := b.ConfigSchema; s != nil {
		p.Schema = &policy.Schema{Properties: s.Properties, Required: s.Required}
	}
	return p
}

func schemaOf(p policy.Policy) *policyConfigSchema {
	if p.Schema == nil {
		return nil
	}
	return &policyConfigSchema{Type: "object", Properties: p.Schema.Properties, Required: p.Schema.Required}
}

func policyOf(p policy.Policy) policyBody {
	return policyBody{
		Name: p.Name, DisplayName: p.DisplayName, Description: p.Description, EnforcementLevel: p.Level, Message: p.Message,
		ConfigSchema: schemaOf(p), Severity: p.Severity, Framework: (*policyFramework)(p.Framework), Tags: p.Tags,
		RemediationSteps: p.Remedy, URL: p.URL,
	}
}

type listPolicyPacksIn struct {
	OrganizationPath
	Pack string `query:"policypack" doc:"only the pack of this name"`
}

type policyPackVersions struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	Versions    []int64  `json:"versions"`
	VersionTags []string `json:"versionTags"`
}

type listPolicyPacksOut struct {
	Body struct {
		PolicyPacks []policyPackVersions `json:"policyPacks"`
	}
}

func (d dialect) listPolicyPacks(ctx context.Context, in *listPolicyPacksIn) (*listPolicyPacksOut, error) {
	packs, err := policy.Packs(ctx, d.Ports, access.Of(ctx).Organization.ID)
	if err != nil {
		return nil, err
	}
	out := &listPolicyPacksOut{}
	out.Body.PolicyPacks = []policyPackVersions{}
	for _, p := range packs {
		if in.Pack != "" && p.Name != in.Pack {
			continue
		}
		b := policyPackVersions{Name: p.Name, DisplayName: p.DisplayName}
		for _, v := range p.Versions {
			b.Versions, b.VersionTags = append(b.Versions, v.Number), append(b.VersionTags, v.Tag)
		}
		out.Body.PolicyPacks = append(out.Body.PolicyPacks, b)
	}
	return out, nil
}

type createPolicyPackIn struct {
	OrganizationPath
	Body struct {
		Name        string            `json:"name"`
		DisplayName string            `json:"displayName"`
		VersionTag  string            `json:"versionTag,omitempty" doc:"empty: the version's number"`
		Policies    []policyBody      `json:"policies"`
		Description string            `json:"description,omitempty"`
		Readme      string            `json:"readme,omitempty"`
		Provider    string            `json:"provider,omitempty"`
		Tags        []string          `json:"tags,omitempty"`
		Repository  string            `json:"repository,omitempty"`
		Runtime     string            `json:"runtime,omitempty"`
		Metadata    map[string]string `json:"metadata,omitempty" nullable:"true"`
	}
}

type createPolicyPackOut struct {
	Body struct {
		Version         int64             `json:"version"`
		UploadURI       string            `json:"uploadURI"`
		RequiredHeaders map[string]string `json:"requiredHeaders,omitempty"`
	}
}

// archiveType is what an archive is sent and given as; the client sends what the answer to its announcement demands.
const archiveType = "application/gzip"

func (d dialect) createPolicyPack(ctx context.Context, in *createPolicyPackIn) (*createPolicyPackOut, error) {
	a, b := access.Of(ctx), in.Body
	about := policy.Description{
		DisplayName: b.DisplayName, Text: b.Description, Readme: b.Readme, Provider: b.Provider, Tags: b.Tags,
		Repository: b.Repository, Runtime: b.Runtime, Metadata: b.Metadata, Policies: make([]policy.Policy, len(b.Policies)),
	}
	for i, p := range b.Policies {
		about.Policies[i] = p.policy()
	}
	made, err := policy.Announce(ctx, d.Ports, a.Principal, a.Organization, b.Name, b.VersionTag, about)
	if err != nil {
		return nil, err
	}
	out := &createPolicyPackOut{}
	out.Body.Version = made.Number
	out.Body.UploadURI = api.BaseURL(ctx) + policyUploadAt + made.Upload
	out.Body.RequiredHeaders = map[string]string{"Content-Type": archiveType}
	return out, nil
}

// Where archives are sent to and fetched from; the last segment is all that lets a caller in.
const (
	policyUploadAt  = "/api/policyarchives/uploads/"
	policyArchiveAt = "/api/policyarchives/"
)

type uploadPolicyPackIn struct {
	Link    string `path:"link"`
	RawBody []byte
}

func (d dialect) uploadPolicyPack(ctx context.Context, in *uploadPolicyPackIn) (*struct{}, error) {
	return nil, policy.Upload(ctx, d.Ports, in.Link, in.RawBody)
}

type downloadPolicyPackIn struct {
	Link string `path:"link"`
}

type downloadPolicyPackOut struct {
	Body api.StreamBody
}

func (d dialect) downloadPolicyPack(ctx context.Context, in *downloadPolicyPackIn) (*downloadPolicyPackOut, error) {
	r, _, err := policy.Archive(ctx, d.Ports, in.Link)
	if err != nil {
		return nil, err
	}
	return &downloadPolicyPackOut{api.Stream(archiveType, func(_ context.Context, w api.Writer) error {
		defer r.Close()
		_, err := r.WriteTo(w)
		return err
	})}, nil
}

func (d dialect) completePolicyPack(ctx context.Context, in *onPolicyVersionIn) (*struct{}, error) {
	return nil, policy.Complete(ctx, d.Ports, access.Of(ctx).Organization, in.Pack, in.Version)
}

type onPolicyPackIn struct{ PolicyPackPath }

func (d dialect) deletePolicyPack(ctx context.Context, in *onPolicyPackIn) (*struct{}, error) {
	return nil, policy.DeletePack(ctx, d.Ports, access.Of(ctx).Organization, in.Pack)
}

type onPolicyVersionIn struct{ PolicyVersionPath }

func (d dialect) deletePolicyPackVersion(ctx context.Context, in *onPolicyVersionIn) (*struct{}, error) {
	return nil, policy.DeleteVersion(ctx, d.Ports, access.Of(ctx).Organization, in.Pack, in.Version)
}

type getPolicyPackOut struct {
	Body struct {
		Name        string       `json:"name"`
		DisplayName string       `json:"displayName"`
		Version     int64        `json:"version"`
		VersionTag  string       `json:"versionTag"`
		Policies    []policyBody `json:"policies"`
		Applied     bool         `json:"applied"` // a policy group enforces this version
	}
}

func (d dialect) getPolicyPack(ctx context.Context, in *onPolicyVersionIn) (*getPolicyPackOut, error) {
	p, err := policy.Find(ctx, d.Ports, access.Of(ctx).Organization.ID, in.Pack, in.Version)
	if err != nil {
		return nil, err
	}
	out := &getPolicyPackOut{}
	out.Body.Name, out.Body.DisplayName = p.Pack.Name, p.DisplayName
	out.Body.Version, out.Body.VersionTag, out.Body.Applied = p.Number, p.Tag, len(p.Groups) > 0
	out.Body.Policies = make([]policyBody, len(p.Policies))
	for i, q := range p.Policies {
		out.Body.Policies[i] = policyOf(q)
	}
	return out, nil
}

type policySchemaOut struct {
	Body struct {
		ConfigSchema map[string]policyConfigSchema `json:"configSchema,omitempty"`
	}
}

func (d dialect) getPolicyPackConfigSchema(ctx context.Context, in *onPolicyVersionIn) (*policySchemaOut, error) {
	p, err := policy.Find(ctx, d.Ports, access.Of(ctx).Organization.ID, in.Pack, in.Version)
	if err != nil {
		return nil, err
	}
	out := &policySchemaOut{}
	out.Body.ConfigSchema = map[string]policyConfigSchema{}
	for _, q := range p.Policies {
		if s := schemaOf(q); s != nil {
			out.Body.ConfigSchema[q.Name] = *s
		}
	}
	return out, nil
}

type requiredPolicy struct {
	Name         string                     `json:"name"`
	Version      int64                      `json:"version"`
	VersionTag   string                     `json:"versionTag"`
	DisplayName  string                     `json:"displayName"`
	PackLocation string                     `json:"packLocation,omitempty"`
	Config       map[string]json.RawMessage `json:"config,omitempty"`
	Environments []string                   `json:"environments,omitempty"`
}

// requiredPolicies are packs as a client that runs them needs them.
func requiredPolicies(ctx context.Context, rs []policy.Required) []requiredPolicy {
	var out []requiredPolicy
	for _, r := range rs {
		out = append(out, requiredPolicy{
			Name: r.Name, Version: r.Number, VersionTag: r.Tag, DisplayName: r.DisplayName, Config: r.Config, Environments: r.Environments,
			PackLocation: api.BaseURL(ctx) + policyArchiveAt + r.Link,
		})
	}
	return out
}

// packsToRun are packs as the history of the update that runs them keeps them.
func packsToRun(rs []policy.Required) []update.PolicyPack {
	var out []update.PolicyPack
	for _, r := range rs {
		out = append(out, update.PolicyPack{
			Name: r.Name, DisplayName: r.DisplayName, Version: r.Number, VersionTag: r.Tag, Config: r.Config, Environments: r.Environments,
		})
	}
	return out
}

type stackPolicyPacksIn struct {
	StackPath
	Mode policy.Mode `query:"mode" enum:"audit,preventative"`
}

type stackPolicyPacksOut struct {
	Body struct {
		RequiredPolicies []requiredPolicy `json:"requiredPolicies,omitempty"`
	}
}

func (d dialect) getStackPolicyPacks(ctx context.Context, in *stackPolicyPacksIn) (*stackPolicyPacksOut, error) {
	rs, err := policy.RequiredOf(ctx, d.Ports, access.Of(ctx).Stack.Value, in.Mode)
	if err != nil {
		return nil, err
	}
	out := &stackPolicyPacksOut{}
	out.Body.RequiredPolicies = requiredPolicies(ctx, rs)
	return out, nil
}
