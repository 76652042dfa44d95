package update

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
)

// ImportText makes an untyped deployment the stack's checkpoint, byte for byte, recorded as an update, and returns that update's id. A text
// that is no deployment, or whose secrets another stack's key sealed, is fault.Invalid; a held stack is fault.Conflict.
func ImportText(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], by By, text []byte) (id string, err error) {
	found, err := importable(ctx, p, s.Value, text)
	if err != nil {
		return "", err
	}
	err = again(ctx, p, o, s, func(s store.Doc[stack.Stack]) error {
		id, err = perform(ctx, p, o, s, instant{
			kind: Import, by: by, message: "imported", text: text, resources: found.Resources,
			slug: "stack-imported", format: "imported a deployment into stack %s",
		})
		return err
	})
	return id, err
}

// importable checks a text before anything is changed.
func importable(ctx context.Context, p ports.Ports, s stack.Stack, text []byte) (checkpoint.Summary, error) {
	u, err := checkpoint.DecodeUntyped(text, "body")
	if err != nil {
		return checkpoint.Summary{}, err
	}
	if u.Deployment == nil {
		return checkpoint.Summary{}, fault.Wrong("body.deployment", "body.deployment: the deployment to import is missing")
	}
	found, err := checkpoint.Inspect(u.Deployment, "body.deployment")
	if err != nil {
		return found, err
	}
	if found.SecretsProvider == "service" {
		err = opens(ctx, p, s, u.Deployment)
	}
	return found, err
}

// What marks a secret in a deployment; see the client's sdk/go/common/resource/sig.
const (
	signatureKey    = "4dabf18193072939515e22adb298388d"
	secretSignature = "1b47061264138c4ac30d75fd1eb44270"
)

// opens checks that every secret of a deployment was sealed with the stack's key.
func opens(ctx context.Context, p ports.Ports, s stack.Stack, deployment []byte) error {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(deployment, &v); err != nil {
		return fault.Wrong("body.deployment", "body.deployment is not JSON").Because(err)
	}
	return eachSecret(v, func(ciphertext string) error {
		sealed, err := base64.StdEncoding.DecodeString(ciphertext)
		if err == nil {
			_, err = stack.Open(key, sealed)
		}
		if err != nil {
			return fault.Wrong("body.deployment", "the deployment's secrets were encrypted for another stack: export it with --show-secrets, then import that")
		}
		return nil
	})
}

func eachSecret(v any, visit func(ciphertext string) error) error {
	switch v := v.(type) {
	case map[string]any:
		if v[signatureKey] == secretSignature {
			if c, ok := v["ciphertext"].(string); ok {
				return visit(c)
			}
		}
		for _, part := range v {
			if err := eachSecret(part, visit); err != nil {
				return err
			}
		}
	case []any:
		for _, part := range v {
			if err := eachSecret(part, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
