package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestNineRowsInTenTakeTwoReadsAndOneWrite(t *testing.T) {
	guarantee.RoundTrips(t, pulumiTable, map[string]string{
		"ListUserStacks":        "asks which organizations the caller is in, then for the rows of each",
		"TransferStack":         "acts on two organizations and moves every grant",
		"CancelUpdate_update":   "revokes the lease before it replays what was acknowledged",
		"CompleteUpdate_update": "closes the lease before it replays what was acknowledged",
	})
}
