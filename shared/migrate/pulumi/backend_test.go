package pulumi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/core/compress"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// What marks a secret, as the client writes it.
const (
	signatureKey    = "4dabf18193072939515e22adb298388d"
	secretSignature = "1b47061264138c4ac30d75fd1eb44270"
)

// testRounds keeps the tests short; the client's own number is tried on what the client sealed.
const testRounds = 100

// salt seals as the client's passphrase provider does.
type salt struct {
	key  cipher.AEAD
	text string
}

func newSalt(phrase string) *salt {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw)
	key, err := pbkdf2.Key(sha256.New, phrase, raw, testRounds, 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	s := &salt{}
	if s.key, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	s.text = "v1:" + base64.StdEncoding.EncodeToString(raw) + ":" + s.seal("pulumi")
	return s
}

func (s *salt) seal(plain string) string {
	nonce := make([]byte, 12)
	_, _ = rand.Read(nonce)
	e := base64.StdEncoding.EncodeToString
	return "v1:" + e(nonce) + ":" + e(s.key.Seal(nil, nonce, []byte(plain), nil))
}

func (s *salt) open(sealed string) string {
	parts := strings.Split(sealed, ":")
	nonce, _ := base64.StdEncoding.DecodeString(parts[1])
	text, _ := base64.StdEncoding.DecodeString(parts[2])
	plain, err := s.key.Open(nil, nonce, text, nil)
	if err != nil {
		panic(err)
	}
	return string(plain)
}

func (s *salt) provider() map[string]any {
	return map[string]any{"type": "passphrase", "state": map[string]any{"salt": s.text}}
}

// made is a stack of a made backend, with its secrets in the clear.
type made struct {
	project, name string
	tags          map[string]string
	past          []madeUpdate
	current       any // deployment, nil when never updated
}

type madeUpdate struct {
	kind, message, result string
	start, end            int64
	environment           map[string]string
	config                map[string]any
	left                  any // deployment; nil when the file is missing
}

// secretOf is a secret's value wherever it stands in what a test compares.
type secretOf struct{ Secret string }

// plainly replaces every sealed secret of decoded JSON by its value and leaves the secrets provider out.
func plainly(v any, open func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		if v[signatureKey] == secretSignature {
			return secretOf{open(v["ciphertext"].(string))}
		}
		out := map[string]any{}
		for k, each := range v {
			if k != "secrets_providers" {
				out[k] = plainly(each, open)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = plainly(each, open)
		}
		return out
	}
	return v
}

func decoded(t require.TestingT, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v), "%s", text)
	return v
}

// opener opens what a stack's own key sealed.
func (p *plane) opener(s stack.Stack) func(string) string {
	return func(sealed string) string {
		raw, err := base64.StdEncoding.DecodeString(sealed)
		require.NoError(p.t, err)
		key, err := stack.DataKey(context.Background(), p.ports, s)
		require.NoError(p.t, err)
		plain, err := stack.Open(key, raw)
		require.NoError(p.t, err)
		return string(plain)
	}
}

var words = rapid.StringMatching(`[ -~äß"\\{}]{0,12}`)

// value draws a property, with secrets in it.
func value(t *rapid.T, seal *salt, depth int) any {
	kinds := 5
	if depth == 0 {
		kinds = 3
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return words.Draw(t, "text")
	case 1:
		return rapid.Float64Range(-1e6, 1e6).Draw(t, "number")
	case 2:
		return nil
	case 3:
		inner, _ := json.Marshal(words.Draw(t, "secret"))
		return map[string]any{signatureKey: secretSignature, "ciphertext": seal.seal(string(inner))}
	case 4:
		var list []any
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, value(t, seal, depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "size") {
		object[words.Draw(t, "name")] = value(t, seal, depth-1)
	}
	return object
}

func deployment(t *rapid.T, project, name string, seal *salt, resources int) any {
	all := []any{map[string]any{"urn": fmt.Sprintf("urn:pulumi:%s::%s::pulumi:pulumi:Stack::%s-%s", name, project, project, name), "type": "pulumi:pulumi:Stack", "custom": false}}
	for i := range resources {
		all = append(all, map[string]any{
			"urn": fmt.Sprintf("urn:pulumi:%s::%s::a:b:C::r%d", name, project, i), "type": "a:b:C", "custom": true, "id": fmt.Sprint(i),
			"outputs": value(t, seal, 3),
		})
	}
	return map[string]any{
		"manifest": map[string]any{"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}, "secrets_providers": seal.provider(),
		"resources": all, "metadata": map[string]any{},
	}
}

// makeStack draws a stack with its history.
func makeStack(t *rapid.T, project, name string, salts []*salt) made {
	seal := rapid.SampledFrom(salts).Draw(t, "salt")
	s := made{project: project, name: name, tags: map[string]string{}}
	if rapid.Bool().Draw(t, "tagged") {
		s.tags["owner"] = rapid.StringMatching(`[a-z ]{0,10}`).Draw(t, "tag")
	}
	at := int64(1_700_000_000)
	for range rapid.IntRange(0, 4).Draw(t, "updates") {
		at += rapid.Int64Range(1, 1000).Draw(t, "later")
		u := madeUpdate{
			kind: rapid.SampledFrom([]string{"update", "destroy", "refresh"}).Draw(t, "of"), message: words.Draw(t, "message"),
			result: rapid.SampledFrom([]string{"succeeded", "failed"}).Draw(t, "result"), start: at, end: at + 3,
			environment: map[string]string{"git.head": "abc"},
			config: map[string]any{
				project + ":plain": words.Draw(t, "config"), project + ":number": 12,
				project + ":sealed": map[string]any{"secure": seal.seal("p4ss")},
				project + ":object": map[string]any{"inner": []any{map[string]any{"secure": seal.seal("1nner")}}},
			},
		}
		if rapid.IntRange(0, 5).Draw(t, "has") > 0 {
			u.left = deployment(t, project, name, seal, rapid.IntRange(0, 3).Draw(t, "resources"))
			s.current = u.left
		}
		s.past = append(s.past, u)
	}
	if s.current == nil || rapid.IntRange(0, 2).Draw(t, "edited") == 0 {
		s.current = deployment(t, project, name, seal, rapid.IntRange(0, 3).Draw(t, "resources"))
	}
	return s
}

// packing writes files as the backend may compress them.
type packing int

func (k packing) write(t require.TestingT, name string, v any) {
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	switch k {
	case 1:
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(raw)
		require.NoError(t, w.Close())
		raw, name = b.Bytes(), name+".gz"
	case 2:
		raw, name = compress.Zstd(raw), name+".zst"
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(t, os.WriteFile(name, raw, 0o600))
}

// write makes the backend's files of a stack.
func (s made) write(t require.TestingT, root string, legacy bool, k packing) {
	folder := filepath.Join(s.project, s.name)
	if legacy {
		folder = s.name
	}
	file := func(deployment any) any {
		return map[string]any{"version": 3, "checkpoint": map[string]any{"stack": s.name, "latest": deployment}}
	}
	k.write(t, filepath.Join(root, ".pulumi/stacks", folder+".json"), file(s.current))
	packing(0).write(t, filepath.Join(root, ".pulumi/stacks", folder+".json.bak"), "a backup")
	if len(s.tags) > 0 {
		packing(0).write(t, filepath.Join(root, ".pulumi/stacks", folder+".pulumi-tags"), map[string]any{"version": 1, "tags": s.tags})
	}
	for i, u := range s.past {
		stem := filepath.Join(root, ".pulumi/history", folder, fmt.Sprintf("%s-%d", s.name, u.start*1e9+int64(i)))
		k.write(t, stem+".history.json", map[string]any{
			"kind": u.kind, "startTime": u.start, "endTime": u.end, "message": u.message, "environment": u.environment, "config": u.config,
			"version": 0, "result": u.result, "resourceChanges": map[string]int{"create": i},
		})
		if u.left != nil {
			k.write(t, stem+".checkpoint.json", file(u.left))
		}
	}
	if !legacy {
		require.NoError(t, os.WriteFile(filepath.Join(root, ".pulumi/meta.yaml"), []byte("version: 1\n"), 0o600))
	}
}

func clonedTags(tags map[string]string, project string) map[string]string {
	out := maps.Clone(tags)
	out["pulumi:project"] = project
	return out
}
