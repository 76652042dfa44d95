package update

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// Create records an update that was not started yet: it holds nothing. The stack must still exist under its name.
func Create(ctx context.Context, p ports.Ports, s stack.Stack, by By, kind Kind, dryRun bool, program Program) (Head, error) {
	alive, err := stack.Alive(ctx, p, s)
	if err != nil {
		return Head{}, err
	}
	program.PolicyPacks = kept(program.PolicyPacks)
	h := Head{
		ID: p.NewID(), Stack: s.ID, Kind: kind, DryRun: dryRun || kind == Preview,
		Status: NotStarted, By: by, Program: program, Created: p.Now(), Version: s.Version,
	}
	err = p.Store.Write(ctx,
		alive,
		headKind.Create(keys.UpdateHead(s.ID, h.ID), h),
		rowKind.Create(keys.UpdateRow(s.ID, h.ID), rowOfUpdate{Update: h.ID, Kind: kind}),
	)
	var limit *store.LimitError
	if errors.As(err, &limit) {
		return Head{}, fault.New(fault.TooLarge, "the update's configuration and environment are larger than %d KB", store.MaxItemBytes>>10)
	}
	if store.AsConflict(err) != nil {
		if _, gone := stack.Alive(ctx, p, s); gone != nil {
			err = gone
		}
	}
	return h, err
}

// Started is what starting an update gives its client.
type Started struct {
	Version int64     // the update's version; of a dry run, the stack's
	Token   string    // the lease's token, shown once
	Expires time.Time // of the lease
	Journal bool      // the update must save by journal
}

// StartOptions is what the client asks for at start.
type StartOptions struct {
	Tags    map[string]string // replaces the stack's tags when not nil
	Journal bool              // the client can save by journal
	Client  string            // the client's version, "" when unknown
}

// attempts is how often a write that lost a race is made again from fresh reads.
const attempts = 8

// Start gives an update its lease and, unless it is a dry run, the stack: the next version, the lock and the tags, in one write. A
// stack that another update holds is fault.Conflict naming the holder; one whose holder's lease ran out is taken over, keeping
// what that update had acknowledged.
func Start(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], id string, opts StartOptions) (Started, error) {
	if err := stack.CheckTags("tags", opts.Tags); err != nil {
		return Started{}, err
	}
	var err error
	for range attempts {
		var started Started
		if started, err = start(ctx, p, o, s, id, opts); store.AsConflict(err) == nil {
			return started, err
		}
		if s, err = reread(ctx, p, s.Value); err != nil {
			return Started{}, err
		}
	}
	return Started{}, err
}

func start(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack], id string, opts StartOptions) (Started, error) {
	if validID(id) {
		store.Prefetch(ctx, p.Store, keys.UpdateHead(s.Value.ID, id), keys.StackRow(s.Value.Organization, s.Value.Project, s.Value.ID))
	}
	u, err := Of(ctx, p, s.Value.ID, id)
	if err != nil {
		return Started{}, err
	}
	if u.Value.Status != NotStarted {
		return Started{}, fault.New(fault.Conflict, "the update was already started and is %s", u.Value.Status)
	}
	if !u.Value.DryRun {
		if s, err = Unlocked(ctx, p, o, s); err != nil {
			return Started{}, err
		}
	}
	now := p.Now()
	text, hash := newTokenText(p, s.Value.ID, id)
	u.Value.Status, u.Value.Started = Running, now
	if c := s.Value.Checkpoint; c != nil {
		u.Value.Base = c.Version
	}
	if opts.Journal && !u.Value.DryRun {
		u.Value.JournalVersion = 1
	}
	var changes []store.Change
	if u.Value.DryRun {
		u.Value.Version = s.Value.Version
		alive, err := stack.Alive(ctx, p, s.Value)
		if err != nil {
			return Started{}, err
		}
		changes = append(changes, alive, rowKind.Create(keys.PreviewRow(s.Value.ID, u.Value.Version, id), rowOfUpdate{Update: id, Kind: u.Value.Kind}))
	} else {
		s.Value.Version++
		s.Value.LastUpdate, s.Value.UpdatedAt = id, now
		s.Value.Lock = &stack.Lock{Update: id, Kind: string(u.Value.Kind), By: u.Value.By.Login, Since: now}
		if opts.Tags != nil {
			s.Value.Tags = opts.Tags
		}
		u.Value.Version = s.Value.Version
		row, err := stack.Row(ctx, p, s.Value)
		if err != nil {
			return Started{}, err
		}
		changes = append(changes, stack.Replace(s), row,
			rowKind.Create(keys.HistoryRow(s.Value.ID, u.Value.Version), rowOfUpdate{Update: id, Kind: u.Value.Kind}),
			audit.Record(ctx, p, o.ID, "stack-update-started", "started %s %d of stack %s", u.Value.Kind, u.Value.Version, s.Value.Path(o.Name)),
		)
	}
	l := Lease{
		Stack: s.Value.ID, Update: id, Organization: o.ID, Path: [3]string{o.Name, s.Value.ProjectName, s.Value.Name}, By: u.Value.By,
		DryRun: u.Value.DryRun, Journal: u.Value.JournalVersion == 1, Base: u.Value.Base, Client: opts.Client,
		Hash: hash, State: Live, Expires: now.Add(MaxLease), Key: s.Value.Key,
	}
	changes = append(changes, headKind.Replace(u),
		leaseKind.Create(keys.Lease(s.Value.ID, id), l, store.DueAt(l.Expires.Add(Grace))))
	if err := p.Store.Write(ctx, changes...); err != nil {
		return Started{}, err
	}
	return Started{Version: u.Value.Version, Token: text, Expires: l.Expires, Journal: l.Journal}, nil
}

// reread is stack.Reread, whatever the request remembers.
func reread(ctx context.Context, p ports.Ports, s stack.Stack) (store.Doc[stack.Stack], error) {
	return stack.Reread(store.Remember(ctx), p, s)
}

// Unlocked returns the stack once no update holds it. A holder whose lease ran out, or whose finish was begun, is finished here; one
// that still holds is fault.Conflict naming it.
func Unlocked(ctx context.Context, p ports.Ports, o organization.Organization, s store.Doc[stack.Stack]) (store.Doc[stack.Stack], error) {
	for range attempts {
		lock := s.Value.Lock
		if lock == nil {
			return s, nil
		}
		l, err := leaseKind.Get(ctx, p.Store, keys.Lease(s.Value.ID, lock.Update))
		switch {
		case errors.Is(err, store.ErrNotFound): // it ended since the stack was read, and was purged with the stack
		case err != nil:
			return s, err
		case l.Value.Holds(p.Now()):
			return s, held(s.Value, *lock, l.Value)
		default:
			if err := settle(ctx, p, l); err != nil {
				return s, err
			}
		}
		ctx = store.Remember(ctx)
		if s, err = reread(ctx, p, s.Value); err != nil {
			return s, err
		}
	}
	return s, fmt.Errorf("stack %s is held by update %s, whose lease has ended", s.Value.ID, s.Value.Lock.Update)
}

func held(s stack.Stack, lock stack.Lock, l Lease) error {
	return fault.Held(
		fault.Holder{What: fmt.Sprintf("%s %d", lock.Kind, s.Version), Who: lock.By, Since: lock.Since, Until: l.Expires.Add(Grace)},
		"Another update is currently in progress: %s %d, which %s started at %s. Wait for it to end, or cancel it",
		lock.Kind, s.Version, lock.By, lock.Since.UTC().Format(time.RFC3339))
}
