package pulumi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Passphrase opens what the client's passphrase provider sealed (pkg/secrets/passphrase and sdk's resource/config/crypt.go of the client):
// AES-256-GCM under a key that PBKDF2 with SHA-256 makes of the passphrase and a salt in 1,000,000 rounds, about a third of a second.
// Keys are kept, so that each salt costs that once. It is safe for concurrent use.
type Passphrase struct {
	text string

	mu   sync.Mutex
	keys map[string]opened // by the provider's whole salt text
}

type opened struct {
	key cipher.AEAD
	err error
}

// The scheme's constants.
const (
	keyBytes = 32
	proof    = "pulumi" // what a salt text holds sealed, to tell a wrong passphrase
)

// rounds is how often PBKDF2 hashes; tests that seal for themselves take fewer.
var rounds = 1_000_000

// errWrongPassphrase says that the passphrase is not the one of a checkpoint.
var errWrongPassphrase = errors.New("the passphrase does not open its secrets: give the right one, or none to keep them sealed as they are")

// NewPassphrase is the passphrase of a text, which may be empty.
func NewPassphrase(text string) *Passphrase {
	return &Passphrase{text: text, keys: map[string]opened{}}
}

// String hides the passphrase.
func (*Passphrase) String() string { return "pulumi.Passphrase(hidden)" }

// GoString hides the passphrase.
func (*Passphrase) GoString() string { return "pulumi.Passphrase(hidden)" }

// of returns the key for a provider's state, {"salt": "v1:<salt>:<sealed proof>"}, or errWrongPassphrase.
func (p *Passphrase) of(state []byte) (cipher.AEAD, error) {
	var s struct {
		Salt string `json:"salt"`
	}
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, fmt.Errorf("the state of its passphrase provider: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o, known := p.keys[s.Salt]
	if !known {
		o.key, o.err = derive(p.text, s.Salt)
		p.keys[s.Salt] = o
	}
	return o.key, o.err
}

func derive(phrase, saltText string) (cipher.AEAD, error) {
	form, rest, _ := strings.Cut(saltText, ":")
	text, sealed, ok := strings.Cut(rest, ":")
	salt, err := base64.StdEncoding.DecodeString(text)
	if form != "v1" || !ok || err != nil {
		return nil, errors.New("its passphrase provider has a salt of an unknown form")
	}
	raw, err := pbkdf2.Key(sha256.New, phrase, salt, rounds, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	key, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if got, err := openV1(key, sealed); err != nil || got != proof {
		return nil, errWrongPassphrase
	}
	return key, nil
}

// openV1 opens "v1:<nonce>:<ciphertext>", both base64.
func openV1(key cipher.AEAD, text string) (string, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] != "v1" {
		return "", errors.New("a ciphertext has an unknown form")
	}
	nonce, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("a ciphertext's nonce: %w", err)
	}
	sealed, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return "", fmt.Errorf("a ciphertext: %w", err)
	}
	if len(nonce) != key.NonceSize() {
		return "", errors.New("a ciphertext's nonce has a wrong size")
	}
	plain, err := key.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", errors.New("a ciphertext does not open: it was sealed under another salt, or changed")
	}
	return string(plain), nil
}
