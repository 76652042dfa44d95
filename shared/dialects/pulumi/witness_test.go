package pulumi_test

import (
	"os"
	"testing"

	"github.com/polyplane/polyplane/shared/boot/guarantee"
)

// witness sees every answer of this package's tests.
var witness = guarantee.NewWitness()

func TestMain(m *testing.M) { os.Exit(witness.Verdict(m.Run(), neverFilled)) }

// neverFilled are response properties that this server documents and leaves empty, and why.
var neverFilled = map[string]string{
	"* .avatarUrl":                         "no pictures are kept",
	"* auditLogEvents[].user.email":        "an entry keeps no addresses",
	"* .copilotIsEnabled":                  "no assistant is served",
	"* messages":                           "nothing is said beside the answer",
	"GetDefaultOrganization Messages":      "nothing is said beside the answer",
	"GetCurrentUser hasMFA":                "sign-in is the token's alone",
	"GetCurrentUser isManagedByMultiOrg":   "no organization manages its users' accounts",
	"GetCurrentUser isOrgManaged":          "no organization manages its users' accounts",
	"GetCurrentUser siteAdmin":             "administrators of the site work on the machine, not through this API",
	"GetCurrentUser organizations[].email": "organizations have no address",

	"* githubCommitInfo.author.githubLogin":               "a commit names people and addresses",
	"* githubCommitInfo.committer.githubLogin":            "a commit names people and addresses",
	"GetLatestStackPreviews updates[].info.resourceCount": "a preview leaves no resources",
}
