package pulumi_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/update"
)

// scene is one stack and what a client knows of it.
type scene struct {
	*client
	name, stack, id string // of the stack; id is empty before it was made
	run             *running
	next            string   // id of an update that was created and not started
	acked           []string // URNs whose journal batches were acknowledged
	relayed         bool     // a relay may have taken events
}

func (s *scene) made(u string) {
	s.T.Helper()
	if s.run.journal(s.run.made(u)...).Status == http.StatusNoContent {
		s.acked = append(s.acked, u)
	}
}

// started has one acknowledged resource in a running update.
func started(s *scene) {
	s.run = s.start(s.stack, "update", 1)
	s.made(urn(1))
	require.NotEmpty(s.T, s.acked)
}

// finished has one resource, an engine event and a preview, and no running update.
func finished(s *scene) {
	started(s)
	s.run.record(map[string]any{"sequence": 0, "timestamp": 1}).Into(s.T, http.StatusOK, nil)
	s.run.complete("succeeded").Into(s.T, http.StatusNoContent, nil)
	s.preview(s.stack).complete("succeeded").Into(s.T, http.StatusNoContent, nil)
}

// interruption is one operation that is killed at every store call. The act makes it; again repeats it as the CLI or a worker would, and
// must succeed.
type interruption struct {
	noStack bool
	arrange func(*scene)
	act     func(*scene)
	again   func(*scene)
	gone    bool // the stack is deleted in the end
}

const leaseAndGrace = update.MaxLease + update.Grace

var interruptions = map[string]interruption{
	"create stack": {
		noStack: true,
		act:     func(s *scene) { s.createStack() },
		again: func(s *scene) {
			a := s.createStack()
			if a.Status != http.StatusOK {
				require.Equal(s.T, http.StatusConflict, a.Status, "%s", a.Body)
				require.Contains(s.T, string(a.Body), "already exists")
			}
		},
	},
	"create update": {
		act:   func(s *scene) { s.call(http.MethodPost, s.stack+"/update", map[string]any{"name": "p"}) },
		again: func(s *scene) { s.create(s.stack, "update", false) },
	},
	"start": {
		arrange: func(s *scene) { s.next = s.create(s.stack, "update", false) },
		act:     startNext,
		again:   startNextOrHear,
	},
	"start that takes an expired update over": {
		arrange: func(s *scene) {
			started(s)
			s.next = s.create(s.stack, "update", false)
			s.Clock.Add(leaseAndGrace)
		},
		act:   startNext,
		again: startNextOrHear,
	},
	"journal batch": {
		arrange: started,
		act:     func(s *scene) { s.batch() },
		again: func(s *scene) {
			s.batch().Into(s.T, http.StatusNoContent, nil)
		},
	},
	"checkpoint save": {
		arrange: func(s *scene) { s.run = s.start(s.stack, "update", 0) },
		act:     func(s *scene) { s.saveAll() },
		again:   func(s *scene) { s.saveAll().Into(s.T, http.StatusNoContent, nil) },
	},
	"complete": {
		arrange: started,
		act:     func(s *scene) { s.run.complete("succeeded") },
		again: func(s *scene) {
			s.run.complete("succeeded").Into(s.T, http.StatusNoContent, nil)
			require.Equal(s.T, "succeeded", s.status())
		},
	},
	"complete that is never repeated": {
		arrange: started,
		act:     func(s *scene) { s.run.complete("succeeded") },
		again: func(s *scene) {
			s.Clock.Add(leaseAndGrace + 1)
			s.Sweep()
			require.Contains(s.T, []string{"succeeded", "failed"}, s.status())
		},
	},
	"cancel": {
		arrange: started,
		act:     func(s *scene) { s.cancel(s.stack, s.run.id) },
		again: func(s *scene) {
			if a := s.cancel(s.stack, s.run.id); a.Status != http.StatusNoContent {
				a.Into(s.T, http.StatusConflict, nil)
			}
			require.Equal(s.T, "cancelled", s.cancelledAs())
			s.run.journal(s.run.made(urn(7))...).Into(s.T, http.StatusForbidden, nil)
		},
	},
	"delete stack": {
		arrange: finished,
		act:     func(s *scene) { s.call(http.MethodDelete, s.stack+"?force=true", nil) },
		again: func(s *scene) {
			if a := s.call(http.MethodDelete, s.stack+"?force=true", nil); a.Status != http.StatusNoContent {
				a.Into(s.T, http.StatusNotFound, nil)
			}
		},
		gone: true,
	},
	"purge": {
		arrange: func(s *scene) {
			finished(s)
			s.Relay()
			s.relayed = true
			s.call(http.MethodDelete, s.stack+"?force=true", nil).Into(s.T, http.StatusNoContent, nil)
		},
		act: func(s *scene) { _, _ = boot.Relay(s.Ports).Deliver(context.Background(), 100) },
		again: func(s *scene) {
			s.Clock.Add(leaseAndGrace) // an event that failed is due again later
			s.Relay()
			s.nothingLeft()
		},
		gone: true,
	},
	"tidy": {
		arrange: func(s *scene) { finished(s); s.relayed = true },
		act:     func(s *scene) { _, _ = boot.Relay(s.Ports).Deliver(context.Background(), 100) },
		again: func(s *scene) {
			s.Clock.Add(leaseAndGrace)
			s.Relay()
			require.Zero(s.T, s.pendingEvents())
		},
	},
	"sweep": {
		arrange: func(s *scene) { started(s); s.Clock.Add(leaseAndGrace + 1e6) },
		act:     func(s *scene) { _, _ = update.Sweep(context.Background(), s.Ports, 100) },
		again: func(s *scene) {
			s.Clock.Add(leaseAndGrace)
			s.Sweep()
			require.Equal(s.T, "failed", s.status())
		},
	},
}

func (s *scene) createStack() boottest.Answer {
	return s.call(http.MethodPost, "/stacks/"+s.Org+"/crash", map[string]any{"stackName": s.name})
}

func startNext(s *scene) { _, _ = s.tryStart(s.stack, s.next, 1) }

// startNextOrHear starts again, or hears that the lost answer was a yes; then nobody has the token, and the lease must run out.
func startNextOrHear(s *scene) {
	if _, a := s.tryStart(s.stack, s.next, 1); a.Status != http.StatusOK {
		a.Into(s.T, http.StatusConflict, nil)
		require.Contains(s.T, string(a.Body), "already started")
	}
}

// batch sends the same batch whenever it is asked to.
func (s *scene) batch() boottest.Answer {
	was := s.run.sequence
	a := s.run.journal(s.run.made(urn(2))...)
	s.run.sequence = was
	if a.Status == http.StatusNoContent {
		s.acked = append(s.acked, urn(2))
	}
	return a
}

func (s *scene) saveAll() boottest.Answer {
	a := s.run.save("checkpoint", map[string]any{"version": 3, "deployment": whole(urn(1))})
	if a.Status == http.StatusNoContent {
		s.acked = append(s.acked, urn(1))
	}
	return a
}

// way is how a call can fail: for good, as when the process is killed there, or once, as when the store is throttled or its answer is
// lost. A read whose answer is lost is a read that failed, so only writes are made to fail behind the call.
type way struct {
	fate boottest.Fate
	once bool
}

var ways = map[string]way{
	"killed before the call":  {boottest.FailsBefore, false},
	"killed behind the call":  {boottest.FailsAfter, false},
	"the call fails once":     {boottest.FailsBefore, true},
	"the answer is lost once": {boottest.FailsAfter, true},
}

func TestACrashAtAnyStoreCallLeavesNoHalfState(t *testing.T) {
	for name, op := range interruptions {
		for called, w := range ways {
			t.Run(name+", "+called, func(t *testing.T) {
				t.Parallel()
				c := newClient(t)
				calls := interrupt(c, op, never, w)
				require.NotEmpty(t, calls)
				for at, call := range calls {
					if w.fate == boottest.FailsBefore || call.Method == "Write" {
						interrupt(c, op, at, w)
					}
				}
			})
		}
	}
}

// newScene is a scene with a stack of its own, or the name of one.
func newScene(c *client, n int, noStack bool) *scene {
	s := &scene{client: c, name: fmt.Sprintf("s%d", n)}
	s.stack = "/stacks/" + c.Org + "/crash/" + s.name
	if !noStack {
		c.stack("crash", s.name)
		s.id = s.idOf()
	}
	return s
}

const never = -1

// interrupt plays one scene on a stack of its own, in which the call of this number fails, and returns the calls that the act made.
func interrupt(c *client, op interruption, at int, w way) []boottest.Call {
	s := newScene(c, at+1, op.noStack)
	if op.arrange != nil {
		op.arrange(s)
	}
	s.Restart()
	var calls []boottest.Call
	s.Spy.Hook(func(n int, c boottest.Call) boottest.Fate {
		calls = append(calls, c)
		switch {
		case n == at:
			return w.fate
		case at != never && n > at && !w.once:
			return boottest.FailsBefore
		}
		return boottest.Works
	})
	op.act(s)
	s.Spy.Hook(nil)
	require.Greater(s.T, len(calls), at, "there was such a call")
	s.Restart()
	s.sound()
	op.again(s)
	s.sound()
	if !op.gone {
		s.usable()
		s.sound()
	}
	s.cleanUp()
	return calls
}

// usable makes another update, after at most a lease and its grace.
func (s *scene) usable() {
	s.T.Helper()
	s.Clock.Add(leaseAndGrace)
	s.run = s.start(s.stack, "update", 1)
	s.made(urn(9))
	require.Contains(s.T, s.acked, urn(9))
	s.run.complete("succeeded").Into(s.T, http.StatusNoContent, nil)
}

// cleanUp leaves no due work of this scene to the next.
func (s *scene) cleanUp() {
	s.Clock.Add(leaseAndGrace)
	s.Sweep()
	s.Relay()
}
