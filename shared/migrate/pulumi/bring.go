package pulumi

import (
	"context"
	"errors"
	"io/fs"

	"github.com/polyplane/polyplane/shared/core/fault"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
)

// bring adopts the updates that an earlier run did not, and then the current checkpoint, if no update left it. One update is held at a
// time.
func (a *arrival) bring(ctx context.Context) error {
	if !a.DryRun {
		a.sealer.stack = &a.stack.Value
		a.sealer.memo = map[string]string{} // what the check opened was not sealed
	}
	if !a.export {
		var todo []entry
		err := past(ctx, a.Source, a.found, func(e entry) {
			if e.mark() > a.adoption.Value.Mark {
				todo = append(todo, e)
			} else {
				a.step(e)
			}
		})
		if err != nil {
			return err
		}
		for _, e := range todo {
			if err := a.bringPast(ctx, e); err != nil {
				return err
			}
			a.step(e)
		}
	}
	return a.bringCurrent(ctx)
}

func (a *arrival) bringPast(ctx context.Context, e entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := read(ctx, a.Source, e.past)
	if err != nil {
		return err
	}
	r, err := decodeRecord(text)
	if err != nil {
		return refuse("its update %s: %w", e.past, err)
	}
	if r.Kind == update.Preview {
		return nil // it changed nothing, and nothing here would lead to it
	}
	if r.Kind == "" {
		r.Kind = update.Update
	}
	p := r.update(a.By)
	p.Mark = e.mark()
	left, err := a.left(ctx, e)
	if err != nil {
		return err
	}
	if left.Deployment != nil {
		p.Digest = left.digest
		sealed, _, err := a.sealer.state(ctx, left)
		if err != nil {
			a.foreign++
			sealed = left
		}
		p.Text = sealed.text()
	}
	if p.Program.Config, err = encodeConfig(r.Config, a.sealer.config(ctx, left)); err != nil {
		// It names another salt than the checkpoint: its secrets stay as they are.
		if p.Program.Config, err = encodeConfig(r.Config, nil); err != nil {
			return refuse("its update %s: %w", e.past, err)
		}
	}
	return a.adopt(ctx, p)
}

// left is the checkpoint that an update left, nothing when the source does not have it.
func (a *arrival) left(ctx context.Context, e entry) (state, error) {
	if e.state == "" {
		a.missing++
		return state{}, nil
	}
	text, err := read(ctx, a.Source, e.state)
	if errors.Is(err, fs.ErrNotExist) {
		a.missing++
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	s, err := decodeState(text, false)
	if err != nil {
		a.missing++
		return state{}, nil
	}
	return s, nil
}

// bringCurrent adopts the current checkpoint as one more update, unless the last one left it.
func (a *arrival) bringCurrent(ctx context.Context) error {
	v := a.adoption.Value
	if a.current.Deployment == nil || a.current.digest == v.Digest || v.Taken == 0 && !a.current.worth() {
		return nil
	}
	sealed, _, err := a.sealer.state(ctx, a.current)
	if err != nil {
		return err
	}
	now := a.ports.Now()
	return a.adopt(ctx, update.Past{
		Kind: update.Import, Status: update.Succeeded, By: a.By, Started: now, Ended: now, Text: sealed.text(), Digest: a.current.digest,
		Program: update.Program{Message: "imported"},
	})
}

// adopt records an update, or says on a dry run that it would.
func (a *arrival) adopt(ctx context.Context, p update.Past) error {
	if a.DryRun {
		v := &a.adoption.Value
		if a.stack.Value.Version != v.Taken-int64(a.out.Updates) {
			return a.overtaken()
		}
		v.Taken++
		if p.Digest != "" {
			v.Digest = p.Digest
		}
		a.out.Updates++
		return nil
	}
	err := a.adoptOnce(ctx, p)
	if fault.Is(err, fault.TooLarge) && (p.Program.Config != nil || p.Program.Environment != nil) {
		a.large++
		p.Program.Config, p.Program.Environment = nil, nil
		err = a.adoptOnce(ctx, p)
	}
	return err
}

// attempts is how often a write that lost a race, to a change of the stack's tags for example, is made again from fresh reads.
const attempts = 5

func (a *arrival) adoptOnce(ctx context.Context, p update.Past) error {
	var err error
	for range attempts {
		if a.stack.Value.Version != a.adoption.Value.Taken || a.stack.Value.Lock != nil {
			return a.overtaken()
		}
		s, adopted, adoptErr := update.Adopt(ctx, a.ports, a.stack, a.adoption, p)
		if err = adoptErr; err == nil {
			a.stack, a.adoption = s, adopted
			a.out.Updates++
			return nil
		}
		if store.AsConflict(err) == nil {
			return err
		}
		before := a.adoption.Version
		if err := a.reread(ctx); err != nil {
			return err
		}
		if a.adoption.Version != before {
			return refuse("another import of it is under way")
		}
	}
	return err
}

func (a *arrival) overtaken() error {
	return refuse("it was updated here since its import, so the updates that its source has made meanwhile are not brought")
}
