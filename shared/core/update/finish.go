package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

const expired = "its lease expired"

// Complete ends a running update as its client says: succeeded or failed. What was acknowledged becomes the stack's checkpoint either
// way. Asking again for the same outcome is no error. An update whose journal has a gap ends as failed with everything before the
// gap, and its client hears that as fault.Invalid.
func Complete(ctx context.Context, p ports.Ports, l store.Doc[Lease], outcome Status) error {
	if outcome != Succeeded && outcome != Failed {
		return fault.Wrong("status", "status must be %q or %q", Succeeded, Failed)
	}
	l, err := end(ctx, p, l, Closing, outcome, "", func(l Lease) error {
		if !l.Holds(p.Now()) {
			return lost(expired)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if l.Value.State == Revoked {
		return lost(l.Value.Note)
	}
	if l.Value.Outcome != outcome && l.Value.Note == "" {
		return fault.New(fault.Conflict, "the update was already completed as %s", l.Value.Outcome)
	}
	l, err = finish(ctx, p, l)
	if err != nil {
		return err
	}
	if l.Value.Outcome != outcome {
		return fault.New(fault.Invalid, "the update ended as %s: %s", l.Value.Outcome, l.Value.Note)
	}
	return nil
}

// Cancel ends a running update at once: its token is void from now on, and what it had acknowledged is kept. by is who asks.
func Cancel(ctx context.Context, p ports.Ports, s stack.Stack, id, by string) error {
	if validID(id) {
		store.Prefetch(ctx, p.Store, keys.UpdateHead(s.ID, id), keys.Lease(s.ID, id))
	}
	u, err := Of(ctx, p, s.ID, id)
	if err != nil {
		return err
	}
	if u.Value.Status == NotStarted {
		return fault.New(fault.Conflict, "the update was not started, so there is nothing to cancel")
	}
	over := fault.New(fault.Conflict, "The update has already completed")
	if u.Value.Status.Ended() {
		return over
	}
	l, err := leaseKind.Get(ctx, p.Store, keys.Lease(s.ID, id))
	if err != nil {
		return err
	}
	l, err = end(ctx, p, l, Revoked, Cancelled, "it was cancelled by "+by, func(Lease) error { return nil })
	if err != nil {
		return err
	}
	if l, err = finish(ctx, p, l); err == nil && l.Value.Outcome != Cancelled {
		return over
	}
	return err
}

// end closes or revokes a live lease, so that nothing is acknowledged from then on, and remembers what it ends as. A lease that
// somebody else ended before is returned as it is. may is asked about the lease as it is just before it ends: its holder may have renewed
// it meanwhile. A closed lease is due again soon, so that a finish that dies is taken up.
func end(ctx context.Context, p ports.Ports, l store.Doc[Lease], state State, outcome Status, note string, may func(Lease) error) (store.Doc[Lease], error) {
	for {
		if l.Value.State != Live {
			return l, nil
		}
		if err := may(l.Value); err != nil {
			return l, err
		}
		next := l
		next.Value.State, next.Value.Outcome, next.Value.Note = state, outcome, note
		next.Due = p.Now().Add(settleAfter)
		switch err := p.Store.Write(ctx, leaseKind.Replace(next)); {
		case err == nil:
			next.Version++
			return next, nil
		case store.AsConflict(err) == nil:
			return l, err
		}
		var err error
		if l, err = afresh(ctx, p, l); err != nil {
			return l, err
		}
	}
}

var errRenewed = errors.New("the lease was renewed meanwhile")

// settle ends a lease that ran out, or takes up a finish that was begun. One that is renewed at the last moment stays.
func settle(ctx context.Context, p ports.Ports, l store.Doc[Lease]) error {
	l, err := end(ctx, p, l, Revoked, Failed, expired, func(l Lease) error {
		if l.Holds(p.Now()) {
			return errRenewed
		}
		return nil
	})
	switch {
	case errors.Is(err, errRenewed):
		return nil
	case err != nil:
		return err
	}
	_, err = finish(ctx, p, l)
	return err
}

// finish makes what an ended lease had acknowledged the stack's checkpoint and frees the stack, in one write. It may be repeated, and
// two of them may run at once: the write of one fails and finds the other's work done. A client that hangs up does not stop it.
func finish(ctx context.Context, p ports.Ports, l store.Doc[Lease]) (store.Doc[Lease], error) {
	ctx = context.WithoutCancel(ctx)
	var err error
	for range attempts {
		if l.Value.Settled {
			return l, nil
		}
		var done store.Doc[Lease]
		if done, err = finishOnce(ctx, p, l); err == nil {
			return done, nil
		}
		if store.AsConflict(err) == nil && !errors.Is(err, errNotHeld) {
			return l, fmt.Errorf("finishing update %s: %w", l.Value.Update, err)
		}
		again, readErr := afresh(ctx, p, l)
		if readErr != nil {
			return l, readErr
		}
		l = again
	}
	return l, err
}

// errNotHeld says that the stack is not the update's any more: another one finished it since its lease was read.
var errNotHeld = errors.New("the stack is not held by this update")

func finishOnce(ctx context.Context, p ports.Ports, l store.Doc[Lease]) (store.Doc[Lease], error) {
	if !l.Value.DryRun {
		store.Prefetch(ctx, p.Store,
			keys.UpdateHead(l.Value.Stack, l.Value.Update), keys.StackHead(l.Value.Stack), keys.OrganizationHead(l.Value.Organization),
			keys.Fold(l.Value.Stack, l.Value.Update), keys.Saved(l.Value.Stack, l.Value.Update), keys.Checkpoint(l.Value.Stack, l.Value.Base))
	}
	u, err := headKind.Get(ctx, p.Store, keys.UpdateHead(l.Value.Stack, l.Value.Update))
	if err != nil {
		return l, err
	}
	counted, err := summaryKind.Get(ctx, p.Store, keys.Summary(l.Value.Stack, l.Value.Update))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return l, err
	}
	now := p.Now()
	u.Value.Changes = counted.Value
	var changes []store.Change
	if l.Value.DryRun {
		if changes, err = previewed(ctx, p, l.Value, u.Value); err != nil {
			return l, err
		}
	} else {
		left, err := leave(ctx, p, &l.Value, u.Value.Version)
		if err != nil {
			return l, err
		}
		more, err := free(ctx, p, l.Value, &u.Value, left, now)
		if err != nil {
			return l, err
		}
		changes = more
	}
	u.Value.Status, u.Value.Ended, u.Value.Note = l.Value.Outcome, now, l.Value.Note
	if l.Value.State == Closing {
		l.Value.State = Done
	}
	l.Value.Settled = true
	l.Due = time.Time{}
	if !l.Value.Unreplayed {
		l.Expires = maxTime(l.Value.Expires.Add(Grace), now).Add(keepClosed)
	}
	changes = append(changes, headKind.Replace(u), leaseKind.Replace(l))
	if err := p.Store.Write(ctx, changes...); err != nil {
		return l, err
	}
	l.Version++
	return l, nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// free gives the stack back with the checkpoint that the update left; a nil one leaves the stack's as it was.
func free(ctx context.Context, p ports.Ports, l Lease, u *Head, left *stack.Manifest, now time.Time) ([]store.Change, error) {
	s, err := stack.Of(ctx, p, l.Stack)
	if err != nil {
		return nil, err
	}
	if s.Value.Lock == nil || s.Value.Lock.Update != l.Update {
		return nil, fmt.Errorf("stack %s, update %s: %w", l.Stack, l.Update, errNotHeld)
	}
	s.Value.Lock, s.Value.UpdatedAt = nil, now
	var changes []store.Change
	if left != nil {
		s.Value.Checkpoint = &stack.Checkpoint{Version: u.Version, Resources: left.Resources}
		changes = append(changes, stack.KeepCheckpoint(l.Stack, u.Version, *left))
	}
	if s.Value.Checkpoint != nil {
		u.Resources = s.Value.Checkpoint.Resources
	}
	row, err := stack.Row(ctx, p, s.Value)
	if err != nil {
		return nil, err
	}
	o, err := organization.Of(ctx, p, l.Organization)
	if err != nil {
		return nil, err
	}
	slug, verb := "stack-update-completed", "completed"
	if l.Outcome == Cancelled {
		slug, verb = "stack-update-canceled", "cancelled"
	}
	return append(changes, stack.Replace(s), row,
		audit.Record(ctx, p, l.Organization, slug, "%s %s %d of stack %s: %s", verb, u.Kind, u.Version, s.Value.Path(o.Name), l.Outcome),
		event.New(p, l.Organization, "update.finished", finished(o, s.Value, *u, l.Outcome))), nil
}

// leave makes the checkpoint of what an update saved, or nil when it saved nothing. A journal that cannot be replayed to its end turns
// the outcome into failed and says why in the lease's note; what comes before is kept.
func leave(ctx context.Context, p ports.Ports, l *Lease, version int64) (*stack.Manifest, error) {
	if !l.Journal {
		d, err := savedKind.Get(ctx, p.Store, keys.Saved(l.Stack, l.Update))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		fresh := blob.NewStaging(p.Blobs, d.Value.Fresh, p.Now())
		if err := fresh.Flush(ctx, l.scope(), d.Value.Manifest); err != nil {
			return nil, err
		}
		return &stack.Manifest{Manifest: d.Value.Manifest, Update: l.Update, Resources: d.Value.Resources, Saved: p.Now()}, nil
	}
	key, err := l.key(ctx, p)
	if err != nil {
		return nil, err
	}
	state, err := replay(ctx, p, *l, key)
	if err != nil {
		return nil, err
	}
	if gap := gapOf(state); gap != "" {
		l.spoil(gap)
	}
	if state.Next() == 1 && state.Pending() == 0 {
		return nil, nil // nothing was journaled: the stack's checkpoint stands
	}
	state.Settle()
	snapshot, err := state.Materialize(p.Now(), l.Client)
	if fault.Is(err, fault.Conflict) {
		// No client that checks its own program sends this. The journal stays, so that nothing acknowledged is lost.
		l.Unreplayed = true
		l.spoil("its journal makes no checkpoint: " + fault.As(err).Message)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := keepText(ctx, p, l.Stack, key, untyped(snapshot))
	if err != nil {
		return nil, err
	}
	return &stack.Manifest{Manifest: m, Update: l.Update, Resources: snapshot.Resources, Saved: p.Now()}, nil
}

// spoil makes an update that would have succeeded a failed one, and says why.
func (l *Lease) spoil(why string) {
	l.Note = strings.TrimPrefix(l.Note+"; "+why, "; ")
	if l.Outcome == Succeeded {
		l.Outcome = Failed
	}
}

// gapOf says for people what of a journal cannot be replayed, or "".
func gapOf(state replayed) string {
	missing := state.missing()
	if len(missing) == 0 {
		return ""
	}
	numbers := make([]string, len(missing))
	for i, m := range missing {
		numbers[i] = m.String()
	}
	what := "never arrived"
	if f := fault.As(state.refused); f != nil {
		what = "did not arrive or cannot be applied (" + f.Message + ")"
	}
	return fmt.Sprintf("journal entries %s %s; what came after them is kept as pending operations only", strings.Join(numbers, ", "), what)
}

// postpone makes a lease that cannot be settled now due again later, behind those that wait. Whoever changed it meanwhile has done so.
func postpone(ctx context.Context, p ports.Ports, l store.Doc[Lease]) {
	if !l.Exists() {
		return
	}
	l.Due = p.Now().Add(settleAfter)
	if err := p.Store.Write(ctx, leaseKind.Replace(l)); err != nil && store.AsConflict(err) == nil {
		p.Log.Warn("lease not postponed", "lease", l.Key.String(), "error", err)
	}
}

// Sweep finishes updates whose lease ran out or whose finish was begun and not ended, up to limit, and returns how many. One that
// fails is tried again at its next due time and does not keep the others waiting.
func Sweep(ctx context.Context, p ports.Ports, limit int) (int, error) {
	found, err := p.Store.Due(ctx, store.DueQuery{Kind: LeaseKind, Before: p.Now(), Limit: limit})
	if err != nil {
		return 0, err
	}
	done := 0
	for _, k := range found {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		l, err := leaseKind.Get(ctx, p.Store, k)
		if errors.Is(err, store.ErrNotFound) || err == nil && (l.Value.Settled || l.Value.Holds(p.Now())) {
			continue
		}
		if err == nil {
			err = settle(ctx, p, l)
		}
		if err != nil {
			p.Log.Error("lease not settled", "lease", k.String(), "error", err)
			postpone(ctx, p, l)
			continue
		}
		done++
	}
	return done, nil
}
