package pulumi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWebhookOfAStackNamesItsStackAndHearsOfNoOther(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	stack, other := c.stack("shop", "dev"), c.stack("shop", "prod")
	h := c.hook(stack+"/hooks", r.URL, map[string]any{"name": "mine", "projectName": "shop", "stackName": "dev"})
	require.Equal(t, "mine", h.Name)
	require.Equal(t, []string{"shop", "dev"}, []string{h.ProjectName, h.StackName})
	require.Equal(t, []string{"stacks", "deployments"}, h.Groups)
	c.call("GET", other+"/hooks/mine", nil).Into(t, http.StatusNotFound, nil)
	c.finished(other)
	c.finished(stack)
	c.preview(stack).complete("failed").Into(t, http.StatusNoContent, nil)
	c.tell()
	require.ElementsMatch(t, []string{"stack_update", "stack_preview"}, r.kinds())
	for _, got := range c.deliveries(stack + "/hooks/mine") {
		require.Contains(t, got.Payload, `"stackName":"dev"`)
	}
}

func TestEachFilterBringsItsEventAndNoOther(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	by := map[string]string{} // filter → name of its webhook
	for _, f := range []string{"stack_created", "stack_deleted", "update_succeeded", "update_failed", "preview_succeeded", "preview_failed",
		"destroy_succeeded", "destroy_failed", "refresh_succeeded", "refresh_failed", "import_succeeded", "import_failed", "deployment_queued"} {
		by[f] = c.hook(c.hooksAt(), r.URL+"/"+f, map[string]any{"name": f, "filters": []string{f}}).Name
	}
	none := c.hook(c.hooksAt(), r.URL+"/none", map[string]any{"groups": []string{"policies"}}).Name
	off := c.hook(c.hooksAt(), r.URL+"/off", map[string]any{"active": false}).Name
	c.Clock.Add(time.Second)

	stack := c.stack("shop", "dev")
	for _, kind := range []string{"update", "refresh", "destroy"} {
		for _, outcome := range []string{"succeeded", "failed"} {
			c.start(stack, kind, 1).complete(outcome).Into(t, http.StatusNoContent, nil)
		}
	}
	u := c.start(stack, "update", 1)
	c.cancel(stack, u.id).Into(t, http.StatusNoContent, nil)
	c.preview(stack).complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.preview(stack).complete("failed").Into(t, http.StatusNoContent, nil)
	c.call("POST", stack+"/import", map[string]any{"version": 3, "deployment": oneResource}).Into(t, http.StatusOK, nil)
	c.call("DELETE", stack+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	c.tell()
	want := map[string]int{"update_failed": 2, "import_failed": 0, "deployment_queued": 0}
	for f, name := range by {
		n, ok := want[f]
		if !ok {
			n = 1
		}
		require.Len(t, c.deliveries(c.hooksAt()+"/"+name), n, f)
	}
	require.Empty(t, c.deliveries(c.hooksAt()+"/"+none))
	require.Empty(t, c.deliveries(c.hooksAt()+"/"+off))
}

func TestTheRawPayloadsAreTheVendors(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	c.hook(c.hooksAt(), r.URL, nil)
	c.Clock.Add(time.Second)
	stack := c.stack("shop", "dev")
	c.finished(stack)
	p := c.preview(stack)
	p.complete("failed").Into(t, http.StatusNoContent, nil)
	c.call("DELETE", stack+"?force=true", nil).Into(t, http.StatusNoContent, nil)
	c.tell()
	who := `"user":{"name":"Administrator","githubLogin":"admin","avatarUrl":""},"organization":{"name":"acme","githubLogin":"acme","avatarUrl":""},"projectName":"shop","stackName":"dev"`
	want := map[string]string{
		`{` + who + `,"action":"created"}`: "stack",
		`{` + who + `,"action":"deleted"}`: "stack",
		`{` + who + `,"updateUrl":"/acme/shop/dev/updates/1","kind":"update","result":"succeeded","resourceChanges":{"create":2},"isPreview":false}`: "stack_update",
		`{` + who + `,"updateUrl":"/acme/shop/dev/previews/` + p.id + `","kind":"preview","result":"failed","resourceChanges":{},"isPreview":true}`:  "stack_preview",
	}
	got := map[string]string{}
	for _, call := range r.seen() {
		got[call.body] = call.kind
		require.Equal(t, "application/json", call.header.Get("Content-Type"))
	}
	require.Equal(t, want, got)
}

func TestSlackAndTeamsGetASentence(t *testing.T) {
	c := newClient(t)
	for format, place := range map[string]func(string) string{
		"slack": func(body string) string {
			var m struct{ Text string }
			require.NoError(t, json.Unmarshal([]byte(body), &m))
			return m.Text
		},
		"ms_teams": func(body string) string {
			var m struct {
				Attachments []struct {
					ContentType string
					Content     struct{ Body []struct{ Text string } }
				}
			}
			require.NoError(t, json.Unmarshal([]byte(body), &m))
			require.Equal(t, "application/vnd.microsoft.card.adaptive", m.Attachments[0].ContentType)
			return m.Attachments[0].Content.Body[0].Text
		},
	} {
		r := newReceiver(t)
		stack := c.fresh()
		h := c.hook(stack+"/hooks", r.URL, map[string]any{"format": format})
		require.Equal(t, format, h.Format)
		c.finished(stack)
		c.tell()
		name := strings.TrimPrefix(stack, "/stacks/")
		require.Equal(t, "update 1 of "+name+" succeeded (admin)", place(r.seen()[0].body))
		var d delivery
		c.call("POST", stack+"/hooks/"+h.Name+"/ping", nil).Into(t, http.StatusOK, &d)
		require.Contains(t, place(d.Payload), "ping")
	}
}

func TestDeliveriesAreSignedTheVendorsWayAndTheStandardWay(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	raw := []byte("0123456789abcdef01234567")
	for name, secret := range map[string]string{"plain": "s3cret", "standard": "whsec_" + base64.StdEncoding.EncodeToString(raw), "none": ""} {
		c.hook(c.hooksAt(), r.URL, map[string]any{"name": name, "secret": secret})
		c.call("POST", c.hooksAt()+"/"+name+"/ping", nil).Into(t, http.StatusOK, nil)
		got := r.seen()[len(r.seen())-1]
		if secret == "" {
			require.Empty(t, got.signature)
			require.Empty(t, got.header.Get("webhook-signature"))
			continue
		}
		sum := func(key []byte, text string) []byte {
			m := hmac.New(sha256.New, key)
			m.Write([]byte(text))
			return m.Sum(nil)
		}
		require.Equal(t, hex.EncodeToString(sum([]byte(secret), got.body)), got.signature)
		key := []byte(secret)
		if name == "standard" {
			key = raw
		}
		require.Equal(t, got.id, got.header.Get("webhook-id"))
		signed := got.id + "." + got.header.Get("webhook-timestamp") + "." + got.body
		require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(sum(key, signed)), got.header.Get("webhook-signature"))
		require.Equal(t, "1767323045", got.header.Get("webhook-timestamp"))
	}
}

func TestTheLastEventOfAStackIsStillDeliveredAfterItsDeletion(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	r.say(always(503))
	stack := c.stack("shop", "dev")
	c.hook(stack+"/hooks", r.URL, map[string]any{"secret": "s3cret"})
	c.start(stack, "destroy", 1).complete("succeeded").Into(t, http.StatusNoContent, nil)
	c.call("DELETE", stack, nil).Into(t, http.StatusNoContent, nil)
	c.tell()
	require.Equal(t, []string{"stack_update"}, r.kinds())
	r.say(nil)
	c.Clock.Add(5 * time.Second)
	require.Equal(t, 1, c.Hooks())
	got := r.seen()
	require.Equal(t, got[0].id, got[1].id)
	require.Equal(t, got[0].body, got[1].body)
	require.NotEmpty(t, got[1].signature)

	// Its webhooks went with it: a stack of the same name has none.
	again := c.stack("shop", "dev")
	var list []webhook
	c.call("GET", again+"/hooks", nil).Into(t, http.StatusOK, &list)
	require.Empty(t, list)
}

func TestADeletedWebhookIsSentNothingMore(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	stack := c.stack("shop", "dev")
	for _, at := range []string{c.hooksAt(), stack + "/hooks"} {
		h := c.hook(at, r.URL, map[string]any{"name": "one"})
		c.finished(stack)
		for c.Relay() > 0 {
		}
		c.call("DELETE", at+"/"+h.Name, nil).Into(t, http.StatusNoContent, nil)
		c.hook(at, r.URL, map[string]any{"name": "one", "active": false})
		c.Hooks()
		require.Empty(t, r.seen())
		c.Relay()
		require.Empty(t, c.deliveries(at+"/one"), "another webhook of the name does not show them")
	}
}

func TestSecretsAndURLsOfWebhooksAreFoundInNoLog(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	r.say(always(410))
	stack := c.stack("shop", "dev")
	for i, url := range []string{r.URL + "/planted-path", "http://127.0.0.1:1/planted-path", "https://no-such-name.invalid/planted-path", "http://169.254.169.254/planted-path"} {
		a := c.call("POST", c.hooksAt(), map[string]any{"organizationName": c.Org, "displayName": "d", "payloadUrl": url, "active": true, "secret": "planted-secret"})
		if i == 3 {
			a.Into(t, http.StatusBadRequest, nil)
			continue
		}
		var h webhook
		a.Into(t, http.StatusCreated, &h)
		require.NotContains(t, string(a.Body), "planted-secret")
		ping := c.call("POST", c.hooksAt()+"/"+h.Name+"/ping", nil)
		require.NotContains(t, string(ping.Body), "planted-secret")
	}
	c.finished(stack)
	c.tell()
	require.NotEmpty(t, r.seen())
	require.NotContains(t, c.Log.String(), "planted")
	require.NotContains(t, c.Log.String(), r.URL)
}
