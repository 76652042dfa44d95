package audit

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// organizationVerifier verifies what the digests say of one organization.
type organizationVerifier struct {
	*verifier
	id  string
	pin pin

	good int64                    // seals up to this digest can be trusted
	late [keys.AuditShards][]leaf // of those, the leaves that belong into windows of earlier seals, in order
	head [keys.AuditShards]hash   // of the chains before the window that is compared
	from time.Time                // where that window begins
}

// run returns the first finding in time.
func (o *organizationVerifier) run(ctx context.Context) (*Finding, error) {
	end, err := o.seals(ctx)
	if err != nil {
		return nil, err
	}
	found, err := o.windows(ctx, end == nil)
	if err != nil {
		return nil, err
	}
	if end != nil && found.mayBeLate(end.At) {
		found = nil
	}
	if found == nil {
		found = end
	}
	if found != nil {
		found.Organization = o.id
		found.Fresh = found.mayBeLate(o.complete)
	}
	return found, nil
}

// eachSeal calls do for the organization's seals as they are stored, in order. n is the number in the key; a seal whose body does not fit
// its key is not sound.
func (o *organizationVerifier) eachSeal(ctx context.Context, do func(i store.Item, n int64, s seal, sound bool) (more bool, err error)) error {
	q := store.Query{PK: keys.AuditSeals(o.id)}
	for {
		page, err := o.Store.Query(ctx, q)
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			d, err := sealKind.Decode(i)
			if errors.Is(err, store.ErrNewerSchema) {
				return err
			}
			n, _ := strconv.ParseInt(i.SK, 10, 64) // 0 is the number of no digest
			sound := err == nil && d.Value.Organization == o.id && d.Value.Digest == n && keys.AuditSeal(o.id, n).SK == i.SK
			if more, err := do(i, n, d.Value, sound); err != nil || !more {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}

// seals verifies the chain of seals, and finds what landed late. The finding is the first seal that is not good.
func (o *organizationVerifier) seals(ctx context.Context) (*Finding, error) {
	var last hash
	var heads [keys.AuditShards]hash
	intact := true
	var fault *Finding
	err := o.eachSeal(ctx, func(i store.Item, n int64, s seal, sound bool) (bool, error) {
		if n > o.out.Digests {
			return false, nil // made since the digests were read, or of a digest that is not good itself
		}
		if intact = sound && s.Previous == last && n <= o.pin.digest; !intact {
			return false, nil
		}
		var err error
		if fault, err = o.lateIn(ctx, s, heads); err != nil || fault != nil {
			return false, err
		}
		last, o.good = hashOfSeal(i.Body), s.Digest
		for n := range heads {
			heads[n] = s.Shards[n].Head
		}
		return true, nil
	})
	for n := range o.late {
		slices.SortFunc(o.late[n], func(a, b leaf) int { return strings.Compare(a.sk, b.sk) })
	}
	if err != nil || fault == nil && intact && last == o.pin.seal {
		return nil, err
	}
	found, err := o.blame(ctx)
	if found == nil && err == nil {
		found = fault
	}
	if found == nil && err == nil { // every seal is the one that its digest names, and yet they make no chain
		found = foundNumbered(whatSeal, changed, o.good+1, o.complete)
	}
	return found, err
}

// lateIn collects the leaves of a seal that belong into windows of earlier ones.
func (o *organizationVerifier) lateIn(ctx context.Context, s seal, heads [keys.AuditShards]hash) (*Finding, error) {
	if s.From.IsZero() {
		return nil, nil
	}
	begin := keys.AuditTime(s.From)
	for n, part := range s.Shards {
		if part.Late == 0 {
			continue
		}
		r := leavesOf{store: o.Store, seal: s, shard: n, before: heads[n]}
		for {
			l, ok, err := r.next(ctx)
			if errors.Is(err, errLeaves) {
				return foundNumbered(whatLeaves, changed, s.Digest, s.From), nil
			}
			if err != nil {
				return nil, err
			}
			if !ok || l.sk >= begin {
				break
			}
			o.late[n] = append(o.late[n], l)
			r.take()
		}
	}
	return nil, nil
}

// blame finds the first seal that is not the one its digest names, nil when there is none, and trusts those before it only.
func (o *organizationVerifier) blame(ctx context.Context) (*Finding, error) {
	named, number := map[int64]bool{}, int64(0)
	q := store.Query{PK: keys.AuditDigests(o.q.Account)}
	good := int64(0)
	var found *Finding
	for found == nil {
		page, err := o.Store.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, i := range page.Items {
			d, err := digestKind.Decode(i)
			if err != nil || d.Value.Sequence > o.out.Digests {
				break // that the digests are good was verified before; those behind are not
			}
			at := slices.IndexFunc(d.Value.Organizations, func(s sealed) bool { return s.Organization == o.id })
			if at < 0 {
				continue
			}
			named[d.Value.Sequence] = true
			is, err := o.Store.Get(ctx, keys.AuditSeal(o.id, d.Value.Sequence))
			switch {
			case errors.Is(err, store.ErrNotFound):
				found = foundNumbered(whatSeal, dropped, d.Value.Sequence, d.Value.From)
			case err != nil:
				return nil, err
			case hashOfSeal(is.Body) != d.Value.Organizations[at].Seal:
				found = foundNumbered(whatSeal, changed, d.Value.Sequence, d.Value.From)
			}
			if found != nil {
				number = d.Value.Sequence
				break
			}
			good = d.Value.Sequence
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	before := time.Time{}
	err := o.eachSeal(ctx, func(_ store.Item, n int64, s seal, _ bool) (bool, error) {
		if !named[n] && n <= o.out.Digests && (found == nil || n < number) {
			found = foundNumbered(whatSeal, inserted, n, before)
			return false, nil
		}
		before = s.To
		return found == nil || n < number, nil
	})
	o.good = min(o.good, good)
	return found, err
}

// windows compares entries with leaves, from one seal's end to the next one's and on to where the account is sealed, and stops in the
// first window that has a finding. whole says that all seals are good; otherwise what is behind the last good one is left alone.
func (o *organizationVerifier) windows(ctx context.Context, whole bool) (found *Finding, err error) {
	err = o.eachSeal(ctx, func(_ store.Item, n int64, s seal, _ bool) (bool, error) {
		if n > o.good {
			return false, nil
		}
		found, err = o.window(ctx, s)
		return found == nil, err
	})
	if found != nil || err != nil || !whole {
		return found, err
	}
	end := o.complete
	if o.pin.to.After(end) {
		end = o.pin.to // part of a digest that is not finished
	}
	if end.After(o.from) {
		if found, err = o.window(ctx, seal{Organization: o.id, To: end}); found != nil || err != nil {
			return found, err
		}
	}
	return nil, o.countUnsealed(ctx, end)
}

// window compares everything before a seal's end that was not compared yet, shard by shard.
func (o *organizationVerifier) window(ctx context.Context, s seal) (first *Finding, err error) {
	all, late := s.count()
	for n := range s.Shards {
		c := comparison{
			organizationVerifier: o, shard: n,
			entries: entriesOf{store: o.Store, query: store.Query{
				PK: keys.AuditEntries(o.id, n), From: keys.AuditTime(o.from), To: keys.AuditTime(s.To),
			}},
			leaves: leavesOf{store: o.Store, seal: s, shard: n, before: o.head[n]},
		}
		found, err := c.run(ctx)
		if err != nil {
			return nil, err
		}
		first = earlier(first, found)
		if len(s.Shards[n].Pages) > 0 {
			o.head[n] = s.Shards[n].Head
		}
	}
	if first == nil {
		o.out.Entries, o.out.Late = o.out.Entries+all, o.out.Late+late
	}
	o.from = s.To
	return first, nil
}

// countUnsealed counts what no digest covers yet.
func (o *organizationVerifier) countUnsealed(ctx context.Context, from time.Time) error {
	for n := range keys.AuditShards {
		e := entriesOf{store: o.Store, query: store.Query{PK: keys.AuditEntries(o.id, n), From: keys.AuditTime(from)}}
		for {
			_, ok, err := e.next(ctx)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			o.out.Unsealed++
			e.take()
		}
	}
	return nil
}

// idOf is the id in an entry's body, "" when it has none.
func idOf(i store.Item) string {
	var e struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(i.Body, &e) // what is no entry has no id
	return e.ID
}
