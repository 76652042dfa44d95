package identity

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

// Limits of tokens.
const (
	maxTokenName        = 40  // characters
	maxTokenDescription = 256 // characters
	maxTokenYears       = 2
)

// CheckTokenName returns the fault of a name that no token of an organization or a team may have, or nil.
func CheckTokenName(called string) error {
	if n := utf8.RuneCountInString(called); n < 1 || n > maxTokenName || strings.TrimSpace(called) != called || strings.ContainsFunc(called, unicode.IsControl) {
		return fault.Wrong("body.name", "a token's name must be 1 to %d characters without blanks around them", maxTokenName)
	}
	return nil
}

// CheckTokenDescription returns the fault of a description that no token may have, or nil.
func CheckTokenDescription(text string) error {
	if utf8.RuneCountInString(text) > maxTokenDescription {
		return fault.Wrong("body.description", "a token's description has at most %d characters", maxTokenDescription)
	}
	return nil
}

// ExpiryOf reads Unix seconds as the end of a new token's life: 0 is never, anything else lies at most two years ahead.
func ExpiryOf(now time.Time, seconds int64) (time.Time, error) {
	if seconds == 0 {
		return time.Time{}, nil
	}
	at := time.Unix(seconds, 0).UTC()
	if !at.After(now) || at.After(now.AddDate(maxTokenYears, 0, 0)) {
		return time.Time{}, fault.Wrong("body.expires", "expires must be 0 for never, or Unix seconds of a time in the future, at most %d years ahead", maxTokenYears)
	}
	return at, nil
}

// IssueToken makes a personal token for the caller and returns its id and its text, which is shown nowhere else.
func IssueToken(ctx context.Context, p ports.Ports, by permission.Principal, description, reason string, expires int64) (id, text string, err error) {
	if err := CheckTokenDescription(description); err != nil {
		return "", "", err
	}
	if utf8.RuneCountInString(reason) > maxTokenDescription {
		return "", "", fault.Wrong("query.reason", "a reason has at most %d characters", maxTokenDescription)
	}
	t := Token{ID: p.NewID(), User: by.ID, Reason: reason, Name: description, Description: description, CreatedBy: by.Login, Created: p.Now()}
	if t.Expires, err = ExpiryOf(t.Created, expires); err != nil {
		return "", "", err
	}
	text = NewTokenText(p)
	return t.ID, text, p.Store.Write(ctx, CreateToken(t, text)...)
}

// DeleteToken ends the use of a user's token from the next request on; an unknown one is fault.NotFound.
func DeleteToken(ctx context.Context, p ports.Ports, user, id string) error {
	var err error
	for range attempts {
		row, findErr := FindToken(ctx, p, Owner{User: user}, id)
		if findErr != nil {
			return findErr
		}
		changes, revokeErr := Revoke(ctx, p, row)
		if revokeErr != nil {
			return revokeErr
		}
		if err = p.Store.Write(ctx, changes...); store.AsConflict(err) == nil {
			return err
		}
	}
	return err
}

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 5

// Life narrows a list of tokens by whether they are still good.
type Life string

// The lives. An empty one is AnyLife.
const (
	ActiveOnly  Life = "active"
	ExpiredOnly Life = "expired"
	AnyLife     Life = "all"
)

func (l Life) holds(t Token, now time.Time) bool {
	switch l {
	case ActiveOnly:
		return !t.Expired(now)
	case ExpiredOnly:
		return t.Expired(now)
	}
	return true
}

// Tokens lists up to limit tokens of an owner, oldest first, with the continuation token of the next page or "". Expired tokens stay in
// the list until they are deleted.
func Tokens(ctx context.Context, p ports.Ports, by permission.Principal, owner Owner, life Life, limit int, token string) ([]Token, string, error) {
	switch life {
	case "", ActiveOnly, ExpiredOnly, AnyLife:
	default:
		return nil, "", fault.Wrong("query.filter", "filter must be active, expired or all")
	}
	binding := fmt.Sprintf("tokens\x00%s\x00%s\x00%s", by.Holder(), owner.partition(), life)
	q := store.Query{PK: owner.partition()}
	if token != "" {
		if err := p.Cursors.Open(binding, token, "query.continuationToken", &q.After); err != nil {
			return nil, "", err
		}
	}
	var out []Token
	for {
		q.Limit = limit - len(out) + 1
		docs, page, err := tokenRowKind.Page(ctx, p.Store, q)
		if err != nil {
			return nil, "", err
		}
		for _, d := range docs {
			if len(out) == limit {
				return out, p.Cursors.Make(binding, q.After), nil
			}
			q.After = d.SK
			if life.holds(d.Value, p.Now()) {
				out = append(out, d.Value)
			}
		}
		if !page.More {
			return out, "", nil
		}
		if len(docs) == 0 {
			q.After = page.Next
		}
	}
}

// TokensByID returns the tokens of an owner by their ids; absent ones are left out.
func TokensByID(ctx context.Context, p ports.Ports, owner Owner, ids []string) ([]Token, error) {
	wanted := make([]store.Key, len(ids))
	for i, id := range ids {
		wanted[i] = owner.row(id)
	}
	items, err := p.Store.BatchGet(ctx, wanted)
	if err != nil {
		return nil, err
	}
	var out []Token
	for _, i := range items {
		d, err := tokenRowKind.Decode(i)
		if err != nil {
			return nil, err
		}
		if d.Exists() {
			out = append(out, d.Value)
		}
	}
	return out, nil
}
