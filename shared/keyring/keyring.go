// Package keyring is the port to the keys that seal secrets and blobs: envelope encryption, with a data key per stack or
// environment, wrapped by a master key that never leaves its keeper (a local file, or KMS).
//
// A wrapped data key is stored beside what it seals and is bound to a context ("stack/<id>"), so that a key copied to another
// tenant's item does not open. Rotating the master key rewraps data keys and rewrites no data.
package keyring

import (
	"context"
	"errors"
)

// Keyring makes and opens data keys.
type Keyring interface {
	// NewDataKey makes a random 256-bit data key, wrapped for the context.
	NewDataKey(ctx context.Context, boundTo string) (*DataKey, error)

	// Unwrap opens a wrapped data key. It returns ErrWrongKey when the key was wrapped by another master key, for another
	// context, or was changed.
	Unwrap(ctx context.Context, wrapped []byte, boundTo string) (*DataKey, error)
}

// Rewrapper is a Keyring whose master key can be rotated from here. What Cached returns is none: ask the keyring within.
type Rewrapper interface {
	// Rewrap returns the same data key wrapped by the newest master key, for the same context. It returns ErrWrongKey where Unwrap does.
	Rewrap(ctx context.Context, wrapped []byte, boundTo string) ([]byte, error)
}

// ErrWrongKey says that something sealed does not open: another key, another context, or changed bytes.
var ErrWrongKey = errors.New("keyring: cannot be opened with this key")
