package pulumi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// client makes the calls that the Pulumi CLI makes.
type client struct {
	*boottest.Plane
	auth string // "token …"
}

func newClient(t testing.TB) *client {
	p := boottest.New(t)
	witness.Watch(t, "pulumi", p)
	return &client{Plane: p, auth: "token " + p.Token}
}

// as is the same plane seen by the holder of another token.
func (c *client) as(token string) *client { return &client{Plane: c.Plane, auth: "token " + token} }

func (c *client) call(method, path string, body any) boottest.Answer {
	c.T.Helper()
	return c.Do(boottest.Request{Method: method, Path: "/pulumi/api" + path, Auth: c.auth, Body: body})
}

// stack makes a stack and returns its path below /api.
func (c *client) stack(project, name string) string {
	c.T.Helper()
	c.call(http.MethodPost, fmt.Sprintf("/stacks/%s/%s", c.Org, project), map[string]any{"stackName": name}).Into(c.T, http.StatusOK, nil)
	return fmt.Sprintf("/stacks/%s/%s/%s", c.Org, project, name)
}

func (c *client) export(stack string) deployment {
	c.T.Helper()
	var out struct{ Deployment deployment }
	c.call(http.MethodGet, stack+"/export", nil).Into(c.T, http.StatusOK, &out)
	return out.Deployment
}

type deployment struct {
	Resources []struct {
		URN string `json:"urn"`
	} `json:"resources"`
	Pending []struct {
		Type     string
		Resource struct {
			URN string `json:"urn"`
		}
	} `json:"pending_operations"`
}

func (d deployment) urns() []string {
	out := []string{}
	for _, r := range d.Resources {
		out = append(out, r.URN)
	}
	return out
}

// pending are the operations that nobody saw the end of, "creating urn:…".
func (d deployment) pending() []string {
	out := []string{}
	for _, p := range d.Pending {
		out = append(out, p.Type+" "+p.Resource.URN)
	}
	return out
}

// running is an update that was started.
type running struct {
	*client
	stack, id, at string
	auth          string // "update-token …"
	version       int64
	sequence      int64
}

// create records an update of a kind.
func (c *client) create(stack, kind string, dryRun bool) string {
	c.T.Helper()
	var made struct{ UpdateID string }
	c.call(http.MethodPost, stack+"/"+kind, map[string]any{"name": "p", "runtime": "yaml", "options": map[string]any{"dryRun": dryRun}}).
		Into(c.T, http.StatusOK, &made)
	require.NotEmpty(c.T, made.UpdateID)
	return made.UpdateID
}

// start creates and starts an update that saves by journal when journal is 1.
func (c *client) start(stack, kind string, journal int) *running {
	c.T.Helper()
	id := c.create(stack, kind, false)
	r, a := c.tryStart(stack, id, journal)
	require.Equal(c.T, http.StatusOK, a.Status, "%s", a.Body)
	return r
}

func (c *client) tryStart(stack, id string, journal int) (*running, boottest.Answer) {
	c.T.Helper()
	a := c.call(http.MethodPost, stack+"/update/"+id, map[string]any{"journalVersion": journal})
	if a.Status != http.StatusOK {
		return nil, a
	}
	var started struct {
		Version int64
		Token   string
	}
	require.NoError(c.T, json.Unmarshal(a.Body, &started))
	require.NotEmpty(c.T, started.Token)
	return &running{client: c, stack: stack, id: id, at: stack + "/update/" + id, auth: "update-token " + started.Token, version: started.Version}, a
}

// lease makes a call with the update's token.
func (r *running) lease(method, below string, body any) boottest.Answer {
	r.T.Helper()
	return r.Do(boottest.Request{Method: method, Path: "/pulumi/api" + r.at + below, Auth: r.auth, Body: body, Gzip: true})
}

type entry map[string]any

// made are the two entries that tell of a created resource; the first batch of an update begins with its secrets provider.
func (r *running) made(urn string) []entry {
	var out []entry
	next := func(e entry) {
		r.sequence++
		e["version"], e["sequenceID"] = 1, r.sequence
		e["removeOld"], e["removeNew"] = nil, nil
		out = append(out, e)
	}
	if r.sequence == 0 {
		next(entry{"kind": 6, "operationID": 0, "secretsProvider": map[string]any{"type": "service"}})
	}
	op := r.sequence + 1
	res := map[string]any{"urn": urn, "type": "t:i:R", "custom": false}
	next(entry{"kind": 0, "operationID": op, "operation": map[string]any{"type": "creating", "resource": res}})
	next(entry{"kind": 1, "operationID": op, "state": res})
	return out
}

func (r *running) journal(entries ...entry) boottest.Answer {
	r.T.Helper()
	return r.lease(http.MethodPatch, "/journalentries", map[string]any{"entries": entries})
}

func (r *running) complete(status string) boottest.Answer {
	r.T.Helper()
	return r.lease(http.MethodPost, "/complete", map[string]any{"status": status})
}

func urn(n int) string { return fmt.Sprintf("urn:pulumi:dev::p::t:i:R::r%d", n) }

// preview creates and starts a preview.
func (c *client) preview(stack string) *running {
	c.T.Helper()
	r, a := c.tryStart(stack, c.create(stack, "preview", true), 1)
	require.Equal(c.T, http.StatusOK, a.Status, "%s", a.Body)
	return r
}

// cancel is what `pulumi cancel` does.
func (c *client) cancel(stack, id string) boottest.Answer {
	c.T.Helper()
	return c.call(http.MethodPost, stack+"/update/"+id+"/cancel", nil)
}

// exported is the text of an export as it came.
func (c *client) exported(stack string) string {
	c.T.Helper()
	a := c.call(http.MethodGet, stack+"/export", nil)
	require.Equal(c.T, http.StatusOK, a.Status, "%s", a.Body)
	return string(a.Body)
}

func (r *running) renew(seconds int) boottest.Answer {
	r.T.Helper()
	return r.lease(http.MethodPost, "/renew_lease", map[string]any{"token": "", "duration": seconds})
}

func (r *running) save(form string, body any) boottest.Answer {
	r.T.Helper()
	return r.lease(http.MethodPatch, "/"+form, body)
}

func (r *running) record(events ...any) boottest.Answer {
	r.T.Helper()
	return r.lease(http.MethodPost, "/events/batch", map[string]any{"events": append([]any{}, events...)})
}

// status is where an update stands, as `pulumi` polls it.
func (c *client) status(stack, id string) string {
	c.T.Helper()
	var out struct{ Status string }
	c.call(http.MethodGet, stack+"/update/"+id, nil).Into(c.T, http.StatusOK, &out)
	return out.Status
}
