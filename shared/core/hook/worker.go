package hook

import (
	"context"
	"sync"
	"time"

	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

// How much a worker does at once. A receiver that answers slowly takes no more than its share, so that it delays nobody else; a hook that
// fails is sent one delivery at a time.
const (
	atOnce         = 256
	atOnceHook     = 16
	atOnceFailing  = 1
	atOnceReceiver = 32
	queuedHook     = 256 // keys held in memory for one hook; the rest wait in the index

	look    = 2048  // due deliveries looked at in one pass
	lookFar = 65536 // …when those all belong to hooks that have their share
)

// Worker sends what is due. Several workers, in one process or in many, may run on one store.
type Worker struct {
	Ports    ports.Ports
	Wordings Wordings

	mu      sync.Mutex
	lanes   map[string]*lane
	order   []*lane // lanes in turn
	turn    int
	known   map[store.Key]bool // queued or being sent
	calls   map[string]int     // by receiver
	busy    int
	claimed int // attempts begun, and
	handled int // keys done with, since Deliver asked last
	idle    sync.WaitGroup
}

// lane is the queue of one hook.
type lane struct {
	pk       string // partition of the hook's deliveries
	keys     []store.Key
	sending  int
	share    int
	receiver string // of the last delivery; "" when not known yet
}

func (l *lane) full() bool { return l.sending+len(l.keys) >= l.share }

// Pass queues what is due and starts sending it; it does not wait for the end. It returns how many deliveries it queued. Once ctx has
// ended nothing more is begun, and what was begun is finished.
func (w *Worker) Pass(ctx context.Context) (int, error) {
	before := w.Ports.Now().Add(time.Millisecond)
	total := 0
	for limit := look; ; limit *= 2 {
		found, err := w.Ports.Store.Due(ctx, store.DueQuery{Kind: deliveryKind.Name(), Before: before, Limit: limit})
		if err != nil {
			return total, err
		}
		queued, useful := w.queue(found)
		total += queued
		if useful || len(found) < limit || limit >= lookFar {
			break
		}
	}
	w.start(ctx)
	return total, nil
}

// queue takes keys into the lanes. useful says that a hook which was not at its share got some.
func (w *Worker) queue(found []store.Key) (queued int, useful bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes == nil {
		w.lanes, w.known, w.calls = map[string]*lane{}, map[store.Key]bool{}, map[string]int{}
	}
	for _, k := range found {
		if w.known[k] {
			continue
		}
		l := w.lanes[k.PK]
		if l == nil {
			l = &lane{pk: k.PK, share: atOnceHook}
			w.lanes[k.PK] = l
			w.order = append(w.order, l)
		}
		if len(l.keys) >= queuedHook {
			continue
		}
		useful = useful || !l.full()
		l.keys = append(l.keys, k)
		w.known[k] = true
		queued++
	}
	return queued, useful
}

func (w *Worker) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	runnable := 0
	for _, l := range w.order {
		runnable += max(0, min(len(l.keys), l.share-l.sending))
	}
	for range min(runnable, atOnce-w.busy) {
		w.busy++
		w.idle.Go(func() { w.run(ctx) })
	}
}

// run sends one delivery after another until nothing can be sent.
func (w *Worker) run(ctx context.Context) {
	for {
		l, k, ok := w.next(ctx)
		if !ok {
			return
		}
		again := w.handle(context.WithoutCancel(ctx), l, k)
		w.mu.Lock()
		l.sending--
		if again {
			l.keys = append(l.keys, k)
		} else {
			delete(w.known, k)
		}
		w.mu.Unlock()
	}
}

// next takes the next delivery, hook by hook in turn.
func (w *Worker) next(ctx context.Context) (*lane, store.Key, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		for range w.order {
			w.turn = (w.turn + 1) % len(w.order)
			l := w.order[w.turn]
			if len(l.keys) == 0 || l.sending >= l.share || w.calls[l.receiver] >= atOnceReceiver {
				continue
			}
			k := l.keys[0]
			l.keys = l.keys[1:]
			l.sending++
			return l, k, true
		}
		w.forgetIdle()
	}
	w.busy--
	return nil, store.Key{}, false
}

// forgetIdle drops lanes without work, so that memory does not grow with hooks that once had some.
func (w *Worker) forgetIdle() {
	kept := w.order[:0]
	for _, l := range w.order {
		if len(l.keys) == 0 && l.sending == 0 {
			delete(w.lanes, l.pk)
			continue
		}
		kept = append(kept, l)
	}
	clear(w.order[len(kept):])
	w.order = kept
	w.turn = 0
}

// call takes one of the receiver's slots; the answer gives it back. It is nil when the receiver has its share.
func (w *Worker) call(l *lane, receiver string, failing bool) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l.receiver, l.share = receiver, atOnceHook
	if failing {
		l.share = atOnceFailing
	}
	if w.calls[receiver] >= atOnceReceiver {
		return nil
	}
	w.calls[receiver]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.calls[receiver]--; w.calls[receiver] == 0 {
			delete(w.calls, receiver)
		}
	}
}

// Wait waits until everything that was begun has ended.
func (w *Worker) Wait() { w.idle.Wait() }

// Deliver sends everything that is due and waits for it. It returns how many deliveries were attempted. What fails for reasons of our own
// stays due.
func (w *Worker) Deliver(ctx context.Context) (int, error) {
	total := 0
	for {
		queued, err := w.Pass(ctx)
		w.Wait()
		w.mu.Lock()
		handled := w.handled
		total += w.claimed
		w.claimed, w.handled = 0, 0
		w.mu.Unlock()
		if err != nil || queued == 0 || handled == 0 {
			return total, err
		}
	}
}
