package pulumi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
	"github.com/polyplane/polyplane/shared/core/permission"
)

func (c *client) tags(stack string) map[string]string {
	c.T.Helper()
	var out struct{ Tags map[string]string }
	c.call("GET", stack, nil).Into(c.T, http.StatusOK, &out)
	return out.Tags
}

func TestTagsAreReplacedAddedAndDeleted(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	set := map[string]string{"pulumi:project": "shop", "pulumi:runtime": "yaml", "a": "1"}
	c.call("PATCH", stack+"/tags", set).Into(t, http.StatusNoContent, nil)
	require.Equal(t, set, c.tags(stack))
	c.call("POST", stack+"/tags", map[string]any{"name": "b", "value": ""}).Into(t, http.StatusNoContent, nil)
	c.call("POST", stack+"/tags", map[string]any{"name": "b", "value": "2"}).Into(t, http.StatusConflict, nil)
	require.Equal(t, "", c.tags(stack)["b"])
	require.Contains(t, c.tags(stack), "b")
	c.call("DELETE", stack+"/tags/a", nil).Into(t, http.StatusNoContent, nil)
	c.call("DELETE", stack+"/tags/a", nil).Into(t, http.StatusNotFound, nil)
	require.Equal(t, map[string]string{"pulumi:project": "shop", "pulumi:runtime": "yaml", "b": ""}, c.tags(stack))
	c.call("PATCH", stack+"/tags", map[string]string{"c": "é", "pulumi:runtime": "go"}).Into(t, http.StatusNoContent, nil)
	require.Equal(t, map[string]string{"c": "é", "pulumi:runtime": "go"}, c.tags(stack), "a set replaces all tags")
	require.Equal(t, []string{"acme/shop/dev"}, c.listed("?tagName=c&tagValue="+"%C3%A9").names)
	c.call("PATCH", stack+"/tags", map[string]string{}).Into(t, http.StatusNoContent, nil)
	require.Empty(t, c.tags(stack))
}

func TestTagsOfTheClientAreNotChangedOneByOne(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	set := map[string]string{"pulumi:project": "shop", "vcs:kind": "github.com"}
	c.call("PATCH", stack+"/tags", set).Into(t, http.StatusNoContent, nil)
	c.Spy.Reset()
	for _, name := range []string{"pulumi:project", "pulumi:runtime", "pulumi:description", "pulumi:template", "gitHub:owner", "gitHub:repo", "vcs:owner", "vcs:repo", "vcs:kind", "vcs:root"} {
		c.call("POST", stack+"/tags", map[string]any{"name": name, "value": "x"}).Into(t, http.StatusBadRequest, nil)
		c.call("DELETE", stack+"/tags/"+name, nil).Into(t, http.StatusBadRequest, nil)
	}
	a := c.call("PATCH", stack+"/tags", map[string]string{"pulumi:project": "other"})
	a.Into(t, http.StatusBadRequest, nil)
	require.Contains(t, string(a.Body), "rename the stack")
	require.Zero(t, c.Spy.Writes())
	require.Equal(t, set, c.tags(stack))
}

func TestTagsHaveLimits(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	full := map[string]string{}
	for i := range 100 {
		full[fmt.Sprint("t", i)] = strings.Repeat("é", 256)
	}
	c.call("PATCH", stack+"/tags", full).Into(t, http.StatusNoContent, nil)
	require.Equal(t, full, c.tags(stack))
	c.Spy.Reset()
	c.call("POST", stack+"/tags", map[string]any{"name": "more", "value": ""}).Into(t, http.StatusBadRequest, nil)
	for what, tag := range map[string][2]string{
		"no name": {"", "v"}, "a space": {"a b", "v"}, "a slash": {"a/b", "v"}, "a long name": {strings.Repeat("t", 41), "v"}, "a long value": {"t", strings.Repeat("é", 257)},
		"a line end": {"a\n", "v"},
	} {
		c.call("PATCH", stack+"/tags", map[string]string{tag[0]: tag[1]}).Into(t, http.StatusBadRequest, nil)
		a := c.call("POST", stack+"/tags", map[string]any{"name": tag[0], "value": tag[1]})
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
	}
	require.Zero(t, c.Spy.Writes())
}

func TestTagsMayChangeWhileAnUpdateRuns(t *testing.T) {
	c := newClient(t)
	u := c.start(c.fresh(), "update", 1)
	c.call("POST", u.stack+"/tags", map[string]any{"name": "a", "value": "b"}).Into(t, http.StatusNoContent, nil)
	c.call("PUT", u.stack+"/config", atService).Into(t, http.StatusOK, nil)
	u.journal(u.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, map[string]string{"a": "b"}, c.tags(u.stack))
	require.Equal(t, []string{urn(1)}, c.export(u.stack).urns())
}

func TestOfTwoTagsAddedAtOnceNoneIsLost(t *testing.T) {
	c := newClient(t)
	for at := 0; ; at++ {
		stack := c.fresh()
		c.Restart()
		second := false
		c.Spy.Hook(func(n int, _ boottest.Call) boottest.Fate {
			if n == at {
				c.Spy.Hook(nil)
				second = true
				c.call("POST", stack+"/tags", map[string]any{"name": "second", "value": "2"}).Into(t, http.StatusNoContent, nil)
			}
			return boottest.Works
		})
		c.call("POST", stack+"/tags", map[string]any{"name": "first", "value": "1"}).Into(t, http.StatusNoContent, nil)
		c.Spy.Hook(nil)
		if !second {
			return
		}
		require.Equal(t, map[string]string{"first": "1", "second": "2"}, c.tags(stack), "at call %d", at)
	}
}

func TestTheConfigurationOfAStackIsKeptShownAndRemoved(t *testing.T) {
	c := newClient(t)
	c.Org = c.annex()
	stack := c.fresh()
	c.call("GET", stack+"/config", nil).Into(t, http.StatusNotFound, nil)
	var got map[string]any
	c.call("PUT", stack+"/config", atService).Into(t, http.StatusOK, &got)
	require.Equal(t, atService, got)
	c.call("GET", stack+"/config", nil).Into(t, http.StatusOK, &got)
	require.Equal(t, atService, got)
	var head struct{ Config map[string]any }
	c.call("GET", stack, nil).Into(t, http.StatusOK, &head)
	require.Equal(t, atService, head.Config)
	c.call("PUT", stack+"/config", map[string]any{"environment": "f"}).Into(t, http.StatusOK, &got)
	c.call("GET", stack+"/config", nil).Into(t, http.StatusOK, nil)
	require.JSONEq(t, `{"environment":"f"}`, string(c.call("GET", stack+"/config", nil).Body), "it is replaced, not merged")
	reader := c.person("reader", stack, permission.StackReader)
	reader.call("GET", stack+"/config", nil).Into(t, http.StatusOK, nil)
	reader.call("PUT", stack+"/config", atService).Into(t, http.StatusForbidden, nil)
	reader.call("DELETE", stack+"/config", nil).Into(t, http.StatusForbidden, nil)
	c.call("DELETE", stack+"/config", nil).Into(t, http.StatusNoContent, nil)
	c.call("GET", stack+"/config", nil).Into(t, http.StatusNotFound, nil)
}

func TestADecryptionThatTheClientMadeItselfLeavesAnEntry(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	for below, want := range map[string]string{
		"/decrypt/log-decryption":       `secret-decrypted decrypted secret "password" of stack acme/shop/dev`,
		"/decrypt/log-batch-decryption": `secrets-batch-decrypted decrypted the secrets of stack acme/shop/dev for command "config"`,
	} {
		c.Spy.Reset()
		body := map[string]any{"commandName": "config"}
		if strings.HasSuffix(below, "log-decryption") {
			body["secretName"] = "password"
		}
		c.call("POST", stack+below, body).Into(t, http.StatusNoContent, nil)
		entries := guarantee.Entries(t, c.Spy.Calls())
		require.Len(t, entries, 1)
		require.Equal(t, want, entries[0].Slug+" "+entries[0].Description)
	}
}
