package update

import (
	"context"
	"encoding/base64"

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

// opens checks that every secret of a deployment was sealed with the stack's key.
func opens(ctx context.Context, p ports.Ports, s stack.Stack, deployment []byte) error {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return err
	}
	return checkpoint.EachSecret(deployment, func(ciphertext string) error {
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
