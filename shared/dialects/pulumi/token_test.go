package pulumi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
)

type tokenShown struct {
	ID, Name, Description, Created, CreatedBy, Type string
	LastUsed, Expires                               int64
	Admin                                           bool
	Role                                            struct{ ID, Name, DefaultIdentifier string }
}

func (c *client) tokens(path, query string) (out []tokenShown, next string) {
	c.T.Helper()
	var page struct {
		Tokens            []tokenShown
		ContinuationToken string
	}
	c.call("GET", path+"/tokens"+query, nil).Into(c.T, http.StatusOK, &page)
	return page.Tokens, page.ContinuationToken
}

func TestATokenIsGoodUntilItIsDeletedOrExpires(t *testing.T) {
	c := newClient(t)
	for _, at := range []string{"/user", c.org(), c.crew()} {
		id, text := c.token(at, map[string]any{"description": "for tests"})
		holder := c.as(text)
		holder.call("GET", "/user", nil).Into(t, http.StatusOK, nil)
		c.call("DELETE", at+"/tokens/"+id, nil).Into(t, http.StatusNoContent, nil)
		says(t, holder.call("GET", "/user", nil), http.StatusUnauthorized, "expired or revoked")
		says(t, c.call("DELETE", at+"/tokens/"+id, nil), http.StatusNotFound, "not found")

		_, text = c.token(at, map[string]any{"expires": c.Clock.Now().Add(time.Minute).Unix()})
		c.as(text).call("GET", "/user", nil).Into(t, http.StatusOK, nil)
		c.Clock.Add(time.Minute)
		says(t, c.as(text).call("GET", "/user", nil), http.StatusUnauthorized, "expired or revoked")
		_, _ = c.token(at, nil)
		expired, _ := c.tokens(at, "?filter=expired")
		active, _ := c.tokens(at, "?filter=active")
		all, _ := c.tokens(at, "?filter=all")
		require.Len(t, expired, 1)
		require.Len(t, all, len(active)+1)
		says(t, c.call("GET", at+"/tokens?filter=good", nil), http.StatusBadRequest, "active, expired or all")
		for _, wrong := range []time.Time{c.Clock.Now(), c.Clock.Now().AddDate(2, 0, 1)} {
			says(t, c.call("POST", at+"/tokens", map[string]any{"name": "late", "description": "", "admin": false, "expires": wrong.Unix()}),
				http.StatusBadRequest, "at most 2 years")
		}
	}
}

func TestTokensArePagedInTheOrderTheyWereMade(t *testing.T) {
	c := newClient(t)
	for _, at := range []string{"/user", c.org(), c.crew()} {
		var made, seen []string
		if at == "/user" {
			first, _ := c.tokens(at, "?filter=all")
			made = append(made, first[0].ID)
		}
		for range 7 {
			id, _ := c.token(at, nil)
			made = append(made, id)
		}
		query := "?maxResults=3"
		for query != "" {
			found, next := c.tokens(at, query)
			for _, k := range found {
				seen = append(seen, k.ID)
			}
			if query = ""; next != "" {
				require.Len(t, found, 3)
				query = "?maxResults=3&continuationToken=" + next
			}
		}
		require.Equal(t, made, seen)
	}
}

func TestTheNameOfATokenIsTakenOnceInItsOwner(t *testing.T) {
	c := newClient(t)
	named := map[string]any{"name": "ci", "description": "", "admin": false}
	for _, at := range []string{c.org(), c.crew(), c.crew()} {
		c.call("POST", at+"/tokens", named).Into(t, http.StatusOK, nil)
		says(t, c.call("POST", at+"/tokens", named), http.StatusConflict, "already exists")
		says(t, c.call("POST", at+"/tokens", map[string]any{"name": string(make([]byte, 41)), "description": "", "admin": false}), http.StatusBadRequest, "40 characters")
	}
}

func TestTheLastUseOfATokenIsWrittenHourlyAndOutsideTheRequest(t *testing.T) {
	c := newClient(t)
	id, text := c.token("/user", map[string]any{"expires": 0})
	use := func() (lastUsed int64) {
		c.Spy.Reset()
		c.as(text).call("GET", "/user", nil).Into(t, http.StatusOK, nil)
		require.Zero(t, c.Spy.Writes(), "the request itself writes nothing")
		c.Settle()
		all, _ := c.tokens("/user", "?filter=all")
		for _, k := range all {
			if k.ID == id {
				lastUsed = k.LastUsed
			}
		}
		return lastUsed
	}
	first := c.Clock.Now().Unix()
	require.Equal(t, first, use())
	c.Clock.Add(59 * time.Minute)
	require.Equal(t, first, use())
	c.Clock.Add(time.Minute)
	require.Equal(t, first+3600, use())
}

func TestAUseThatIsRecordedAfterTheTokensRevocationDoesNotBringItBack(t *testing.T) {
	c := newClient(t)
	id, text := c.token(c.org(), nil)
	c.as(text).call("GET", "/user", nil).Into(t, http.StatusOK, nil)
	c.call("DELETE", c.org()+"/tokens/"+id, nil).Into(t, http.StatusNoContent, nil)
	c.Settle()
	c.as(text).call("GET", "/user", nil).Into(t, http.StatusUnauthorized, nil)
	left, _ := c.tokens(c.org(), "?filter=all")
	require.Empty(t, left)
}

func TestTokensOfOrganizationsAndTeamsActAsThemselves(t *testing.T) {
	c := newClient(t)
	team := c.crew()
	other := c.annex()
	_, member := c.token(c.org(), map[string]any{"name": "ci"})
	_, admin := c.token(c.org(), map[string]any{"name": "root", "admin": true})
	_, teams := c.token(team, map[string]any{"name": "deploy"})
	for text, want := range map[string][3]string{member: {"ci", "member", ""}, admin: {"root", "admin", ""}, teams: {"deploy", "member", team[len(c.org()+"/teams/"):]}} {
		var who struct {
			ID, GithubLogin string
			Organizations   []struct{ GithubLogin, Role string }
			TokenInfo       struct{ Name, Organization, Team string }
		}
		c.as(text).call("GET", "/user", nil).Into(t, http.StatusOK, &who)
		require.Equal(t, c.Org, who.GithubLogin)
		require.Equal(t, want, [3]string{who.TokenInfo.Name, who.Organizations[0].Role, who.TokenInfo.Team})
		require.Equal(t, c.Org, who.TokenInfo.Organization)
		says(t, c.as(text).call("GET", "/user/tokens", nil), http.StatusForbidden, "about a person")
		says(t, c.as(text).call("GET", "/orgs/"+other+"/members", nil), http.StatusNotFound, "not found")
	}
	says(t, c.as(member).call("GET", c.org()+"/tokens", nil), http.StatusForbidden, "token:admin")
	c.as(admin).call("GET", c.org()+"/tokens", nil).Into(t, http.StatusOK, nil)

	stack := c.as(teams).stack("shop", "made-by-a-team")
	require.Equal(t, 104, c.team(team).Stacks[0].Permission, "the team has what its token makes")
	c.as(teams).call("DELETE", stack, nil).Into(t, http.StatusNoContent, nil)
	var log struct {
		AuditLogEvents []struct{ Event, TokenName, ActorName string }
	}
	c.call("GET", c.org()+"/auditlogs?startTime=4000000000", nil).Into(t, http.StatusOK, &log)
	require.Equal(t, "deploy", log.AuditLogEvents[0].TokenName)

	c.call("DELETE", team, nil).Into(t, http.StatusOK, nil)
	says(t, c.as(teams).call("GET", "/user", nil), http.StatusUnauthorized, "expired or revoked")
	c.Relay()
	says(t, c.as(teams).call("GET", "/user", nil), http.StatusUnauthorized, "expired or revoked")
}

func TestNobodyHandsOutMoreThanTheyHold(t *testing.T) {
	c := newClient(t)
	var made struct{ ID string }
	c.call("POST", c.org()+"/roles", map[string]any{"name": "clerk", "details": map[string]any{
		"__type": "PermissionDescriptorAllow", "permissions": []string{
			"org_token:read", "org_token:create", "org_token:delete", "role:create", "role:update", "role:delete",
			"org_member:add", "org_member:update", "org_member:delete", "org_member:set_admin",
		},
	}}).Into(t, http.StatusOK, &made)
	clerk := c.as(c.Person("clerk", c.Org, permission.OrganizationMember))
	c.call("PATCH", c.org()+"/members/clerk", map[string]any{"fgaRoleId": made.ID}).Into(t, http.StatusOK, nil)
	for name, a := range map[string]func() int{
		"an admin token": func() int {
			return clerk.call("POST", c.org()+"/tokens", map[string]any{"name": "t", "description": "", "admin": true}).Status
		},
		"the admin role": func() int {
			return clerk.call("PATCH", c.org()+"/members/clerk", map[string]any{"role": "admin"}).Status
		},
		"a role that decides": func() int {
			return clerk.call("POST", c.org()+"/roles", map[string]any{"name": "r", "details": lets}).Status
		},
		"an admin's removal": func() int { return clerk.call("DELETE", c.org()+"/members/admin", nil).Status },
		"the sole admin":     func() int { return clerk.call("POST", c.org()+"/members/clerk/set-admin", nil).Status },
	} {
		require.Equal(t, http.StatusForbidden, a(), name)
	}
}
