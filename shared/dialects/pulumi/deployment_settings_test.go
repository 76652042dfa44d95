package pulumi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeploymentSettingsAreMergedAndTheirSecretsSealed(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	at := stack + "/deployments/settings"
	c.call(http.MethodGet, at, nil).Into(t, http.StatusNotFound, nil)
	c.call(http.MethodPost, at, map[string]any{
		"sourceContext":    map[string]any{"git": map[string]any{"repoUrl": "https://example.com/r.git", "branch": "main"}},
		"operationContext": map[string]any{"environmentVariables": map[string]any{"A": "plain", "B": map[string]any{"secret": "hunter2"}, "C": map[string]any{"isSecret": true, "value": "hunter3"}}},
		"unknownMember":    []int{1},
	}).Into(t, http.StatusOK, nil)
	a := c.call(http.MethodGet, at, nil)
	a.Into(t, http.StatusOK, nil)
	require.NotContains(t, string(a.Body), "hunter")
	var got struct {
		Version          int64
		UnknownMember    []int
		SourceContext    struct{ Git map[string]string }
		OperationContext struct {
			EnvironmentVariables map[string]json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(a.Body, &got))
	require.EqualValues(t, 1, got.Version)
	require.Equal(t, []int{1}, got.UnknownMember)
	require.JSONEq(t, `"plain"`, string(got.OperationContext.EnvironmentVariables["A"]))
	var sealed struct{ Ciphertext string }
	require.NoError(t, json.Unmarshal(got.OperationContext.EnvironmentVariables["B"], &sealed))
	var opened struct{ Plaintext []byte }
	c.call(http.MethodPost, stack+"/decrypt", map[string]string{"ciphertext": sealed.Ciphertext}).Into(t, http.StatusOK, &opened)
	require.Equal(t, "hunter2", string(opened.Plaintext))

	c.call(http.MethodPost, at, map[string]any{
		"sourceContext":    map[string]any{"git": map[string]any{"branch": nil, "tag": "v1"}},
		"operationContext": map[string]any{"environmentVariables": map[string]any{"B": sealed}},
	}).Into(t, http.StatusOK, &got)
	require.Equal(t, map[string]string{"repoUrl": "https://example.com/r.git", "tag": "v1"}, clean(got.SourceContext.Git))
	require.EqualValues(t, 2, got.Version)

	for name, bad := range map[string]any{
		"foreign ciphertext": map[string]any{"operationContext": map[string]any{"x": map[string]any{"ciphertext": base64.StdEncoding.EncodeToString([]byte("nothing"))}}},
		"wrong type":         map[string]any{"tag": 1},
		"no object":          []int{1},
	} {
		c.call(http.MethodPost, at, bad).Into(t, http.StatusBadRequest, nil)
		c.call(http.MethodPut, at, bad).Into(t, http.StatusBadRequest, nil)
		_ = name
	}
	c.call(http.MethodPut, at, map[string]any{"tag": "latest"}).Into(t, http.StatusOK, nil)
	a = c.call(http.MethodGet, at, nil)
	require.JSONEq(t, `{"tag":"latest","version":3}`, string(a.Body))
	c.call(http.MethodDelete, at, nil).Into(t, http.StatusNoContent, nil)
	c.call(http.MethodDelete, at, nil).Into(t, http.StatusNotFound, nil)
	var again struct{ Ciphertext string }
	c.call(http.MethodPost, at+"/encrypt", map[string]string{"secret": "x"}).Into(t, http.StatusOK, &again)
	require.NotEmpty(t, again.Ciphertext)
}

// clean drops the members that the decoder left from an earlier answer.
func clean(m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if k != "branch" {
			out[k] = v
		}
	}
	return out
}
