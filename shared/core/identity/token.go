package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Token is the record of a token. The text itself is shown once and never stored. A token belongs to a user, to an organization, or to
// a team of an organization.
type Token struct {
	ID          string    `json:"id"`
	Hash        string    `json:"hash"`           // SHA-256 of the text, hex
	User        string    `json:"user,omitempty"` // id of the owner, of a personal token
	Name        string    `json:"name"`           // unique in its owner, for organizations and teams
	Description string    `json:"description,omitempty"`
	Reason      string    `json:"reason,omitempty"`    // why it was made, in its maker's words
	CreatedBy   string    `json:"createdBy,omitempty"` // login
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"` // zero: never
	Used        time.Time `json:"used,omitzero"`    // last use, to the hour; zero: never

	Organization string          `json:"organization,omitempty"` // id of the owner, or of the team that owns it
	Team         string          `json:"team,omitempty"`         // id of the owner
	Role         permission.Role `json:"role,omitempty"`         // in the organization; of a team's token that of a member
	CustomRole   string          `json:"customRole,omitempty"`   // id of a custom role that stands for Role
}

// The address holds the token as requests read it; the row is the same token in its owner's list, without which nobody could show or
// revoke it.
var (
	tokenKind    = store.NewKind[Token]("token", 1)
	tokenRowKind = store.NewKind[Token]("token-row", 1)
	claimKind    = store.NewKind[name]("token-name", 1)
)

// Owner says whose tokens are meant: a user's, an organization's, or with both a team's of that organization.
type Owner struct{ User, Organization, Team string }

// Owner is who the token belongs to.
func (t Token) Owner() Owner {
	return Owner{User: t.User, Organization: t.Organization, Team: t.Team}
}

func (o Owner) partition() string {
	if o.User != "" {
		return keys.UserTokens(o.User)
	}
	return keys.OrganizationTokens(o.Organization, o.Team)
}

func (o Owner) row(token string) store.Key { return store.Key{PK: o.partition(), SK: token} }

// claim is the item that keeps a name from being given twice; a user's tokens have none.
func (t Token) claim() (store.Key, bool) {
	return keys.OrganizationTokenName(t.Organization, t.Team, t.Name), t.User == ""
}

// NewTokenText makes the text of a token in the form that the vendors' clients expect: "pul-" and 40 hex digits.
func NewTokenText(p ports.Ports) string { return "pul-" + hex.EncodeToString(p.Random(20)) }

// HashToken is the address under which a token is found.
func HashToken(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// CreateToken returns the changes that make a token with this text good. The name of an organization's or a team's must be free.
func CreateToken(t Token, text string) []store.Change {
	t.Hash = HashToken(text)
	changes := []store.Change{
		tokenKind.Create(keys.Token(t.Hash), t),
		tokenRowKind.Create(t.Owner().row(t.ID), t),
	}
	if at, named := t.claim(); named {
		changes = append(changes, claimKind.Create(at, name{ID: t.ID}))
	}
	return changes
}

// FindToken returns a token by its owner and id, or fault.NotFound.
func FindToken(ctx context.Context, p ports.Ports, owner Owner, id string) (store.Doc[Token], error) {
	missing := fault.Missing("access token %q not found", id)
	if !validID(id) {
		return store.Doc[Token]{}, missing
	}
	row, err := tokenRowKind.Get(ctx, p.Store, owner.row(id))
	if errors.Is(err, store.ErrNotFound) {
		return row, missing
	}
	return row, err
}

// validID keeps what could not be an id out of keys.
func validID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != '-' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// Revoke returns the changes that end a token's use from the next request on.
func Revoke(ctx context.Context, p ports.Ports, row store.Doc[Token]) ([]store.Change, error) {
	changes := []store.Change{row.Delete()}
	if at, named := row.Value.claim(); named {
		changes = append(changes, store.Delete(at, 1)) // a claim never changes
	}
	address, err := tokenKind.Get(ctx, p.Store, keys.Token(row.Value.Hash))
	if errors.Is(err, store.ErrNotFound) {
		return changes, nil
	}
	return append(changes, address.Delete()), err
}

// RevokeToken ends the use of a user's token from the next request on. Revoking one that is gone is no error.
func RevokeToken(ctx context.Context, p ports.Ports, user, id string) error {
	err := DeleteToken(ctx, p, user, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// Authenticate returns the token and the user of a token text, or fault.Unauthenticated; an absent, a revoked and an expired
// token read the same. A token that an organization or a team owns has no user.
func Authenticate(ctx context.Context, p ports.Ports, text string) (Token, User, error) {
	bad := fault.New(fault.Unauthenticated, "the access token is missing, expired or revoked: log in again with a good one")
	if text == "" {
		return Token{}, User{}, bad
	}
	t, err := tokenKind.Get(ctx, p.Store, keys.Token(HashToken(text)))
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, User{}, bad
	}
	if err != nil {
		return Token{}, User{}, err
	}
	if t.Value.Expired(p.Now()) {
		return Token{}, User{}, bad
	}
	if t.Value.User == "" {
		return t.Value, User{}, nil
	}
	u, err := UserOf(ctx, p, t.Value.User)
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, User{}, bad
	}
	return t.Value, u.Value, err
}

// Expired reports whether the token's life is over.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }
