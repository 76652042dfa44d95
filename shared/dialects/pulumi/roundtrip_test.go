package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestNineRowsInTenTakeTwoReadsAndOneWrite(t *testing.T) {
	guarantee.RoundTrips(t, pulumiTable, map[string]string{
		"GetTeam":               "shows two lists, of people and of stacks",
		"DeletePersonalToken":   "the id leads to a row, the row to the address that requests read",
		"DeleteOrgToken":        "the id leads to a row, the row to the address that requests read",
		"DeleteTeamToken":       "the id leads to a row, the row to the address that requests read",
		"ListAuditLogEventsHandlerV1":   "merges the four shards of the audit, which it reads at the same time",
		"ListAuditLogEventsHandlerV2":   "merges the four shards of the audit, which it reads at the same time",
		"ExportAuditLogEventsHandlerV1": "reads all of the audit",
		"ExportAuditLogEventsHandlerV2": "reads all of the audit",
		"ListUserStacks":                "asks which organizations the caller is in, then for the rows of each",
		"TransferStack":                 "acts on two organizations and moves every grant",
		"CancelUpdate_update":           "revokes the lease before it replays what was acknowledged",
		"CompleteUpdate_update":         "closes the lease before it replays what was acknowledged",
	})
}
