package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestTheServedDocumentIsTheVendors(t *testing.T) {
	guarantee.Contract(t, pulumiTable, "../../../../shared/api/pulumi.openapi.yaml", map[string]string{
		"UploadPolicyPack does not exist":                              "the vendor's archives lie at another service, and its answers give out addresses there",
		"DownloadPolicyPack does not exist":                            "the vendor's archives lie at another service, and its answers give out addresses there",
		"DeleteDeploymentSettings answers with a body, none is served": "nothing is left to show",
		"EncryptDeploymentSettingsSecret answer lacks secret":          "a secret is not sent back",
		"ProjectExists answers with a body, none is served":            "an answer to HEAD has none",
	})
}
