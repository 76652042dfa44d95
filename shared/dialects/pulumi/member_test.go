package pulumi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/store/keys"
)

type memberRow struct {
	Role    string
	User    struct{ GithubLogin, Name, Email string }
	FGARole struct{ ID, Name string }
	Teams   []string
}

func (c *client) members() map[string]memberRow {
	c.T.Helper()
	out := map[string]memberRow{}
	next := ""
	for {
		var page struct {
			Members           []memberRow
			ContinuationToken string
		}
		c.call("GET", c.org()+"/members?type=backend&continuationToken="+next, nil).Into(c.T, http.StatusOK, &page)
		for _, m := range page.Members {
			require.NotContains(c.T, out, m.User.GithubLogin, "twice")
			out[m.User.GithubLogin] = m
		}
		if next = page.ContinuationToken; next == "" {
			return out
		}
	}
}

func says(t *testing.T, a boottest.Answer, status int, words string) {
	t.Helper()
	require.Equal(t, status, a.Status, "%s", a)
	require.Contains(t, string(a.Body), words)
}

func TestMembersAreAddedChangedAndRemoved(t *testing.T) {
	c := newClient(t)
	at, login := c.org()+"/members/", somebody(c.Plane)
	c.call("POST", at+login, map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	says(t, c.call("POST", at+login, map[string]any{"role": "member"}), http.StatusConflict, "already a member")
	says(t, c.call("POST", at+"nobody-here", map[string]any{"role": "member"}), http.StatusNotFound, "not found")
	says(t, c.call("POST", at+somebody(c.Plane), map[string]any{"role": "stack-collaborator"}), http.StatusBadRequest, "admin, member or billing-manager")
	require.Equal(t, "member", c.members()[login].Role)
	c.call("PATCH", at+login, map[string]any{"role": "billing-manager"}).Into(t, http.StatusOK, nil)
	require.Equal(t, "billing-manager", c.members()[login].Role)
	c.call("PATCH", at+login, map[string]any{"fgaRoleId": "admin"}).Into(t, http.StatusOK, nil)
	require.Equal(t, "Admin", c.members()[login].FGARole.Name)
	c.call("DELETE", at+login, nil).Into(t, http.StatusOK, nil)
	require.NotContains(t, c.members(), login)
	says(t, c.call("DELETE", at+login, nil), http.StatusNotFound, "not a member")
}

func TestAnOrganizationIsNeverLeftWithoutAnAdmin(t *testing.T) {
	c := newClient(t)
	at := c.org() + "/members/"
	says(t, c.call("DELETE", at+"admin", nil), http.StatusBadRequest, "cannot remove yourself")
	says(t, c.call("PATCH", at+"admin", map[string]any{"role": "member"}), http.StatusConflict, "without an admin")
	_, token := c.token(c.org(), map[string]any{"admin": true})
	says(t, c.as(token).call("DELETE", at+"admin", nil), http.StatusConflict, "without an admin")

	second := c.as(c.Person("second", c.Org, permission.OrganizationOwner))
	c.call("PATCH", at+"admin", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	says(t, second.call("PATCH", at+"second", map[string]any{"role": "member"}), http.StatusConflict, "without an admin")
	second.call("POST", at+"admin/set-admin", nil).Into(t, http.StatusNoContent, nil)
	require.Equal(t, "member", c.members()["second"].Role)
	require.Equal(t, "admin", c.members()["admin"].Role)
}

func TestTwoAdminsWhoDemoteEachOtherAtTheSameTimeDoNotBothSucceed(t *testing.T) {
	for range 20 {
		c := newClient(t)
		second := c.as(c.Person("second", c.Org, permission.OrganizationOwner))
		done := make(chan int, 2)
		go func() { done <- c.call("PATCH", c.org()+"/members/second", map[string]any{"role": "member"}).Status }()
		go func() {
			done <- second.call("PATCH", c.org()+"/members/admin", map[string]any{"role": "member"}).Status
		}()
		answers := []int{<-done, <-done}
		require.Contains(t, answers, http.StatusOK)
		require.True(t, slices.Contains(answers, http.StatusForbidden) || slices.Contains(answers, http.StatusConflict),
			"the other is no admin any more, or would leave none: %v", answers)
	}
}

func TestWhatARemovedMemberHeldDoesNotComeBackWithThem(t *testing.T) {
	c := newClient(t)
	c.Organization("closed")
	boss := c.as(c.Person("boss", "closed", permission.OrganizationOwner))
	boss.Plane.Org = "closed"
	other := boss.as(c.Person("other", "closed", permission.OrganizationMember))
	stack := other.stack("shop", "dev") // other is its creator
	other.call("GET", stack, nil).Into(t, http.StatusOK, nil)
	boss.call("DELETE", "/orgs/closed/members/other", nil).Into(t, http.StatusOK, nil)
	other.call("GET", stack, nil).Into(t, http.StatusNotFound, nil) // the purge has not run
	boss.call("POST", "/orgs/closed/members/other", map[string]any{"role": "member"}).Into(t, http.StatusOK, nil)
	other.call("GET", stack, nil).Into(t, http.StatusNotFound, nil)
	boss.Relay()
	require.Contains(t, boss.members(), "other", "a late purge does not end the new membership")
}

func TestARemovalThatIsKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	for n := range 12 {
		for _, fate := range []boottest.Fate{boottest.FailsBefore, boottest.FailsAfter} {
			c := newClient(t)
			o := c.Organization("closed")
			boss := c.as(c.Person("boss", "closed", permission.OrganizationOwner))
			boss.Plane.Org = "closed"
			other := boss.as(c.Person("other", "closed", permission.OrganizationMember))
			id := (&world{client: boss, org: o, tokens: map[string]string{"other": other.auth[len("token "):]}}).id("other")
			for i := range 3 {
				other.stack("shop", fmt.Sprintf("s%d", i))
			}
			team := boss.crew()
			boss.call("PATCH", team, map[string]any{"memberAction": "add", "member": "other"}).Into(t, http.StatusOK, nil)
			c.Spy.Hook(func(i int, _ boottest.Call) boottest.Fate {
				if i == n {
					return fate
				}
				return boottest.Works
			})
			_ = boss.call("DELETE", "/orgs/closed/members/other", nil)
			_ = organization.PurgeRemoved(context.Background(), c.Ports, o.ID, id)
			c.Spy.Hook(nil)
			if a := boss.call("DELETE", "/orgs/closed/members/other", nil); a.Status != http.StatusOK {
				require.Equal(t, http.StatusNotFound, a.Status, "%s", a)
			}
			require.NoError(t, organization.PurgeRemoved(context.Background(), c.Ports, o.ID, id))
			for _, pk := range []string{keys.UserGrants(id, o.ID), keys.Memberships(id)} {
				require.Empty(t, c.partition(pk), "killed at %d", n)
			}
			var whole struct {
				Members []struct{ GithubLogin string }
			}
			boss.call("GET", team, nil).Into(t, http.StatusOK, &whole)
			require.Len(t, whole.Members, 1)
		}
	}
}

func TestMembersAreListedPageByPage(t *testing.T) {
	c := newClient(t)
	for i := range 205 {
		c.Person(fmt.Sprintf("person%d", i), c.Org, permission.OrganizationMember)
	}
	require.Len(t, c.members(), 206)
	var page struct{ ContinuationToken string }
	c.call("GET", c.org()+"/members", nil).Into(t, http.StatusOK, &page)
	says(t, c.as(c.Person("curious", c.Org, permission.OrganizationMember)).
		call("GET", c.org()+"/members?continuationToken="+page.ContinuationToken, nil), http.StatusBadRequest, "start again")
}

func TestAnAddressIsShownWhereverAPersonIs(t *testing.T) {
	c := newClient(t)
	u, err := identity.FindUser(context.Background(), c.Ports, "admin")
	require.NoError(t, err)
	u.Value.Email = "admin@example.com"
	require.NoError(t, c.Ports.Store.Write(context.Background(), identity.ReplaceUser(u)))
	require.Equal(t, "admin@example.com", c.members()["admin"].User.Email)
	type people []struct{ Email string }
	var team struct{ Members people }
	for _, kind := range []string{"pulumi", "github"} {
		c.call("POST", c.org()+"/teams/"+kind, map[string]any{"name": kind}).Into(t, http.StatusOK, &team)
		require.Equal(t, "admin@example.com", team.Members[0].Email)
		c.call("GET", c.org()+"/teams/"+kind, nil).Into(t, http.StatusOK, &team)
		require.Equal(t, "admin@example.com", team.Members[0].Email)
	}
	var holders struct{ Users people }
	c.call("GET", c.org()+"/roles/admin/users", nil).Into(t, http.StatusOK, &holders)
	require.Equal(t, "admin@example.com", holders.Users[0].Email)
	var who struct{ Email string }
	c.call("GET", "/user", nil).Into(t, http.StatusOK, &who)
	require.Equal(t, "admin@example.com", who.Email)
}

func TestTheDefaultOrganizationIsTheOneThatWasChosen(t *testing.T) {
	c := newClient(t)
	annex := c.annex()
	c.call("POST", "/user/organizations/"+annex+"/default", nil).Into(t, http.StatusNoContent, nil)
	var out struct{ GitHubLogin string }
	c.call("GET", "/user/organizations/default", nil).Into(t, http.StatusOK, &out)
	require.Equal(t, annex, out.GitHubLogin)
	says(t, c.call("POST", "/user/organizations/elsewhere/default", nil), http.StatusNotFound, "not found")
}

func TestWhoJoinsIsShownAsTheListOfMembersShowsThem(t *testing.T) {
	c := newClient(t)
	_, custom := c.holder("holder", allow("stack:read"))
	c.call("PATCH", c.org()+"/roles/"+custom+"/default", nil).Into(t, http.StatusNoContent, nil)
	for _, role := range []string{"member", "admin"} {
		login := somebody(c.Plane)
		u, err := identity.FindUser(context.Background(), c.Ports, login)
		require.NoError(t, err)
		u.Value.Email = login + "@example.com"
		require.NoError(t, c.Ports.Store.Write(context.Background(), identity.ReplaceUser(u)))
		joined := c.call("POST", c.org()+"/members/"+login, map[string]any{"role": role})
		joined.Into(t, http.StatusOK, nil)
		var page struct{ Members []json.RawMessage }
		c.call("GET", c.org()+"/members", nil).Into(t, http.StatusOK, &page)
		var found bool
		for _, m := range page.Members {
			if strings.Contains(string(m), login) {
				require.JSONEq(t, string(m), string(joined.Body))
				found = true
			}
		}
		require.True(t, found)
	}
}
