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

// SealSecret seals one plaintext so that Open opens it.
func SealSecret(key *keyring.DataKey, plaintext []byte) []byte {
	return key.Seal(plaintext, secretPurpose)
}

// Encrypt seals plaintexts with the stack's key, in order.
func Encrypt(ctx context.Context, p ports.Ports, s Stack, plaintexts [][]byte) ([][]byte, error) {
	key, err := DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(plaintexts))
	for i, t := range plaintexts {
		out[i] = SealSecret(key, t)
	}
	return out, nil
}

// Decrypt opens a ciphertext made by Encrypt of the same stack, under whatever name it then had, and leaves an audit entry.
func Decrypt(ctx context.Context, p ports.Ports, o organization.Organization, s Stack, ciphertext []byte) ([]byte, error) {
	plain, err := decrypt(ctx, p, s, [][]byte{ciphertext}, func(int) string { return "ciphertext" })
	if err != nil {
		return nil, err
	}
	return plain[0], p.Store.Write(ctx, audit.Record(ctx, p, o.ID, "secret-decrypted", "decrypted a value of stack %s", s.Path(o.Name)))
}

// DecryptBatch opens ciphertexts as Decrypt does, in order, and leaves one audit entry for all. The fault of one that does not open has
// its index in the field.
func DecryptBatch(ctx context.Context, p ports.Ports, o organization.Organization, s Stack, ciphertexts [][]byte) ([][]byte, error) {
	plain, err := decrypt(ctx, p, s, ciphertexts, func(i int) string { return fmt.Sprintf("ciphertexts[%d]", i) })
	if err != nil {
		return nil, err
	}
	entry := audit.Record(ctx, p, o.ID, "secrets-batch-decrypted", "decrypted %d values of stack %s", len(ciphertexts), s.Path(o.Name))
	return plain, p.Store.Write(ctx, entry)
}

func decrypt(ctx context.Context, p ports.Ports, s Stack, ciphertexts [][]byte, field func(int) string) ([][]byte, error) {
	key, err := DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(ciphertexts))
	for i, c := range ciphertexts {
		if out[i], err = Open(key, c); errors.Is(err, keyring.ErrWrongKey) {
			return nil, fault.Wrong(field(i), "%s was not made by stack %s/%s, or was changed since", field(i), s.ProjectName, s.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// LogDecryption leaves an audit entry for secrets that a client decrypted by itself: one secret by name, or all that a command needed.
func LogDecryption(ctx context.Context, p ports.Ports, o organization.Organization, s Stack, secret, command string) error {
	if secret != "" {
		return p.Store.Write(ctx, audit.Record(ctx, p, o.ID, "secret-decrypted", "decrypted secret %q of stack %s", secret, s.Path(o.Name)))
	}
	return p.Store.Write(ctx, audit.Record(ctx, p, o.ID, "secrets-batch-decrypted", "decrypted the secrets of stack %s for command %q", s.Path(o.Name), command))
}
