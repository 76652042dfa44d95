// Package blob is the port to large documents: checkpoints, logs, archives.
//
// A document is cut into content-defined chunks, each compressed, sealed with the scope's data key and stored under an address
// made of its content, so that two versions of a checkpoint share what did not change. The manifest, kept in an item of the
// table, lists the chunks. Chunks that no manifest names are collected after a grace.
package blob

import (
	"context"
	"errors"
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

// Store is the port: chunks below a scope ("stack/<id>").
type Store interface {
	// Put stores chunks; when it returns nil all of them are durable. Putting one that exists renews its Put time.
	Put(ctx context.Context, scope string, chunks []Chunk) error

	// Get returns the stored bytes of each id, in order. A missing one is ErrNotFound.
	Get(ctx context.Context, scope string, ids []string) ([][]byte, error)

	// Stat returns the Info of those ids that exist.
	Stat(ctx context.Context, scope string, ids []string) (map[string]Info, error)

	// List returns up to limit chunks of the scope behind the id after, in order of id.
	List(ctx context.Context, scope, after string, limit int) ([]Info, error)

	// Delete removes chunks; missing ones are no error.
	Delete(ctx context.Context, scope string, ids []string) error
}

// ErrNotFound says that a chunk is not there.
var ErrNotFound = errors.New("blob: no such chunk")

// Manifest lists the chunks of one document, in order.
type Manifest struct {
	Size   int64  `json:"size"`   // bytes of the document
	SHA256 string `json:"sha256"` // lower-case hex of the document
	Chunks []Ref  `json:"chunks"`
}

// Ref is one chunk of a document.
type Ref struct {
	ID   string `json:"id"`
	Size int    `json:"n"` // plain bytes
}
