package pulumi_test

import (
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

func TestNineRowsInTenTakeTwoReadsAndOneWrite(t *testing.T) {
	guarantee.RoundTrips(t, pulumiTable, map[string]string{
		"DeletePersonalToken":        "the id leads to a row, the row to the address that requests read",
		"DeleteOrgToken":             "the id leads to a row, the row to the address that requests read",
		"DeleteTeamToken":            "the id leads to a row, the row to the address that requests read",
		"ListPolicyGroups":           "counts the stacks of every group: groups, memberships and stacks are three lists",
		"GetStackPolicyGroups":       "tells of the stack's groups what ListPolicyGroups counts",
		"DeletePolicyGroup":          "a name leads to the group, and the group to the packs that it used",
		"BatchUpdatePolicyGroup":     "a name leads to the group, and the group to its stacks and packs",
		"GetPolicyComplianceResults": "columns are the groups' packs, rows the results, and a result leads to its stack's name",
		"UpdatePolicyIssue":          "finds the person it is assigned to, and answers with the pack's description",
		"TransferStack":              "acts on two organizations and moves every grant",
		"CancelUpdate_update":        "revokes the lease before it replays what was acknowledged",
		"CompleteUpdate_update":      "closes the lease before it replays what was acknowledged",
	})
}
