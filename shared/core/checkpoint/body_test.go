package checkpoint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
)

func TestAVerbatimTextKeepsItsBytes(t *testing.T) {
	text := `{"version":4, "features":["hooks"],"deployment":{"manifest":{"a":"<\u003c"} ,"resources":[ {"urn":"u"}]}}`
	v, err := checkpoint.DecodeVerbatim([]byte(`{"version":4,"untypedDeployment": ` + text + ` ,"sequenceNumber":3}`))
	require.NoError(t, err)
	require.Equal(t, checkpoint.Verbatim{Version: 4, Sequence: 3, Text: []byte(text)}, v)

	u, err := checkpoint.DecodeUntyped(v.Text, "body.untypedDeployment")
	require.NoError(t, err)
	require.Equal(t, 4, u.Version)
	require.Equal(t, []string{"hooks"}, u.Features)
	require.Equal(t, `{"manifest":{"a":"<\u003c"} ,"resources":[ {"urn":"u"}]}`, string(u.Deployment))
	require.Equal(t, `{"version":4,"features":["hooks"],"deployment":`+string(u.Deployment)+`}`, string(checkpoint.EncodeUntyped(u)))
	require.Equal(t, `{"version":3,"deployment":null}`, string(checkpoint.EncodeUntyped(checkpoint.Untyped{Version: 3})))
}

func TestADeltaBodyIsRead(t *testing.T) {
	d, err := checkpoint.DecodeDelta([]byte(`{"version":3,"checkpointHash":"ab","sequenceNumber":2,"deploymentDelta":[ ]}`))
	require.NoError(t, err)
	require.Equal(t, checkpoint.Delta{Version: 3, Sequence: 2, Hash: "ab", Edits: []byte("[ ]")}, d)
}

func TestAPlainBodyIsRead(t *testing.T) {
	p, err := checkpoint.DecodePlain([]byte(`{"isInvalid":false,"version":3,"deployment":{"manifest":{}}}`))
	require.NoError(t, err)
	require.Equal(t, `{"manifest":{}}`, string(p.Deployment))
	p, err = checkpoint.DecodePlain([]byte(`{"isInvalid":true,"version":3}`))
	require.NoError(t, err)
	require.True(t, p.Invalid)
}

func TestABodyThatIsWrongSaysWhere(t *testing.T) {
	verbatim := func(b string) error { _, err := checkpoint.DecodeVerbatim([]byte(b)); return err }
	delta := func(b string) error { _, err := checkpoint.DecodeDelta([]byte(b)); return err }
	plain := func(b string) error { _, err := checkpoint.DecodePlain([]byte(b)); return err }
	for _, test := range []struct {
		err   error
		field string
	}{
		{verbatim(`[]`), "body"},
		{verbatim(`{"version":3,"sequenceNumber":1}`), "body.untypedDeployment"},
		{verbatim(`{"version":5,"sequenceNumber":1,"untypedDeployment":{}}`), "body.version"},
		{verbatim(`{"version":3,"sequenceNumber":0,"untypedDeployment":{}}`), "body.sequenceNumber"},
		{verbatim(`{"version":3,"untypedDeployment":{}} x`), "body"},
		{verbatim(`{"version":3,"untypedDeployment":` + strings.Repeat("[", 10_000)), "body"},
		{delta(`{"version":3,"sequenceNumber":1,"checkpointHash":"x"}`), "body.deploymentDelta"},
		{delta(`{"version":3,"sequenceNumber":1,"deploymentDelta":[]}`), "body.checkpointHash"},
		{delta(`{"version":"3","sequenceNumber":1,"deploymentDelta":[],"checkpointHash":"x"}`), "body.version"},
		{delta(`{"version":3,"sequenceNumber":-1,"deploymentDelta":[],"checkpointHash":"x"}`), "body.sequenceNumber"},
		{plain(`{"version":3}`), "body.deployment"},
		{plain(`{"deployment":{}}`), "body.version"},
		{plain(`{"version":3,"features":[1],"deployment":{}}`), "body.features"},
	} {
		f := fault.As(test.err)
		require.NotNil(t, f, "%v", test.err)
		require.Equal(t, fault.Invalid, f.Code)
		require.Equal(t, test.field, f.Field)
	}
}

func TestResourcesAreCounted(t *testing.T) {
	for deployment, want := range map[string]int{
		"": 0, "null": 0, `{}`: 0, `{"resources":null}`: 0, base(): 0, base(res("a"), res("b")): 2,
		`{"x":{"resources":[1,2,3]},"resources":[{},{"resources":[1]}]}`: 2,
	} {
		got, err := checkpoint.CountResources([]byte(deployment))
		require.NoError(t, err)
		require.Equal(t, want, got, deployment)
	}
	_, err := checkpoint.CountResources([]byte(`{"resources":[{}`))
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestInspectingSaysWhatIsWrong(t *testing.T) {
	for deployment, field := range map[string]string{
		`null`: "d", `[]`: "d", ``: "d", `{}`: "d.manifest", `{"manifest":1}`: "d.manifest",
		`{"manifest":{},"resources":{}}`: "d.resources", `{"manifest":{},"resources":[{"urn":"u"},{"urn":1}]}`: "d.resources[1]",
		`{"manifest":{},"resources":[7]}`: "d.resources[0]", `{"manifest":{},"pending_operations":[{"resource":{}}]}`: "d.pending_operations[0]",
		`{"manifest":{},"secrets_providers":7}`: "d.secrets_providers", `{"manifest":{}`: "d", "{\"manifest\":{\"x\":\"\xff\"}}": "d",
	} {
		_, err := checkpoint.Inspect([]byte(deployment), "d")
		f := fault.As(err)
		require.NotNil(t, f, deployment)
		require.Equal(t, fault.Invalid, f.Code)
		require.Equal(t, field, f.Field, deployment)
	}
	summary, err := checkpoint.Inspect([]byte(`{"manifest":{"version":"v1","magic":"x"},"secrets_providers":{"type":"service","state":{"stack":"s"}},`+
		`"resources":[{"urn":"u"}],"pending_operations":[{"resource":{"urn":"u"}}]}`), "d")
	require.NoError(t, err)
	require.Equal(t, checkpoint.Summary{
		Resources: 1, PendingOperations: 1, Version: "v1", SecretsProvider: "service", SecretsState: []byte(`{"stack":"s"}`),
	}, summary)
}
