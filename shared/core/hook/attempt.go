package hook

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// leaseFor is how long a worker has a delivery for itself: longer than the call may take, by half a minute for the writes, and by the
// three minutes that clocks of two processes may be apart.
const leaseFor = outbound.MaxTime + 30*time.Second + 3*time.Minute

// handle makes one attempt at a delivery. again says that it was not begun because its receiver has its share.
func (w *Worker) handle(ctx context.Context, l *lane, k store.Key) (again bool) {
	defer func() {
		if p := recover(); p != nil { // one delivery must not end the process
			w.Ports.Log.Error("delivery", "delivery", k.SK, "panic", p, "stack", string(debug.Stack()))
			again = false
		}
	}()
	again, err := w.attempt(ctx, l, k)
	if err == nil {
		w.mu.Lock()
		w.handled++
		w.mu.Unlock()
	} else {
		w.Ports.Log.Warn("delivery not attempted or not recorded", "delivery", k.SK, "error", err)
	}
	return again
}

func (w *Worker) attempt(ctx context.Context, l *lane, k store.Key) (again bool, err error) {
	d, err := deliveryKind.Get(ctx, w.Ports.Store, k)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case d.Value.State != Waiting || d.Due.After(w.Ports.Now()):
		return false, nil // another worker has or had it
	}
	h, err := hookKind.Get(ctx, w.Ports.Store, keys.Hook(d.Value.Owner, d.Value.Hook))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if h.Value.ID != d.Value.HookID {
		h = store.Doc[Hook]{} // deleted; another hook may have its name now
	}
	to, ok, err := w.target(ctx, d, h)
	if err != nil || !ok {
		return false, err
	}
	release := w.call(l, w.Ports.Outbound.Host(to.URL), !h.Value.FailingSince.IsZero())
	if release == nil {
		return true, nil
	}
	defer release()
	if d, err = w.claim(ctx, d); err != nil || !d.Exists() {
		return false, err
	}
	a, err := send(ctx, w.Ports, w.Wordings, d.Value, to)
	if err != nil {
		return false, err
	}
	return false, w.record(ctx, d, h, a)
}

// target says where to send to. ok is false for what is not to be sent any more, which is written down here.
func (w *Worker) target(ctx context.Context, d store.Doc[Delivery], h store.Doc[Hook]) (to Target, ok bool, err error) {
	switch {
	case h.Exists() && h.Value.Active:
		return Target{URL: h.Value.URL, Secret: h.Value.Secret}, true, nil
	case h.Exists():
		d.Value.State, d.Due = Dropped, time.Time{}
		return to, false, lostIsFine(w.Ports.Store.Write(ctx, deliveryKind.Replace(d)))
	}
	gone, err := w.stackGone(ctx, d.Value.Owner)
	if err != nil {
		return to, false, err
	}
	if gone && d.Value.Target != nil {
		return *d.Value.Target, true, nil
	}
	return to, false, lostIsFine(w.Ports.Store.Write(ctx, d.Delete()))
}

// stackGone reports whether the owner is a stack that was deleted.
func (w *Worker) stackGone(ctx context.Context, owner store.Scope) (bool, error) {
	id, ok := keys.StackOf(owner)
	if !ok {
		return false, nil
	}
	s, err := stack.Of(ctx, w.Ports, id)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return s.Value.Deleted, err
}

// claim takes the lease on a delivery. What it returns does not exist when another worker was faster.
func (w *Worker) claim(ctx context.Context, d store.Doc[Delivery]) (store.Doc[Delivery], error) {
	d.Value.Attempts++
	d.Due = w.Ports.Now().Add(leaseFor)
	err := w.Ports.Store.Write(ctx, deliveryKind.Replace(d))
	if store.AsConflict(err) != nil {
		return store.Doc[Delivery]{}, nil
	}
	if err != nil {
		return d, err
	}
	w.mu.Lock()
	w.claimed++
	w.mu.Unlock()
	d.Version++
	return d, nil
}

// record writes down what became of an attempt, and what it means for the hook, in one write.
func (w *Worker) record(ctx context.Context, d store.Doc[Delivery], h store.Doc[Hook], a Attempt) error {
	now := w.Ports.Now()
	d.Value.Last, d.Due = &a, time.Time{}
	switch {
	case a.ok():
		d.Value.State = Delivered
	case a.gone() || d.Value.Attempts > len(schedule):
		d.Value.State = Failed
	default:
		d.Due = now.Add(schedule[d.Value.Attempts-1])
	}
	if d.Value.State != Waiting {
		d.Value.Target = nil
	}
	for range 8 {
		err := w.Ports.Store.Write(ctx, append(w.judge(ctx, d.Value, h, a), deliveryKind.Replace(d))...)
		c := store.AsConflict(err)
		switch {
		case err == nil:
			return w.prune(ctx, d.Value)
		case c == nil:
			return err
		case c.On(d.Key):
			return nil // the lease had ended and another worker took over
		}
		switch again, err := hookKind.Get(ctx, w.Ports.Store, h.Key); {
		case errors.Is(err, store.ErrNotFound), err == nil && again.Value.ID != d.Value.HookID:
			h = store.Doc[Hook]{}
		case err != nil:
			return err
		default:
			h = again
		}
	}
	return fmt.Errorf("hook %s of %s keeps changing", d.Value.Hook, d.Value.Label)
}

// judge returns the changes that an attempt makes to its hook: it begins to fail, stops failing, or is made inactive.
func (w *Worker) judge(ctx context.Context, d Delivery, h store.Doc[Hook], a Attempt) []store.Change {
	v := &h.Value
	switch {
	case !h.Exists() || !v.Active:
		return nil
	case a.ok():
		if v.FailingSince.IsZero() {
			return nil
		}
		v.FailingSince = time.Time{}
		return []store.Change{hookKind.Replace(h)}
	}
	begins := v.FailingSince.IsZero()
	if begins {
		v.FailingSince = a.At
	}
	switch {
	case a.gone():
		v.Disabled = "its receiver answered 410 Gone"
	case a.At.Sub(v.FailingSince) >= patience:
		v.Disabled = fmt.Sprintf("its receiver failed for %d hours", int(a.At.Sub(v.FailingSince).Hours()))
	case begins:
		return []store.Change{hookKind.Replace(h)}
	default:
		return nil
	}
	v.Active = false
	return []store.Change{
		hookKind.Replace(h),
		event.New(w.Ports, d.Organization, "hook.disabled", Disabled{Owner: d.Owner, Hook: v.ID, Name: v.Name, Why: v.Disabled}),
		audit.Record(ctx, w.Ports, d.Organization, "webhook-disabled", "disabled webhook %s of %s: %s", v.Name, d.Label, v.Disabled),
	}
}

// Disabled is the data of the event hook.disabled.
type Disabled struct {
	Owner store.Scope `json:"owner"`
	Hook  string      `json:"hook"` // id
	Name  string      `json:"name"`
	Why   string      `json:"why"`
}

// An event that is handed on again within settled makes no second delivery, so records are pruned only when they are older.
const settled = time.Hour

// pruneEvery is after how many deliveries, on average, records are pruned: fewer than one pruning may remove.
const pruneEvery = 64

// prune removes some of the oldest records behind the last hundred of a hook. It looks after a few deliveries only, chosen by their ids:
// it has to read the hundred.
func (w *Worker) prune(ctx context.Context, d Delivery) error {
	n, err := strconv.ParseUint(d.ID[len(d.ID)-2:], 16, 8)
	if d.State == Waiting || err != nil || n%pruneEvery != 0 {
		return nil
	}
	q := store.Query{PK: keys.Deliveries(d.Owner, d.HookID), Descending: true}
	last := ""
	for seen := 0; seen < keepLast; {
		q.Limit = keepLast - seen
		page, err := w.Ports.Store.Query(ctx, q)
		if err != nil {
			return err
		}
		if seen += len(page.Items); !page.More {
			return nil
		}
		last, q.After = page.Next, page.Next
	}
	docs, _, err := deliveryKind.Page(ctx, w.Ports.Store, store.Query{PK: q.PK, To: last, Limit: store.MaxCoreChanges})
	if err != nil {
		return err
	}
	old := w.Ports.Now().Add(-settled)
	var changes []store.Change
	for _, r := range docs {
		if r.Value.State != Waiting && r.Value.Created.Before(old) {
			changes = append(changes, r.Delete())
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return lostIsFine(w.Ports.Store.Write(ctx, changes...))
}

// lostIsFine: another worker changed it at the same time, which is as good.
func lostIsFine(err error) error {
	if store.AsConflict(err) != nil {
		return nil
	}
	return err
}
