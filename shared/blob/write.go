package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/blob/internal/parallel"
	"github.com/polyplane/polyplane/shared/keyring"
)

// putBytes bounds the plain bytes that one Put carries, and with them the memory that a Write needs beside the document.
const putBytes = 8 << 20

// Write stores a document and returns its manifest; what it returned is durable and can be read until Grace after the last
// manifest that names it is gone. The caller commits the manifest within a few hours of now. The same document written again
// gives the same manifest.
//
// Chunks that are there already are not put again, unless they were put longer ago than half the grace: then a collection that
// has not seen the new manifest finds them young. ErrTooLarge for more than MaxDocument bytes.
func Write(ctx context.Context, s Store, scope string, key *keyring.DataKey, now time.Time, doc []byte) (Manifest, error) {
	if err := CheckScope(scope); err != nil {
		return Manifest{}, err
	}
	if len(doc) > MaxDocument {
		return Manifest{}, fmt.Errorf("%w: a document of %d bytes, of at most %d", ErrTooLarge, len(doc), MaxDocument)
	}
	var sum [sha256.Size]byte
	var summing sync.WaitGroup
	summing.Go(func() { sum = sha256.Sum256(doc) })
	defer summing.Wait() // after a failure, too, the document is the caller's again
	pieces, err := split(doc)
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Size: int64(len(doc)), Chunks: make([]Ref, len(pieces))}
	_ = parallel.Do(runtime.GOMAXPROCS(0), len(pieces), func(i int) error {
		m.Chunks[i] = Ref{ID: key.Address(pieces[i]), Size: len(pieces[i])}
		return nil
	})
	wanted, err := toPut(ctx, s, scope, now, m.Chunks)
	if err != nil {
		return Manifest{}, err
	}
	for len(wanted) > 0 {
		n, size := 0, 0
		for n < len(wanted) && size < putBytes {
			size += len(pieces[wanted[n]])
			n++
		}
		chunks := make([]Chunk, n)
		_ = parallel.Do(runtime.GOMAXPROCS(0), n, func(i int) error {
			at := wanted[i]
			chunks[i] = sealChunk(key, scope, m.Chunks[at].ID, pieces[at])
			return nil
		})
		if err := s.Put(ctx, scope, chunks); err != nil {
			return Manifest{}, fmt.Errorf("putting chunks of %s: %w", scope, err)
		}
		wanted = wanted[n:]
	}
	summing.Wait()
	m.SHA256 = hex.EncodeToString(sum[:])
	return m, nil
}

// toPut returns the positions of the chunks that must be put: each id once, if it is missing or no longer young.
func toPut(ctx context.Context, s Store, scope string, now time.Time, refs []Ref) ([]int, error) {
	first := make(map[string]int, len(refs))
	ids := make([]string, 0, len(refs))
	for i, ref := range refs {
		if _, ok := first[ref.ID]; !ok {
			first[ref.ID] = i
			ids = append(ids, ref.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	have, err := s.Stat(ctx, scope, ids)
	if err != nil {
		return nil, fmt.Errorf("looking for chunks of %s: %w", scope, err)
	}
	var wanted []int
	for _, id := range ids {
		if info, ok := have[id]; !ok || now.Sub(info.Put) > renewAfter {
			wanted = append(wanted, first[id])
		}
	}
	return wanted, nil
}
