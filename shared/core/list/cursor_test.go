package list_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/list"
)

type place struct {
	Organization string `json:"o"`
	After        int    `json:"a"`
}

var cursors = list.Cursors{Key: []byte("a key that all processes share")}

func TestATokenOpensWhereItWasMade(t *testing.T) {
	for _, at := range []place{{}, {"o", 1}, {strings.Repeat("é", 5000), -1}} {
		token := cursors.Make("stacks of ada", at)
		require.NotContains(t, token, "=")
		require.Regexp(t, `^[A-Za-z0-9_-]+$`, token, "a token goes into a query as it is")
		var got place
		require.NoError(t, cursors.Open("stacks of ada", token, "continuationToken", &got))
		require.Equal(t, at, got)
	}
}

func TestATokenOfAnotherListingPrincipalOrInstallationIsRefused(t *testing.T) {
	token := cursors.Make("stacks\x00ada", place{"o", 1})
	refused(t, cursors, "stacks\x00bob", token)
	refused(t, cursors, "stacks\x00ada\x00", token)
	refused(t, cursors, "", token)
	refused(t, list.Cursors{Key: []byte("another installation's key")}, "stacks\x00ada", token)
}

func TestATokenInWhichABitWasChangedIsRefused(t *testing.T) {
	token := cursors.Make("b", place{"o", 1})
	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refused(t, cursors, "b", base64.RawURLEncoding.EncodeToString(raw))
			raw[i] ^= 1 << bit
		}
		refused(t, cursors, "b", base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	refused(t, cursors, "b", token+"AA")
}

// The binding and the position do not run into each other: what moves from one to the other makes another token.
func TestABindingCannotBorrowFromThePosition(t *testing.T) {
	require.NotEqual(t, cursors.Make("a", "b")[:20], cursors.Make("a\x00\"b\"", nil)[:20])
}

func refused(t *testing.T, c list.Cursors, binding, token string) {
	t.Helper()
	before := place{"untouched", 7}
	got := before
	err := c.Open(binding, token, "continuationToken", &got)
	f := fault.As(err)
	require.NotNil(t, f, "%q was taken", token)
	require.Equal(t, fault.Invalid, f.Code)
	require.Equal(t, "continuationToken", f.Field)
	require.Equal(t, before, got)
}

func FuzzNoTokenIsGoodThatWasNotMade(f *testing.F) {
	f.Add("", "")
	f.Add("stacks", cursors.Make("stacks", place{"o", 1}))
	f.Add("stacks", "A")
	f.Fuzz(func(t *testing.T, binding, token string) {
		var at place
		if cursors.Open(binding, token, "f", &at) != nil {
			return
		}
		require.Equal(t, cursors.Make("stacks", place{"o", 1}), token)
		require.Equal(t, "stacks", binding)
	})
}
