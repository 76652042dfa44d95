package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/compress"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// hash is a SHA-256.
type hash [sha256.Size]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hash as hex digits.
func (h hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return errors.New("audit: not a hash")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// hashOf hashes parts for one purpose; each part goes with its length, so that no two lists of parts hash the same.
func hashOf(purpose string, parts ...[]byte) hash {
	sum := sha256.New()
	var length [8]byte
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		sum.Write(length[:])
		sum.Write(part)
	}
	return hash(sum.Sum(nil))
}

// leaf stands for one entry: its sort key, and the hash of everything that the store holds of it but its version.
type leaf struct {
	sk   string
	hash hash
}

func leafOf(i store.Item) leaf {
	n := func(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
	millis := func(t time.Time) []byte {
		if t.IsZero() {
			return nil
		}
		return n(t.UnixMilli())
	}
	return leaf{i.SK, hashOf("audit entry 1", []byte(i.PK), []byte(i.SK), []byte(i.Kind), n(int64(i.Schema)), i.Body, millis(i.Due), millis(i.Expires))}
}

// chained continues a chain by one leaf: what is dropped, inserted, changed or moved changes every hash from there on.
func chained(h hash, l leaf) hash { return hashOf("audit chain 1", h[:], []byte(l.sk), l.hash[:]) }

// Leaves are kept in pages, so that verification can name the very entry that does not fit, and not only its hour. A page begins with the
// hash of the chain before it; its key ends with the hash behind it, which the seal repeats.
var leavesKind = store.NewKind[store.Raw]("audit-leaves", 1).Immutable()

// leavesBytes is the size of a full page in bytes before compression: about 3,000 leaves, and less than an item may hold even when
// nothing compresses. No page exceeds it by more than one leaf.
const leavesBytes = 256 << 10

// pager makes the pages of one shard of one seal.
type pager struct {
	organization string
	digest       int64
	shard        int

	part shardSeal
	page []byte // the current one; empty when it holds no leaf
}

// add takes the next leaf; when that fills a page it returns the change that keeps the page.
func (p *pager) add(l leaf) (full *store.Change) {
	if len(p.page) == 0 {
		p.page = append(p.page, p.part.Head[:]...)
	}
	p.page = binary.AppendUvarint(p.page, uint64(len(l.sk)))
	p.page = append(p.page, l.sk...)
	p.page = append(p.page, l.hash[:]...)
	p.part.Head = chained(p.part.Head, l)
	p.part.Count++
	if len(p.page) < leavesBytes {
		return nil
	}
	return p.flush()
}

// flush returns the change that keeps the current page, nil when there is none.
func (p *pager) flush() *store.Change {
	if len(p.page) == 0 {
		return nil
	}
	end := p.part.Head
	c := leavesKind.Keep(keys.AuditLeaves(p.organization, p.digest, p.shard, len(p.part.Pages), end.String()), compress.Zstd(p.page))
	p.part.Pages = append(p.part.Pages, end)
	p.page = p.page[:0]
	return &c
}

// errLeaves says that a page of leaves is not the one that its seal names.
var errLeaves = errors.New("audit: a page of leaves is missing or was changed")

// readLeaves returns the leaves of a page that must lead a chain from start to end, or errLeaves.
func readLeaves(ctx context.Context, s store.Store, k store.Key, start, end hash) ([]leaf, error) {
	i, err := s.Get(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errLeaves
	}
	if err != nil {
		return nil, err
	}
	d, err := leavesKind.Decode(i)
	if errors.Is(err, store.ErrNewerSchema) {
		return nil, err
	}
	if err != nil {
		return nil, errLeaves
	}
	b, err := compress.Unzstd(d.Value, leavesBytes+store.MaxSortKey+100)
	if err != nil || len(b) < len(start) || hash(b[:len(start)]) != start {
		return nil, errLeaves
	}
	var out []leaf
	for b = b[len(start):]; len(b) > 0; {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > store.MaxSortKey || len(b) < used+int(n)+len(hash{}) {
			return nil, errLeaves
		}
		b = b[used:]
		l := leaf{sk: string(b[:n]), hash: hash(b[n : int(n)+len(hash{})])}
		b = b[int(n)+len(hash{}):]
		out, start = append(out, l), chained(start, l)
	}
	if start != end {
		return nil, errLeaves
	}
	return out, nil
}

// leavesOf gives the leaves of one shard of a seal in order, a page at a time.
type leavesOf struct {
	store  store.Store
	seal   seal
	shard  int
	before hash // of the chain before the seal

	page   int
	leaves []leaf
}

// next returns the next leaf without taking it; ok is false behind the last one.
func (r *leavesOf) next(ctx context.Context) (l leaf, ok bool, err error) {
	pages := r.seal.Shards[r.shard].Pages
	for len(r.leaves) == 0 {
		if r.page == len(pages) {
			return leaf{}, false, nil
		}
		end := pages[r.page]
		at := keys.AuditLeaves(r.seal.Organization, r.seal.Digest, r.shard, r.page, end.String())
		if r.leaves, err = readLeaves(ctx, r.store, at, r.before, end); err != nil {
			return leaf{}, false, fmt.Errorf("%w (%s)", err, at)
		}
		r.before = end
		r.page++
	}
	return r.leaves[0], true, nil
}

func (r *leavesOf) take() { r.leaves = r.leaves[1:] }
