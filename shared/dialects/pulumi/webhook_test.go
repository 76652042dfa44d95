package pulumi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/permission"
)

// receiver listens for what hooks send. Answer decides what it says, by the number of the call; nil says 200.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []received
	answer func(n int, r received) int
}

type received struct {
	id, kind, signature string
	header              http.Header
	body                string
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		h := req.Header
		got := received{id: h.Get("Pulumi-Webhook-ID"), kind: h.Get("Pulumi-Webhook-Kind"), signature: h.Get("Pulumi-Webhook-Signature"), header: h, body: string(body)}
		r.mu.Lock()
		r.calls = append(r.calls, got)
		n, answer := len(r.calls), r.answer
		r.mu.Unlock()
		w.Header().Set("X-Receiver", "here")
		if answer != nil {
			w.WriteHeader(answer(n, got))
		}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) seen() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.calls...)
}

func (r *receiver) kinds() []string {
	out := []string{}
	for _, c := range r.seen() {
		out = append(out, c.kind)
	}
	return out
}

func (r *receiver) say(answer func(n int, r received) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func always(status int) func(int, received) int { return func(int, received) int { return status } }

// webhook is a webhook as a client reads it.
type webhook struct {
	OrganizationName, ProjectName, StackName, Name, DisplayName, PayloadURL, Format string
	Active, HasSecret                                                               bool
	Filters, Groups                                                                 []string
	SecretCiphertext                                                                string
}

type delivery struct {
	ID, Kind, Payload, RequestURL, RequestHeaders, ResponseHeaders, ResponseBody string
	Timestamp, Duration                                                          int64
	ResponseCode                                                                 int
}

// hooksAt is where the webhooks of the organization are kept.
func (c *client) hooksAt() string { return "/orgs/" + c.Org + "/hooks" }

// hook makes a webhook; fields go over the usual ones.
func (c *client) hook(at, url string, fields map[string]any) webhook {
	c.T.Helper()
	body := map[string]any{"organizationName": c.Org, "displayName": "My Webhook", "payloadUrl": url, "active": true}
	for k, v := range fields {
		body[k] = v
	}
	var out webhook
	c.call("POST", at, body).Into(c.T, http.StatusCreated, &out)
	return out
}

func (c *client) deliveries(at string) []delivery {
	c.T.Helper()
	var out []delivery
	c.call("GET", at+"/deliveries", nil).Into(c.T, http.StatusOK, &out)
	return out
}

// tell hands on events and has them delivered.
func (c *client) tell() {
	c.T.Helper()
	for c.Relay() > 0 {
	}
	c.Hooks()
}

func TestAWebhookOfAnOrganizationIsMadeReadChangedListedAndDeleted(t *testing.T) {
	c := newClient(t)
	h := c.hook(c.hooksAt(), "https://example.com/in", map[string]any{"secret": "s3cret"})
	require.Regexp(t, "^[0-9a-f]{8}$", h.Name)
	require.Equal(t, webhook{
		OrganizationName: c.Org, Name: h.Name, DisplayName: "My Webhook", PayloadURL: "https://example.com/in", Format: "raw", Active: true,
		Groups: []string{"stacks", "deployments", "environments"}, HasSecret: true, SecretCiphertext: h.SecretCiphertext,
	}, h)
	require.NotEmpty(t, h.SecretCiphertext)

	one := c.hooksAt() + "/" + h.Name
	var again, edited webhook
	c.call("GET", one, nil).Into(t, http.StatusOK, &again)
	require.Equal(t, h, again)

	// What clients send is what they read, with a change in it; an empty secret keeps the old one.
	c.call("PATCH", one, map[string]any{
		"organizationName": c.Org, "name": h.Name, "displayName": "Other", "payloadUrl": h.PayloadURL, "active": false,
		"filters": []string{"update_failed"}, "hasSecret": true, "secretCiphertext": h.SecretCiphertext, "secret": "",
	}).Into(t, http.StatusOK, &edited)
	h.DisplayName, h.Active, h.Filters, h.Groups = "Other", false, []string{"update_failed"}, nil
	require.Equal(t, h, edited)
	var changed, removed webhook
	c.call("PATCH", one, map[string]any{"secret": "another"}).Into(t, http.StatusOK, &changed)
	require.True(t, changed.HasSecret)
	require.NotEqual(t, h.SecretCiphertext, changed.SecretCiphertext)
	require.Equal(t, []string{"update_failed"}, changed.Filters, "what is not named stays")
	c.call("PATCH", one, map[string]any{"secret": "__remove-secret"}).Into(t, http.StatusOK, &removed)
	require.False(t, removed.HasSecret)
	require.Empty(t, removed.SecretCiphertext)

	var list []webhook
	c.call("GET", c.hooksAt(), nil).Into(t, http.StatusOK, &list)
	require.Equal(t, []webhook{removed}, list)
	c.call("DELETE", one, nil).Into(t, http.StatusNoContent, nil)
	for _, m := range []string{"GET", "DELETE", "PATCH"} {
		c.call(m, one, map[string]any{}).Into(t, http.StatusNotFound, nil)
	}
	c.call("GET", one+"/deliveries", nil).Into(t, http.StatusNotFound, nil)
	c.call("POST", one+"/ping", nil).Into(t, http.StatusNotFound, nil)
	c.call("GET", c.hooksAt(), nil).Into(t, http.StatusOK, &list)
	require.Empty(t, list)
}

func TestAPingIsSentAtOnceAndAnsweredWithItsRecordWhateverTheReceiverSays(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	h := c.hook(c.hooksAt(), r.URL+"/path", map[string]any{"active": false})
	one := c.hooksAt() + "/" + h.Name
	var d delivery
	c.call("POST", one+"/ping", nil).Into(t, http.StatusOK, &d)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`, d.ID)
	require.Equal(t, []string{"ping"}, r.kinds())
	require.Equal(t, "ping", d.Kind)
	require.JSONEq(t, `{"timestamp":1767323045,"message":"Just a friendly ping from Polyplane"}`, d.Payload)
	require.Equal(t, r.seen()[0].body, d.Payload)
	require.Equal(t, r.URL+"/path", d.RequestURL)
	require.Contains(t, d.RequestHeaders, "Content-Type: application/json\r\n")
	require.Contains(t, d.RequestHeaders, "Pulumi-Webhook-Id: "+d.ID+"\r\nPulumi-Webhook-Kind: ping\r\n")
	require.Equal(t, 200, d.ResponseCode)
	require.Contains(t, d.ResponseHeaders, "X-Receiver: here\r\n")
	require.Equal(t, "thanks", d.ResponseBody)
	require.EqualValues(t, c.Clock.Now().Unix(), d.Timestamp)
	require.Positive(t, d.Duration)

	r.say(always(500))
	c.Clock.Add(time.Second)
	var failed delivery
	c.call("POST", one+"/ping", nil).Into(t, http.StatusOK, &failed)
	require.Equal(t, 500, failed.ResponseCode)
	r.Close()
	c.Clock.Add(time.Second)
	var dead delivery
	c.call("POST", one+"/ping", nil).Into(t, http.StatusOK, &dead)
	require.Zero(t, dead.ResponseCode)
	require.Equal(t, "no connection to the receiver could be made", dead.ResponseBody)
	require.Equal(t, []delivery{dead, failed, d}, c.deliveries(one), "newest first")
	require.Zero(t, c.Hooks(), "a ping is not repeated")
}

func TestARedeliverySendsTheSamePayloadAsADeliveryOfItsOwn(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	stack := c.stack("shop", "dev")
	for _, at := range []string{c.hooksAt(), stack + "/hooks"} {
		h := c.hook(at, r.URL, nil)
		c.finished(stack)
		c.tell()
		one := at + "/" + h.Name
		first := c.deliveries(one)[0]
		c.Clock.Add(time.Minute)
		var d delivery
		c.call("POST", one+"/deliveries/"+first.ID+"/redeliver", nil).Into(t, http.StatusOK, &d)
		require.NotEqual(t, first.ID, d.ID)
		require.Equal(t, first.Payload, d.Payload)
		require.Equal(t, first.Kind, d.Kind)
		require.Equal(t, []string{d.ID, first.ID}, []string{c.deliveries(one)[0].ID, c.deliveries(one)[1].ID})
		for _, id := range []string{"nonsense", "00000000-0000-7000-8000-000000000000", first.ID + "0", "..%2F..%2Fhead"} {
			c.call("POST", one+"/deliveries/"+id+"/redeliver", nil).Into(t, http.StatusNotFound, nil)
		}
	}
}

func TestWhatAWebhookMayNotBeIsRefusedInASentence(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	c.hook(c.hooksAt(), "https://example.com", map[string]any{"name": "taken"})
	for _, at := range []string{c.hooksAt(), stack + "/hooks"} {
		for name, wrong := range map[string]struct {
			fields map[string]any
			says   string
		}{
			"another organization": {map[string]any{"organizationName": "other"}, `the body names the organization \"other\", the path \"acme\"`},
			"an environment":       {map[string]any{"envName": "e"}, "environment's own path"},
			"another stack":        {map[string]any{"projectName": "shop", "stackName": "prod"}, "stack"},
			"a bad name":           {map[string]any{"name": "a/b"}, "the name of a webhook must be"},
			"no display name":      {map[string]any{"displayName": ""}, "the display name must be"},
			"an unknown format":    {map[string]any{"format": "xml"}, `the format of a webhook is`},
			"deployments":          {map[string]any{"format": "pulumi_deployments"}, "pulumi_deployments"},
			"an unknown filter":    {map[string]any{"filters": []string{"coffee_brewed"}}, "is not an event that this webhook can ask for"},
			"an unknown group":     {map[string]any{"groups": []string{"coffees"}}, "is not a group of events"},
			"a secret too long":    {map[string]any{"secret": strings.Repeat("s", 1025)}, "longer than 1024 bytes"},
			"no URL":               {map[string]any{"payloadUrl": ""}, "must begin with https://"},
			"another scheme":       {map[string]any{"payloadUrl": "ftp://example.com"}, "must begin with https://"},
			"the metadata service": {map[string]any{"payloadUrl": "http://169.254.169.254/latest"}, "an address that is not public"},
			"a password":           {map[string]any{"payloadUrl": "http://u:p@example.com"}, "may not hold a user name"},
		} {
			body := map[string]any{"organizationName": c.Org, "displayName": "d", "payloadUrl": "https://example.com", "active": true}
			for k, v := range wrong.fields {
				body[k] = v
			}
			a := c.call("POST", at, body)
			require.Equal(t, http.StatusBadRequest, a.Status, "%s %s", name, a)
			require.Contains(t, string(a.Body), wrong.says, name)
		}
	}
	for _, f := range []string{"stack_created", "environment_created"} {
		c.call("POST", stack+"/hooks", map[string]any{"organizationName": c.Org, "displayName": "d", "payloadUrl": "https://example.com", "active": true, "filters": []string{f}}).
			Into(t, http.StatusBadRequest, nil)
	}
	a := c.call("POST", c.hooksAt(), map[string]any{"organizationName": c.Org, "displayName": "d", "payloadUrl": "https://example.com", "active": true, "name": "taken"})
	require.Equal(t, http.StatusConflict, a.Status)
	require.Contains(t, string(a.Body), "already exists")
	c.call("PATCH", c.hooksAt()+"/taken", map[string]any{"name": "other"}).Into(t, http.StatusBadRequest, nil)
	c.call("PATCH", c.hooksAt()+"/taken", map[string]any{"payloadUrl": "http://10.0.0.1"}).Into(t, http.StatusBadRequest, nil)
}

func TestAStacksWebhooksAreItsAdministratorsAndAnOrganizationsItsOwners(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	member := c.as(c.Person("morty", c.Org, permission.OrganizationMember))
	c.hook(c.hooksAt(), "https://example.com", map[string]any{"name": "one", "secret": "s"})
	c.hook(stack+"/hooks", "https://example.com", map[string]any{"name": "one", "secret": "s"})
	for _, at := range []string{"", "/one", "/one/deliveries"} {
		member.call("GET", c.hooksAt()+at, nil).Into(t, http.StatusForbidden, nil)
		member.call("GET", stack+"/hooks"+at, nil).Into(t, http.StatusForbidden, nil)
	}
	mine := member.stack("mine", "dev")
	member.hook(mine+"/hooks", "https://example.com", nil)
}
