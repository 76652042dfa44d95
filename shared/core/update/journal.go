package update

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/compress"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// MaxEntries is how many entries one batch may have; the client sends at most 100.
const MaxEntries = 1000

// maxBatchBytes bounds a batch of entries or events before compression.
const maxBatchBytes = 64 << 20

// What the stack's key seals, so that one thing cannot be opened as another.
var (
	journalPurpose = []byte("journal")
	eventPurpose   = []byte("engine-event")
)

// foldEvery is how many entries a journal grows before it is folded. The tail that completion and readers replay is shorter than
// this plus an eighth of what was folded before, so that the work of folding stays linear in the length of the journal.
var foldEvery int64 = 4096

// Journal keeps a batch of entries: durable when it returns nil. A batch that was kept before changes nothing, entries may arrive in
// any order, and an entry that arrives twice counts once.
func Journal(ctx context.Context, p ports.Ports, l store.Doc[Lease], entries []checkpoint.Entry) error {
	if !l.Value.DryRun && !l.Value.Journal {
		return fault.New(fault.Conflict, "this update was started without a journal")
	}
	over := writable(p.Now())
	if len(entries) == 0 {
		return over(l.Value)
	}
	key, err := l.Value.key(ctx, p)
	if err != nil {
		return err
	}
	body := checkpoint.EncodeBatch(entries)
	first, last := span(entries)
	kept := store.Raw(key.Seal(compress.Zstd(body), journalPurpose))
	if len(kept) > maxBatchItem {
		if kept, err = inChunks(ctx, p, l.Value, key, body); err != nil {
			return err
		}
	}
	batch := journalKind.Keep(keys.JournalBatch(l.Value.Stack, l.Value.Update, first, last, digest(body)), kept)
	l, err = whileHeld(ctx, p, l, over, batch)
	if err != nil {
		return err
	}
	if last-l.Value.FoldedAt >= foldEvery+l.Value.FoldedAt/8 {
		// The batch is safe whether or not this works; the next one tries again.
		if err := fold(ctx, p, l, key); err != nil {
			p.Log.Warn("journal not folded", "update", l.Value.Update, "error", err)
		}
	}
	return nil
}

func span(entries []checkpoint.Entry) (first, last int64) {
	first, last = entries[0].Sequence, entries[0].Sequence
	for _, e := range entries {
		first, last = min(first, e.Sequence), max(last, e.Sequence)
	}
	return first, last
}

// digest is 8 hex digits of a content: enough to keep different batches of one span apart.
func digest(content []byte) string {
	h := sha256.Sum256(content)
	return hex.EncodeToString(h[:4])
}

// replayed is a journal's state as far as it was kept.
type replayed struct {
	*checkpoint.State
	last    int64 // highest sequence number that was kept
	refused error // the first entry that made no sense where it stood; it and what follows it did not take effect
}

// missing are the sequence numbers that are needed before everything that was kept can take effect.
func (r replayed) missing() []checkpoint.Range {
	ranges := r.Missing()
	if len(ranges) == 0 && r.last >= r.Next() {
		ranges = []checkpoint.Range{{From: r.Next(), To: r.last}} // refused, with nothing behind it
	}
	return ranges
}

// replay starts from the last fold, or the base, and applies every entry behind it.
func replay(ctx context.Context, p ports.Ports, l Lease, key *keyring.DataKey) (replayed, error) {
	state, err := foldedState(ctx, p, l, key)
	if err != nil {
		return replayed{}, err
	}
	r := replayed{State: state}
	q := store.Query{PK: keys.UpdateItems(l.Stack, l.Update), Prefix: keys.JournalPrefix, From: keys.JournalFrom(state.Next())}
	for {
		docs, page, err := journalKind.Page(ctx, p.Store, q)
		if err != nil {
			return replayed{}, err
		}
		for _, d := range docs {
			entries, err := openBatch(ctx, p, l, key, d)
			if err != nil {
				return replayed{}, err
			}
			for _, e := range entries {
				r.last = max(r.last, e.Sequence)
				if err := state.Apply(e); err != nil && r.refused == nil {
					r.refused = err
				}
			}
		}
		if !page.More {
			return r, nil
		}
		q.After = page.Next
	}
}

// A batch that does not fit an item, such as one entry about a resource with a large text in its state, is kept as chunks; the item then
// holds this byte, which begins no sealed text, and the manifest. The chunks are younger than any collection's grace for as long as
// the journal is read.
const chunkedBatch = 'c'

// maxBatchItem is from how many sealed bytes on a batch is kept as chunks.
const maxBatchItem = store.MaxItemBytes - 8<<10

func inChunks(ctx context.Context, p ports.Ports, l Lease, key *keyring.DataKey, body []byte) (store.Raw, error) {
	m, err := keepText(ctx, p, l.Stack, key, body)
	if err != nil {
		return nil, err
	}
	named, err := json.Marshal(m)
	return append(store.Raw{chunkedBatch}, named...), err
}

func bodyOf(ctx context.Context, p ports.Ports, l Lease, key *keyring.DataKey, kept store.Raw) ([]byte, error) {
	if len(kept) > 0 && kept[0] == chunkedBatch {
		var m blob.Manifest
		if err := json.Unmarshal(kept[1:], &m); err != nil {
			return nil, err
		}
		return blob.Read(ctx, p.Blobs, l.scope(), key, m)
	}
	packed, err := key.Open(kept, journalPurpose)
	if err != nil {
		return nil, err
	}
	return compress.Unzstd(packed, maxBatchBytes)
}

func openBatch(ctx context.Context, p ports.Ports, l Lease, key *keyring.DataKey, d store.Doc[store.Raw]) ([]checkpoint.Entry, error) {
	body, err := bodyOf(ctx, p, l, key, d.Value)
	if err != nil {
		return nil, fmt.Errorf("journal batch %s: %w", d.SK, err)
	}
	entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{Entries: MaxEntries})
	if err != nil {
		return nil, fmt.Errorf("journal batch %s: %w", d.SK, err)
	}
	return entries, nil
}

func foldedState(ctx context.Context, p ports.Ports, l Lease, key *keyring.DataKey) (*checkpoint.State, error) {
	f, err := foldKind.Get(ctx, p.Store, keys.Fold(l.Stack, l.Update))
	switch {
	case err == nil:
		text, err := blob.Read(ctx, p.Blobs, l.scope(), key, f.Value.Manifest)
		if err != nil {
			return nil, err
		}
		return checkpoint.DecodeState(text)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	base, err := stack.ReadCheckpoint(ctx, p, l.Stack, l.Base, key)
	if err != nil {
		return nil, err
	}
	return checkpoint.New(base.Deployment)
}

// fold replays what was kept and keeps the state, so that the next reader starts from there. A journal that waits for an entry is folded
// up to it, and looked at again when it has grown by as much as a whole one.
func fold(ctx context.Context, p ports.Ports, l store.Doc[Lease], key *keyring.DataKey) error {
	state, err := replay(ctx, p, l.Value, key)
	if err != nil {
		return err
	}
	l.Value.FoldedAt = state.last
	changes := []store.Change{leaseKind.Replace(l)}
	k := keys.Fold(l.Value.Stack, l.Value.Update)
	f, err := foldKind.Get(ctx, p.Store, k)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if through := state.Next() - 1; through > f.Value.Through {
		m, err := blob.Write(ctx, p.Blobs, l.Value.scope(), key, p.Now(), state.Encode())
		if err != nil {
			return err
		}
		next := folded{Manifest: m, Through: through}
		change := foldKind.Create(k, next)
		if f.Exists() {
			f.Value = next
			change = foldKind.Replace(f)
		}
		changes = append(changes, change)
	}
	return p.Store.Write(ctx, changes...)
}
