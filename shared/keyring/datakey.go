package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// DataKey seals what belongs to one scope. It is made by a Keyring, is safe for concurrent use, and is never printed: whatever
// formats it gets a fixed word instead of its bytes.
//
// Sealing and addressing use keys of their own, both derived from the data key, so that an address tells nothing that would
// help to open what is sealed.
type DataKey struct {
	// Both secrets are behind pointers, so that even a print that reaches this struct by reflection shows addresses only.
	sealing cipher.AEAD
	address *[32]byte
	wrapped []byte
}

// sealedFormat leads everything sealed: AES-256-GCM, then a 12-byte random nonce, the ciphertext and the 16-byte tag. Another
// algorithm would take another number, and both would open.
const sealedFormat = 1

// SealedOverhead is how many bytes longer than its plain text something sealed is.
const SealedOverhead = 1 + 12 + 16

// NewDataKeyFrom makes the data key of 32 random bytes. It is for adapters, which have just made or unwrapped those bytes;
// wrapped is the same key as its keeper wrapped it, to be stored beside what the key seals.
func NewDataKeyFrom(plain [32]byte, wrapped []byte) *DataKey {
	block, err := aes.NewCipher(derive(plain, "polyplane sealing 1"))
	if err != nil {
		panic(err) // only for a key that is not 16, 24 or 32 bytes long
	}
	sealing, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for a cipher that is not AES
	}
	return &DataKey{
		sealing: sealing,
		address: (*[32]byte)(derive(plain, "polyplane address 1")),
		wrapped: bytes.Clone(wrapped),
	}
}

// derive makes a 32-byte key for one purpose. The data key is uniformly random, hence no salt.
func derive(plain [32]byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, plain[:], nil, purpose, 32)
	if err != nil {
		panic(err) // only for lengths that HKDF does not give
	}
	return key
}

// Wrapped returns the key as its keeper wrapped it. It is no secret and opens with Keyring.Unwrap.
func (k *DataKey) Wrapped() []byte { return bytes.Clone(k.wrapped) }

// Seal encrypts plain under a fresh random nonce. The additional data is not stored: Open must be given the same. One key seals
// at most 2^32 times.
func (k *DataKey) Seal(plain, aad []byte) []byte {
	sealed := make([]byte, 1, SealedOverhead+len(plain))
	sealed[0] = sealedFormat
	return k.sealing.Seal(sealed, nil, plain, aad)
}

// Open decrypts what Seal returned. It returns ErrWrongKey for another key, other additional data, or any changed or missing byte.
func (k *DataKey) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < SealedOverhead || sealed[0] != sealedFormat {
		return nil, ErrWrongKey
	}
	plain, err := k.sealing.Open(make([]byte, 0, len(sealed)-SealedOverhead), nil, sealed[1:], aad)
	if err != nil {
		return nil, ErrWrongKey
	}
	return plain, nil
}

// Address returns the name of a content under this key: the lower-case hex of 32 bytes, HMAC-SHA256. Who does not hold the key
// can neither guess a content from its address nor tell that two scopes hold the same.
func (k *DataKey) Address(plain []byte) string {
	mac := hmac.New(sha256.New, k.address[:])
	mac.Write(plain)
	return hex.EncodeToString(mac.Sum(nil))
}

const hidden = "keyring.DataKey(hidden)"

// String hides the key.
func (DataKey) String() string { return hidden }

// GoString hides the key.
func (DataKey) GoString() string { return hidden }

// LogValue hides the key.
func (DataKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format hides the key from every verb, also from those that String is not asked for.
func (DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }
