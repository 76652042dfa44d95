package pulumi

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
)

// The providers that the client knows; any other is one in a cloud.
const (
	providerService    = "service"
	providerPassphrase = "passphrase"
)

// place names a stack for its clients, as the state of the service's provider does.
type place struct {
	URL     string `json:"url,omitempty"`
	Owner   string `json:"owner"`
	Project string `json:"project"`
	Stack   string `json:"stack"`
}

// maxMemo bounds the ciphertexts that a sealer remembers.
const maxMemo = 100_000

// sealer seals the secrets of one stack with its key.
type sealer struct {
	ports  ports.Ports
	stack  *stack.Stack // nil on a dry run: secrets are opened and not sealed
	phrase *Passphrase  // nil when none was given
	place  place

	// memo leads from a ciphertext of the source to the one made of it. The client keeps the ciphertext of a secret that did not change,
	// and so do versions here: they share what did not change.
	memo map[string]string
}

// how is what became of the secrets of a checkpoint.
type how struct {
	secrets int    // that it holds
	sealed  bool   // with the stack's key now, those there are
	kept    string // why they are as they were
}

// state returns a checkpoint whose secrets the stack's key sealed, if they can be opened and are not to be kept. errWrongPassphrase says
// that the passphrase does not fit it.
func (s *sealer) state(ctx context.Context, from state) (state, how, error) {
	if from.Deployment == nil {
		return from, how{}, nil
	}
	var h how
	inClear := 0
	count := func(each secret) (string, error) {
		h.secrets++
		if each.clear {
			inClear++
		}
		return each.text, nil
	}
	if _, err := rewriteDeployment(from.Deployment, count); err != nil {
		return from, h, err
	}
	key, err := s.keyOf(from, h.secrets-inClear, inClear, &h)
	if err != nil || h.kept != "" {
		return from, h, err
	}
	if h.secrets == 0 && from.SecretsProvider == "" {
		return from, h, nil
	}
	from.Deployment, err = rewriteDeployment(from.Deployment, func(each secret) (string, error) { return s.seal(ctx, key, each) })
	if err != nil {
		return from, h, err
	}
	h.sealed = true
	from.Deployment, err = withProvider(from.Deployment, providerService, s.place)
	return from, h, err
}

// keyOf is what opens a checkpoint's sealed secrets, nil when there are none. It says in h.kept why they are to be kept.
func (s *sealer) keyOf(from state, sealed, inClear int, h *how) (cipher.AEAD, error) {
	if sealed > 0 && inClear > 0 {
		return nil, errors.New("some of its secrets are in the clear and some are not")
	}
	switch kind := from.SecretsProvider; {
	case sealed == 0 && inClear > 0:
		return nil, nil
	case kind == "" && sealed > 0:
		return nil, errors.New("it holds secrets and does not say what sealed them")
	case kind == "":
		return nil, nil
	case kind == providerPassphrase && s.phrase == nil:
		h.kept = "sealed by passphrase as before: their client still needs it"
		return nil, nil
	case kind == providerPassphrase:
		return s.phrase.of(from.SecretsState)
	case kind == providerService && sealed > 0:
		return nil, errors.New("another service sealed its secrets: export it with --show-secrets and import that")
	case kind == providerService:
		return nil, nil
	}
	h.kept = fmt.Sprintf("sealed by provider %q as before: their client still needs its key", from.SecretsProvider)
	return nil, nil
}

// config returns the function that seals the secrets of an update's configuration, which the same salt sealed as the checkpoint that it
// left; nil when they are to be kept.
func (s *sealer) config(ctx context.Context, left state) func(secret) (string, error) {
	if s.phrase == nil || left.SecretsProvider != providerPassphrase {
		return nil
	}
	key, err := s.phrase.of(left.SecretsState)
	if err != nil {
		return nil
	}
	return func(each secret) (string, error) { return s.seal(ctx, key, each) }
}

// seal returns a secret sealed with the stack's key, as clients send it.
func (s *sealer) seal(ctx context.Context, key cipher.AEAD, from secret) (string, error) {
	if known, ok := s.memo[from.text]; ok && !from.clear {
		return known, nil
	}
	plain := from.text
	if !from.clear {
		var err error
		if plain, err = openV1(key, from.text); err != nil {
			return "", err
		}
	}
	if s.stack == nil {
		return from.text, nil
	}
	out, err := stack.Encrypt(ctx, s.ports, *s.stack, [][]byte{[]byte(plain)})
	if err != nil {
		return "", err
	}
	text := base64.StdEncoding.EncodeToString(out[0])
	if !from.clear && len(s.memo) < maxMemo {
		s.memo[from.text] = text
	}
	return text, nil
}
