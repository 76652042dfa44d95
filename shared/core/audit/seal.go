package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// When an hour is closed. An entry has the time at which its request made it and lands a little later: a function may live for 15
// minutes after that, its clock may differ from the sealer's by two minutes, and three more are spare.
const (
	hour       = time.Hour
	closeAfter = 20 * time.Minute
)

// lateWindow is how far before an hour its seal looks for entries that landed after their own hour was closed: those of a process that was
// stopped in the middle of a write, or whose clock is wrong. What lands still later is indistinguishable from a forgery and reported as one.
const lateWindow = 2 * time.Hour

// closed is up to when entries can be sealed.
func closed(now time.Time) time.Time { return now.Add(-closeAfter).Truncate(hour) }

// What one digest holds at most, so that it is one write.
const (
	maxSealed      = 60
	maxSealedBytes = 2 << 20
	sealPage       = 1000 // entries read at once
)

// Enlist takes notice of organizations that are new below their accounts, at most limit: from then on their accounts' audits are sealed.
func Enlist(ctx context.Context, p ports.Ports, limit int) (int, error) {
	found, err := account.Unnoticed(ctx, p, limit)
	if err != nil {
		return 0, err
	}
	for _, m := range found {
		changes := []store.Change{account.Noticed(m)}
		at := keys.AuditSealing(m.Value.Account)
		_, err := p.Store.Get(ctx, at)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if err != nil {
			key, err := newSigner(ctx, p, m.Value.Account)
			if err != nil {
				return 0, err
			}
			changes = append(changes,
				sealingKind.Create(at, sealing{Account: m.Value.Account}, store.DueAt(p.Now())),
				signerKind.Create(keys.AuditSigner(m.Value.Account), key))
		}
		if err := p.Store.Write(ctx, changes...); err != nil && store.AsConflict(err) == nil {
			return 0, err // a conflict is another process that was here: what it left is looked at next time
		}
	}
	return len(found), nil
}

// Seal seals what is closed in accounts for which that is due, at most limit of them, and returns how many digests it made. Everything
// it does is conditional on where the account's chain ended: it may be killed anywhere, repeated, and run by several processes at once.
func Seal(ctx context.Context, p ports.Ports, limit int) (int, error) {
	if _, err := Enlist(ctx, p, limit); err != nil {
		return 0, err
	}
	found, err := p.Store.Due(ctx, store.DueQuery{Kind: sealingKind.Name(), Before: p.Now().Add(time.Millisecond), Limit: limit})
	if err != nil {
		return 0, err
	}
	made := 0
	var failed []error
	for _, k := range found {
		n, err := sealAccount(ctx, p, k)
		made += n
		if ctx.Err() != nil {
			return made, ctx.Err()
		}
		if err != nil {
			failed = append(failed, err) // one account's trouble must not keep the others unsealed
		}
	}
	return made, errors.Join(failed...)
}

// sealAccount makes digests of an account until nothing closed is left.
func sealAccount(ctx context.Context, p ports.Ports, at store.Key) (made int, err error) {
	for {
		d, err := sealingKind.Get(ctx, p.Store, at)
		if errors.Is(err, store.ErrNotFound) {
			return made, nil
		}
		if err != nil {
			return made, err
		}
		s := sealer{Ports: p, was: d}
		next, err := s.next(ctx)
		switch {
		case err != nil:
			return made, fmt.Errorf("sealing the audit of account %s: %w", d.Value.Account, err)
		case next == nil:
			return made, nil
		}
		switch err := p.Store.Write(ctx, next...); {
		case store.AsConflict(err) != nil: // another process was faster: see what it left
		case err != nil:
			return made, err
		default:
			made++
		}
	}
}

// sealer makes one digest.
type sealer struct {
	ports.Ports
	was store.Doc[sealing]
	key ed25519.PrivateKey
	d   digest
}

// next returns the changes that add the next digest, nil when nothing is closed that is not sealed. The pages of leaves are kept before
// the write that makes the digest: a page that no seal names is harmless.
func (s *sealer) next(ctx context.Context) ([]store.Change, error) {
	var err error
	was := s.was.Value
	s.d = digest{
		Account: was.Account, Sequence: was.Sequence + 1, From: was.To, Previous: was.Hash, Made: s.Now(), Organizations: []sealed{},
	}
	if was.More != "" {
		s.d.From, s.d.To = was.From, was.To
	} else if s.d.To, err = s.end(ctx); err != nil || s.d.To.IsZero() {
		return nil, err
	}
	if s.key, err = signerOf(ctx, s.Ports, was.Account); err != nil {
		return nil, err
	}
	changes, err := s.organizations(ctx, was.More)
	if err != nil {
		return nil, err
	}
	s.d.sign(s.key)
	now := s.was
	now.Value.Sequence, now.Value.From, now.Value.To, now.Value.More = s.d.Sequence, s.d.From, s.d.To, s.d.More
	now.Value.Hash = hashOfDigest(body(s.d))
	now.Due = s.d.To.Add(hour + closeAfter)
	return append(changes, digestKind.Create(keys.AuditDigest(was.Account, s.d.Sequence), s.d), sealingKind.Replace(now)), nil
}

// end is where the next digest ends: an hour after the last one, or behind the first hour that has entries when many are closed, so that
// long quiet times take one digest. Zero means that nothing is closed.
func (s *sealer) end(ctx context.Context) (time.Time, error) {
	horizon := closed(s.Now())
	if !s.d.From.Before(horizon) {
		return time.Time{}, nil
	}
	if s.d.From.Add(hour).Equal(horizon) {
		return horizon, nil
	}
	end := horizon
	err := s.each(ctx, "", func(organization string) (bool, error) {
		for n := range keys.AuditShards {
			page, err := s.Store.Query(ctx, store.Query{
				PK: keys.AuditEntries(organization, n), From: keys.AuditTime(s.d.From), To: keys.AuditTime(end), Limit: 1,
			})
			if err != nil {
				return false, err
			}
			for _, i := range page.Items {
				if at, _ := keys.AuditEntryOf(i.SK); !at.IsZero() {
					end = earliest(end, at.Truncate(hour).Add(hour))
				}
			}
		}
		return true, nil
	})
	return end, err
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// each calls do for every organization of the account behind an id, until do says that it is enough.
func (s *sealer) each(ctx context.Context, behind string, do func(organization string) (more bool, err error)) error {
	for {
		ids, next, err := account.Organizations(ctx, s.Ports, s.was.Value.Account, behind, 100)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if more, err := do(id); err != nil || !more {
				return err
			}
		}
		if next == "" {
			return nil
		}
		behind = next
	}
}

// organizations puts the organizations behind an id into the digest, as many as fit, and returns the changes that make their seals.
func (s *sealer) organizations(ctx context.Context, behind string) (changes []store.Change, err error) {
	bytes, last := 0, ""
	err = s.each(ctx, behind, func(organization string) (bool, error) {
		if len(changes) >= maxSealed || bytes >= maxSealedBytes {
			s.d.More = last
			return false, nil
		}
		last = organization
		c, err := s.organization(ctx, organization)
		if err != nil || c == nil {
			return err == nil, err
		}
		changes = append(changes, *c)
		bytes += c.Item.Size()
		s.d.Organizations = append(s.d.Organizations, sealed{Organization: organization, Seal: hashOfSeal(c.Item.Body)})
		return true, nil
	})
	return changes, err
}

// organization returns the change that makes an organization's seal, nil when it has no new entries.
func (s *sealer) organization(ctx context.Context, id string) (*store.Change, error) {
	was, previous, ok, err := lastSeal(ctx, s.Ports, id)
	if err != nil {
		return nil, err
	}
	now := seal{Organization: id, Digest: s.d.Sequence, From: was.To, To: s.d.To, Previous: previous}
	for n := range now.Shards {
		from := time.Time{} // an organization that is new here is sealed from its beginning
		var known map[string]hash
		if ok && !s.d.From.IsZero() {
			from = s.d.From.Add(-lateWindow)
			if known, err = s.known(ctx, id, n, from); errors.Is(err, errLeaves) {
				// It will be reported by who verifies. Until then the new entries are to be sealed all the same.
				s.Log.Error("the sealed audit was tampered with", "organization", id, "error", err)
				from, known = s.d.From, nil
			} else if err != nil {
				return nil, err
			}
		}
		if now.Shards[n], err = s.shard(ctx, id, n, was.Shards[n].Head, from, known); err != nil {
			return nil, err
		}
	}
	if all, _ := now.count(); all == 0 {
		return nil, nil
	}
	c := sealKind.Create(keys.AuditSeal(id, s.d.Sequence), now)
	return &c, nil
}

// shard covers the entries of one shard that are in the digest's hour, and the late ones from a time on that are not known.
func (s *sealer) shard(ctx context.Context, organization string, n int, head hash, from time.Time, known map[string]hash) (shardSeal, error) {
	pages := pager{organization: organization, digest: s.d.Sequence, shard: n, part: shardSeal{Head: head}}
	begin := keys.AuditTime(s.d.From)
	keep := func(c *store.Change) error {
		if c == nil {
			return nil
		}
		return s.Store.Write(ctx, *c)
	}
	q := store.Query{PK: keys.AuditEntries(organization, n), From: keys.AuditTime(from), To: keys.AuditTime(s.d.To), Limit: sealPage}
	for {
		page, err := s.Store.Query(ctx, q)
		if err != nil {
			return shardSeal{}, err
		}
		for _, i := range page.Items {
			l := leafOf(i)
			if i.SK < begin {
				if was, ok := known[i.SK]; ok {
					if was != l.hash {
						s.Log.Error("the sealed audit was tampered with", "organization", organization, "entry", i.SK)
					}
					continue
				}
				pages.part.Late++
			}
			if err := keep(pages.add(l)); err != nil {
				return shardSeal{}, err
			}
		}
		if !page.More {
			return pages.part, keep(pages.flush())
		}
		q.After = page.Next
	}
}

// known are the entries of a shard from a time on that earlier seals cover, by sort key.
func (s *sealer) known(ctx context.Context, organization string, shard int, from time.Time) (map[string]hash, error) {
	out := map[string]hash{}
	since := keys.AuditTime(from)
	q := store.Query{PK: keys.AuditSeals(organization), Descending: true, Limit: 8}
	var newer *seal // the one that was read before, which is the next in time
	collect := func(sl seal, before hash) error {
		r := leavesOf{store: s.Store, seal: sl, shard: shard, before: before}
		for {
			l, ok, err := r.next(ctx)
			if err != nil || !ok {
				return err
			}
			if l.sk >= since {
				out[l.sk] = l.hash
			}
			r.take()
		}
	}
	for {
		docs, page, err := sealKind.Page(ctx, s.Store, q)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if newer != nil {
				if err := collect(*newer, d.Value.Shards[shard].Head); err != nil {
					return nil, err
				}
				newer = nil
			}
			if !d.Value.To.After(from) {
				return out, nil
			}
			newer = &d.Value
		}
		if !page.More {
			if newer != nil {
				return out, collect(*newer, hash{})
			}
			return out, nil
		}
		q.After = page.Next
	}
}
