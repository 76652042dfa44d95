package pulumi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

// state is a checkpoint as the source has it.
type state struct {
	checkpoint.Untyped
	checkpoint.Summary
	digest string // of all of it
}

// The least schema that this reads. Older ones are of clients before 2018; the present client upgrades them when it writes.
const leastSchema = 3

// decodeState reads a checkpoint file, {"version", "features", "checkpoint": {"latest": deployment}}, or an export, {"version",
// "features", "deployment"}. The deployment is nil when the stack was never updated.
func decodeState(text []byte, export bool) (state, error) {
	var file struct {
		Version    int      `json:"version"`
		Features   []string `json:"features"`
		Checkpoint struct {
			Latest json.RawMessage `json:"latest"`
		} `json:"checkpoint"`
		Deployment json.RawMessage `json:"deployment"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return state{}, fmt.Errorf("it is no checkpoint: %w", err)
	}
	s := state{Untyped: checkpoint.Untyped{Version: file.Version, Features: file.Features, Deployment: file.Checkpoint.Latest}}
	if export {
		s.Deployment = file.Deployment
	}
	if file.Version < leastSchema {
		return s, fmt.Errorf("its schema is %d, and %d is the oldest that can be brought: run `pulumi refresh` with a present client first", file.Version, leastSchema)
	}
	if bytes.Equal(s.Deployment, []byte("null")) {
		s.Deployment = nil
	}
	if s.Deployment == nil {
		return s, nil
	}
	var err error
	s.Summary, err = checkpoint.Inspect(s.Deployment, "deployment")
	sum := sha256.Sum256(checkpoint.EncodeUntyped(s.Untyped))
	s.digest = hex.EncodeToString(sum[:])
	return s, err
}

// text is the checkpoint as the installation keeps it.
func (s state) text() []byte { return checkpoint.EncodeUntyped(s.Untyped) }

// worth reports whether there is anything in the checkpoint.
func (s state) worth() bool {
	return s.Deployment != nil && s.Resources+s.PendingOperations > 0
}

// project is the project that the checkpoint's URNs name, or "".
func (s state) project() string {
	var d struct {
		Resources []struct {
			URN string `json:"urn"`
		} `json:"resources"`
	}
	if json.Unmarshal(s.Deployment, &d) != nil {
		return ""
	}
	for _, r := range d.Resources {
		// urn:pulumi:<stack>::<project>::<types>::<name>
		if parts := strings.SplitN(r.URN, "::", 4); len(parts) == 4 && strings.HasPrefix(parts[0], "urn:pulumi:") {
			return parts[1]
		}
	}
	return ""
}

// withProvider is the deployment with another secrets provider.
func withProvider(deployment []byte, kind string, of any) ([]byte, error) {
	provider, err := json.Marshal(map[string]any{"type": kind, "state": of})
	if err != nil {
		return nil, err
	}
	m, ok := topLevel(deployment, "secrets_providers")
	if ok {
		return join(deployment[:m.value], provider, deployment[m.to:]), nil
	}
	at := bytes.IndexByte(deployment, '{') + 1 // an object with a manifest: a comma is due
	return join(deployment[:at], []byte(`"secrets_providers":`), provider, []byte(","), deployment[at:]), nil
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
