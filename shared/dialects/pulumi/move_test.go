package pulumi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/permission"
)

func (c *client) rename(stack, project, name string) boottest.Answer {
	c.T.Helper()
	return c.call("POST", stack+"/rename", map[string]any{"newProject": project, "newName": name})
}

func (c *client) transfer(stack, to string) boottest.Answer {
	c.T.Helper()
	return c.call("POST", stack+"/transfer", map[string]any{"toOrg": to})
}

// opens says that a ciphertext opens under a stack to the text.
func (c *client) opens(stack, cipher, text string) {
	c.T.Helper()
	var out struct{ Plaintext string }
	c.call("POST", stack+"/decrypt", map[string]any{"ciphertext": cipher}).Into(c.T, http.StatusOK, &out)
	require.Equal(c.T, secret(text), out.Plaintext)
}

func (c *client) idOf(stack string) string {
	c.T.Helper()
	var head struct{ ID string }
	c.call("GET", stack, nil).Into(c.T, http.StatusOK, &head)
	return head.ID
}

func TestARenamedStackIsTheSameStackUnderItsNewName(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	old, renamed := c.stack("shop", "dev"), "/stacks/"+c.Org+"/shop/prod"
	id := c.idOf(old)
	reader := c.person("reader", old, permission.StackReader)
	cipher := c.sealed(old, `"s3cret"`)
	before := sealedDeployment(c.Org, "shop", "dev", cipher)
	c.call("PATCH", old+"/tags", map[string]string{"pulumi:project": "shop", "team": "core"}).Into(t, http.StatusNoContent, nil)
	c.call("PUT", old+"/config", atService).Into(t, http.StatusOK, nil)
	hook := c.hook(old+"/hooks", "https://example.com/in", map[string]any{"secret": "x", "active": false})
	c.imported(old, before)
	next := c.create(old, "update", false)

	var out struct{ UpdateID string }
	c.rename(old, "", "prod").Into(t, http.StatusOK, &out)
	require.Equal(t, sealedDeployment(c.Org, "shop", "prod", cipher), c.exported(renamed),
		"URNs, the root resource, provider references, pending operations and the provider's state name the new place, and nothing else changed")
	require.Contains(t, string(c.call("GET", renamed+"/update/"+out.UpdateID, nil).Body), `"succeeded"`)
	got := c.latest(renamed)
	require.Equal(t, out.UpdateID+" rename succeeded", got.UpdateID+" "+got.Info.Kind+" "+got.Info.Result)
	require.Equal(t, 3, *got.Info.ResourceCount)
	require.Equal(t, []int64{2, 1}, c.history(renamed, "").versions())
	require.Equal(t, map[string]string{"pulumi:project": "shop", "team": "core"}, c.tags(renamed))
	require.Equal(t, id, c.idOf(renamed))
	c.call("GET", renamed+"/config", nil).Into(t, http.StatusOK, nil)
	c.call("GET", renamed+"/hooks/"+hook.Name, nil).Into(t, http.StatusOK, nil)
	c.opens(renamed, cipher, `"s3cret"`)
	reader.call("GET", renamed, nil).Into(t, http.StatusOK, nil)
	require.Equal(t, []string{c.Org + "/shop/prod"}, reader.listed("").names)
	require.Equal(t, []string{c.Org + "/shop/prod"}, c.listed("?organization="+c.Org).names)

	c.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
	c.call("GET", old+"/export", nil).Into(t, http.StatusNotFound, nil)
	reader.call("GET", old, nil).Into(t, http.StatusNotFound, nil)
	require.NotEqual(t, id, c.idOf(c.stack("shop", "dev")), "the name is free at once")
	reader.call("GET", old, nil).Into(t, http.StatusNotFound, nil)

	u, a := c.tryStart(renamed, next, 1)
	a.Into(t, http.StatusOK, nil)
	require.EqualValues(t, 3, u.version)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, sealedDeployment(c.Org, "shop", "prod", cipher), c.exported(renamed))
	first := string(c.call("GET", renamed+"/export/1", nil).Body)
	require.Contains(t, first, `"project":"shop","stack":"prod"`, "clients decrypt through the names that they find here")
	require.Equal(t, before, strings.Replace(first, `"stack":"prod"`, `"stack":"dev"`, 1), "and a version is as it was then in everything else")
}

func TestARenamedStackKeepsTheTextAroundItsDeployment(t *testing.T) {
	c := newClient(t)
	stack := c.stack("p", "dev")
	c.imported(stack, odd)
	c.rename(stack, "", "prod").Into(t, http.StatusOK, nil)
	got := c.exported("/stacks/acme/p/prod")
	require.True(t, strings.HasPrefix(got, "{ \"version\" : 3,\n\t\"deployment\":{"), got)
	require.True(t, strings.HasSuffix(got, `"unknown":[ 1 ]}, "extra" : true }`), got)
	require.Contains(t, got, `"urn":"urn:pulumi:prod::p::t:i:R::a"`)
	require.Contains(t, got, `"n":1e400,"zwölf":"\u00e4<&>"`)
	require.Equal(t, odd, string(c.call("GET", "/stacks/acme/p/prod/export/1", nil).Body))
}

func TestARenameToAnotherProjectMakesItAndKeepsWhatItsPeopleMay(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	old, moved := c.stack("shop", "dev"), "/stacks/"+c.Org+"/store/dev"
	reader := c.person("reader", old, permission.StackReader)
	c.call("PATCH", old+"/tags", map[string]string{"pulumi:project": "shop"}).Into(t, http.StatusNoContent, nil)
	cipher := c.sealed(old, "x")
	c.imported(old, sealedDeployment(c.Org, "shop", "dev", cipher))
	require.Equal(t, http.StatusNotFound, c.call("HEAD", "/stacks/"+c.Org+"/store", nil).Status)
	c.rename(old, "store", "").Into(t, http.StatusOK, nil)
	require.Equal(t, http.StatusOK, c.call("HEAD", "/stacks/"+c.Org+"/store", nil).Status)
	require.Equal(t, http.StatusNotFound, c.call("HEAD", "/stacks/"+c.Org+"/shop", nil).Status)
	require.Equal(t, sealedDeployment(c.Org, "store", "dev", cipher), c.exported(moved))
	require.Equal(t, map[string]string{"pulumi:project": "store"}, c.tags(moved))
	require.Equal(t, []string{c.Org + "/store/dev"}, reader.listed("").names)
	require.Equal(t, []string{c.Org + "/store/dev"}, reader.listed("?project=store").names)
	require.Equal(t, []string{c.Org + "/store/dev"}, c.listed("?project=store").names)
	require.Empty(t, c.listed("?project=shop").names)
	c.opens(moved, cipher, "x")
	c.finished(moved)
	require.Equal(t, []string{c.Org + "/store/dev"}, c.listed("?project=store").names)
	c.rename(moved, "shop", "back").Into(t, http.StatusOK, nil)
	require.Equal(t, []string{c.Org + "/shop/back"}, c.listed("?organization="+c.Org).names)
}

func TestAStackThatWasNeverUpdatedIsRenamedToo(t *testing.T) {
	c := newClient(t)
	empty := c.exported(c.stack("shop", "dev"))
	c.rename("/stacks/acme/shop/dev", "shop", "prod").Into(t, http.StatusOK, nil)
	require.Equal(t, empty, c.exported("/stacks/acme/shop/prod"))
	require.Equal(t, "rename", c.latest("/stacks/acme/shop/prod").Info.Kind)
	c.call("DELETE", "/stacks/acme/shop/prod", nil).Into(t, http.StatusNoContent, nil)
	require.Empty(t, c.listed("").names)
}

func TestARenameToATakenOrMalformedNameIsRefused(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	stack := c.stack("shop", "dev")
	c.stack("shop", "prod")
	writer := c.person("writer", stack, permission.StackWriter)
	c.Spy.Reset()
	a := c.rename(stack, "", "prod")
	a.Into(t, http.StatusConflict, nil)
	require.Contains(t, string(a.Body), "already exists")
	for what, to := range map[string][2]string{
		"nothing": {"", ""}, "the same": {"shop", "dev"}, "a slash": {"", "a/b"}, "a long name": {"", strings.Repeat("x", 101)},
		"a project with a space": {"a b", ""}, "a colon": {"", "a::b"},
	} {
		a := c.rename(stack, to[0], to[1])
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
	}
	writer.rename(stack, "", "other").Into(t, http.StatusForbidden, nil)
	writer.transfer(stack, "acme").Into(t, http.StatusForbidden, nil)
	require.LessOrEqual(t, c.Spy.Writes(), 2, "only what was refused leaves a trace")
	c.call("GET", stack, nil).Into(t, http.StatusOK, nil)
}
