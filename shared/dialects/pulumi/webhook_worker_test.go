package pulumi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/hook"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

func TestAFailedDeliveryIsTriedAgainOnScheduleUnderTheSameIDAndThenGivenUp(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	r.say(always(500))
	stack := c.stack("shop", "dev")
	h := c.hook(c.hooksAt(), r.URL, map[string]any{"filters": []string{"update_succeeded"}})
	c.finished(stack)
	c.tell()
	calls := 1
	for _, wait := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour} {
		require.Len(t, r.seen(), calls)
		c.Clock.Add(wait - time.Second)
		require.Zero(t, c.Hooks(), "a second before %s", wait)
		c.Clock.Add(time.Second)
		require.Equal(t, 1, c.Hooks(), "after %s", wait)
		calls++
	}
	c.Clock.Add(100 * time.Hour)
	require.Zero(t, c.Hooks())
	got := r.seen()
	require.Len(t, got, 8)
	for _, g := range got {
		require.Equal(t, got[0].id, g.id)
	}
	list := c.deliveries(c.hooksAt() + "/" + h.Name)
	require.Len(t, list, 1)
	require.Equal(t, 500, list[0].ResponseCode)
}

func TestAnEventThatIsHandedOnTwiceIsDeliveredOnce(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	c.hook(c.hooksAt(), r.URL, nil)
	o := c.organization()
	e := event.Event{ID: c.Ports.NewID(), Name: "stack.created", Organization: o.ID, At: c.Clock.Now(), Data: json.RawMessage(`{"stack":"s","project":"p","name":"n"}`)}
	consume := hook.FanOut(c.Ports, boot.Wordings())
	for range 3 {
		require.NoError(t, consume(context.Background(), e))
		c.Hooks()
	}
	require.Len(t, r.seen(), 1)
}

func (c *client) organization() organization.Organization {
	c.T.Helper()
	o, err := organization.Find(context.Background(), c.Ports, c.Org)
	require.NoError(c.T, err)
	return o
}

func TestAReceiverThatIsGoneOrFailsForFiveDaysIsLeftAloneAndThatIsWrittenDown(t *testing.T) {
	for name, receiver := range map[string]struct {
		status int
		days   int
	}{
		"gone":    {410, 0},
		"failing": {500, 6},
	} {
		c := newClient(t)
		r := newReceiver(t)
		r.say(always(receiver.status))
		stack := c.stack("shop", "dev")
		h := c.hook(c.hooksAt(), r.URL, map[string]any{"filters": []string{"update_succeeded"}})
		one := c.hooksAt() + "/" + h.Name
		active := func() bool {
			var got webhook
			c.call("GET", one, nil).Into(t, http.StatusOK, &got)
			return got.Active
		}
		left := c.slugs(func() {
			c.finished(stack)
			c.tell()
			for range receiver.days {
				c.Clock.Add(24 * time.Hour)
				c.finished(stack)
				c.tell()
			}
		})
		require.Contains(t, left, "webhook-disabled")
		require.False(t, active(), name)
		before := len(r.seen())
		c.finished(stack)
		c.Clock.Add(24 * time.Hour)
		c.tell()
		require.Len(t, r.seen(), before, name)

		// Who makes it active again starts afresh.
		r.say(nil)
		c.call("PATCH", one, map[string]any{"active": true}).Into(t, http.StatusOK, nil)
		c.finished(stack)
		c.tell()
		require.True(t, active())
		require.Greater(t, len(r.seen()), before)
	}
}

func TestOneSuccessEndsACountOfFailures(t *testing.T) {
	c := newClient(t)
	r := newReceiver(t)
	stack := c.stack("shop", "dev")
	h := c.hook(c.hooksAt(), r.URL, map[string]any{"filters": []string{"update_succeeded"}})
	for day := range 12 {
		r.say(always(500))
		if day%4 == 3 {
			r.say(nil)
		}
		c.finished(stack)
		c.tell()
		c.Clock.Add(24 * time.Hour)
	}
	var got webhook
	c.call("GET", c.hooksAt()+"/"+h.Name, nil).Into(t, http.StatusOK, &got)
	require.True(t, got.Active)
}

// deaf is an outbound.Caller in front of receivers that exist only by their names. What a call to a host does is up to the test.
type deaf struct {
	outbound.Caller
	mu    sync.Mutex
	calls map[string][]string // ids by host
	do    func(ctx context.Context, host, id string) (int, error)
}

func (d *deaf) Call(ctx context.Context, r outbound.Request) (outbound.Answer, error) {
	host := d.Host(r.URL)
	id := ""
	for _, h := range r.Headers {
		if h.Name == "Webhook-Id" {
			id = h.Value
		}
	}
	status, err := d.do(ctx, host, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == nil {
		d.calls = map[string][]string{}
	}
	d.calls[host] = append(d.calls[host], id)
	return outbound.Answer{Status: status, Duration: time.Millisecond}, err
}

func (d *deaf) ids(host string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.calls[host]...)
}

// occur puts n events into the outbox and hands them on.
func (c *client) occur(n int) {
	c.T.Helper()
	o := c.organization()
	data := stack.Happened{Stack: "none", Organization: o.ID, Project: "p", Name: "n", By: "admin", OrganizationName: o.Name}
	for n > 0 {
		batch := min(n, store.MaxCoreChanges)
		changes := make([]store.Change, batch)
		for i := range changes {
			changes[i] = event.New(c.Ports, o.ID, "stack.created", data)
		}
		require.NoError(c.T, c.Ports.Store.Write(context.Background(), changes...))
		n -= batch
	}
	for c.Relay() > 0 {
	}
}

func TestASlowReceiverDelaysNobodyElse(t *testing.T) {
	c := newClient(t)
	hang := make(chan struct{})
	d := &deaf{Caller: c.Ports.Outbound, do: func(_ context.Context, host, _ string) (int, error) {
		if strings.HasPrefix(host, "slow") {
			<-hang
		}
		return 200, nil
	}}
	c.Ports.Outbound = d
	c.Restart()
	for i := range 40 { // many webhooks at one slow receiver
		c.hook(c.hooksAt(), "https://slow.example/"+fmt.Sprint(i), nil)
	}
	c.hook(c.hooksAt(), "https://fast.example/", nil)
	const events = 60
	c.occur(events)
	passUntil(t, c, func(w *hook.Worker) bool {
		_, err := w.Pass(context.Background())
		require.NoError(t, err)
		return len(d.ids("fast.example:443")) == events
	})
	require.Empty(t, d.ids("slow.example:443"))
	close(hang)
	c.Hooks()
	require.Len(t, d.ids("slow.example:443"), 40*events)
}

// passUntil passes until the condition holds, letting the calls that can end do so in between.
func passUntil(t *testing.T, c *client, ok func(*hook.Worker) bool) {
	t.Helper()
	w := boot.HookWorker(c.Ports)
	t.Cleanup(w.Wait)
	require.Eventually(t, func() bool { return ok(w) }, 20*time.Second, 20*time.Millisecond)
}

func TestTwoWorkersSendADeliveryOnce(t *testing.T) {
	c := newClient(t)
	d := &deaf{Caller: c.Ports.Outbound, do: func(context.Context, string, string) (int, error) { return 200, nil }}
	c.Ports.Outbound = d
	c.hook(c.hooksAt(), "https://example.com/", nil)
	c.occur(300)
	var both sync.WaitGroup
	for range 4 {
		both.Go(func() {
			_, err := boot.HookWorker(c.Ports).Deliver(context.Background())
			require.NoError(t, err)
		})
	}
	both.Wait()
	ids := d.ids("example.com:443")
	require.Len(t, ids, 300)
	require.Len(t, distinct(ids), 300)
}

func distinct(ids []string) map[string]bool {
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out
}

func TestTenThousandEventsReachAReceiverThatFailsEveryThirdTime(t *testing.T) {
	c := newClient(t)
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	taken := map[string]int{}
	d := &deaf{Caller: c.Ports.Outbound, do: func(_ context.Context, _, id string) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		switch n := random.IntN(100); {
		case n < 20:
			return 503, nil
		case n < 30:
			return 0, &outbound.Failure{Reason: outbound.TimedOut, Message: "the receiver did not answer in time"}
		}
		taken[id]++
		return 200, nil
	}}
	c.Ports.Outbound = d
	c.Restart()
	c.hook(c.hooksAt(), "https://example.com/", nil)
	const events = soakEvents
	c.occur(events)
	for range 8 {
		c.Hooks()
		c.Clock.Add(10*time.Hour + time.Second)
	}
	mu.Lock()
	defer mu.Unlock()
	lost := events - len(taken)
	require.LessOrEqual(t, lost, 3, "eight attempts fail once in 15,000 deliveries")
	for id, n := range taken {
		require.Equal(t, 1, n, "%s was taken more than once", id)
	}
	require.Len(t, distinct(d.ids("example.com:443")), events, "one id for each event")
}

func TestACrashAtAnyCallOfTheStoreLosesNoDeliveryAndChangesNoID(t *testing.T) {
	for _, fate := range []boottest.Fate{boottest.FailsBefore, boottest.FailsAfter} {
		for at := 0; ; at++ {
			c := newClient(t)
			r := newReceiver(t)
			c.hook(c.hooksAt(), r.URL, map[string]any{"name": "org", "secret": "s"})
			c.call("PATCH", c.hooksAt()+"/org", map[string]any{"filters": []string{"stack_created"}}).Into(t, http.StatusOK, nil)
			o := c.organization()
			e := event.Event{ID: "event", Name: "stack.created", Organization: o.ID, At: c.Clock.Now(), Data: json.RawMessage(`{"stack":"s","project":"p","name":"n"}`)}
			hit := false
			c.Spy.Hook(func(n int, _ boottest.Call) boottest.Fate {
				if n == at {
					hit = true
					return fate
				}
				if n > at {
					return boottest.FailsBefore // the process is dead
				}
				return boottest.Works
			})
			consume := hook.FanOut(c.Ports, boot.Wordings())
			if err := consume(context.Background(), e); err == nil {
				_, _ = boot.HookWorker(c.Ports).Deliver(context.Background())
			}
			c.Spy.Hook(nil)
			if !hit {
				require.Greater(t, at, 5, "the interruption never came")
				break
			}
			// Another process takes over: the outbox hands the event on again, and the lease of the dead worker ends.
			require.NoError(t, hook.FanOut(c.Ports, boot.Wordings())(context.Background(), e))
			c.Hooks()
			c.Clock.Add(10 * time.Minute)
			c.Hooks()
			got := r.seen()
			require.NotEmpty(t, got, "lost after a crash at call %d", at)
			require.LessOrEqual(t, len(got), 2)
			list := c.deliveries(c.hooksAt() + "/org")
			require.Len(t, list, 1)
			require.Equal(t, 200, list[0].ResponseCode)
			for _, g := range got {
				require.Equal(t, list[0].ID, g.id)
			}
		}
	}
}

func TestRecordsBehindTheLastHundredAreRemovedAndNoneLivesLongerThanThirtyDays(t *testing.T) {
	c := newClient(t)
	d := &deaf{Caller: c.Ports.Outbound, do: func(context.Context, string, string) (int, error) { return 200, nil }}
	c.Ports.Outbound = d
	c.Restart()
	h := c.hook(c.hooksAt(), "https://example.com/", nil)
	one := c.hooksAt() + "/" + h.Name
	for range 10 {
		c.occur(80)
		c.Hooks()
		c.Clock.Add(2 * time.Hour)
	}
	require.Len(t, c.deliveries(one), 100)
	o := c.organization()
	owner := hook.OfOrganization(o)
	page, err := c.Ports.Store.Query(context.Background(), store.Query{PK: owner.Scope.Partition("deliveries/" + hookID(t, c, owner, h.Name))})
	require.NoError(t, err)
	require.Less(t, len(page.Items), 500, "of 800")
	c.Clock.Add(31 * 24 * time.Hour)
	require.Empty(t, c.deliveries(one))
}

func hookID(t testing.TB, c *client, o hook.Owner, name string) string {
	t.Helper()
	h, err := hook.Find(context.Background(), c.Ports, o, name)
	require.NoError(t, err)
	return h.Value.ID
}

func BenchmarkDeliveriesToALocalReceiver(b *testing.B) {
	c := newClient(b)
	db, err := local.Open(filepath.Join(b.TempDir(), "synced"), local.Options{Now: c.Clock.Now})
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	r := newReceiver(b)
	o := c.organization()
	p := c.Ports
	p.Store = db
	owner := hook.OfOrganization(o)
	const hooks = 10
	for i := range hooks {
		_, err := hook.Create(context.Background(), p, owner, hook.Draft{
			Name: fmt.Sprint("h", i), DisplayName: "d", Dialect: "pulumi", URL: r.URL, Format: "raw", Active: true, Secret: "s",
			Subscription: hook.Subscription{Topics: []string{"stack.created"}},
		})
		require.NoError(b, err)
	}
	consume := hook.FanOut(p, boot.Wordings())
	worker := boot.HookWorker(p)
	b.ResetTimer()
	sent := 0
	for sent < b.N {
		for range 100 {
			e := event.Event{ID: c.Ports.NewID(), Name: "stack.created", Organization: o.ID, At: c.Clock.Now(), Data: json.RawMessage(`{"stack":"s","project":"p","name":"n"}`)}
			require.NoError(b, consume(context.Background(), e))
		}
		n, err := worker.Deliver(context.Background())
		require.NoError(b, err)
		require.Equal(b, 100*hooks, n)
		sent += n
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "deliveries/s")
}
