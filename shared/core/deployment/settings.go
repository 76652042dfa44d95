// Package deployment is how a stack is deployed by a service: today its settings, which clients keep with the stack.
package deployment

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Settings is a document that the client owns. Where it holds a secret, {"secret": text} or {"isSecret": true, "value": text}, only the
// sealed form {"ciphertext": base64} is kept and shown.
type Settings struct {
	Document map[string]any `json:"document"`
	Version  int64          `json:"version"` // grows by one with every change
	Changed  time.Time      `json:"changed"`
	By       string         `json:"by"` // login
}

var settingsKind = store.NewKind[Settings]("deployment-settings", 1)

// maxDepth bounds the nesting of a document; those of clients are at most six deep.
const maxDepth = 32

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

// SettingsOf returns a stack's settings, or fault.NotFound when it has none.
func SettingsOf(ctx context.Context, p ports.Ports, s stack.Stack) (Settings, error) {
	d, err := settingsKind.Get(ctx, p.Store, keys.DeploymentSettings(s.ID))
	if errors.Is(err, store.ErrNotFound) {
		return Settings{}, fault.Missing("stack %s/%s has no deployment settings", s.ProjectName, s.Name)
	}
	return d.Value, err
}

// ReplaceSettings makes document the stack's settings.
func ReplaceSettings(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack, by string, document map[string]any) (Settings, error) {
	return change(ctx, p, o, s, by, document, func(_, sealed map[string]any) map[string]any {
		return merged(nil, sealed)
	})
}

// MergeSettings merges document into the stack's settings as JSON merge does: objects are merged, null removes, anything else replaces.
func MergeSettings(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack, by string, document map[string]any) (Settings, error) {
	return change(ctx, p, o, s, by, document, merged)
}

func change(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack, by string, document map[string]any,
	merge func(old, sealed map[string]any) map[string]any) (Settings, error) {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return Settings{}, err
	}
	sealed, err := seal(key, "body", document, 0)
	if err != nil {
		return Settings{}, err
	}
	alive, err := stack.Alive(ctx, p, s)
	if err != nil {
		return Settings{}, err
	}
	k := keys.DeploymentSettings(s.ID)
	for range attempts {
		var d store.Doc[Settings]
		if d, err = settingsKind.Get(ctx, p.Store, k); err != nil && !errors.Is(err, store.ErrNotFound) {
			return Settings{}, err
		}
		next := Settings{Document: merge(d.Value.Document, sealed.(map[string]any)), Version: d.Value.Version + 1, Changed: p.Now(), By: by}
		write := settingsKind.Create(k, next)
		if d.Exists() {
			d.Value = next
			write = settingsKind.Replace(d)
		}
		err = p.Store.Write(ctx, alive, write,
			audit.Record(ctx, p, o.ID, "deployment-settings-changed", "changed the deployment settings of stack %s", s.Path(o.Name)))
		var limit *store.LimitError
		switch {
		case errors.As(err, &limit):
			return Settings{}, fault.New(fault.TooLarge, "deployment settings have at most %d KB", store.MaxItemBytes>>10)
		case store.AsConflict(err) == nil:
			return next, err
		}
	}
	return Settings{}, err
}

// DeleteSettings removes a stack's settings; a stack without any is fault.NotFound.
func DeleteSettings(ctx context.Context, p ports.Ports, o organization.Organization, s stack.Stack) error {
	d, err := settingsKind.Get(ctx, p.Store, keys.DeploymentSettings(s.ID))
	if errors.Is(err, store.ErrNotFound) {
		return fault.Missing("stack %s/%s has no deployment settings", s.ProjectName, s.Name)
	}
	if err != nil {
		return err
	}
	return p.Store.Write(ctx, d.Delete(),
		audit.Record(ctx, p, o.ID, "deployment-settings-deleted", "deleted the deployment settings of stack %s", s.Path(o.Name)))
}

// Seal makes the sealed form of one secret, for clients that keep it in a file of their own.
func Seal(ctx context.Context, p ports.Ports, s stack.Stack, plain string) (string, error) {
	sealed, err := stack.Encrypt(ctx, p, s, [][]byte{[]byte(plain)})
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(sealed[0]), nil
}

// merged is the JSON merge of change into old; old is not changed.
func merged(old, change map[string]any) map[string]any {
	out := make(map[string]any, len(old)+len(change))
	for k, v := range old {
		out[k] = v
	}
	for k, v := range change {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			before, _ := out[k].(map[string]any)
			if _, secret := v["ciphertext"]; secret {
				before = nil // a secret replaces what was there as a whole
			}
			out[k] = merged(before, v)
		default:
			out[k] = v
		}
	}
	return out
}

// seal returns the value with every secret in its sealed form. at is the value's path, for faults.
func seal(key *keyring.DataKey, at string, v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.Wrong(at, "%s is nested more than %d deep", at, maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		if plain, ok := secretOf(v); ok {
			return map[string]any{"ciphertext": base64.StdEncoding.EncodeToString(stack.SealSecret(key, []byte(plain)))}, nil
		}
		if sealed, ok := v["ciphertext"].(string); ok {
			return sealedBefore(key, at, sealed)
		}
		if value, ok := v["value"].(string); ok && v["isSecret"] == false {
			return value, nil
		}
		out := make(map[string]any, len(v))
		for k, part := range v {
			var err error
			if out[k], err = seal(key, at+"."+k, part, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, part := range v {
			var err error
			if out[i], err = seal(key, fmt.Sprintf("%s[%d]", at, i), part, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func secretOf(v map[string]any) (string, bool) {
	if plain, ok := v["secret"].(string); ok {
		return plain, true
	}
	plain, ok := v["value"].(string)
	return plain, ok && v["isSecret"] == true
}

// sealedBefore accepts a secret in the form in which it was shown before, if this stack's key made it.
func sealedBefore(key *keyring.DataKey, at, sealed string) (any, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		_, err = stack.Open(key, raw)
	}
	if err != nil {
		return nil, fault.Wrong(at+".ciphertext", "%s.ciphertext was not made for this stack: give the secret itself", at)
	}
	return map[string]any{"ciphertext": sealed}, nil
}

// JSON is the settings as clients read them: the document, with its version.
func (s Settings) JSON() json.RawMessage {
	out := merged(nil, s.Document)
	out["version"] = s.Version
	raw, err := json.Marshal(out)
	if err != nil {
		panic("deployment: settings that JSON cannot hold: " + err.Error()) // they came from JSON
	}
	return raw
}
