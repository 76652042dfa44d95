// Package local keeps the master keys in a file on this machine.
//
// The file is created on the first start and must be readable by its owner alone. It may hold several master keys, newest
// first: the newest wraps, all of them open, and each wrapped data key names the one it needs. Beside it lies a canary, sealed
// with the newest master key: when the file is lost, replaced or rolled back, opening it refuses at once instead of making a new
// key that could not open anything written before.
package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/polyplane/polyplane/shared/keyring"
)

// Keyring wraps data keys with the master keys of a file. It is safe for concurrent use within one process; the file belongs
// to one process at a time.
type Keyring struct {
	path string

	mu      sync.RWMutex
	masters []master // newest first, never empty
}

var (
	_ keyring.Keyring   = (*Keyring)(nil)
	_ keyring.Rewrapper = (*Keyring)(nil)
)

// master is one master key. Its id is random and public.
type master struct {
	id  [8]byte
	key [32]byte
}

func newMaster() master {
	var m master
	// crypto/rand fills it whole or ends the process.
	_, _ = rand.Read(m.id[:])
	_, _ = rand.Read(m.key[:])
	return m
}

func (m *master) aead() cipher.AEAD {
	block, err := aes.NewCipher(m.key[:])
	if err != nil {
		panic(err) // only for a key that is not 16, 24 or 32 bytes long
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for a cipher that is not AES
	}
	return aead
}

// A wrapped key is a format byte, the 8-byte id of the master key, then AES-256-GCM: nonce, ciphertext, tag.
const (
	wrappedFormat = 1
	headerSize    = 1 + 8
)

// seal encrypts under this master key. The header is authenticated with the context, whose purpose keeps a canary from being
// taken for a data key.
func (m *master) seal(plain []byte, purpose, boundTo string) []byte {
	out := append([]byte{wrappedFormat}, m.id[:]...)
	aad := additional(out, purpose, boundTo)
	return m.aead().Seal(out, nil, plain, aad)
}

func additional(header []byte, purpose, boundTo string) []byte {
	aad := append([]byte{}, header...)
	aad = append(aad, purpose...)
	aad = append(aad, 0)
	return append(aad, boundTo...)
}

const (
	purposeDataKey = "polyplane data key"
	purposeCanary  = "polyplane canary"
)

// open decrypts what one of the masters sealed and says which.
func open(masters []master, sealed []byte, purpose, boundTo string) (plain []byte, by int, err error) {
	if len(sealed) < headerSize || sealed[0] != wrappedFormat {
		return nil, 0, fmt.Errorf("it is not in the form of this keyring: %w", keyring.ErrWrongKey)
	}
	header := sealed[:headerSize]
	for i := range masters {
		if [8]byte(header[1:]) != masters[i].id {
			continue
		}
		plain, err := masters[i].aead().Open(nil, nil, sealed[headerSize:], additional(header, purpose, boundTo))
		if err != nil {
			return nil, 0, keyring.ErrWrongKey
		}
		return plain, i, nil
	}
	return nil, 0, fmt.Errorf("the master key %s that it needs is not here: %w", hex.EncodeToString(header[1:]), keyring.ErrWrongKey)
}

// NewDataKey makes a random data key, wrapped by the newest master key.
func (k *Keyring) NewDataKey(_ context.Context, boundTo string) (*keyring.DataKey, error) {
	var plain [32]byte
	_, _ = rand.Read(plain[:])
	k.mu.RLock()
	defer k.mu.RUnlock()
	return keyring.NewDataKeyFrom(plain, k.masters[0].seal(plain[:], purposeDataKey, boundTo)), nil
}

// Unwrap opens a data key that any of the master keys wrapped for this context; keyring.ErrWrongKey otherwise.
func (k *Keyring) Unwrap(_ context.Context, wrapped []byte, boundTo string) (*keyring.DataKey, error) {
	plain, _, err := k.unwrap(wrapped, boundTo)
	if err != nil {
		return nil, err
	}
	return keyring.NewDataKeyFrom(plain, wrapped), nil
}

// Rewrap returns the same data key wrapped by the newest master key, or wrapped itself when that already wrapped it.
// It returns keyring.ErrWrongKey where Unwrap does.
func (k *Keyring) Rewrap(_ context.Context, wrapped []byte, boundTo string) ([]byte, error) {
	plain, by, err := k.unwrap(wrapped, boundTo)
	if err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.masters[0].id == by {
		return wrapped, nil
	}
	return k.masters[0].seal(plain[:], purposeDataKey, boundTo), nil
}

func (k *Keyring) unwrap(wrapped []byte, boundTo string) (plain [32]byte, by [8]byte, err error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	opened, i, err := open(k.masters, wrapped, purposeDataKey, boundTo)
	if err == nil && len(opened) != len(plain) {
		err = keyring.ErrWrongKey
	}
	if err != nil {
		return plain, by, fmt.Errorf("unwrapping a data key of %s: %w", boundTo, err)
	}
	return [32]byte(opened), k.masters[i].id, nil
}
