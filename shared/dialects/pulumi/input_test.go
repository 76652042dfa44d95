package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestBadInputIsRefusedInTheVendorsWordsAndChangesNothing(t *testing.T) {
	guarantee.Inputs(t, pulumiTable, map[string]string{
		"PatchUpdateCheckpoint_update isInvalid is missing": "not saying that it is invalid says that it is not",
	})
}

func TestABodyThatUnpacksToTenGigabytesIsRefusedEarly(t *testing.T) {
	guarantee.Bombs(t, pulumiTable)
}
