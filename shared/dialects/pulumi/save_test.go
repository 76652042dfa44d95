package pulumi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/boottest"
)

const odd = "{ \"version\" : 3,\n\t\"deployment\":{\"manifest\":{\"time\":\"2026-01-02T03:04:05Z\",\"magic\":\"m\",\"version\":\"v9\", \"new\":null},\r\n" +
	" \"resources\":[ {\"urn\":\"urn:pulumi:dev::p::t:i:R::a\",\"type\":\"t:i:R\",\"custom\":false,\"n\":1e400,\"zwölf\":\"\\u00e4<&>\"} ]  ,\"unknown\":[ 1 ]}, \"extra\" : true }"

func (r *running) verbatim(sequence int, text string) boottest.Answer {
	r.T.Helper()
	body, err := json.Marshal(sequence)
	require.NoError(r.T, err)
	return r.save("checkpointverbatim", `{"version":3,"sequenceNumber":`+string(body)+`,"untypedDeployment":`+text+`}`)
}

type edit struct {
	Span    map[string]any `json:"Span"`
	NewText string         `json:"NewText"`
}

// replacing is the edit that puts a text for the only place where another stands.
func replacing(t *testing.T, base, old, text string) edit {
	t.Helper()
	require.Equal(t, 1, strings.Count(base, old))
	at := strings.Index(base, old)
	return edit{Span: map[string]any{"start": map[string]any{"offset": at}, "end": map[string]any{"offset": at + len(old)}}, NewText: text}
}

func (r *running) delta(sequence int, hashed string, edits ...edit) boottest.Answer {
	r.T.Helper()
	sum := sha256.Sum256([]byte(hashed))
	return r.save("checkpointdelta", map[string]any{
		"version": 3, "sequenceNumber": sequence, "checkpointHash": hex.EncodeToString(sum[:]), "deploymentDelta": append([]edit{}, edits...),
	})
}

func TestACheckpointSentVerbatimIsExportedByteForByte(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 0)
	r.verbatim(1, odd).Into(t, http.StatusNoContent, nil)
	require.Equal(t, odd, c.exported(r.stack), "while it runs")
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, odd, c.exported(r.stack), "when it is over")
	r.Restart()
	r.Relay()
	next := c.start(r.stack, "update", 0)
	require.Equal(t, odd, c.exported(r.stack), "and while the next one has saved nothing")
	next.complete("failed").Into(t, http.StatusNoContent, nil)
	require.Equal(t, odd, c.exported(r.stack))
}

func TestPlainCheckpointsAreKeptAndTheLastOneWins(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 0)
	deployment := odd[strings.Index(odd, `{"manifest"`):strings.Index(odd, `, "extra"`)]
	r.save("checkpoint", map[string]any{"version": 3, "deployment": whole(urn(1))}).Into(t, http.StatusNoContent, nil)
	r.save("checkpoint", `{"version":3,"deployment":`+deployment+`}`).Into(t, http.StatusNoContent, nil)
	require.Equal(t, `{"version":3,"deployment":`+deployment+`}`, c.exported(r.stack), "the deployment is the client's text")
	r.save("checkpoint", map[string]any{"version": 4, "features": []string{"refreshBeforeUpdate"}, "deployment": whole(urn(2))}).
		Into(t, http.StatusNoContent, nil)
	r.save("checkpoint", map[string]any{"isInvalid": true, "version": 3}).Into(t, http.StatusBadRequest, nil)
	r.save("checkpoint", map[string]any{"version": 3}).Into(t, http.StatusBadRequest, nil)
	r.save("checkpoint", map[string]any{"version": 9, "deployment": whole()}).Into(t, http.StatusBadRequest, nil)
	r.save("checkpoint", `{"version":3,"deployment":{"manifest":{},"resources":[{"type":"x"}]}}`).Into(t, http.StatusBadRequest, nil)
	r.complete("failed").Into(t, http.StatusNoContent, nil)
	require.Contains(t, c.exported(r.stack), `{"version":4,"features":["refreshBeforeUpdate"],`)
	require.Equal(t, []string{urn(2)}, c.export(r.stack).urns())
}

func TestDeltasApplyToTheTextThatWasSavedBefore(t *testing.T) {
	c := newClient(t)
	r := c.start(c.stack("shop", "dev"), "update", 0)
	r.verbatim(1, odd).Into(t, http.StatusNoContent, nil)
	second := strings.Replace(strings.Replace(odd, "::a\"", "::bcd\"", 1), "zwölf", "zw", 1)
	r.delta(2, second, replacing(t, odd, "::a\"", "::bcd\""), replacing(t, odd, "zwölf", "zw")).Into(t, http.StatusNoContent, nil)
	require.Equal(t, second, c.exported(r.stack))

	third := strings.Replace(second, "bcd", "", 1)
	r.delta(3, second, replacing(t, second, "bcd", "")).Into(t, http.StatusBadRequest, nil)
	require.Equal(t, second, c.exported(r.stack), "a wrong hash changes nothing")
	r.delta(4, third, replacing(t, second, "bcd", "")).Into(t, http.StatusBadRequest, nil)
	require.Equal(t, second, c.exported(r.stack), "edits of a text that never came change nothing")
	r.delta(3, third, edit{Span: map[string]any{"start": map[string]any{"offset": 5}, "end": map[string]any{"offset": 100_000}}}).
		Into(t, http.StatusBadRequest, nil)
	broken := second[:len(second)-1]
	r.delta(3, broken, edit{Span: map[string]any{"start": map[string]any{"offset": len(second) - 1}, "end": map[string]any{"offset": len(second)}}}).
		Into(t, http.StatusBadRequest, nil)
	require.Equal(t, second, c.exported(r.stack), "what is no deployment changes nothing")

	r.delta(3, third, replacing(t, second, "bcd", "")).Into(t, http.StatusNoContent, nil)
	require.Equal(t, third, c.exported(r.stack))
	r.delta(3, third, replacing(t, second, "bcd", "")).Into(t, http.StatusNoContent, nil)
	r.verbatim(2, odd).Into(t, http.StatusNoContent, nil)
	require.Equal(t, third, c.exported(r.stack), "a number that was seen is a repetition, whatever comes with it")
	r.verbatim(4, odd).Into(t, http.StatusNoContent, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	require.Equal(t, odd, c.exported(r.stack))
}

func TestADeltaNeedsAVerbatimTextOfItsOwnUpdate(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	first := c.start(stack, "update", 0)
	first.delta(1, odd, edit{Span: map[string]any{"start": map[string]any{"offset": 0}, "end": map[string]any{"offset": 0}}, NewText: odd}).
		Into(t, http.StatusBadRequest, nil)
	first.save("checkpoint", map[string]any{"version": 3, "deployment": whole(urn(1))}).Into(t, http.StatusNoContent, nil)
	first.delta(1, odd, edit{Span: map[string]any{"start": map[string]any{"offset": 0}, "end": map[string]any{"offset": 0}}}).
		Into(t, http.StatusBadRequest, nil)
	first.verbatim(1, odd).Into(t, http.StatusNoContent, nil)
	first.complete("succeeded").Into(t, http.StatusNoContent, nil)
	next := c.start(stack, "update", 0)
	next.delta(2, odd).Into(t, http.StatusBadRequest, nil)
	require.Equal(t, odd, c.exported(stack))
}

func TestWhichUpdatesMaySaveACheckpoint(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	plain := map[string]any{"version": 3, "deployment": whole(urn(5))}
	all := func(r *running) []boottest.Answer {
		return []boottest.Answer{r.save("checkpoint", plain), r.verbatim(9, odd), r.delta(10, odd)}
	}
	for _, a := range all(c.preview(stack)) {
		require.Equal(t, http.StatusForbidden, a.Status, "of a preview: %s", a.Body)
	}
	r := c.start(stack, "update", 0)
	r.verbatim(1, odd).Into(t, http.StatusNoContent, nil)
	r.complete("succeeded").Into(t, http.StatusNoContent, nil)
	for _, a := range all(r) {
		require.Equal(t, http.StatusConflict, a.Status, "of a completed update: %s", a.Body)
	}
	r.verbatim(1, odd).Into(t, http.StatusConflict, nil)
	journals := c.start(stack, "update", 1)
	for _, a := range all(journals) {
		require.Equal(t, http.StatusConflict, a.Status, "of one that journals: %s", a.Body)
	}
	journals.complete("failed").Into(t, http.StatusNoContent, nil)
	cancelled := c.start(stack, "update", 0)
	c.cancel(stack, cancelled.id).Into(t, http.StatusNoContent, nil)
	for _, a := range all(cancelled) {
		require.Equal(t, http.StatusForbidden, a.Status, "of a cancelled one: %s", a.Body)
	}
	require.Equal(t, odd, c.exported(stack))
}

func TestARefusedCheckpointNamesWhereTheRequestHoldsTheFault(t *testing.T) {
	c := newClient(t)
	u := c.start(c.stack("shop", "dev"), "update", 0)
	refused := func(below, body, field string) {
		t.Helper()
		var e struct{ Errors []struct{ Attribute string } }
		u.lease(http.MethodPatch, below, body).Into(t, http.StatusBadRequest, &e)
		require.Len(t, e.Errors, 1)
		require.Equal(t, field, e.Errors[0].Attribute)
	}
	refused("/checkpoint", `{"isInvalid":false,"version":3,"deployment":{"resources":[]}}`, "body.deployment.manifest")
	refused("/checkpointverbatim", `{"version":3,"sequenceNumber":1,"untypedDeployment":{"version":3,"deployment":{"manifest":{},"resources":[{}]}}}`,
		"body.untypedDeployment.deployment.resources[0]")
}
