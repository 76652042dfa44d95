// Package account is the root of a tree of organizations: the unit of limits, backup and deletion.
package account

import (
	"context"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Account is the root of a tree of organizations.
type Account struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// Membership says that an organization belongs to an account. Until the work that goes by account (sealing the audit) has taken notice
// of it, it is due.
type Membership struct {
	Account      string `json:"account"`      // id
	Organization string `json:"organization"` // id
}

var (
	kind           = store.NewKind[Account]("account", 1)
	membershipKind = store.NewKind[Membership]("account-organization", 1)
)

// Create is the change that makes an account.
func Create(a Account) store.Change { return kind.Create(keys.AccountHead(a.ID), a) }

// Own is the change that lists an organization below its account. It belongs into the write that makes the organization.
func Own(account, organization string, at time.Time) store.Change {
	m := Membership{Account: account, Organization: organization}
	return membershipKind.Create(keys.AccountOrganization(account, organization), m, store.DueAt(at))
}

// Reindex lists an organization below its account if it is not, which is so of those made before there was a list.
func Reindex(ctx context.Context, p ports.Ports, account, organization string) error {
	_, err := p.Store.Get(ctx, keys.AccountOrganization(account, organization))
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = p.Store.Write(ctx, Own(account, organization, p.Now()))
	if store.AsConflict(err) != nil {
		return nil // another process listed it meanwhile
	}
	return err
}

// Organizations returns ids of the next organizations of an account behind an id ("" for the first), in order of id, and where to
// continue ("" when there are no more).
func Organizations(ctx context.Context, p ports.Ports, account, behind string, limit int) (ids []string, next string, err error) {
	docs, page, err := membershipKind.Page(ctx, p.Store, store.Query{PK: keys.AccountOrganizations(account), After: behind, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	for _, d := range docs {
		ids = append(ids, d.Value.Organization)
	}
	if page.More {
		next = page.Next
	}
	return ids, next, nil
}

// Unnoticed returns memberships that nobody has taken notice of, at most limit.
func Unnoticed(ctx context.Context, p ports.Ports, limit int) ([]store.Doc[Membership], error) {
	found, err := p.Store.Due(ctx, store.DueQuery{Kind: membershipKind.Name(), Before: p.Now().Add(time.Millisecond), Limit: limit})
	if err != nil {
		return nil, err
	}
	var out []store.Doc[Membership]
	for _, k := range found {
		d, err := membershipKind.Get(ctx, p.Store, k)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case !d.Due.IsZero():
			out = append(out, d)
		}
	}
	return out, nil
}

// Noticed is the change that takes notice of a membership.
func Noticed(d store.Doc[Membership]) store.Change {
	d.Due = time.Time{}
	return membershipKind.Replace(d)
}
