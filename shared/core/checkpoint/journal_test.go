package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

// now is the time in every manifest of these tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const clientVersion = "v3.200.0"

// res writes a resource. Extra is raw members, each after its comma.
func res(name string, extra ...string) string {
	return fmt.Sprintf(`{"urn":%q,"custom":true,"type":"t:m:R"%s}`, urn(name), strings.Join(extra, ""))
}

func urn(name string) string { return "urn:pulumi:dev::shop::t:m:R::" + name }

func refs(field string, names ...string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = fmt.Sprintf("%q", urn(name))
	}
	return fmt.Sprintf(`,%q:[%s]`, field, strings.Join(list, ","))
}

func ref(field, name string) string { return fmt.Sprintf(`,%q:%q`, field, urn(name)) }

// base writes a deployment.
func base(resources ...string) string {
	return fmt.Sprintf(`{"manifest":{"time":"2026-01-01T00:00:00Z","magic":"","version":""},"resources":[%s]}`,
		strings.Join(resources, ","))
}

// entry writes an entry; parts are raw members without their comma.
func entry(sequence, kind, operation int, parts ...string) string {
	head := fmt.Sprintf(`"version":1,"kind":%d,"sequenceID":%d,"operationID":%d,"removeOld":null,"removeNew":null`,
		kind, sequence, operation)
	return "{" + strings.Join(append([]string{head}, parts...), ",") + "}"
}

func state(resource string) string { return `"state":` + resource }

func pendingOp(kind, resource string) string {
	return fmt.Sprintf(`"operation":{"resource":%s,"type":%q}`, resource, kind)
}

func decode(t require.TestingT, entries ...string) []checkpoint.Entry {
	decoded, err := checkpoint.DecodeBatch([]byte(`{"entries":[`+strings.Join(entries, ",")+`]}`), checkpoint.Limits{})
	require.NoError(t, err)
	return decoded
}

// replay applies entries over a deployment.
func replay(t require.TestingT, over string, entries ...string) *checkpoint.State {
	s, err := checkpoint.New([]byte(over))
	require.NoError(t, err)
	require.NoError(t, s.ApplyAll(decode(t, entries...)))
	return s
}

func materialize(t require.TestingT, s *checkpoint.State) checkpoint.Snapshot {
	snapshot, err := s.Materialize(now, clientVersion)
	require.NoError(t, err)
	require.True(t, json.Valid(snapshot.Deployment), "%s", snapshot.Deployment)
	return snapshot
}

// deployment is what the client reads from a deployment.
type deployment struct {
	Manifest struct {
		Time, Magic, Version string
	}
	SecretsProviders  json.RawMessage `json:"secrets_providers"`
	Resources         []modelResource
	PendingOperations []struct {
		Resource modelResource
		Type     string
	} `json:"pending_operations"`
	Metadata   json.RawMessage
	Snippets   json.RawMessage
	Extensions map[string]json.RawMessage
}

type modelResource struct {
	URN                  string              `json:"urn"`
	Parent               string              `json:"parent"`
	Provider             string              `json:"provider"`
	Dependencies         []string            `json:"dependencies"`
	PropertyDependencies map[string][]string `json:"propertyDependencies"`
	DeletedWith          string              `json:"deletedWith"`
	ReplaceWith          []string            `json:"replaceWith"`
	Aliases              []string            `json:"aliases"`
	Delete               bool                `json:"delete"`
	PendingReplacement   bool                `json:"pendingReplacement"`
	Rev                  int                 `json:"rev"` // a member that the package does not know
}

func parse(t require.TestingT, raw []byte) deployment {
	var d deployment
	require.NoError(t, json.Unmarshal(raw, &d))
	return d
}

// sketch writes a deployment's resources and pending operations in a line: names, ! for delete, ? for pending replacement,
// @ and the revision if there is one, and the pending operations in brackets.
func sketch(t require.TestingT, raw []byte) string {
	d := parse(t, raw)
	var parts []string
	for _, r := range d.Resources {
		part := r.URN[strings.LastIndex(r.URN, "::")+2:]
		if r.Rev != 0 {
			part += fmt.Sprintf("@%d", r.Rev)
		}
		if r.Delete {
			part += "!"
		}
		if r.PendingReplacement {
			part += "?"
		}
		parts = append(parts, part)
	}
	for _, op := range d.PendingOperations {
		parts = append(parts, fmt.Sprintf("[%s %s]", op.Type, op.Resource.URN[strings.LastIndex(op.Resource.URN, "::")+2:]))
	}
	return strings.Join(parts, " ")
}

func rev(n int) string { return fmt.Sprintf(`,"rev":%d`, n) }

// rawText keeps a value's bytes.
type rawText []byte

func (r *rawText) UnmarshalJSON(raw []byte) error {
	*r = append((*r)[:0], raw...)
	return nil
}

func requireUnmarshal(t *testing.T, raw []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, into))
}
