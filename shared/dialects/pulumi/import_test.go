package pulumi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// imported imports a text and returns the id of the update that records it.
func (c *client) imported(stack, text string) string {
	c.T.Helper()
	var out struct{ UpdateID string }
	c.Do(boottest.Request{Method: "POST", Path: "/pulumi/api" + stack + "/import", Auth: c.auth, Body: text, Gzip: true}).Into(c.T, http.StatusOK, &out)
	require.NotEmpty(c.T, out.UpdateID)
	return out.UpdateID
}

// latest is the newest update of a stack.
type latest struct {
	Info struct {
		Kind, Result, Message string
		Version               int64
		StartTime, EndTime    int64
		ResourceCount         *int
		ResourceChanges       map[string]int64
	}
	UpdateID               string
	Version, LatestVersion int64
	RequestedBy            struct{ GithubLogin string }
}

func (c *client) latest(stack string) (out latest) {
	c.T.Helper()
	c.call("GET", stack+"/updates/latest", nil).Into(c.T, http.StatusOK, &out)
	return out
}

// sealedDeployment is a deployment of the service's secrets provider with one secret, as the client writes it.
func sealedDeployment(org, project, stack, ciphertext string) string {
	u := "urn:pulumi:" + stack + "::" + project + "::"
	return `{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},` +
		`"secrets_providers":{"type":"service","state":{"url":"http://localhost","owner":"` + org + `","project":"` + project + `","stack":"` + stack + `"}},` +
		`"resources":[{"urn":"` + u + `pulumi:pulumi:Stack::` + project + `-` + stack + `","custom":false,"type":"pulumi:pulumi:Stack"},` +
		`{"urn":"` + u + `pulumi:providers:t::default","custom":true,"id":"p-1","type":"pulumi:providers:t"},` +
		`{"urn":"` + u + `t:i:R::a","custom":true,"id":"x","type":"t:i:R","parent":"` + u + `pulumi:pulumi:Stack::` + project + `-` + stack + `",` +
		`"outputs":{"n":1e400,"deep":[{"password":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"` + ciphertext + `"}}]},` +
		`"provider":"` + u + `pulumi:providers:t::default::p-1"}],` +
		`"pending_operations":[{"resource":{"urn":"` + u + `t:i:R::b","custom":false,"type":"t:i:R"},"type":"creating"}]}}`
}

func TestAnImportIsExportedByteForByte(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	id := c.imported(stack, odd)
	require.Equal(t, odd, c.exported(stack))
	require.Equal(t, odd, string(c.call("GET", stack+"/export/1", nil).Body))
	a := c.call("GET", stack+"/update/"+id, nil)
	a.Into(t, http.StatusOK, nil)
	require.Contains(t, string(a.Body), `"status":"succeeded"`)
	require.NotContains(t, string(a.Body), "continuationToken", "the client stops asking")
	got := c.latest(stack)
	require.Equal(t, "import succeeded admin", got.Info.Kind+" "+got.Info.Result+" "+got.RequestedBy.GithubLogin)
	require.Equal(t, id, got.UpdateID)
	require.Equal(t, 1, *got.Info.ResourceCount)
	for n, text := range []string{odd + "\n", " \t" + odd, strings.ReplaceAll(odd, "version", "versi\\u006fn")} {
		c.imported(stack, text)
		require.Equal(t, text, c.exported(stack), "text %d", n)
	}
}

func TestAnImportOfTenThousandResourcesIsExportedByteForByte(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	var b strings.Builder
	b.WriteString(`{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"resources":[`)
	for i := range 10_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "{\"urn\":%q,\"type\":\"t:i:R\",\"custom\":false,\"outputs\":{\"text\":%q}}", urn(i), strings.Repeat(fmt.Sprint(i, "-"), 1200/(len(fmt.Sprint(i))+1)))
	}
	b.WriteString("]}}")
	require.Greater(t, b.Len(), 12<<20)
	c.imported(stack, b.String())
	require.True(t, b.String() == c.exported(stack), "the export differs")
	require.Equal(t, 10_000, *c.latest(stack).Info.ResourceCount)
	require.Contains(t, c.summaries(), `"resourceCount":10000`)
}

func TestAnImportWithSecretsOfAnotherStackIsRefusedAndChangesNothing(t *testing.T) {
	c := newClient(t)
	stack, other := c.stack("shop", "dev"), c.stack("shop", "other")
	own := sealedDeployment(c.Org, "shop", "dev", c.sealed(stack, `"mine"`))
	c.imported(stack, own)
	c.Spy.Reset()
	for what, cipher := range map[string]string{"another stack's": c.sealed(other, `"theirs"`), "no base64": "v1:abc:def", "damaged": "AAAA" + c.sealed(stack, "x")} {
		a := c.call("POST", stack+"/import", sealedDeployment(c.Org, "shop", "dev", cipher))
		a.Into(t, http.StatusBadRequest, nil)
		isVendorError(t, a)
		require.Contains(t, string(a.Body), "--show-secrets", what)
	}
	require.Zero(t, c.Spy.Writes())
	require.Equal(t, own, c.exported(stack))
	require.EqualValues(t, 1, c.latest(stack).Version)
}

func TestAnImportSealedByAPassphraseIsNoneOfOurBusiness(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	text := strings.Replace(sealedDeployment("x", "shop", "dev", "v1:abc:def"), `"type":"service","state":{"url":"http://localhost",`, `"type":"passphrase","state":{"salt":"v1:x",`, 1)
	c.imported(stack, text)
	require.Equal(t, text, c.exported(stack))
}

func TestWhatIsNoDeploymentIsNotImported(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	const manifest = `{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""}`
	c.Spy.Reset()
	for what, body := range map[string]string{
		"nothing": "", "no JSON": "garbage", "cut": odd[:len(odd)/2], "null": "null", "a list": "[]", "a text": `"x"`,
		"no deployment": `{"version":3}`, "null deployment": `{"version":3,"deployment":null}`, "a listed deployment": `{"version":3,"deployment":[]}`,
		"no manifest": `{"version":3,"deployment":{"resources":[]}}`, "a null manifest": `{"version":3,"deployment":{"manifest":null}}`,
		"no version": `{"deployment":` + manifest + `}}`, "version 0": `{"version":0,"deployment":` + manifest + `}}`,
		"version 5": `{"version":5,"deployment":` + manifest + `}}`, "version text": `{"version":"3","deployment":` + manifest + `}}`,
		"no list": `{"version":3,"deployment":` + manifest + `,"resources":{}}}`, "no URN": `{"version":3,"deployment":` + manifest + `,"resources":[{"type":"t"}]}}`,
		"not UTF-8": "{\"version\":3,\"deployment\":" + manifest + ",\"x\":\"\xff\"}}", "more behind it": odd + "{}",
	} {
		a := c.call("POST", stack+"/import", body)
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
		isVendorError(t, a)
	}
	require.Zero(t, c.Spy.Writes())
	c.call("GET", stack+"/updates/latest", nil).Into(t, http.StatusNotFound, nil)
}

func TestAHeldStackIsNeitherImportedNorMoved(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	u := c.start(stack, "update", 1)
	to := c.annex()
	for below, body := range map[string]any{
		"/import": odd, "/rename": map[string]any{"newName": "prod"}, "/transfer": map[string]any{"toOrg": to},
	} {
		a := c.call("POST", stack+below, body)
		a.Into(t, http.StatusConflict, nil)
		isVendorError(t, a)
		require.Contains(t, string(a.Body), "update 1, which admin started")
	}
	u.journal(u.made(urn(1))...).Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(1)}, c.export(stack).urns())

	lost := c.start(stack, "update", 1)
	lost.journal(lost.made(urn(2))...).Into(t, http.StatusNoContent, nil)
	c.Clock.Add(leaseAndGrace)
	c.imported(stack, odd)
	require.Equal(t, odd, c.exported(stack), "a stack whose holder is gone is free")
	require.EqualValues(t, 3, c.latest(stack).Version)
	require.Contains(t, string(c.call("GET", stack+"/export/2", nil).Body), urn(2), "what the lost update was acknowledged is kept")
}

func TestWhatWasImportedIsTheBaseOfTheNextUpdate(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	c.imported(stack, `{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"resources":[{"urn":"`+urn(1)+`","type":"t:i:R","custom":false,"zwölf":12}]}}`)
	u := c.start(stack, "update", 1)
	u.journal(u.made(urn(2))...).Into(t, http.StatusNoContent, nil)
	u.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, []string{urn(2), urn(1)}, c.export(stack).urns())
	require.Contains(t, c.exported(stack), `"zwölf":12`)
}
