package standalone

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/installation"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/store"
)

// sealEvery is how often the process looks whether an hour of somebody's audit can be sealed.
const sealEvery = 5 * time.Minute

// maxAccounts bounds how many accounts one command verifies.
const maxAccounts = 100_000

// auditOrder asks for a verification.
type auditOrder struct {
	Organization string `json:"organization,omitempty"` // name; empty for all
	Expect       string `json:"expect,omitempty"`       // hash of a digest
}

// auditReport is what verifying found out, an account at a time.
type auditReport struct {
	Verified []audit.Verification `json:"verified"`
	Names    map[string]string    `json:"names,omitempty"` // of the organizations that are found fault with, by id
	Keys     map[string][]byte    `json:"keys,omitempty"`  // Ed25519 public keys, by account id
}

// verifyAudit verifies the audit of an organization, or of every account.
func (d *data) verifyAudit(ctx context.Context, o auditOrder) (*auditReport, error) {
	questions, err := d.auditQuestions(ctx, o.Organization)
	if err != nil {
		return nil, err
	}
	out := &auditReport{Names: map[string]string{}, Keys: map[string][]byte{}}
	expected := o.Expect == ""
	for _, q := range questions {
		q.Expect = o.Expect
		v, err := audit.Verify(ctx, d.ports, q)
		if err != nil {
			return nil, err
		}
		if v.Finding != nil && v.Finding.What == audit.ExpectedDigest && len(questions) > 1 {
			v.Finding = nil // it may be of another account
		} else if v.Finding == nil {
			expected = true
		}
		if f := v.Finding; f != nil && f.Organization != "" {
			if org, err := organization.Of(ctx, d.ports, f.Organization); err == nil {
				out.Names[f.Organization] = org.Name
			}
		}
		if key, err := audit.PublicKey(ctx, d.ports, q.Account); err == nil {
			out.Keys[q.Account] = key
		}
		out.Verified = append(out.Verified, v)
	}
	if !expected && len(questions) > 1 {
		return out, errors.New("the audit was cut short: no digest with the expected hash is in any chain")
	}
	return out, nil
}

func (d *data) auditQuestions(ctx context.Context, name string) ([]audit.Question, error) {
	if name != "" {
		o, err := organization.Find(ctx, d.ports, name)
		if fault.Is(err, fault.NotFound) {
			return nil, fmt.Errorf("there is no organization %q", name)
		}
		return []audit.Question{{Account: o.Account, Organization: o.ID}}, err
	}
	accounts, err := audit.Accounts(ctx, d.ports, maxAccounts)
	if err != nil {
		return nil, err
	}
	first, err := installation.Account(ctx, d.ports) // whatever was done to the record that it is sealed
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil && !slices.Contains(accounts, first) {
		accounts = append(accounts, first)
	}
	out := make([]audit.Question, len(accounts))
	for i, id := range accounts {
		out[i].Account = id
	}
	return out, nil
}

// auditFlags adds the flags of the audit command.
func auditFlags(f *flag.FlagSet, o *auditOrder) {
	f.StringVar(&o.Organization, "org", "", "name of one organization; all are verified without it")
	f.StringVar(&o.Expect, "expect", "", "hash of a digest that an earlier verification told: fails when it is in the chain no more")
}

// errTampered makes the exit status 1; what was found has been told.
var errTampered = errors.New("the audit is not what it was sealed as")

// verifyAudit is the command `polyplane audit verify`.
func verifyAudit(ctx context.Context, s Settings, out io.Writer) error {
	r, err := command(ctx, s, order{Audit: &s.audit})
	if err != nil {
		return err
	}
	return r.Audit.print(out)
}

func (r *auditReport) print(w io.Writer) error {
	tampered := false
	for _, v := range r.Verified {
		fmt.Fprintf(w, "account %s\n", v.Account)
		if f := v.Finding; f != nil {
			tampered = true
			called := r.Names[f.Organization]
			if called == "" {
				called = f.Organization
			}
			fmt.Fprintf(w, "  TAMPERED     %s\n", f.Sentence(called))
		}
		fmt.Fprintf(w, "  verified     %d entries under %d digests", v.Entries, v.Digests)
		if v.Late > 0 {
			fmt.Fprintf(w, ", %d of them landed late", v.Late)
		}
		fmt.Fprintln(w)
		since := "the beginning"
		if !v.Sealed.IsZero() {
			since = v.Sealed.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "  not sealed   %d entries from %s on\n", v.Unsealed, since)
		if v.Newest != "" {
			fmt.Fprintf(w, "  newest       %s   keep it elsewhere and give it to a later --expect\n", v.Newest)
		}
		if key := r.Keys[v.Account]; key != nil {
			fmt.Fprintf(w, "  signed with  ed25519:%x\n", key)
		}
	}
	switch {
	case tampered:
		return errTampered
	case !slices.ContainsFunc(r.Verified, func(v audit.Verification) bool { return v.Digests > 0 }):
		_, err := fmt.Fprintln(w, "Nothing is sealed yet: an hour is sealed 20 minutes after its end, while the program runs.")
		return err
	}
	return nil
}
