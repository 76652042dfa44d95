package standalone

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/cost"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/hook"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
)

// waking tells the relay of writes that left events, and the worker of hooks of those that left deliveries.
type waking struct {
	store.Store
	wake  chan<- struct{}
	hooks chan<- struct{}
}

// Write implements store.Store.
func (w waking) Write(ctx context.Context, changes ...store.Change) error {
	err := w.Store.Write(ctx, changes...)
	if err != nil {
		return err
	}
	for _, c := range changes {
		switch {
		case c.Op != store.OpCreate:
		case c.Item.Kind == event.Kind:
			tell(w.wake)
		case c.Item.Kind == hook.DeliveryKind:
			tell(w.hooks)
		}
	}
	return nil
}

func tell(worker chan<- struct{}) {
	select {
	case worker <- struct{}{}:
	default: // it has not looked since the last one
	}
}

// How often the workers look. The relay is woken by every write that leaves an event; its interval is for events that wait for another
// try.
const (
	relayEvery = time.Second
	hooksEvery = 250 * time.Millisecond
	sweepEvery = 5 * time.Second
	ttlEvery   = 10 * time.Minute
	countEvery = 5 * time.Minute // resources are counted once an hour; the other times find it done
	batch      = 100             // leases or events at a time
)

// worker does a part of the background work.
type worker struct {
	name  string
	every time.Duration
	wake  <-chan struct{}               // work at once; nil never
	work  func() (full bool, err error) // full: there may be more, so come again at once
}

// startWorkers runs the workers until ctx ends; each looks at once for what an earlier process left.
func (s *Server) startWorkers(ctx context.Context, wg *sync.WaitGroup) {
	p := s.data.ports
	relay, hooks := boot.Relay(p), boot.HookWorker(p)
	for _, w := range []worker{
		{"relay", relayEvery, s.data.wake, func() (bool, error) { n, err := relay.Deliver(ctx, batch); return n == batch, err }},
		{"hooks", hooksEvery, s.data.hooks, func() (bool, error) { _, err := hooks.Pass(ctx); return false, err }},
		{"sweep", sweepEvery, nil, func() (bool, error) { n, err := update.Sweep(ctx, p, batch); return n == batch, err }},
		{"resources", countEvery, nil, func() (bool, error) {
			_, err := cost.SampleAccount(ctx, p, s.installed.Organization.Account)
			return false, err
		}},
		{"seal", sealEvery, nil, func() (bool, error) { n, err := audit.Seal(ctx, p, batch); return n >= batch, err }},
		{"later", sweepEvery, nil, func() (bool, error) { s.later.pass(ctx); return true, nil }},
		{"expire", ttlEvery, nil, func() (bool, error) { _, err := s.data.store.Sweep(ctx); return false, err }},
	} {
		wg.Go(func() { s.run(ctx, w) })
	}
	wg.Go(func() {
		<-ctx.Done()
		hooks.Wait() // for the calls under way
	})
}

func (s *Server) run(ctx context.Context, w worker) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	told := ""
	for {
		full, err := guarded(w.work)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil:
			told = ""
		case err.Error() != told: // a full disk would fill the log too
			told = err.Error()
			s.log.Error("worker", "name", w.name, "error", err)
		}
		if full && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-tick.C:
		}
	}
}

// guarded turns a panic into an error: what one item does to a worker must not end the process.
func guarded(work func() (bool, error)) (full bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			full, err = false, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
