package pulumi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/boot/guarantee"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
)

// pulumiTable is the dialect's table with a sample of every row. Whoever adds a row adds its sample here.
var pulumiTable = guarantee.Table{
	Dialect: "pulumi",
	New:     func(t testing.TB) *boottest.Plane { return newClient(t).Plane },
	Samples: samples,
	Token:   func(text string) http.Header { return http.Header{"Authorization": {"token " + text}} },
	Lease: func(p *boottest.Plane) string {
		c := administrator(p)
		return c.start(c.fresh(), "update", 1).auth
	},
	Bad: map[string]http.Header{
		"unknown scheme":        {"Authorization": {"Basic YTpi"}},
		"scheme without token":  {"Authorization": {"token"}},
		"token without scheme":  {"Authorization": {"pul-0123456789012345678901234567890123456789"}},
		"malformed lease token": {"Authorization": {"update-token"}},
		"only spaces":           {"Authorization": {"   "}},
	},
	Problem: isVendorError,
	Own:     map[string]bool{"DeletePersonalToken": true},
	Warm: func(r boottest.Request) *boottest.Request {
		if below, ok := strings.CutPrefix(r.Path, "/pulumi/api/orgs/"); ok {
			path, _, _ := strings.Cut(below, "?")
			segs := strings.Split(path, "/")
			w := boottest.Request{Method: http.MethodGet, Path: "/pulumi/api/orgs/" + segs[0] + "/teams"}
			switch {
			case len(segs) > 2 && segs[1] == "teams" && r.Path != w.Path+"/pulumi" && r.Path != w.Path+"/github":
				w.Path += "/" + segs[2]
			case len(segs) > 2 && segs[1] == "members":
				w.Path = "/pulumi/api/orgs/" + strings.Join(segs[:3], "/") + "/teams"
			}
			return &w
		}
		segs := strings.Split(strings.TrimPrefix(r.Path, "/pulumi/api/stacks/"), "/")
		w := boottest.Request{Method: http.MethodGet, Path: "/pulumi/api/stacks/" + strings.Join(segs[:min(len(segs), 3)], "/")}
		if len(segs) == 2 {
			w.Method = http.MethodHead
		}
		return &w
	},
}

// isVendorError fails unless the answer is the vendor's envelope, with the status in it and a sentence behind the status's own words.
func isVendorError(t testing.TB, a boottest.Answer) {
	t.Helper()
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))
	require.NotEmpty(t, a.Header.Get("X-Pulumi-Request-ID"))
	if len(a.Body) == 0 { // HEAD
		return
	}
	var e struct {
		Code    int
		Message string
	}
	require.NoError(t, json.Unmarshal(a.Body, &e), "%s", a.Body)
	require.Equal(t, a.Status, e.Code, "the body's code and the status differ")
	said, ok := strings.CutPrefix(e.Message, http.StatusText(a.Status)+": ")
	require.True(t, ok, "%s", e.Message)
	require.Contains(t, said, " ", "no sentence: %s", e.Message)
	for _, ours := range []string{"json:", "Go struct", "strconv", "panic", ".go:", "store:", "keyring:", "blob:", "/work"} {
		require.NotContains(t, e.Message, ours)
	}
}

// administrator is the plane's administrator.
func administrator(p *boottest.Plane) *client { return &client{Plane: p, auth: "token " + p.Token} }

// fresh makes a stack of a new name, in a project of its own, and returns its path below /api.
func (c *client) fresh() string { return c.stack("p"+c.Hex(4), "s"+c.Hex(4)) }

func at(method, path string, body any) boottest.Request {
	return boottest.Request{Method: method, Path: "/pulumi/api" + path, Body: body}
}

// on samples a row whose target is a stack that was just made.
func on(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request { return at(method, administrator(p).fresh()+below, body) }
}

// updated samples a row whose stack was updated once and previewed since.
func updated(method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		c.finished(stack)
		u, a := c.tryStart(stack, c.telling(stack, "preview"), 1)
		a.Into(c.T, http.StatusOK, nil)
		u.record(toldEvents...).Into(c.T, http.StatusOK, nil)
		u.complete("succeeded").Into(c.T, http.StatusNoContent, nil)
		return at(method, stack+below, body)
	}
}

// finished runs an update that leaves two resources and tells all that there is to tell.
func (c *client) finished(stack string) *running {
	c.T.Helper()
	u, a := c.tryStart(stack, c.telling(stack, "update"), 1)
	a.Into(c.T, http.StatusOK, nil)
	u.journal(append(u.made(urn(1)), u.made(urn(2))...)...).Into(c.T, http.StatusNoContent, nil)
	u.record(toldEvents...).Into(c.T, http.StatusOK, nil)
	u.complete("succeeded").Into(c.T, http.StatusNoContent, nil)
	return u
}

// telling records an update of a kind as a client does that works in a repository.
func (c *client) telling(stack, kind string) string {
	c.T.Helper()
	var made struct{ UpdateID string }
	c.call(http.MethodPost, stack+"/"+kind, program).Into(c.T, http.StatusOK, &made)
	return made.UpdateID
}

// held samples a row that a running update calls with its own token.
func held(journal int, method, below string, body any) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		u := c.start(c.fresh(), "update", journal)
		r := at(method, u.at+below, body)
		r.Auth = u.auth
		return r
	}
}

func secret(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// sealed encrypts a text for a stack.
func (c *client) sealed(stack, text string) string {
	c.T.Helper()
	var out struct{ Ciphertext string }
	c.call(http.MethodPost, stack+"/encrypt", map[string]any{"plaintext": secret(text)}).Into(c.T, http.StatusOK, &out)
	return out.Ciphertext
}

var (
	atService = map[string]any{"environment": "e", "secretsProvider": "passphrase", "encryptedKey": "k", "encryptionSalt": "s"}
	program   = map[string]any{
		"name": "p", "runtime": "yaml", "main": "Main.yaml", "description": "d",
		"config": map[string]any{"a": map[string]any{"string": "[\"b\"]", "secret": true, "object": true}},
		"metadata": map[string]any{"message": "m", "environment": map[string]string{
			"git.head": "0123456789abcdef", "git.author": "An Author", "git.author.email": "author@example.com",
			"git.committer": "A Committer", "git.committer.email": "committer@example.com",
			"vcs.owner": "acme", "vcs.repo": "shop", "vcs.kind": "github.com",
		}},
	}
	oneResource = map[string]any{
		"manifest":  map[string]any{"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""},
		"resources": []any{map[string]any{"urn": urn(1), "type": "t:i:R", "custom": false}},
	}
)

func verbatim(sequence int) map[string]any {
	return map[string]any{"version": 3, "sequenceNumber": sequence, "untypedDeployment": map[string]any{"version": 3, "deployment": oneResource}}
}

var samples = map[string]guarantee.Sample{
	"Capabilities":           func(*boottest.Plane) boottest.Request { return at("GET", "/capabilities", nil) },
	"Version":                func(*boottest.Plane) boottest.Request { return at("GET", "/cli/version", nil) },
	"GetCurrentUser":         func(*boottest.Plane) boottest.Request { return at("GET", "/user", nil) },
	"GetDefaultOrganization": func(*boottest.Plane) boottest.Request { return at("GET", "/user/organizations/default", nil) },
	"ListUserStacks": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		c.fresh()
		return at("GET", "/user/stacks?organization="+c.Org, nil)
	},
	"ProjectExists": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		return at("HEAD", stack[:strings.LastIndexByte(stack, '/')], nil)
	},
	"CreateStack": func(p *boottest.Plane) boottest.Request {
		return at("POST", fmt.Sprintf("/stacks/%s/p%s", p.Org, p.Hex(4)), map[string]any{
			"stackName": "dev", "tags": map[string]string{"pulumi:runtime": "yaml"}, "config": map[string]any{"environment": "e"},
		})
	},
	"GetStack":             on("GET", "", nil),
	"DeleteStack":          on("DELETE", "?force=true", nil),
	"ExportStack":          updated("GET", "/export", nil),
	"ExportStackAtVersion": updated("GET", "/export/1", nil),
	"ImportStack":          on("POST", "/import", map[string]any{"version": 3, "deployment": oneResource}),
	"RenameStack":          updated("POST", "/rename", map[string]any{"newName": "renamed"}),
	"TransferStack": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		return at("POST", c.fresh()+"/transfer", map[string]any{"toOrg": c.annex()})
	},
	"UpdateStackTags": on("PATCH", "/tags", map[string]string{"a": "b"}),
	"AddStackTag":     on("POST", "/tags", map[string]any{"name": "a", "value": "b"}),
	"DeleteStackTag": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		c.call("POST", stack+"/tags", map[string]any{"name": "a", "value": "b"}).Into(c.T, http.StatusNoContent, nil)
		return at("DELETE", stack+"/tags/a", nil)
	},
	"GetStackConfig":    configured("GET"),
	"UpdateStackConfig": on("PUT", "/config", atService),
	"DeleteStackConfig": configured("DELETE"),

	"GetStackUpdates":        updated("GET", "/updates?output-type=service&page=1", nil),
	"GetLatestStackUpdate":   updated("GET", "/updates/latest", nil),
	"GetStackUpdate":         updated("GET", "/updates/1", nil),
	"GetLatestStackPreviews": updated("GET", "/updates/latest/previews", nil),

	"EncryptValue": on("POST", "/encrypt", map[string]any{"plaintext": secret("s3cret")}),
	"DecryptValue": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		return at("POST", stack+"/decrypt", map[string]any{"ciphertext": c.sealed(stack, "s3cret")})
	},
	"BatchEncryptValue": on("POST", "/batch-encrypt", map[string]any{"plaintexts": []string{secret("a"), secret("b")}}),
	"BatchDecryptValue": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		return at("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": []string{c.sealed(stack, "a")}})
	},
	"LogOnlyDecryptValue":      on("POST", "/decrypt/log-decryption", map[string]any{"secretName": "n", "commandName": "c"}),
	"LogOnlyBatchDecryptValue": on("POST", "/decrypt/log-batch-decryption", map[string]any{"commandName": "c"}),

	"CreateUpdateForUpdate":  on("POST", "/update", program),
	"CreateUpdateForPreview": on("POST", "/preview", program),
	"CreateUpdateForRefresh": on("POST", "/refresh", program),
	"CreateUpdateForDestroy": on("POST", "/destroy", program),
	"StartUpdateForUpdate": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		return at("POST", stack+"/update/"+c.create(stack, "update", false), map[string]any{"journalVersion": 1, "tags": map[string]string{"a": "b"}})
	},
	"GetUpdateStatusForUpdate": ofUpdate(""),
	"CancelUpdate_update": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		return at("POST", c.start(c.fresh(), "update", 1).at+"/cancel", nil)
	},
	"GetEngineEvents_update": ofUpdate("/events"),

	"RenewUpdateLease_update": held(1, "POST", "/renew_lease", map[string]any{"token": "", "duration": 300}),
	"CreateJournalEntries_update": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		u := c.start(c.fresh(), "update", 1)
		r := at("PATCH", u.at+"/journalentries", map[string]any{"entries": u.made(urn(1))})
		r.Auth = u.auth
		return r
	},
	"PatchUpdateCheckpoint_update":         held(0, "PATCH", "/checkpoint", map[string]any{"isInvalid": false, "version": 3, "deployment": oneResource}),
	"PatchUpdateVerbatimCheckpoint_update": held(0, "PATCH", "/checkpointverbatim", verbatim(1)),
	"PatchUpdateCheckpointDelta_update": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		u := c.start(c.fresh(), "update", 0)
		u.save("checkpointverbatim", verbatim(1)).Into(c.T, http.StatusNoContent, nil)
		text, err := json.Marshal(verbatim(1)["untypedDeployment"])
		require.NoError(c.T, err)
		sum := sha256.Sum256(append(text, ' '))
		point := map[string]any{"offset": len(text)}
		r := at("PATCH", u.at+"/checkpointdelta", map[string]any{
			"version": 3, "sequenceNumber": 2, "checkpointHash": hex.EncodeToString(sum[:]),
			"deploymentDelta": []any{map[string]any{"Span": map[string]any{"start": point, "end": point}, "NewText": " "}},
		})
		r.Auth = u.auth
		return r
	},
	"RecordEngineEventBatch_update": held(1, "POST", "/events/batch", map[string]any{"events": toldEvents}),
	"CompleteUpdate_update": func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		u := c.start(c.fresh(), "update", 1)
		u.journal(u.made(urn(1))...).Into(c.T, http.StatusNoContent, nil)
		r := at("POST", u.at+"/complete", map[string]any{"status": "succeeded"})
		r.Auth = u.auth
		return r
	},
}

// configured samples a row on a stack whose configuration lies at the service.
func configured(method string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		stack := c.fresh()
		c.call("PUT", stack+"/config", atService).Into(c.T, http.StatusOK, nil)
		return at(method, stack+"/config", nil)
	}
}

// ofUpdate samples a row on an update that has told its story.
func ofUpdate(below string) guarantee.Sample {
	return func(p *boottest.Plane) boottest.Request {
		c := administrator(p)
		return at("GET", c.finished(c.fresh()).at+below, nil)
	}
}

// annex makes an organization that the administrator owns and returns its name.
func (c *client) annex() string {
	c.T.Helper()
	admin, err := identity.FindUser(context.Background(), c.Ports, "admin")
	require.NoError(c.T, err)
	o := c.Organization("annex" + c.Hex(4))
	require.NoError(c.T, c.Ports.Store.Write(context.Background(), organization.AddMember(o.ID, organization.Member{
		User: admin.Value.ID, Role: permission.OrganizationOwner, Created: c.Clock.Now(),
	})...))
	return o.Name
}
