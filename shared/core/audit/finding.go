package audit

import (
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/store/keys"
)

// Finding is the first thing of an account's audit that is not as it was sealed.
type Finding struct {
	Account      string    `json:"account"`
	Organization string    `json:"organization,omitempty"` // id; empty for what belongs to the account
	What         string    `json:"what"`                   // "entry", "digest", "seal", "leaves", "sealing record", "signing key"
	How          string    `json:"how"`                    // "changed", "dropped", "inserted", "reordered", "unknown"
	At           time.Time `json:"at,omitzero"`            // of an entry; of anything else, from when on it covers entries
	ID           string    `json:"id,omitempty"`           // of an entry; of anything else, the number of the digest
	Fresh        bool      `json:"fresh,omitempty"`        // an inserted entry that may yet turn out to have landed late, see Verify
}

func (f Finding) Error() string { return f.sentence(f.Organization) }

// Sentence tells the finding to a person; called is the organization's name.
func (f Finding) Sentence(called string) string { return f.sentence(called) }

func (f Finding) sentence(organization string) string {
	where := "account " + f.Account
	if organization != "" {
		where = "organization " + organization
	}
	from := "the beginning"
	if !f.At.IsZero() {
		from = f.At.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	switch f.What {
	case whatEntry:
		text := fmt.Sprintf("the audit of %s was tampered with: the entry %s of %s was %s", where, f.ID, from, f.How)
		if f.Fresh {
			text += " after its hour was sealed. If it merely landed late, the next digest covers it and this report goes away"
		}
		return text
	case whatSigner, whatSealing:
		return fmt.Sprintf("the audit of %s was tampered with: its %s was %s", where, f.What, f.How)
	case whatExpected:
		return fmt.Sprintf("the audit of account %s was cut short: no digest with the expected hash is in its chain", f.Account)
	}
	return fmt.Sprintf("the audit of %s was tampered with: the %s number %s, which covers entries from %s on, was %s", where, f.What, f.ID, from, f.How)
}

// ExpectedDigest is what a finding is about when nothing that is there was tampered with, but the digest that was asked for is not.
const ExpectedDigest = "expected digest"

const (
	whatEntry    = "entry"
	whatDigest   = "digest"
	whatSeal     = "seal"
	whatLeaves   = "leaves"
	whatSealing  = "sealing record"
	whatSigner   = "signing key"
	whatExpected = ExpectedDigest

	changed   = "changed"
	dropped   = "dropped"
	inserted  = "inserted"
	reordered = "reordered"
)

// foundEntry is a finding about the entry of a sort key.
func foundEntry(organization, how, sk string) *Finding {
	at, id := keys.AuditEntryOf(sk)
	return &Finding{Organization: organization, What: whatEntry, How: how, At: at, ID: id}
}

func foundNumbered(what, how string, n int64, from time.Time) *Finding {
	return &Finding{What: what, How: how, At: from, ID: fmt.Sprint(n)}
}

// earlier returns the finding that is first in time; either may be nil. Of two at the same time it is the one that was found first.
func earlier(a, b *Finding) *Finding {
	if a == nil || b != nil && b.At.Before(a.At) {
		return b
	}
	return a
}

// mayBeLate reports whether the finding is an entry that a digest from a time on may cover because it landed late.
func (f *Finding) mayBeLate(from time.Time) bool {
	return f != nil && f.What == whatEntry && f.How == inserted && !f.At.Before(from.Add(-lateWindow))
}
