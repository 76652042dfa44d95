// Package installation is the first start: an account, an organization, an administrator and a token, made in one write, and what every
// process of an installation shares from then on.
package installation

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/list"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// record marks that the first start was completed.
type record struct {
	Account       string    `json:"account"`
	Organization  string    `json:"organization"`
	Administrator string    `json:"administrator"` // user id
	Key           []byte    `json:"key"`           // wrapped; signs continuation tokens
	Created       time.Time `json:"created"`
}

var kind = store.NewKind[record]("installation", 1)

// boundTo is the context of the installation's data key.
const boundTo = "installation"

// Draft is what the first start makes.
type Draft struct {
	Organization string // name
	Login        string // of the administrator
	Token        string // text of the administrator's token; empty for a fresh one. Good on every start
}

// Installed tells about an opened installation.
type Installed struct {
	First         bool // this was the first start
	Organization  organization.Organization
	Administrator identity.User
	Token         string // text; empty unless this was the first start or the draft gave it
	Cursors       list.Cursors
}

// minToken is the least length of a given token: 20 bytes as hex digits.
const minToken = 40

// Open completes the first start if none was, and returns the installation.
func Open(ctx context.Context, p ports.Ports, d Draft) (Installed, error) {
	if d.Token != "" && len(d.Token) < minToken {
		return Installed{}, fault.Wrong("token", "a fixed token needs at least %d characters, this one has %d", minToken, len(d.Token))
	}
	r, err := kind.Get(ctx, p.Store, keys.Installation())
	first := errors.Is(err, store.ErrNotFound)
	if first {
		r, d.Token, err = create(ctx, p, d)
	}
	if err != nil {
		return Installed{}, err
	}
	out := Installed{First: first, Token: d.Token}
	if out.Organization, err = organization.Of(ctx, p, r.Value.Organization); err != nil {
		return Installed{}, err
	}
	if !first {
		if err := account.Reindex(ctx, p, out.Organization.Account, out.Organization.ID); err != nil {
			return Installed{}, err
		}
	}
	admin, err := identity.UserOf(ctx, p, r.Value.Administrator)
	if err != nil {
		return Installed{}, fmt.Errorf("administrator: %w", err)
	}
	out.Administrator = admin.Value
	if !first && d.Token != "" {
		if err := ensureToken(ctx, p, admin.Value, d.Token); err != nil {
			return Installed{}, err
		}
	}
	key, err := p.Keyring.Unwrap(ctx, r.Value.Key, boundTo)
	if err != nil {
		return Installed{}, err
	}
	if out.Cursors.Key, err = hex.DecodeString(key.Address([]byte("continuation tokens"))); err != nil {
		return Installed{}, err
	}
	return out, nil
}

// Account returns the id of the account that the first start made, or the store's ErrNotFound when there was no first start.
func Account(ctx context.Context, p ports.Ports) (string, error) {
	r, err := kind.Get(ctx, p.Store, keys.Installation())
	return r.Value.Account, err
}

func create(ctx context.Context, p ports.Ports, d Draft) (store.Doc[record], string, error) {
	key, err := p.Keyring.NewDataKey(ctx, boundTo)
	if err != nil {
		return store.Doc[record]{}, "", err
	}
	now := p.Now()
	r := record{Account: p.NewID(), Organization: p.NewID(), Administrator: p.NewID(), Key: key.Wrapped(), Created: now}
	org, err := organization.Create(organization.Organization{
		ID: r.Organization, Account: r.Account, Name: d.Organization, DisplayName: d.Organization, StackRole: permission.StackWriter, Created: now,
	})
	if err != nil {
		return store.Doc[record]{}, "", err
	}
	user, err := identity.CreateUser(identity.User{ID: r.Administrator, Login: d.Login, Name: "Administrator", DefaultOrganization: r.Organization, Created: now})
	if err != nil {
		return store.Doc[record]{}, "", err
	}
	text := d.Token
	if text == "" {
		text = identity.NewTokenText(p)
	}
	changes := []store.Change{
		kind.Create(keys.Installation(), r),
		account.Create(account.Account{ID: r.Account, Name: d.Organization, Created: now}),
	}
	changes = append(changes, org...)
	changes = append(changes, user...)
	changes = append(changes, organization.AddMember(r.Organization, organization.Member{User: r.Administrator, Role: permission.OrganizationOwner, Created: now})...)
	changes = append(changes, identity.CreateToken(identity.Token{ID: p.NewID(), User: r.Administrator, Name: "first start", Created: now}, text)...)
	if err := p.Store.Write(ctx, changes...); err != nil {
		return store.Doc[record]{}, "", fmt.Errorf("first start: %w", err)
	}
	made, err := kind.Get(ctx, p.Store, keys.Installation())
	return made, text, err
}

// ensureToken makes a given token good if it is not.
func ensureToken(ctx context.Context, p ports.Ports, admin identity.User, text string) error {
	_, _, err := identity.Authenticate(ctx, p, text)
	if !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	t := identity.Token{ID: p.NewID(), User: admin.ID, Name: "given at start", Created: p.Now()}
	return p.Store.Write(ctx, identity.CreateToken(t, text)...)
}

// NewToken makes one more token for the administrator and returns its text.
func NewToken(ctx context.Context, p ports.Ports, called string) (string, error) {
	r, err := kind.Get(ctx, p.Store, keys.Installation())
	if err != nil {
		return "", err
	}
	text := identity.NewTokenText(p)
	t := identity.Token{ID: p.NewID(), User: r.Value.Administrator, Name: called, Created: p.Now()}
	return text, p.Store.Write(ctx, identity.CreateToken(t, text)...)
}
