// Package blob is the port to large documents: checkpoints, logs, archives.
//
// A document is cut into content-defined chunks, each compressed, sealed with the scope's data key and stored under an address
// made of its content, so that two versions of a checkpoint share what did not change. The manifest, kept in an item of the
// table, lists the chunks. Chunks that no manifest names are collected after a grace.
//
// A scope has one data key as long as it lives: chunks are shared between the versions that this key addressed.
package blob

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Chunk is one stored chunk: sealed bytes under their address.
type Chunk struct {
	ID   string // hex, from keyring.DataKey.Address of the plain bytes
	Data []byte // sealed
}

// Info tells about a stored chunk without reading it.
type Info struct {
	ID   string
	Size int       // stored bytes
	Put  time.Time // when it was last put
}

// Store is the port: chunks below a scope ("stack/<id>"). Ids are what CheckID accepts, scopes what CheckScope accepts; anything
// else is refused with an error, and so is a chunk of more than MaxStored bytes. Safe for concurrent use.
type Store interface {
	// Put stores chunks; when it returns nil all of them are durable. Putting one that exists replaces its stored bytes and
	// renews its Put time. After an error some may have been stored.
	Put(ctx context.Context, scope string, chunks []Chunk) error

	// Get returns the stored bytes of each id, in order. A missing one is ErrNotFound.
	Get(ctx context.Context, scope string, ids []string) ([][]byte, error)

	// Stat returns the Info of those ids that exist and are durable.
	Stat(ctx context.Context, scope string, ids []string) (map[string]Info, error)

	// List returns up to limit chunks of the scope behind the id after, in order of id. An empty page is the end.
	List(ctx context.Context, scope, after string, limit int) ([]Info, error)

	// Delete removes chunks; missing ones are no error.
	Delete(ctx context.Context, scope string, ids []string) error

	// DeleteBefore removes those of the chunks whose Put time is before the cutoff, and returns their ids. Looking and removing
	// are one step: a chunk that is put again meanwhile stays.
	DeleteBefore(ctx context.Context, scope string, ids []string, cutoff time.Time) (deleted []string, err error)
}

// Limits.
const (
	MaxChunk    = 256 << 10           // plain bytes of one chunk
	MaxStored   = MaxChunk + 1<<10    // stored bytes of one chunk
	MaxDocument = 256 << 20           // bytes of one document; its manifest (about 1.2 KB a megabyte) still fits an item
	MaxScope    = 80                  // bytes of a scope
	Grace       = 36 * 24 * time.Hour // how long an unreferenced chunk stays: the table's recovery window and a day
	renewAfter  = Grace / 2           // age at which a writer puts again what it relies on
)

var (
	// ErrNotFound says that a chunk is not there.
	ErrNotFound = errors.New("blob: no such chunk")

	// ErrCorrupt says that a document cannot be given back as it was written: its manifest contradicts itself, or a chunk is
	// missing (then also ErrNotFound), does not open (then also keyring.ErrWrongKey) or holds something else.
	ErrCorrupt = errors.New("blob: corrupt document")

	// ErrTooLarge says that a document has more than MaxDocument bytes, or a chunk more than MaxStored.
	ErrTooLarge = errors.New("blob: too large")
)

// CheckID refuses what is not 64 lower-case hex digits. No adapter takes another id, so that none can leave its place in a path.
func CheckID(id string) error {
	if len(id) != 64 {
		return fmt.Errorf("blob: a chunk id has 64 characters, not %d", len(id))
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("blob: %q is not a chunk id: it has other characters than lower-case hex digits", id)
		}
	}
	return nil
}

// CheckScope refuses what is not one or more segments of letters, digits, "-", "_", "." and ":", divided by "/", with at most
// MaxScope bytes in all and no segment that starts with a dot.
func CheckScope(scope string) error {
	if scope == "" || len(scope) > MaxScope {
		return fmt.Errorf("blob: a scope has 1 to %d bytes, not %d", MaxScope, len(scope))
	}
	atStart := true // of a segment
	for _, c := range []byte(scope) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == ':':
			atStart = false
		case c == '.' && !atStart:
		case c == '/' && !atStart:
			atStart = true
		default:
			return fmt.Errorf("blob: %q is not a scope (kind/id)", scope)
		}
	}
	if atStart {
		return fmt.Errorf("blob: %q is not a scope (kind/id): it ends with a slash", scope)
	}
	return nil
}
