package pulumi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/update"
)

// leaseModel says what every answer must be, from the rules alone: who holds the stack, until when by which clock, and what was
// acknowledged. Two processes serve the same data by clocks that differ.
type leaseModel struct {
	fronts  [2]*client
	skew    time.Duration // of the second
	stack   string
	version int64
	holder  *leased
	kept    map[string]bool // URNs of the checkpoint
	all     []*leased
	made    int // URNs so far
}

// leased is an update and what its client knows.
type leased struct {
	*running
	id       string
	dryRun   bool
	journals bool
	state    string          // created, running, completed, lost
	outcome  string          // of a completed one
	expires  time.Time       // of the lease
	urns     map[string]bool // the stack's, once this update is finished
}

func TestAStackHasOneHolderAndNothingIsWrittenBehindALostLease(t *testing.T) {
	c := newClient(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		skew := time.Duration(rapid.IntRange(-120, 120).Draw(rt, "skew")) * time.Second
		m := &leaseModel{skew: skew, stack: c.stack("model", fmt.Sprintf("s%d", n)), kept: map[string]bool{}}
		m.fronts = [2]*client{c, {Plane: c.Fork(skew), auth: c.auth}}
		rt.Repeat(map[string]func(*rapid.T){
			"":         m.check,
			"create":   m.create,
			"start":    m.start,
			"renew":    m.renew,
			"save":     m.save,
			"write":    m.save, // twice as often as the rest
			"complete": m.complete,
			"cancel":   m.cancelOne,
			"sweep":    m.sweep,
			"wait":     m.wait,
			"restart": func(*rapid.T) {
				for _, f := range m.fronts {
					f.Restart()
					f.Relay()
				}
			},
		})
	})
}

// front draws which process takes the call, and returns the time it has.
func (m *leaseModel) front(rt *rapid.T) (*client, time.Time) {
	n := rapid.IntRange(0, 1).Draw(rt, "process")
	return m.fronts[n], m.fronts[n].Ports.Now()
}

// one draws an update in one of the states, or skips the action.
func (m *leaseModel) one(rt *rapid.T, states ...string) *leased {
	var fit []*leased
	for _, u := range m.all {
		for _, s := range states {
			if u.state == s {
				fit = append(fit, u)
			}
		}
	}
	if len(fit) == 0 {
		rt.Skip("no such update")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(rt, "update")]
}

// on is the update's client as seen by a process.
func (u *leased) on(c *client) *running {
	u.running.client = c
	return u.running
}

func (u *leased) holds(now time.Time) bool {
	return u.state == "running" && now.Before(u.expires.Add(update.Grace))
}

// ends makes the stack what the update was acknowledged, whatever became of it.
func (m *leaseModel) ends(u *leased, state, outcome string) {
	u.state, u.outcome = state, outcome
	if m.holder == u {
		m.holder, m.kept = nil, u.urns
	}
}

func (m *leaseModel) create(rt *rapid.T) {
	c, _ := m.front(rt)
	u := &leased{dryRun: rapid.IntRange(0, 3).Draw(rt, "preview") == 0, journals: rapid.Bool().Draw(rt, "journal"), state: "created"}
	u.id = c.create(m.stack, "update", u.dryRun)
	m.all = append(m.all, u)
}

func (m *leaseModel) start(rt *rapid.T) {
	u := m.one(rt, "created", "running", "completed", "lost")
	c, now := m.front(rt)
	journal := 0
	if u.journals {
		journal = 1
	}
	r, a := c.tryStart(m.stack, u.id, journal)
	switch {
	case u.state != "created":
		want(rt, a, http.StatusConflict)
		return
	case u.dryRun:
	case m.holder != nil && m.holder.holds(now):
		want(rt, a, http.StatusConflict) // never before the expiry and the grace
		return
	default:
		if m.holder != nil {
			m.ends(m.holder, "lost", "failed")
		}
		m.version++
		m.holder = u
	}
	want(rt, a, http.StatusOK)
	if r.version != m.version {
		rt.Fatalf("version %d, want %d", r.version, m.version)
	}
	u.running, u.state, u.expires, u.urns = r, "running", now.Add(update.MaxLease), map[string]bool{}
	for k := range m.kept {
		u.urns[k] = true
	}
}

func (m *leaseModel) renew(rt *rapid.T) {
	u := m.one(rt, "running", "completed", "lost")
	c, now := m.front(rt)
	seconds := rapid.IntRange(0, 300).Draw(rt, "seconds")
	a := u.on(c).renew(seconds)
	if !u.holds(now) {
		want(rt, a, http.StatusForbidden)
		return
	}
	want(rt, a, http.StatusOK)
	u.expires = now.Add(time.Duration(seconds) * time.Second)
}

// save writes state, as a journal batch or as a whole checkpoint.
func (m *leaseModel) save(rt *rapid.T) {
	u := m.one(rt, "running", "running", "completed", "lost")
	c, now := m.front(rt)
	r := u.on(c)
	m.made++
	fresh := urn(m.made)
	var a boottest.Answer
	sequence := r.sequence
	if u.journals {
		a = r.journal(r.made(fresh)...)
	} else {
		list := []string{fresh}
		for k := range u.urns {
			list = append(list, k)
		}
		a = r.save("checkpoint", map[string]any{"version": 3, "deployment": whole(list...)})
	}
	switch {
	case u.dryRun:
		want(rt, a, http.StatusForbidden)
	case u.state == "completed":
		want(rt, a, http.StatusConflict)
	case !u.holds(now):
		want(rt, a, http.StatusForbidden)
	default:
		want(rt, a, http.StatusNoContent)
		u.urns[fresh] = true
		return
	}
	r.sequence = sequence // it was refused: its client has no gap
}

func (m *leaseModel) complete(rt *rapid.T) {
	u := m.one(rt, "running", "completed", "lost")
	c, now := m.front(rt)
	outcome := rapid.SampledFrom([]string{"succeeded", "failed"}).Draw(rt, "outcome")
	a := u.on(c).complete(outcome)
	switch {
	case u.state == "completed" && u.outcome == outcome:
		want(rt, a, http.StatusNoContent)
	case u.state == "completed":
		want(rt, a, http.StatusConflict)
	case u.holds(now):
		want(rt, a, http.StatusNoContent)
		m.ends(u, "completed", outcome)
	default:
		want(rt, a, http.StatusForbidden)
	}
}

func (m *leaseModel) cancelOne(rt *rapid.T) {
	u := m.one(rt, "created", "running", "completed", "lost")
	c, _ := m.front(rt)
	a := c.cancel(m.stack, u.id)
	if u.state != "running" {
		want(rt, a, http.StatusConflict)
		return
	}
	want(rt, a, http.StatusNoContent)
	m.ends(u, "lost", "cancelled")
}

func (m *leaseModel) sweep(rt *rapid.T) {
	c, now := m.front(rt)
	c.Sweep()
	for _, u := range m.all {
		if u.state == "running" && now.After(u.expires.Add(update.Grace)) {
			m.ends(u, "lost", "failed")
		}
	}
}

func (m *leaseModel) wait(rt *rapid.T) {
	far := rapid.SampledFrom([]int{10, 150, 300, 480, 1000}).Draw(rt, "up to")
	m.fronts[0].Clock.Add(time.Duration(rapid.IntRange(1, far).Draw(rt, "seconds")) * time.Second)
}

// check reads the stack through both processes.
func (m *leaseModel) check(rt *rapid.T) {
	for _, c := range m.fronts {
		var s struct {
			Version          int64
			CurrentOperation *struct{ Kind string }
		}
		decode(rt, c.call(http.MethodGet, m.stack, nil), &s)
		if s.Version != m.version {
			rt.Fatalf("the stack has version %d, want %d", s.Version, m.version)
		}
		if (s.CurrentOperation != nil) != (m.holder != nil) {
			rt.Fatalf("the stack is held: %v, want %v", s.CurrentOperation != nil, m.holder != nil)
		}
		want := m.kept
		if m.holder != nil {
			want = m.holder.urns
		}
		var out struct{ Deployment deployment }
		decode(rt, c.call(http.MethodGet, m.stack+"/export", nil), &out)
		got := out.Deployment.urns()
		for _, u := range got {
			if !want[u] {
				rt.Fatalf("%s is exported and was never acknowledged", u)
			}
		}
		if len(got) != len(want) {
			rt.Fatalf("%d resources are exported, %d were acknowledged", len(got), len(want))
		}
	}
}

func want(rt *rapid.T, a boottest.Answer, status int) {
	rt.Helper()
	if a.Status != status {
		rt.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
}

func decode(rt *rapid.T, a boottest.Answer, v any) {
	rt.Helper()
	want(rt, a, http.StatusOK)
	require.NoError(rt, json.Unmarshal(a.Body, v))
}
