package checkpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func TestAnEnvelopeIsInspectedAsItsPartsAre(t *testing.T) {
	good := `{"version":3,"deployment":{"manifest":{"version":"","magic":""},"resources":[{"urn":"a"},{"type":"t","urn":"b"}]}}`
	whole, err := checkpoint.InspectUntyped([]byte(good), "body")
	require.NoError(t, err)
	u, err := checkpoint.DecodeUntyped([]byte(good), "body")
	require.NoError(t, err)
	parts, err := checkpoint.Inspect(u.Deployment, "body.deployment")
	require.NoError(t, err)
	require.Equal(t, parts, whole)
	require.Equal(t, 2, whole.Resources)
	for _, bad := range []string{
		``, `[]`, `{"version":3}`, `{"deployment":{"manifest":{}}}`, `{"version":0,"deployment":{"manifest":{}}}`, `{"version":33,"deployment":{"manifest":{}}}`,
		`{"version":"3","deployment":{"manifest":{}}}`, `{"version":3,"deployment":null}`, `{"version":3,"deployment":[]}`, `{"version":3,"deployment":{}}`,
		`{"version":3,"deployment":{"manifest":{},"resources":[{"type":"t"}]}}`, `{"version":3,"deployment":{"manifest":{},"resources":[{"urn":1}]}}`,
		good + "x", good[:len(good)-1],
	} {
		_, err := checkpoint.InspectUntyped([]byte(bad), "body")
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", bad, err)
	}
}
