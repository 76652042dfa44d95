package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// secretPurpose separates ciphertexts handed to clients from everything else that the stack's key seals, so that a client cannot
// have a sealed chunk opened as if it were a secret.
var secretPurpose = []byte("secret")

// DataKey opens the stack's data key.
func DataKey(ctx context.Context, p ports.Ports, s Stack) (*keyring.DataKey, error) {
	return p.Keyring.Unwrap(ctx, s.Key, string(keys.Stack(s.ID)))
}

// Open opens one ciphertext made by Encrypt, or returns keyring.ErrWrongKey.
func Open(key *keyring.DataKey, ciphertext []byte) ([]byte, error) {
	return key.Open(ciphertext, secretPurpose)
}

// Encrypt seals plaintexts with the stack's key, in order.
func Encrypt(ctx context.Context, p ports.Ports, s Stack, plaintexts [][]byte) ([][]byte, error) {
	key, err := DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(plaintexts))
	for i, t := range plaintexts {
		out[i] = key.Seal(t, secretPurpose)
	}
	return out, nil
}

// Decrypt opens ciphertexts made by Encrypt of the same stack, under whatever name it then had, and leaves an audit entry. The fault of
// one that does not open has its index as field.
func Decrypt(ctx context.Context, p ports.Ports, o organization.Organization, s Stack, ciphertexts [][]byte) ([][]byte, error) {
	key, err := DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(ciphertexts))
	for i, c := range ciphertexts {
		if out[i], err = key.Open(c, secretPurpose); errors.Is(err, keyring.ErrWrongKey) {
			return nil, fault.Wrong(fmt.Sprintf("ciphertexts[%d]", i), "this ciphertext was not made by stack %s/%s, or was changed since", s.ProjectName, s.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	slug := "secret-decrypted"
	if len(ciphertexts) > 1 {
		slug = "secrets-batch-decrypted"
	}
	entry := audit.Record(ctx, p, o.ID, slug, "decrypted %d values of stack %s", len(ciphertexts), s.Path(o.Name))
	return out, p.Store.Write(ctx, entry)
}

// LogDecryption leaves an audit entry for secrets that a client decrypted by itself: one secret by name, or all that a command needed.
func LogDecryption(ctx context.Context, p ports.Ports, o organization.Organization, s Stack, secret, command string) error {
	if secret != "" {
		return p.Store.Write(ctx, audit.Record(ctx, p, o.ID, "secret-decrypted", "decrypted secret %q of stack %s", secret, s.Path(o.Name)))
	}
	return p.Store.Write(ctx, audit.Record(ctx, p, o.ID, "secrets-batch-decrypted", "decrypted the secrets of stack %s for command %q", s.Path(o.Name), command))
}
