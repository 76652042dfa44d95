package pulumi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsComeBackAsTheyWere(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	for _, text := range []string{"", "hunter2", "\x00\xff binary", strings.Repeat("long ", 300_000)} {
		cipher := c.sealed(stack, text)
		var out struct{ Plaintext string }
		c.call("POST", stack+"/decrypt", map[string]any{"ciphertext": cipher}).Into(t, http.StatusOK, &out)
		require.Equal(t, secret(text), out.Plaintext)
	}
	require.NotEqual(t, c.sealed(stack, "same"), c.sealed(stack, "same"), "equal secrets cannot be told from their ciphertexts")
}

func TestABatchIsAnsweredInOrderAndByTheVeryTextThatWasSent(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	var sealed struct{ Ciphertexts []string }
	c.call("POST", stack+"/batch-encrypt", map[string]any{"plaintexts": []string{secret("a"), secret("b"), secret("c")}}).Into(t, http.StatusOK, &sealed)
	require.Len(t, sealed.Ciphertexts, 3)
	var opened struct{ Plaintexts map[string]string }
	c.call("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": append(sealed.Ciphertexts, sealed.Ciphertexts[0])}).Into(t, http.StatusOK, &opened)
	require.Equal(t, map[string]string{
		sealed.Ciphertexts[0]: secret("a"), sealed.Ciphertexts[1]: secret("b"), sealed.Ciphertexts[2]: secret("c"),
	}, opened.Plaintexts)
	c.call("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": []string{}}).Into(t, http.StatusOK, &opened)
	c.call("POST", stack+"/batch-encrypt", map[string]any{"plaintexts": []string{}}).Into(t, http.StatusOK, nil)
}

func TestACiphertextOpensOnlyUnderItsOwnStackAndUnchanged(t *testing.T) {
	c := newClient(t)
	stack, other := c.fresh(), c.fresh()
	good := c.sealed(stack, "mine")
	raw, err := base64.StdEncoding.DecodeString(good)
	require.NoError(t, err)
	bad := map[string]string{"another stack's": c.sealed(other, "theirs"), "empty": "", "short": "AAAA", "no ciphertext": secret("plain text of some length, sealed by nobody")}
	for i := range raw {
		changed := slices.Clone(raw)
		changed[i] ^= 1
		bad[fmt.Sprint("changed at byte ", i)] = base64.StdEncoding.EncodeToString(changed)
	}
	for what, cipher := range bad {
		c.Spy.Reset()
		a := c.call("POST", stack+"/decrypt", map[string]any{"ciphertext": cipher})
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
		require.Contains(t, string(a.Body), "ciphertext")
		a = c.call("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": []string{good, cipher}})
		require.Equal(t, http.StatusBadRequest, a.Status, "%s: %s", what, a)
		require.Contains(t, string(a.Body), "ciphertexts[1]")
		require.NotContains(t, string(a.Body), secret("mine"))
		require.Zero(t, c.Spy.Writes(), "%s: a refused decryption leaves no trace of one", what)
	}
	a := c.call("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": []string{good, "no base64!"}})
	a.Into(t, http.StatusBadRequest, nil)
	require.Contains(t, string(a.Body), "body.ciphertexts[1]")
}

func TestSecretsOfADeletedStackDoNotOpenUnderItsName(t *testing.T) {
	c := newClient(t)
	stack := c.stack("shop", "dev")
	cipher := c.sealed(stack, "old")
	c.call("DELETE", stack, nil).Into(t, http.StatusNoContent, nil)
	c.stack("shop", "dev")
	c.call("POST", stack+"/decrypt", map[string]any{"ciphertext": cipher}).Into(t, http.StatusBadRequest, nil)
}

func TestMoreThanAThousandSecretsAtOnceAreTooMany(t *testing.T) {
	c := newClient(t)
	stack := c.fresh()
	texts := slices.Repeat([]string{secret("a")}, 1000)
	var sealed struct{ Ciphertexts []string }
	c.call("POST", stack+"/batch-encrypt", map[string]any{"plaintexts": texts}).Into(t, http.StatusOK, &sealed)
	c.call("POST", stack+"/batch-decrypt", map[string]any{"ciphertexts": sealed.Ciphertexts}).Into(t, http.StatusOK, nil)
	c.Spy.Reset()
	for below, body := range map[string]any{
		"/batch-encrypt": map[string]any{"plaintexts": append(texts, texts[0])},
		"/batch-decrypt": map[string]any{"ciphertexts": append(sealed.Ciphertexts, sealed.Ciphertexts[0])},
	} {
		a := c.call("POST", stack+below, body)
		a.Into(t, http.StatusRequestEntityTooLarge, nil)
		isVendorError(t, a)
	}
	require.Zero(t, c.Spy.Writes())
}
