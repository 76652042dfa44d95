package pulumi

import (
	"context"
)

type capability struct {
	Capability    string         `json:"capability"`
	Version       int            `json:"version,omitempty"`
	Configuration map[string]any `json:"configuration,omitempty"`
}

type capabilitiesOut struct {
	Body struct {
		Capabilities []capability `json:"capabilities"`
	}
}

// deltaCutoff is from which size of checkpoint, in bytes, clients without a journal send edits instead of the whole.
const deltaCutoff = 1 << 20

// capabilities lists what this server offers. A configuration that the CLI cannot parse makes it drop all of them.
func (d dialect) capabilities(context.Context, *struct{}) (*capabilitiesOut, error) {
	out := &capabilitiesOut{}
	out.Body.Capabilities = []capability{
		{Capability: "delta-checkpoint-uploads-v2", Version: 2, Configuration: map[string]any{"checkpointCutoffSizeBytes": deltaCutoff}},
		{Capability: "batch-encrypt"},
		{Capability: "deployment-schema-version", Version: 1, Configuration: map[string]any{"version": 4}},
		{Capability: "stack-policy-packs", Version: 1},
		{Capability: "api-version", Version: 1, Configuration: map[string]any{"minVersion": 1, "defaultVersion": 9, "maxVersion": 9}},
	}
	return out, nil
}

type versionIn struct {
	UserAgent string `header:"User-Agent"`
}

type versionOut struct {
	Body struct {
		LatestVersion        string `json:"latestVersion"`
		OldestWithoutWarning string `json:"oldestWithoutWarning"`
		LatestDevVersion     string `json:"latestDevVersion"`
	}
}

// cliVersion answers the caller's own version: this server has no opinion on when to upgrade a client.
func (d dialect) cliVersion(_ context.Context, in *versionIn) (*versionOut, error) {
	v := clientVersion(in.UserAgent)
	if v == "" {
		v = "v3.0.0"
	}
	out := &versionOut{}
	out.Body.LatestVersion, out.Body.OldestWithoutWarning, out.Body.LatestDevVersion = v, v, v
	return out, nil
}
