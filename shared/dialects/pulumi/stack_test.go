package pulumi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
)

func TestNamesOfStacksAndProjectsHaveLimits(t *testing.T) {
	c := newClient(t)
	long := strings.Repeat("x", 100)
	for _, name := range []string{"a", "A.b_c-d", long, "...", "-", "123"} {
		c.call("POST", "/stacks/acme/p", map[string]any{"stackName": name}).Into(t, http.StatusOK, nil)
	}
	for _, project := range []string{"a.b_c-D", long} {
		c.call("POST", "/stacks/acme/"+project, map[string]any{"stackName": "s"}).Into(t, http.StatusOK, nil)
	}
	c.Spy.Reset()
	for _, name := range []string{"", long + "x", "a b", "a/b", "é", "a\n", "a\x00", "a:b"} {
		a := c.call("POST", "/stacks/acme/p", map[string]any{"stackName": name})
		a.Into(t, http.StatusBadRequest, nil)
		require.Contains(t, string(a.Body), "name")
	}
	for _, project := range []string{long + "x", "a b", "é", "a:b"} {
		c.call("POST", "/stacks/acme/"+url.PathEscape(project), map[string]any{"stackName": "s"}).Into(t, http.StatusBadRequest, nil)
	}
	for _, tags := range []map[string]string{{"": "v"}, {"a b": "v"}, {strings.Repeat("t", 41): "v"}, {"t": strings.Repeat("é", 257)}} {
		c.call("POST", "/stacks/acme/p", map[string]any{"stackName": "tagged", "tags": tags}).Into(t, http.StatusBadRequest, nil)
	}
	require.Zero(t, c.Spy.Writes())
}

func TestASecondStackOfANameAlreadyExists(t *testing.T) {
	c := newClient(t)
	c.stack("shop", "dev")
	a := c.call("POST", "/stacks/acme/shop", map[string]any{"stackName": "dev"})
	a.Into(t, http.StatusConflict, nil)
	isVendorError(t, a)
	require.Contains(t, string(a.Body), "already exists")
	c.stack("shop", "DEV")
	c.stack("other", "dev")
}

func TestOfManyCreationsOfOneStackOneWins(t *testing.T) {
	c := newClient(t)
	const many = 16
	answers := make([]boottest.Answer, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { answers[i] = c.call("POST", "/stacks/acme/shop", map[string]any{"stackName": "dev"}) })
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		if a.Status == http.StatusOK {
			won++
			continue
		}
		require.Equal(t, http.StatusConflict, a.Status, "%s", a)
		require.Contains(t, string(a.Body), "already exists")
	}
	require.Equal(t, 1, won)
	require.Len(t, c.listed("").names, 1)
}

func TestAStackThatStillHasResourcesIsDeletedByForceAlone(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	c.finished(stack)
	c.Spy.Reset()
	for _, query := range []string{"", "?force=false"} {
		a := c.call("DELETE", stack+query, nil)
		a.Into(t, http.StatusBadRequest, nil)
		require.JSONEq(t, `{"code":400,"message":"Bad Request: Stack still contains resources."}`, string(a.Body))
	}
	require.Zero(t, c.Spy.Writes())
	c.call("DELETE", stack+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	c.call("GET", stack, nil).Into(t, http.StatusNotFound, nil)
	c.call("DELETE", stack+"?force=true", nil).Into(t, http.StatusNotFound, nil)
}

func TestNothingIsLeftOfADeletedStackAndItsNameIsFreeAtOnce(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	at := c.stack("shop", "dev")
	reader := c.person("reader", at, permission.StackReader)
	var head struct{ ID string }
	c.call("GET", at, nil).Into(t, http.StatusOK, &head)
	c.finished(at)
	c.preview(at).complete("succeeded").Into(t, http.StatusNoContent, nil)
	whole := c.start(at, "update", 0)
	whole.save("checkpointverbatim", verbatim(1)).Into(t, http.StatusNoContent, nil)
	whole.complete("failed").Into(t, http.StatusNoContent, nil)
	c.create(at, "update", false)
	scope := "stack/" + head.ID
	chunks, err := c.Ports.Blobs.List(context.Background(), scope, "", 10)
	require.NoError(t, err)
	require.NotEmpty(t, chunks)

	c.call("DELETE", at+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	reader.call("GET", at, nil).Into(t, http.StatusNotFound, nil)
	require.Empty(t, c.listed("").names)
	c.stack("shop", "dev")
	require.Empty(t, c.export(at).urns(), "a stack of the same name has nothing of the old one")
	reader.call("GET", at, nil).Into(t, http.StatusNotFound, nil)

	c.Relay()
	require.Empty(t, c.left(head.ID), "items of the deleted stack")
	chunks, err = c.Ports.Blobs.List(context.Background(), scope, "", 10)
	require.NoError(t, err)
	require.Empty(t, chunks)
	c.call("GET", at, nil).Into(t, http.StatusOK, nil)
}

// left are the keys that were ever written, name the stack's id and still lead to something. The audit stays.
func (c *client) left(id string) []store.Key {
	c.T.Helper()
	var ever []store.Key
	seen := map[store.Key]bool{}
	for _, call := range c.Spy.Calls() {
		for _, ch := range call.Changes {
			if k := ch.Item.Key; !seen[k] && strings.Contains(k.String(), id) {
				seen[k] = true
				ever = append(ever, k)
			}
		}
	}
	require.Greater(c.T, len(ever), 20, "the stack was hardly used")
	items, err := c.Ports.Store.BatchGet(context.Background(), ever)
	require.NoError(c.T, err)
	var out []store.Key
	for _, i := range items {
		if i.Version > 0 {
			out = append(out, i.Key)
		}
	}
	return out
}

func TestAProjectExistsWhileItHasAStack(t *testing.T) {
	c := newClient(t)
	head := func() int { return c.call("HEAD", "/stacks/acme/shop", nil).Status }
	require.Equal(t, http.StatusNotFound, head())
	stack := c.stack("shop", "dev")
	require.Equal(t, http.StatusOK, head())
	c.call("DELETE", stack, nil).Into(t, http.StatusNoContent, nil)
	require.Equal(t, http.StatusNotFound, head())
	c.stack("shop", "again")
	require.Equal(t, http.StatusOK, head())
}

// page is one answer of the list of stacks.
type page struct {
	names []string // organization/project/stack
	next  string
}

func (c *client) listed(query string) page {
	c.T.Helper()
	var out struct {
		Stacks            []struct{ OrgName, ProjectName, StackName string }
		ContinuationToken *string
	}
	c.call("GET", "/user/stacks"+query, nil).Into(c.T, http.StatusOK, &out)
	p := page{names: []string{}}
	for _, s := range out.Stacks {
		p.names = append(p.names, s.OrgName+"/"+s.ProjectName+"/"+s.StackName)
	}
	if out.ContinuationToken != nil {
		p.next = *out.ContinuationToken
	}
	return p
}

// all follows the pages of a listing; size is how many stacks an answer may hold.
func (c *client) all(query string, size int) (names []string, pages int) {
	c.T.Helper()
	for next := ""; ; {
		q := fmt.Sprintf("?maxResults=%d&%s", size, query)
		if next != "" {
			q += "&continuationToken=" + url.QueryEscape(next)
		}
		p := c.listed(q)
		require.LessOrEqual(c.T, len(p.names), size)
		names, pages = append(names, p.names...), pages+1
		if next = p.next; next == "" {
			return names, pages
		}
		require.Less(c.T, pages, 500, "the listing does not end")
	}
}

func TestAListOfManyStacksComesInPagesEachStackOnce(t *testing.T) {
	c := newClient(t)
	second := c.annex()
	want := map[string]bool{}
	for i := range 250 {
		org := c.Org
		if i%5 == 0 {
			org = second
		}
		project, name := fmt.Sprintf("p%d", i%3), fmt.Sprintf("s%03d", i)
		tags := map[string]string{"parity": fmt.Sprint(i % 2)}
		c.call("POST", "/stacks/"+org+"/"+project, map[string]any{"stackName": name, "tags": tags}).Into(t, http.StatusOK, nil)
		want[org+"/"+project+"/"+name] = true
	}
	lists := func(query string, size, n int) {
		t.Helper()
		names, _ := c.all(query, size)
		got := map[string]bool{}
		for _, name := range names {
			require.False(t, got[name], "%s was listed twice", name)
			require.True(t, want[name])
			got[name] = true
		}
		require.Len(t, got, n, "%s by %d", query, size)
	}
	for _, size := range []int{1, 7, 50, 200, 250, 1000} {
		lists("", size, 250)
		lists("organization="+second, size, 50)
		lists("organization="+strings.ToUpper(second), size, 50)
		lists("project=p1", size, 83)
		lists("tagName=parity", size, 250)
		lists("tagName=parity&tagValue=1&project=p1", size, 42)
	}
	lists("project=none", 10, 0)
	lists("organization=none", 10, 0)
	lists("tagName=none", 10, 0)
	require.Len(t, c.listed("").names, 100, "a page holds a hundred unless it is asked for more")

	// A stack that goes while somebody turns the pages does not disturb the rest.
	first := c.listed("?maxResults=100")
	gone := first.names[99]
	c.call("DELETE", "/stacks/"+gone, nil).Into(t, http.StatusNoContent, nil)
	rest := c.listed("?maxResults=1000&continuationToken=" + url.QueryEscape(first.next))
	require.Len(t, rest.names, 150)
}

func TestAMemberSeesTheStacksThatWereGrantedAndNoOthers(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	granted := c.stack("shop", "dev")
	for i := range 20 {
		c.stack("shop", fmt.Sprint("hidden", i))
	}
	c.stack("other", "dev")
	reader := c.person("reader", granted, permission.StackReader)
	names, _ := reader.all("", 5)
	require.Equal(t, []string{c.Org + "/shop/dev"}, names)
	names, _ = reader.all("project=other", 5)
	require.Empty(t, names)
}

func TestAContinuationTokenIsGoodForItsListingAndItsOwnerAlone(t *testing.T) {
	c := newClient(t)
	for i := range 3 {
		c.stack("shop", fmt.Sprint("s", i))
	}
	friend := c.as(c.Person("friend", c.Org, permission.OrganizationOwner))
	token := c.listed("?maxResults=1").next
	require.NotEmpty(t, token)
	again := func(who *client, query, token string) int {
		a := who.call("GET", "/user/stacks?maxResults=1&"+query+"&continuationToken="+url.QueryEscape(token), nil)
		if a.Status != http.StatusOK {
			isVendorError(t, a)
			require.Contains(t, string(a.Body), "continuationToken")
		}
		return a.Status
	}
	require.Equal(t, http.StatusOK, again(c, "", token))
	require.Equal(t, http.StatusBadRequest, again(friend, "", token))
	require.Equal(t, http.StatusBadRequest, again(c, "project=shop", token))
	for i := range token {
		changed := []byte(token)
		changed[i] = map[bool]byte{true: 'B', false: 'A'}[changed[i] == 'A']
		if i < len(token)-1 { // the last character holds bits that say nothing
			require.Equal(t, http.StatusBadRequest, again(c, "", string(changed)), "changed at %d", i)
		}
		require.Equal(t, http.StatusBadRequest, again(c, "", token[:i]+"."), "cut at %d", i)
	}
}

func TestAListedStackSaysWhenItWasUpdatedAndWhatItHolds(t *testing.T) {
	c := newClient(t)
	old := c.stack("shop", "old")
	c.finished(old)
	c.stack("shop", "new")
	require.JSONEq(t, `[
		{"orgName":"acme","projectName":"shop","stackName":"old","lastUpdate":1767323045,"resourceCount":2,"links":{"self":"/acme/shop/old"}},
		{"orgName":"acme","projectName":"shop","stackName":"new","links":{"self":"/acme/shop/new"}}
	]`, c.summaries())
}

// summaries are the listed stacks as they come, but for their ids.
func (c *client) summaries() string {
	c.T.Helper()
	var out struct{ Stacks []map[string]any }
	c.call("GET", "/user/stacks", nil).Into(c.T, http.StatusOK, &out)
	for _, s := range out.Stacks {
		require.NotEmpty(c.T, s["id"])
		delete(s, "id")
	}
	raw, err := json.Marshal(out.Stacks)
	require.NoError(c.T, err)
	return string(raw)
}

func TestAStackThatWasNeverUpdatedExportsAnEmptyDeployment(t *testing.T) {
	c := newClient(t)
	require.Equal(t, string(stack.EmptyText()), c.exported(c.fresh()))
	require.JSONEq(t, `{"version":3,"deployment":{"manifest":{"time":"0001-01-01T00:00:00Z","magic":"","version":""},"metadata":{}}}`, string(stack.EmptyText()))
	c.call("GET", c.fresh()+"/updates/latest", nil).Into(t, http.StatusNotFound, nil)
}

func TestTheNameOfAnOrganizationIsFoundInAnyCase(t *testing.T) {
	c := newClient(t)
	c.stack("shop", "dev")
	var out struct{ OrgName, ProjectName, StackName string }
	c.call("GET", "/stacks/ACME/shop/dev", nil).Into(t, http.StatusOK, &out)
	require.Equal(t, "acme", out.OrgName)
	c.call("GET", "/stacks/acme/Shop/dev", nil).Into(t, http.StatusNotFound, nil)
	c.call("GET", "/stacks/acme/shop/Dev", nil).Into(t, http.StatusNotFound, nil)
	c.call("POST", "/stacks/AcMe/shop", map[string]any{"stackName": "dev"}).Into(t, http.StatusConflict, nil)
	u := c.start("/stacks/acme/shop/dev", "update", 1)
	u.at = strings.Replace(u.at, "/acme/", "/ACME/", 1)
	u.renew(300).Into(t, http.StatusOK, nil)
}

func TestWhatAPersonIsCalledIsShownWhereverTheyActed(t *testing.T) {
	c := newClient(t)
	ctx := context.Background()
	o, err := organization.Find(ctx, c.Ports, c.Org)
	require.NoError(t, err)
	u := identity.User{ID: c.Ports.NewID(), Login: "ada", Name: "Ada Lovelace", Email: "ada@example.com", Created: c.Clock.Now()}
	changes, err := identity.CreateUser(u)
	require.NoError(t, err)
	text := identity.NewTokenText(c.Ports)
	changes = append(changes, organization.AddMember(o.ID, organization.Member{User: u.ID, Role: permission.OrganizationOwner, Created: c.Clock.Now()})...)
	changes = append(changes, identity.CreateToken(identity.Token{ID: c.Ports.NewID(), User: u.ID, Name: "hers", Created: c.Clock.Now()}, text)...)
	require.NoError(t, c.Ports.Store.Write(ctx, changes...))
	ada := c.as(text)
	stack := ada.fresh()
	ada.finished(stack)
	ada.preview(stack).complete("succeeded").Into(t, http.StatusNoContent, nil)
	var latest struct {
		RequestedBy struct{ Name, GithubLogin, Email string }
	}
	for _, below := range []string{"/updates/latest", "/updates/1"} {
		ada.call("GET", stack+below, nil).Into(t, http.StatusOK, &latest)
		require.Equal(t, "Ada Lovelace ada ada@example.com", latest.RequestedBy.Name+" "+latest.RequestedBy.GithubLogin+" "+latest.RequestedBy.Email)
	}
	for _, below := range []string{"/updates?output-type=service", "/updates/latest/previews"} {
		require.Contains(t, string(ada.call("GET", stack+below, nil).Body), "ada@example.com")
	}
	var me struct{ GithubLogin, Email string }
	ada.call("GET", "/user", nil).Into(t, http.StatusOK, &me)
	require.Equal(t, "ada ada@example.com", me.GithubLogin+" "+me.Email)
}

func TestFeaturesOfADeploymentAreExportedAgain(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	text := `{"version":4,"features":["refreshBeforeUpdate"],"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"resources":[]}}`
	c.call("POST", stack+"/import", text).Into(t, http.StatusOK, nil)
	require.Equal(t, text, c.exported(stack))
	require.Equal(t, text, string(c.call("GET", stack+"/export/1", nil).Body))
}

func TestWhoFollowsARunningUpdateGetsATokenUntilItEnds(t *testing.T) {
	c := newClient(t)
	u := c.start(c.fresh(), "update", 1)
	u.record(toldEvents...).Into(t, http.StatusOK, nil)
	next := func(below string) *string {
		var out struct{ ContinuationToken *string }
		c.call("GET", u.at+below, nil).Into(t, http.StatusOK, &out)
		return out.ContinuationToken
	}
	for _, below := range []string{"", "/events"} {
		token := next(below)
		require.NotNil(t, token)
		require.NotNil(t, next(below+"?continuationToken="+url.QueryEscape(*token)), "nothing new yet")
	}
	token := *next("/events")
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Nil(t, next("/events?continuationToken="+url.QueryEscape(token)))
	other := c.start(c.fresh(), "update", 1)
	c.call("GET", other.at+"/events?continuationToken="+url.QueryEscape(token), nil).Into(t, http.StatusBadRequest, nil)
}
