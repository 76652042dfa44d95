package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Token is the record of a personal token. The text itself is shown once and never stored.
type Token struct {
	ID      string    `json:"id"`
	Hash    string    `json:"hash"` // SHA-256 of the text, hex
	User    string    `json:"user"` // user id
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

var (
	tokenKind    = store.NewKind[Token]("token", 1)
	tokenRowKind = store.NewKind[tokenRow]("token-row", 1)
)

// tokenRow lets a user list and revoke tokens without their text.
type tokenRow struct {
	Hash    string    `json:"hash"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

// NewTokenText makes the text of a token in the form that the vendors' clients expect: "pul-" and 40 hex digits.
func NewTokenText(p ports.Ports) string { return "pul-" + hex.EncodeToString(p.Random(20)) }

// HashToken is the address under which a token is found.
func HashToken(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// CreateToken returns the changes that make a token with this text good.
func CreateToken(t Token, text string) []store.Change {
	t.Hash = HashToken(text)
	return []store.Change{
		tokenKind.Create(keys.Token(t.Hash), t),
		tokenRowKind.Create(keys.UserToken(t.User, t.ID), tokenRow{Hash: t.Hash, Name: t.Name, Created: t.Created, Expires: t.Expires}),
	}
}

// RevokeToken ends a token's use from the next request on. Revoking one that is gone is no error.
func RevokeToken(ctx context.Context, p ports.Ports, user, id string) error {
	row, err := tokenRowKind.Get(ctx, p.Store, keys.UserToken(user, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	changes := []store.Change{row.Delete()}
	t, err := tokenKind.Get(ctx, p.Store, keys.Token(row.Value.Hash))
	switch {
	case err == nil:
		changes = append(changes, t.Delete())
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return p.Store.Write(ctx, changes...)
}

// Authenticate returns the token and the user of a token text, or fault.Unauthenticated; an absent, a revoked and an expired
// token read the same.
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
	if !t.Value.Expires.IsZero() && !p.Now().Before(t.Value.Expires) {
		return Token{}, User{}, bad
	}
	u, err := UserOf(ctx, p, t.Value.User)
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, User{}, bad
	}
	return t.Value, u.Value, err
}
