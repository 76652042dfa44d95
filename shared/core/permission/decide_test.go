package permission_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
)

func TestWhatTheRolesMayDo(t *testing.T) {
	stack := []permission.Verb{
		permission.StackRead, permission.StackUpdate, permission.StackEncrypt, permission.StackDecrypt, permission.StackAdmin,
	}
	organization := []permission.Verb{permission.OrganizationRead, permission.OrganizationAdmin, permission.StackCreate}
	for role, want := range map[permission.Role]string{
		//                              read update encrypt decrypt admin | read admin create
		permission.StackReader:        "y---- ---",
		permission.StackWriter:        "yyyy- ---",
		permission.StackManager:       "yyyyy ---",
		permission.StackCreator:       "yyyyy ---",
		permission.OrganizationMember: "----- y-y",
		permission.OrganizationOwner:  "yyyyy yyy",
		"nonsense":                    "----- ---",
		"":                            "----- ---",
	} {
		got := ""
		for _, verbs := range [][]permission.Verb{stack, organization} {
			for _, v := range verbs {
				got += map[bool]string{true: "y", false: "-"}[permission.Grants{role}.Allow(v)]
			}
			got += " "
		}
		require.Equal(t, want+" ", got, "%q", role)
	}
}

func TestWhoMayNotSeeIsToldNothingAndWhoMaySeeIsToldNo(t *testing.T) {
	need := permission.Requires(permission.StackUpdate, permission.StackRead)
	require.Equal(t, permission.Hidden, permission.Decide(nil, need))
	require.Equal(t, permission.Hidden, permission.Decide(permission.Grants{permission.OrganizationMember, ""}, need))
	require.Equal(t, permission.Denied, permission.Decide(permission.Grants{permission.StackReader}, need))
	require.Equal(t, permission.Allowed, permission.Decide(permission.Grants{permission.StackReader, permission.StackWriter}, need))
	require.Equal(t, permission.Denied, permission.Decide(nil, permission.Need{Verb: permission.StackRead}), "a need that hides nothing")
}

func TestPublicAndSelfNeedsAskForNoGrant(t *testing.T) {
	require.Equal(t, permission.Allowed, permission.Decide(nil, permission.Public("a test")))
	require.Equal(t, permission.Allowed, permission.Decide(nil, permission.Self))
}

// A row that forgot to say what it needs, or that only a lease may call, lets no person in whatever they hold.
func TestAnEmptyNeedAllowsNobody(t *testing.T) {
	everything := permission.Grants{permission.OrganizationOwner, permission.StackManager}
	require.Equal(t, permission.Denied, permission.Decide(everything, permission.Need{}))
	require.Equal(t, permission.Denied, permission.Decide(everything, permission.Lease))
}
