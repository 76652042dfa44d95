package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"time"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Verification is what verifying an account's audit found out.
type Verification struct {
	Account  string    `json:"account"`
	Entries  int64     `json:"entries"`           // that are as they were sealed
	Late     int64     `json:"late,omitempty"`    // of them, landed after their hour was closed
	Digests  int64     `json:"digests"`           // whose signature and place in the chain are good
	Sealed   time.Time `json:"sealed,omitzero"`   // entries from here on are not under a digest yet
	Unsealed int64     `json:"unsealed"`          // how many those are
	Newest   string    `json:"newest,omitempty"`  // hash of the newest digest, hex
	Finding  *Finding  `json:"finding,omitempty"` // nil when nothing was tampered with
}

// Question says what to verify.
type Question struct {
	Account      string
	Organization string // id; empty for all of the account
	Expect       string // hash of a digest that an earlier verification told; empty for none. When it is not in the chain, the chain was cut
}

// Verify recomputes an account's chain of digests and everything below it, with a page of each shard in memory, and names what is first in
// time of what was changed, dropped, inserted or reordered. Entries that nobody sealed yet are counted only.
//
// While the audit is in use an entry may land after its hour was closed. Until the next digest covers it, it is reported as inserted,
// as Fresh when it is no older than two hours before the newest digest's end.
func Verify(ctx context.Context, p ports.Ports, q Question) (Verification, error) {
	v := verifier{Ports: p, q: q, out: Verification{Account: q.Account}, pins: map[string]pin{}}
	err := v.run(ctx)
	if v.out.Finding != nil {
		v.out.Finding.Account = q.Account
	}
	return v.out, err
}

// Accounts returns the accounts whose audits are sealed, at most limit.
func Accounts(ctx context.Context, p ports.Ports, limit int) ([]string, error) {
	found, err := p.Store.Due(ctx, store.DueQuery{Kind: sealingKind.Name(), Before: p.Now().AddDate(100, 0, 0), Limit: limit})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range found {
		d, err := sealingKind.Get(ctx, p.Store, k)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d.Value.Account)
	}
	slices.Sort(out)
	return out, nil
}

// pin is the newest good seal of an organization according to the digests.
type pin struct {
	digest int64
	seal   hash
	to     time.Time
}

type verifier struct {
	ports.Ports
	q    Question
	out  Verification
	pins map[string]pin // by organization id

	complete time.Time // up to when every organization is sealed
}

func (v *verifier) run(ctx context.Context) error {
	end, err := v.chain(ctx)
	if err != nil {
		return err
	}
	v.out.Sealed = v.complete
	organizations, err := v.organizations(ctx)
	if err != nil {
		return err
	}
	for _, id := range organizations {
		o := organizationVerifier{verifier: v, id: id, pin: v.pins[id]}
		found, err := o.run(ctx)
		if err != nil {
			return err
		}
		if end != nil && found.mayBeLate(v.complete) {
			continue // a digest that is not good may cover it
		}
		v.out.Finding = earlier(v.out.Finding, found)
	}
	v.out.Finding = earlier(v.out.Finding, end)
	return nil
}

// organizations are those to verify, in order of id: those that the account lists and those that its digests name.
func (v *verifier) organizations(ctx context.Context) ([]string, error) {
	if v.q.Organization != "" {
		return []string{v.q.Organization}, nil
	}
	var out []string
	for behind := ""; ; {
		ids, next, err := account.Organizations(ctx, v.Ports, v.q.Account, behind, 100)
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
		if behind = next; behind == "" {
			break
		}
	}
	for id := range v.pins {
		out = append(out, id)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// chain verifies the digests up to the first that is not good, which is the finding.
func (v *verifier) chain(ctx context.Context) (*Finding, error) {
	start, err := v.sealing(ctx) // read before the digests: those that come while we read are more, never fewer
	if errors.Is(err, errSealing) {
		return &Finding{What: whatSealing, How: changed}, nil
	}
	if err != nil {
		return nil, err
	}
	private, err := signerOf(ctx, v.Ports, v.q.Account)
	untrusted := errors.Is(err, errSigner)
	if err != nil && !untrusted {
		return nil, err
	}
	var last digest
	var lastHash hash
	expected := v.q.Expect == ""
	q := store.Query{PK: keys.AuditDigests(v.q.Account)}
	for {
		page, err := v.Store.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		if untrusted && (len(page.Items) > 0 || start != nil) {
			return &Finding{What: whatSigner, How: changed}, nil
		}
		for _, i := range page.Items {
			found, d, err := v.link(i, last, lastHash, private.Public().(ed25519.PublicKey))
			if found != nil || err != nil {
				return found, err
			}
			h := hashOfDigest(i.Body)
			if start != nil && d.Sequence == start.Sequence && h != start.Hash {
				return &Finding{What: whatSealing, How: changed}, nil
			}
			v.accept(d)
			last, lastHash = d, h
			expected = expected || h.String() == v.q.Expect
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	if v.out.Digests > 0 {
		v.out.Newest = lastHash.String()
	}
	if start == nil && !untrusted && last.Sequence == 0 { // the two are made together
		return &Finding{What: whatSealing, How: dropped}, nil
	}
	return v.tail(ctx, start, last, expected)
}

// tail compares the end of the chain with what the sealing record says of it.
func (v *verifier) tail(ctx context.Context, start *sealing, last digest, expected bool) (*Finding, error) {
	if start != nil && start.Sequence > last.Sequence {
		return foundNumbered(whatDigest, dropped, last.Sequence+1, v.complete), nil
	}
	if start == nil || start.Sequence < last.Sequence {
		now, err := v.sealing(ctx)
		if err != nil && !errors.Is(err, errSealing) {
			return nil, err
		}
		switch {
		case now == nil && last.Sequence > 0, now == nil && start != nil:
			return &Finding{What: whatSealing, How: dropped, At: v.complete}, nil
		case now != nil && now.Sequence < last.Sequence:
			return &Finding{What: whatSealing, How: changed, At: v.complete}, nil
		}
	}
	if start != nil && (!start.To.Equal(last.To) || !start.From.Equal(last.From) || start.More != last.More) && start.Sequence == last.Sequence {
		return &Finding{What: whatSealing, How: changed, At: v.complete}, nil
	}
	if !expected {
		return &Finding{What: whatExpected, How: dropped, At: v.complete}, nil
	}
	return nil, nil
}

// errSealing says that the sealing record cannot be read.
var errSealing = errors.New("audit: the sealing record was changed")

// sealing reads the account's sealing record, nil when there is none; errSealing says that it is none.
func (v *verifier) sealing(ctx context.Context) (*sealing, error) {
	i, err := v.Store.Get(ctx, keys.AuditSealing(v.q.Account))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := sealingKind.Decode(i)
	switch {
	case errors.Is(err, store.ErrNewerSchema):
		return nil, err
	case err != nil || !bytes.Equal(i.Body, body(d.Value)):
		return nil, errSealing
	}
	return &d.Value, nil
}

// link verifies one digest behind another.
func (v *verifier) link(i store.Item, last digest, lastHash hash, key ed25519.PublicKey) (*Finding, digest, error) {
	n := last.Sequence + 1
	want := keys.AuditDigest(v.q.Account, n)
	if i.SK != want.SK {
		if i.SK < want.SK {
			return foundNumbered(whatDigest, inserted, n, v.complete), digest{}, nil
		}
		return foundNumbered(whatDigest, dropped, n, v.complete), digest{}, nil
	}
	doc, err := digestKind.Decode(i)
	if errors.Is(err, store.ErrNewerSchema) {
		return nil, digest{}, err
	}
	d := doc.Value
	good := err == nil && bytes.Equal(i.Body, body(d)) && d.Account == v.q.Account && d.signedBy(key)
	if good && d.Sequence != n {
		return foundNumbered(whatDigest, reordered, n, v.complete), digest{}, nil
	}
	follows := d.From.Equal(last.To) && last.More == "" || last.More != "" && d.From.Equal(last.From) && d.To.Equal(last.To)
	if !good || d.Previous != lastHash || !follows {
		return foundNumbered(whatDigest, changed, n, v.complete), digest{}, nil
	}
	return nil, d, nil
}

// accept remembers what a good digest says.
func (v *verifier) accept(d digest) {
	v.out.Digests++
	for _, o := range d.Organizations {
		v.pins[o.Organization] = pin{digest: d.Sequence, seal: o.Seal, to: d.To}
	}
	if d.More == "" {
		v.complete = d.To
	}
}
