package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestTheServedDocumentIsTheVendors(t *testing.T) {
	guarantee.Contract(t, pulumiTable, "../../../../shared/api/pulumi.openapi.yaml", map[string]string{
		"ProjectExists answers with a body, none is served": "an answer to HEAD has none",
	})
}
