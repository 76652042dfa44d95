package identity

import (
	"context"
	"errors"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// useEvery is how often at most a token's last use is written.
const useEvery = time.Hour

// UseDue reports whether a use of the token at this time is worth writing down.
func (t Token) UseDue(now time.Time) bool { return now.Sub(t.Used) >= useEvery }

// RecordUse writes down that a token was used. It belongs outside the request that used it; one that lost a race against another use, or
// against the token's revocation, is done.
func RecordUse(ctx context.Context, p ports.Ports, t Token) error {
	at, err := tokenKind.Get(ctx, p.Store, keys.Token(t.Hash))
	if errors.Is(err, store.ErrNotFound) || err == nil && !at.Value.UseDue(p.Now()) {
		return nil
	}
	if err != nil {
		return err
	}
	row, err := tokenRowKind.Get(ctx, p.Store, at.Value.Owner().row(at.Value.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at.Value.Used = p.Now()
	row.Value = at.Value
	err = p.Store.Write(ctx, tokenKind.Replace(at), tokenRowKind.Replace(row))
	if store.AsConflict(err) != nil {
		return nil
	}
	return err
}
