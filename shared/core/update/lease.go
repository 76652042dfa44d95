package update

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/identity"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/keyring"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// How long leases live. The client asks for MaxLease and renews at half of it.
const (
	MaxLease = 300 * time.Second

	// Grace is how long after its expiry nobody takes a lease and its holder may still write: the clocks of two processes may
	// differ by two minutes.
	Grace = 180 * time.Second

	// settleAfter is when the sweeper takes over a finish that was begun and did not end.
	settleAfter = time.Minute

	// keepClosed is how long a closed lease is kept for late events and repeated calls.
	keepClosed = time.Hour
)

// State is where a lease stands.
type State string

// The states of a lease.
const (
	Live    State = "live"
	Closing State = "closing" // complete was asked: nothing more is acknowledged, the finish is under way
	Revoked State = "revoked" // cancelled or expired: the token is void, the finish is under way or done
	Done    State = "done"    // completed; late events are still taken
)

// Lease lets one client write to one started update. It carries what the writes need, so that they read nothing else.
type Lease struct {
	Stack        string    `json:"stack"`        // id
	Update       string    `json:"update"`       // id
	Organization string    `json:"organization"` // id
	Path         [3]string `json:"path"`         // names of organization, project and stack when it started
	By           By        `json:"by"`
	DryRun       bool      `json:"dryRun,omitempty"`
	Journal      bool      `json:"journal,omitempty"`
	Base         int64     `json:"base,omitempty"` // version of the checkpoint it started from

	Client string `json:"client,omitempty"` // the client's version, for the manifest of a replayed checkpoint

	Hash    string    `json:"hash"` // of the token's secret part
	State   State     `json:"state"`
	Expires time.Time `json:"expires"`
	Key     []byte    `json:"key"` // the stack's wrapped data key

	Outcome Status `json:"outcome,omitempty"` // what a closing or revoked lease ends as
	Note    string `json:"note,omitempty"`    // why, for people
	Settled bool   `json:"settled,omitempty"` // the finish was done

	Unreplayed bool `json:"unreplayed,omitempty"` // the journal made no checkpoint and is kept

	FoldedAt int64 `json:"foldedAt,omitempty"` // highest journal entry when the journal was last folded
}

// Holds reports whether the holder may still write at a time.
func (l Lease) Holds(now time.Time) bool {
	return l.State == Live && now.Before(l.Expires.Add(Grace))
}

// key opens the stack's data key that the lease carries.
func (l Lease) key(ctx context.Context, p ports.Ports) (*keyring.DataKey, error) {
	return p.Keyring.Unwrap(ctx, l.Key, l.scope())
}

func (l Lease) scope() string { return string(keys.Stack(l.Stack)) }

// tokenPrefix begins every update token; the ids of the stack and the update follow, so that the token leads to its lease.
const tokenPrefix = "upt"

func newTokenText(p ports.Ports, stackID, id string) (text, hash string) {
	secret := hex.EncodeToString(p.Random(20))
	return strings.Join([]string{tokenPrefix, stackID, id, secret}, "."), identity.HashToken(secret)
}

// lost is what a holder hears whose lease is void: the class that makes clients stop.
func lost(note string) error {
	if note == "" {
		note = "it expired or was replaced"
	}
	return fault.New(fault.Forbidden, "the update's lease is no longer valid: %s", note).WithReason("lease-lost")
}

// Authenticate returns the lease of an update token. A malformed or unknown token is fault.Forbidden, the class that makes a client
// stop; whether the lease still holds is for each operation to say.
func Authenticate(ctx context.Context, p ports.Ports, text string) (store.Doc[Lease], error) {
	parts := strings.Split(text, ".")
	if len(parts) != 4 || parts[0] != tokenPrefix || !validID(parts[1]) || !validID(parts[2]) {
		return store.Doc[Lease]{}, lost("this is not an update token")
	}
	d, err := leaseKind.Get(ctx, p.Store, keys.Lease(parts[1], parts[2]))
	if errors.Is(err, store.ErrNotFound) {
		return d, lost("")
	}
	if err != nil {
		return d, err
	}
	if subtle.ConstantTimeCompare([]byte(identity.HashToken(parts[3])), []byte(d.Value.Hash)) != 1 {
		return store.Doc[Lease]{}, lost("")
	}
	return d, nil
}

// Renew extends a live lease to duration from now and returns the new expiry. The token stays the same: calls made with it are in
// flight. duration is 0 to MaxLease.
func Renew(ctx context.Context, p ports.Ports, l store.Doc[Lease], duration time.Duration) (time.Time, error) {
	if duration < 0 || duration > MaxLease {
		return time.Time{}, fault.Wrong("duration", "duration must be 0 to %d seconds", int(MaxLease.Seconds()))
	}
	for {
		if !l.Value.Holds(p.Now()) {
			return time.Time{}, lost(l.Value.Note)
		}
		l.Value.Expires = p.Now().Add(duration)
		l.Due = l.Value.Expires.Add(Grace)
		switch err := p.Store.Write(ctx, leaseKind.Replace(l)); {
		case err == nil:
			return l.Value.Expires, nil
		case store.AsConflict(err) == nil:
			return time.Time{}, err
		}
		var err error
		if l, err = afresh(ctx, p, l); err != nil {
			return time.Time{}, err
		}
	}
}

// whileHeld writes changes together with the statement that the lease is what it was, reading the lease again and repeating when it
// was renewed or folded meanwhile. over decides, from the lease as last read, whether writing is still allowed.
func whileHeld(ctx context.Context, p ports.Ports, l store.Doc[Lease], over func(Lease) error, changes ...store.Change) (store.Doc[Lease], error) {
	for {
		if err := over(l.Value); err != nil {
			return l, err
		}
		err := p.Store.Write(ctx, append([]store.Change{l.Check()}, changes...)...)
		conflict := store.AsConflict(err)
		if conflict == nil || !conflict.On(l.Key) {
			return l, err
		}
		if l, err = afresh(ctx, p, l); err != nil {
			return l, err
		}
	}
}

// afresh reads a lease again as it is now; one that went with its stack is lost.
func afresh(ctx context.Context, p ports.Ports, l store.Doc[Lease]) (store.Doc[Lease], error) {
	d, err := leaseKind.Get(store.Remember(ctx), p.Store, l.Key)
	if errors.Is(err, store.ErrNotFound) {
		err = lost("the stack was deleted")
	}
	return d, err
}

// writable says why a lease does not allow saving state, or nil.
func writable(now time.Time) func(Lease) error {
	return func(l Lease) error {
		switch {
		case l.DryRun:
			return fault.New(fault.Forbidden, "a preview cannot save state")
		case l.State == Closing || l.State == Done:
			return fault.New(fault.Conflict, "the update is no longer running: it is being completed as %s", l.Outcome)
		case !l.Holds(now):
			return lost(l.Note)
		}
		return nil
	}
}
