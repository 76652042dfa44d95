package checkpoint_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

func TestEverySecretOfADeploymentIsVisitedWhereverItStands(t *testing.T) {
	secret := func(text string) string {
		return `{"ciphertext":"` + text + `","4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270"}`
	}
	for text, want := range map[string][]string{
		`{}`:        nil,
		secret("a"): {"a"},
		`{"x":[1e400,` + secret("a") + `,[` + secret("b") + `]],"y":{"z":` + secret("c") + `}}`: {"a", "b", "c"},
		`{"ciphertext":"a"}`: nil,
		`{"4dabf18193072939515e22adb298388d":"c44067f5952c0a294b673a41bacd8c17","ciphertext":"an asset"}`:                   nil,
		`{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"\"open\""}`:                    nil,
		`{"\u0034dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb4427\u0030","ciphertext":"\u0061"}`:           {"a"},
		`{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"a","in":` + secret("b") + `}`: {"b", "a"},
	} {
		var got []string
		require.NoError(t, checkpoint.EachSecret([]byte(text), func(c string) error { got = append(got, c); return nil }), text)
		require.Equal(t, want, got, text)
	}
	stop := errors.New("enough")
	seen := 0
	err := checkpoint.EachSecret([]byte(`[`+secret("a")+`,`+secret("b")+`]`), func(string) error { seen++; return stop })
	require.ErrorIs(t, err, stop)
	require.Equal(t, 1, seen)
}

func TestTheTextAroundAMovedDeploymentStaysAsItIs(t *testing.T) {
	from, to := checkpoint.Place{Organization: "o", Project: "p", Stack: "s"}, checkpoint.Place{Organization: "n", Project: "q", Stack: "t"}
	const text = "{ \"x\":[1 ], \"deployment\" : {\"secrets_providers\" :{\"type\":\"service\",\"state\":{\"owner\":\"o\",\"project\":\"p\",\"stack\":\"s\"}}, \"resources\":[ ] }\n,\"version\":3 }"
	got := string(checkpoint.MoveSecretsText([]byte(text), to))
	require.Equal(t, "{ \"x\":[1 ], \"deployment\" : {\"secrets_providers\" :{\"type\":\"service\",\"state\":{\"owner\":\"n\",\"project\":\"q\",\"stack\":\"t\"}}, \"resources\":[ ] }\n,\"version\":3 }", got)
	require.Equal(t, got, string(checkpoint.MoveSecretsText([]byte(got), to)), "nothing to move is nothing changed")
	moved, err := checkpoint.MoveText([]byte(text), from, to)
	require.NoError(t, err)
	require.Contains(t, string(moved), "{ \"x\":[1 ], \"deployment\" : {")
	require.Contains(t, string(moved), "}\n,\"version\":3 }")
	for _, without := range []string{`{"version":3}`, `{"version":3,"deployment":null}`, `[]`} {
		same, err := checkpoint.MoveText([]byte(without), from, to)
		require.NoError(t, err)
		require.Equal(t, without, string(same))
		require.Equal(t, without, string(checkpoint.MoveSecretsText([]byte(without), to)))
	}
}
