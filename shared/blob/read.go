package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"

	"github.com/polyplane/polyplane/shared/blob/internal/parallel"
	"github.com/polyplane/polyplane/shared/keyring"
)

// window is how many plain bytes are fetched at once. A Reader holds three windows: one being read, one waiting, one being
// fetched, each with its sealed bytes at worst, hence at most 14 MB for a document of any size.
const window = 2 << 20

// Read returns a document as it was written, or ErrCorrupt when anything about it was changed.
func Read(ctx context.Context, s Store, scope string, key *keyring.DataKey, m Manifest) ([]byte, error) {
	r := NewReader(ctx, s, scope, key, m)
	defer r.Close()
	// A manifest that lies about its size gets no memory for what it does not deliver.
	doc := bytes.NewBuffer(make([]byte, 0, min(max(m.Size, 0), 8*window)))
	if _, err := r.WriteTo(doc); err != nil {
		return nil, err
	}
	return doc.Bytes(), nil
}

// Reader reads a document from its start to its end, in bounded memory, and fetches ahead. All bytes that it gives are those of
// the chunks that the manifest names; the last window is given only after the checksum of the whole was found right. Its errors
// are those of Read. One goroutine may use it; Close ends it early and waits for what it fetches.
type Reader struct {
	cancel  context.CancelFunc
	ctxErr  func() error
	windows chan fetched  // closed after the last
	ended   chan struct{} // closed when nothing is fetched any more

	current []byte
	left    int64 // bytes of windows not yet received
	sum     hash.Hash
	want    string // hex of sum
	err     error  // sticky; io.EOF at the end
}

type fetched struct {
	plain []byte
	err   error
}

var _ io.WriterTo = (*Reader)(nil)

// NewReader starts to read a document; the caller closes the reader. A manifest that contradicts itself is found out by the
// first Read.
func NewReader(ctx context.Context, s Store, scope string, key *keyring.DataKey, m Manifest) *Reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{
		cancel:  cancel,
		ctxErr:  ctx.Err,
		windows: make(chan fetched, 1),
		ended:   make(chan struct{}),
		left:    m.Size,
		sum:     sha256.New(),
		want:    m.SHA256,
	}
	if r.err = errors.Join(CheckScope(scope), m.Check()); r.err != nil {
		close(r.ended)
		return r
	}
	if m.Size == 0 {
		r.err = r.verify()
		close(r.ended)
		return r
	}
	go func() {
		defer close(r.ended)
		defer close(r.windows)
		fetchAhead(ctx, s, scope, key, m.Chunks, r.windows)
	}()
	return r
}

// fetchAhead sends the windows of a document until the last, the first error, or the end of the context.
func fetchAhead(ctx context.Context, s Store, scope string, key *keyring.DataKey, refs []Ref, to chan<- fetched) {
	for len(refs) > 0 {
		n, size := 0, 0
		for n < len(refs) && size < window {
			size += refs[n].Size
			n++
		}
		plain, err := fetch(ctx, s, scope, key, refs[:n], size)
		select {
		case to <- fetched{plain, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		refs = refs[n:]
	}
}

// fetch returns the plain bytes of consecutive chunks, size in all.
func fetch(ctx context.Context, s Store, scope string, key *keyring.DataKey, refs []Ref, size int) ([]byte, error) {
	ids := make([]string, len(refs))
	offsets := make([]int, len(refs))
	offset := 0
	for i, ref := range refs {
		ids[i], offsets[i] = ref.ID, offset
		offset += ref.Size
	}
	sealed, err := s.Get(ctx, scope, ids)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return nil, fmt.Errorf("getting chunks of %s: %w", scope, err)
	}
	if len(sealed) != len(refs) {
		return nil, fmt.Errorf("getting chunks of %s: %d where %d were asked for", scope, len(sealed), len(refs))
	}
	plain := make([]byte, size)
	err = parallel.Do(runtime.GOMAXPROCS(0), len(refs), func(i int) error {
		end := offsets[i] + refs[i].Size
		return openChunk(key, scope, refs[i], sealed[i], plain[offsets[i]:end:end])
	})
	if err != nil {
		return nil, err
	}
	return plain, nil
}

// next receives the next window into current, or sets err.
func (r *Reader) next() {
	got, ok := <-r.windows
	switch {
	case !ok && r.left == 0:
		r.err = io.EOF
		return
	case !ok:
		r.err = r.ctxErr() // nothing else ends the fetching before its time
		return
	case got.err != nil:
		r.err = got.err
		return
	}
	r.sum.Write(got.plain)
	r.left -= int64(len(got.plain))
	if r.left == 0 {
		if err := r.verify(); err != io.EOF {
			r.err = err
			return
		}
	}
	r.current = got.plain
}

// verify returns io.EOF when the document is what its manifest says.
func (r *Reader) verify() error {
	if hex.EncodeToString(r.sum.Sum(nil)) != r.want {
		return fmt.Errorf("%w: the document has another checksum than its manifest", ErrCorrupt)
	}
	return io.EOF
}

// Read gives the next bytes of the document.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.current) == 0 && r.err == nil {
		r.next()
	}
	if len(r.current) == 0 {
		return 0, r.err
	}
	n := copy(p, r.current)
	r.current = r.current[n:]
	return n, nil
}

// WriteTo gives the rest of the document to w, without a copy in between.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		for len(r.current) == 0 && r.err == nil {
			r.next()
		}
		if len(r.current) == 0 {
			if r.err == io.EOF {
				return total, nil
			}
			return total, r.err
		}
		n, err := w.Write(r.current)
		total += int64(n)
		r.current = r.current[n:]
		if err != nil {
			return total, err
		}
	}
}

// Close ends the reading. It never fails, and may be called twice.
func (r *Reader) Close() error {
	r.cancel()
	<-r.ended
	if r.err == nil || r.err == io.EOF {
		r.err = errors.New("blob: read after the reader was closed")
	}
	r.current = nil
	return nil
}
