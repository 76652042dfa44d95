package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
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
	l, err := end(ctx, p, l, Closing, outcome, "")
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
	l, err = end(ctx, p, l, Revoked, Cancelled, "it was cancelled by "+by)
	if err != nil {
		return err
	}
	if l, err = finish(ctx, p, l); err == nil && l.Value.Outcome != Cancelled {
		return over
	}
	return err
}

// end closes or revokes a live lease, so that nothing is acknowledged from then on, and remembers what it ends as. A lease that
// somebody else ended before is returned as it is. A closed lease is due again soon, so that a finish that dies is taken up.
func end(ctx context.Context, p ports.Ports, l store.Doc[Lease], state State, outcome Status, note string) (store.Doc[Lease], error) {
	for {
		if l.Value.State != Live {
			return l, nil
		}
		if state == Closing && !l.Value.Holds(p.Now()) {
			return l, lost(expired)
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
		if l, err = leaseKind.Get(ctx, p.Store, l.Key); err != nil {
			return l, err
		}
	}
}

// settle ends a lease that ran out, or takes up a finish that was begun.
func settle(ctx context.Context, p ports.Ports, l store.Doc[Lease], note string) error {
	l, err := end(ctx, p, l, Revoked, Failed, note)
	if err != nil {
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
		if store.AsConflict(err) == nil {
			return l, fmt.Errorf("finishing update %s: %w", l.Value.Update, err)
		}
		if l, err = leaseKind.Get(ctx, p.Store, l.Key); err != nil {
			return l, err
		}
	}
	return l, err
}

func finishOnce(ctx context.Context, p ports.Ports, l store.Doc[Lease]) (store.Doc[Lease], error) {
	u, err := headKind.Get(ctx, p.Store, keys.UpdateHead(l.Value.Stack, l.Value.Update))
	if err != nil {
		return l, err
	}
	now := p.Now()
	var changes []store.Change
	if !l.Value.DryRun {
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
	counted, err := summaryKind.Get(ctx, p.Store, keys.Summary(l.Value.Stack, l.Value.Update))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return l, err
	}
	u.Value.Status, u.Value.Ended, u.Value.Note, u.Value.Changes = l.Value.Outcome, now, l.Value.Note, counted.Value
	if l.Value.State == Closing {
		l.Value.State = Done
	}
	l.Value.Settled = true
	l.Due, l.Expires = time.Time{}, maxTime(l.Value.Expires.Add(Grace), now).Add(keepClosed)
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

// Finished is the data of the event update.finished.
type Finished struct {
	Stack        string `json:"stack"`        // id
	Organization string `json:"organization"` // id
	Update       string `json:"update"`       // id
	Kind         Kind   `json:"kind"`
	Version      int64  `json:"version"`
	Outcome      Status `json:"outcome"`
	Resources    int    `json:"resources"`
	By           string `json:"by"` // login
}

// free gives the stack back with the checkpoint that the update left; a nil one leaves the stack's as it was.
func free(ctx context.Context, p ports.Ports, l Lease, u *Head, left *stack.Manifest, now time.Time) ([]store.Change, error) {
	s, err := stack.Of(ctx, p, l.Stack)
	if err != nil {
		return nil, err
	}
	if s.Value.Lock == nil || s.Value.Lock.Update != l.Update {
		return nil, fmt.Errorf("stack %s is not held by update %s", l.Stack, l.Update)
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

// finished is what an event tells of an update that ended.
func finished(o organization.Organization, s stack.Stack, u Head, outcome Status) Finished {
	return Finished{
		Stack: s.ID, Organization: o.ID, Update: u.ID, Kind: u.Kind, Version: u.Version,
		Outcome: outcome, Resources: u.Resources, By: u.By.Login,
	}
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
		return &stack.Manifest{Manifest: d.Value.Manifest, Update: l.Update, Resources: d.Value.Resources, Saved: p.Now()}, nil
	}
	key, err := l.key(ctx, p)
	if err != nil {
		return nil, err
	}
	state, refused, err := replay(ctx, p, *l, key)
	if err != nil {
		return nil, err
	}
	if gap := gapOf(state, refused); gap != "" {
		l.Note = strings.TrimPrefix(l.Note+"; "+gap, "; ")
		if l.Outcome == Succeeded {
			l.Outcome = Failed
		}
	}
	if state.Next() == 1 && state.Pending() == 0 {
		return nil, nil // nothing was journaled: the stack's checkpoint stands
	}
	state.Settle()
	snapshot, err := state.Materialize(p.Now(), l.Client)
	if fault.Is(err, fault.Conflict) {
		// No client that checks its own program sends this. The journal stays, so that nothing acknowledged is lost.
		l.Outcome, l.Unreplayed = Failed, true
		l.Note = strings.TrimPrefix(l.Note+"; its journal makes no checkpoint: "+fault.As(err).Message, "; ")
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

// gapOf says for people what of a journal cannot be replayed, or "".
func gapOf(state *checkpoint.State, refused error) string {
	missing := state.Missing()
	if len(missing) == 0 {
		return ""
	}
	text := fmt.Sprintf("journal entries %v never arrived, and what came after them is kept as pending operations only", missing)
	if f := fault.As(refused); f != nil {
		text += ": " + f.Message
	}
	return text
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
			err = settle(ctx, p, l, expired)
		}
		if err != nil {
			p.Log.Error("lease not settled", "lease", k.String(), "error", err)
			continue
		}
		done++
	}
	return done, nil
}
