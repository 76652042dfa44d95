package update

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/polyplane/polyplane/shared/core/compress"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// EngineEvent is one line of an update's story. Raw is the client's own JSON, valid, sequence and timestamp included.
type EngineEvent struct {
	Sequence int64
	Raw      json.RawMessage
	Changes  map[string]int64 // what the update's summary counted; nil for every other event
}

// MaxEvents is how many events one batch may have; the client sends at most 50.
const MaxEvents = 1000

// RecordEvents keeps a batch of engine events. Batches may arrive in any order, twice, and late: until the lease's own expiry after the
// update was completed.
func RecordEvents(ctx context.Context, p ports.Ports, l store.Doc[Lease], events []EngineEvent) error {
	now := p.Now()
	tellable := func(l Lease) error {
		if l.State == Revoked || !now.Before(l.Expires.Add(Grace)) {
			return lost(l.Note)
		}
		return nil
	}
	if len(events) == 0 {
		return tellable(l.Value)
	}
	key, err := l.Value.key(ctx, p)
	if err != nil {
		return err
	}
	first, last := events[0].Sequence, events[0].Sequence
	body := []byte{'['} // put together by hand: the events stay as their client wrote them, and are not parsed once more
	for i, e := range events {
		first, last = min(first, e.Sequence), max(last, e.Sequence)
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.Raw...)
	}
	body = append(body, ']')
	batch := eventKind.Keep(keys.EventBatch(l.Value.Stack, l.Value.Update, first, last, digest(body)), key.Seal(compress.Zstd(body), eventPurpose))
	if batch.Item.Size() > store.MaxItemBytes {
		return fault.New(fault.TooLarge, "the batch is larger than %d KB when compressed: send fewer events at once", store.MaxItemBytes>>10)
	}
	changes := []store.Change{batch}
	for _, e := range events {
		if e.Changes != nil {
			changes = append(changes, summaryKind.Keep(keys.Summary(l.Value.Stack, l.Value.Update), e.Changes))
			break
		}
	}
	_, err = whileHeld(ctx, p, l, tellable, changes...)
	return err
}

// Events returns every engine event of an update, in order of sequence, each once.
func Events(ctx context.Context, p ports.Ports, s stack.Stack, id string) ([]EngineEvent, error) {
	key, err := stack.DataKey(ctx, p, s)
	if err != nil {
		return nil, err
	}
	var out []EngineEvent
	q := store.Query{PK: keys.UpdateItems(s.ID, id), Prefix: keys.EventPrefix}
	for {
		docs, page, err := eventKind.Page(ctx, p.Store, q)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			packed, err := key.Open(d.Value, eventPurpose)
			if err != nil {
				return nil, fmt.Errorf("event batch %s: %w", d.SK, err)
			}
			body, err := compress.Unzstd(packed, maxBatchBytes)
			if err != nil {
				return nil, fmt.Errorf("event batch %s: %w", d.SK, err)
			}
			var raws []json.RawMessage
			if err := json.Unmarshal(body, &raws); err != nil {
				return nil, fmt.Errorf("event batch %s: %w", d.SK, err)
			}
			for _, r := range raws {
				var n struct {
					Sequence int64 `json:"sequence"`
				}
				if err := json.Unmarshal(r, &n); err != nil {
					return nil, fmt.Errorf("event batch %s: %w", d.SK, err)
				}
				out = append(out, EngineEvent{Sequence: n.Sequence, Raw: r})
			}
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	slices.SortStableFunc(out, func(a, b EngineEvent) int { return int(a.Sequence - b.Sequence) })
	return slices.CompactFunc(out, func(a, b EngineEvent) bool { return a.Sequence == b.Sequence }), nil
}
