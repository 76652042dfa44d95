package audit

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Filter says which entries of an organization are wanted. Zero fields want all.
type Filter struct {
	Slug  string
	Login string // of the actor, in any case
	From  string // only entries whose position is at or behind it in time; see At
	To    string // only entries whose position is before it in time
}

// At is the position of a moment: every entry made at or after it is behind it. Positions order entries totally, by time and then by id.
func At(t time.Time) string { return keys.AuditTime(t) }

func (f Filter) wants(e Entry) bool {
	return (f.Slug == "" || e.Slug == f.Slug) && (f.Login == "" || strings.EqualFold(e.Actor.Login, f.Login))
}

// How much one call reads.
const (
	maxExamined = 20_000 // entries that a page looks at to find those it wants; 1 MB a 2,000 entries or so
	exportPage  = 500    // entries of a shard that an export reads at once
)

// List returns at most limit entries, newest first, and the position at which to continue ("" when there are no more): pass it as the
// filter's To. Pages of one listing hold every entry that was there when it began exactly once, whatever is added meanwhile. A page
// may be short, even empty, and yet have a next one, when a filter finds little in the 20,000 entries that a page looks at.
func List(ctx context.Context, p ports.Ports, organization string, f Filter, limit int) (entries []Entry, next string, err error) {
	w := newest(p, organization, f, limit/2+1)
	last := ""
	for examined := 0; ; examined++ {
		d, ok, err := w.next(ctx)
		switch {
		case err != nil:
			return nil, "", err
		case !ok:
			return entries, "", nil
		case examined == maxExamined:
			return entries, last, nil
		case !f.wants(d.Value):
		case len(entries) == limit:
			return entries, next, nil
		default:
			entries, next = append(entries, d.Value), d.SK
		}
		last = d.SK
	}
}

// Export leaves an entry of its own and returns all entries, newest first, of which it holds a few at a time. An entry that is made after
// the export began is not among them. described says what is exported, for that entry.
func Export(ctx context.Context, p ports.Ports, organization string, f Filter, described string) (iter.Seq2[Entry, error], error) {
	if end := At(p.Now().Add(time.Microsecond)); f.To == "" || f.To > end {
		f.To = end
	}
	if err := p.Store.Write(ctx, Record(ctx, p, organization, "audit-logs-exported", "exported the audit log as %s", described)); err != nil {
		return nil, err
	}
	return func(yield func(Entry, error) bool) {
		w := newest(p, organization, f, exportPage)
		for {
			d, ok, err := w.next(ctx)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !ok || f.wants(d.Value) && !yield(d.Value, nil) {
				return
			}
		}
	}, nil
}

// walk merges an organization's shards, newest entries first.
type walk struct {
	p      ports.Ports
	shards [keys.AuditShards]struct {
		query store.Query
		docs  []store.Doc[Entry] // read and not yet taken
		over  bool
		err   error
	}
}

// newest begins a walk that reads page entries of a shard at once.
func newest(p ports.Ports, organization string, f Filter, page int) *walk {
	w := &walk{p: p}
	for n := range w.shards {
		w.shards[n].query = store.Query{
			PK: keys.AuditEntries(organization, n), From: f.From, To: f.To, Descending: true, Limit: page,
		}
		w.shards[n].over = f.From != "" && f.To != "" && f.From >= f.To
	}
	return w
}

// next takes the newest entry that is left.
func (w *walk) next(ctx context.Context) (d store.Doc[Entry], ok bool, err error) {
	if err := w.fill(ctx); err != nil {
		return d, false, err
	}
	found := -1
	for n := range w.shards {
		docs := w.shards[n].docs
		if len(docs) > 0 && (found < 0 || docs[0].SK > w.shards[found].docs[0].SK) {
			found = n
		}
	}
	if found < 0 {
		return d, false, nil
	}
	s := &w.shards[found]
	d, s.docs = s.docs[0], s.docs[1:]
	return d, true, nil
}

// fill reads on in every shard that has nothing left, at the same time.
func (w *walk) fill(ctx context.Context) error {
	var reading sync.WaitGroup
	for n := range w.shards {
		s := &w.shards[n]
		if s.over || len(s.docs) > 0 {
			continue
		}
		reading.Go(func() {
			for !s.over && len(s.docs) == 0 && s.err == nil {
				var page store.Page
				s.docs, page, s.err = kind.Page(ctx, w.p.Store, s.query)
				s.over, s.query.After = !page.More, page.Next
			}
		})
	}
	reading.Wait()
	for n := range w.shards {
		if err := w.shards[n].err; err != nil {
			return err
		}
	}
	return nil
}
