package checkpoint_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

func TestMovingRewritesEveryReferenceAndNothingElse(t *testing.T) {
	const deployment = `{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},
	"secrets_providers":{"type":"service","state":{"url":"http://x","owner":"acme","project":"shop","stack":"dev"}},
	"resources":[
	 {"urn":"urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev","custom":false,"type":"pulumi:pulumi:Stack"},
	 {"urn":"urn:pulumi:dev::shop::a:b:C::shop-dev","parent":"urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev",
	  "provider":"urn:pulumi:dev::shop::pulumi:providers:a::p::04da6b54-80e4-46f7-96ec-b56ff0331ba9",
	  "dependencies":["urn:pulumi:dev::shop::x:y:Z::z","urn:pulumi:other::shop::x:y:Z::z"],
	  "propertyDependencies":{"p":["urn:pulumi:dev::shop::x:y:Z::z"]},"deletedWith":"urn:pulumi:dev::shop::x:y:Z::z",
	  "outputs":{"text":"urn:pulumi:dev::shop::x:y:Z::z"},"unknownField":{"kept":[1, 2]}}],
	"pending_operations":[{"resource":{"urn":"urn:pulumi:dev::shop::x:y:Z::w"},"type":"creating"}]}`
	out, err := checkpoint.Move([]byte(deployment), checkpoint.Place{Organization: "acme", Project: "shop", Stack: "dev"},
		checkpoint.Place{Organization: "acme", Project: "store", Stack: "prod"})
	require.NoError(t, err)
	require.True(t, json.Valid(out))
	text := string(out)
	require.Equal(t, 1, strings.Count(text, "urn:pulumi:dev::shop"), "only the output's text stays: %s", text)
	require.Contains(t, text, `"urn":"urn:pulumi:prod::store::pulumi:pulumi:Stack::store-prod"`)
	require.Contains(t, text, `"urn":"urn:pulumi:prod::store::a:b:C::shop-dev"`, "only the root's name follows the stack")
	require.Contains(t, text, `"urn:pulumi:prod::store::pulumi:providers:a::p::04da6b54-80e4-46f7-96ec-b56ff0331ba9"`)
	require.Contains(t, text, `urn:pulumi:other::shop::x:y:Z::z`)
	require.Contains(t, text, `"owner":"acme","project":"store","stack":"prod"`)
	require.Contains(t, text, `"unknownField":{"kept":[1, 2]}`)
	back, err := checkpoint.Move(out, checkpoint.Place{Organization: "acme", Project: "store", Stack: "prod"},
		checkpoint.Place{Organization: "acme", Project: "shop", Stack: "dev"})
	require.NoError(t, err)
	require.JSONEq(t, deployment, string(back))
}

func TestMovingSecretsLeavesOtherProvidersAlone(t *testing.T) {
	to := checkpoint.Place{Organization: "other", Project: "shop", Stack: "dev"}
	for _, same := range []string{`{}`, `{"secrets_providers":{"type":"passphrase","state":{"owner":"acme"}}}`,
		`{"secrets_providers":{"type":"service","state":{"owner":"other","project":"shop","stack":"dev"}}}`} {
		require.Equal(t, same, string(checkpoint.MoveSecrets([]byte(same), to)))
	}
	require.JSONEq(t, `{"secrets_providers":{"type":"service","state":{"url":"u","owner":"other","project":"shop","stack":"dev"}}}`,
		string(checkpoint.MoveSecrets([]byte(`{"secrets_providers":{"type":"service","state":{"url":"u","owner":"acme","project":"shop","stack":"dev"}}}`), to)))
}
