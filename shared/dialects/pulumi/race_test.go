package pulumi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/update"
)

// race is two operations on one stack. The second is made, whole, before each store call of the first in turn.
type race struct {
	noStack       bool
	arrange       func(*scene)
	first, second func(*scene) boottest.Answer
	check         func(s *scene, first, second boottest.Answer)
}

func TestTwoOperationsOnOneStackAgreeInEveryOrder(t *testing.T) {
	for name, r := range races {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t)
			for at := 0; ; at++ {
				require.Less(t, at, 100, "the operation ends")
				s := newScene(c, at, r.noStack)
				if r.arrange != nil {
					r.arrange(s)
				}
				s.Restart()
				var second *boottest.Answer
				s.Spy.Hook(func(n int, _ boottest.Call) boottest.Fate {
					if n == at {
						s.Spy.Hook(nil)
						a := r.second(s)
						second = &a
					}
					return boottest.Works
				})
				first := r.first(s)
				s.Spy.Hook(nil)
				if second == nil {
					a := r.second(s)
					r.check(s, first, a)
					return
				}
				r.check(s, first, *second)
				s.sound()
				s.cleanUp()
			}
		})
	}
}

func (s *scene) want(a boottest.Answer, statuses ...int) {
	s.T.Helper()
	require.Contains(s.T, statuses, a.Status, "%s", a.Body)
}

func (s *scene) status() string { return s.client.status(s.stack, s.run.id) }

func completing(s *scene) boottest.Answer { return s.run.complete("succeeded") }
func cancelling(s *scene) boottest.Answer { return s.cancel(s.stack, s.run.id) }
func journaling(s *scene) boottest.Answer { return s.batch() }
func renewing(s *scene) boottest.Answer   { return s.run.renew(300) }
func deleting(s *scene) boottest.Answer   { return s.call(http.MethodDelete, s.stack+"?force=true", nil) }
func starting(s *scene) boottest.Answer   { _, a := s.tryStart(s.stack, s.next, 1); return a }
func creating(s *scene) boottest.Answer   { return s.createStack() }

// startingAnother starts an update of its own.
func startingAnother(s *scene) boottest.Answer {
	_, a := s.tryStart(s.stack, s.create(s.stack, "update", false), 1)
	return a
}

// aheadBy is how far the clocks of two processes may differ.
const aheadBy = update.Grace * 2 / 3

func sweepingAhead(s *scene) boottest.Answer {
	ahead := s.Fork(aheadBy)
	_, err := update.Sweep(context.Background(), ahead.Ports, 100)
	require.NoError(s.T, err)
	return boottest.Answer{}
}

func startingAhead(s *scene) boottest.Answer {
	ahead := &client{Plane: s.Fork(aheadBy), auth: s.auth}
	_, a := ahead.tryStart(s.stack, s.next, 1)
	return a
}

// expiredAhead is a running update whose lease and grace are over by the clock that is ahead and not by the other.
func expiredAhead(s *scene) {
	started(s)
	s.next = s.create(s.stack, "update", false)
	s.Clock.Add(leaseAndGrace - aheadBy + 1e6)
}

func runningAndNext(s *scene) {
	started(s)
	s.next = s.create(s.stack, "update", false)
}

// keptIfRenewed says that a renewal which was answered is good, and that one which was refused is the end.
func keptIfRenewed(s *scene, renewal boottest.Answer) {
	s.T.Helper()
	s.want(renewal, http.StatusOK, http.StatusForbidden)
	if renewal.Status == http.StatusOK {
		s.want(s.batch(), http.StatusNoContent)
		s.want(s.run.complete("succeeded"), http.StatusNoContent)
		return
	}
	s.want(s.batch(), http.StatusForbidden)
}

// endedOnce says that either the completion or the cancellation took place, and that both clients know which.
func endedOnce(s *scene, completion, cancellation boottest.Answer) {
	s.T.Helper()
	if completion.Status == http.StatusNoContent {
		s.want(cancellation, http.StatusConflict)
		require.Equal(s.T, "succeeded", s.cancelledAs())
		return
	}
	s.want(completion, http.StatusForbidden)
	s.want(cancellation, http.StatusNoContent)
	require.Equal(s.T, "cancelled", s.cancelledAs())
}

var races = map[string]race{
	"complete, cancelled meanwhile": {
		arrange: started, first: completing, second: cancelling,
		check: endedOnce,
	},
	"cancel, completed meanwhile": {
		arrange: started, first: cancelling, second: completing,
		check: func(s *scene, first, second boottest.Answer) { endedOnce(s, second, first) },
	},
	"complete, and the same again": {
		arrange: started, first: completing, second: completing,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent)
			s.want(second, http.StatusNoContent)
		},
	},
	"a journal batch, cancelled meanwhile": {
		arrange: started, first: journaling, second: cancelling,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent, http.StatusForbidden)
			s.want(second, http.StatusNoContent)
		},
	},
	"a journal batch, completed meanwhile": {
		arrange: started, first: journaling, second: completing,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent, http.StatusConflict)
			s.want(second, http.StatusNoContent)
		},
	},
	"complete, journaled meanwhile": {
		arrange: started, first: completing, second: journaling,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent)
			s.want(second, http.StatusNoContent, http.StatusConflict)
		},
	},
	"a sweep by a clock that is ahead, renewed meanwhile": {
		arrange: expiredAhead, first: sweepingAhead, second: renewing,
		check: func(s *scene, _, second boottest.Answer) { keptIfRenewed(s, second) },
	},
	"a renewal, swept meanwhile by a clock that is ahead": {
		arrange: expiredAhead, first: renewing, second: sweepingAhead,
		check: func(s *scene, first, _ boottest.Answer) { keptIfRenewed(s, first) },
	},
	"a takeover by a clock that is ahead, renewed meanwhile": {
		arrange: expiredAhead, first: startingAhead, second: renewing,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK, http.StatusConflict)
			require.Equal(s.T, first.Status == http.StatusOK, second.Status == http.StatusForbidden)
			keptIfRenewed(s, second)
		},
	},
	"a takeover by a clock that is ahead, journaled meanwhile": {
		arrange: expiredAhead, first: startingAhead, second: journaling,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK)
			s.want(second, http.StatusNoContent, http.StatusForbidden)
		},
	},
	"two takeovers": {
		arrange: func(s *scene) { runningAndNext(s); s.Clock.Add(leaseAndGrace) }, first: starting, second: startingAnother,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK, http.StatusConflict)
			s.want(second, http.StatusOK, http.StatusConflict)
			require.NotEqual(s.T, first.Status, second.Status, "one of them has the stack")
		},
	},
	"a start, completed meanwhile": {
		arrange: runningAndNext, first: starting, second: completing,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK, http.StatusConflict)
			s.want(second, http.StatusNoContent)
		},
	},
	"a start that takes up a completion which died, completed meanwhile": {
		arrange: func(s *scene) { runningAndNext(s); s.dyingCompletion() }, first: starting, second: completing,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK)
			s.want(second, http.StatusNoContent)
			require.Equal(s.T, "succeeded", s.status())
		},
	},
	"a repeated completion, taken up by a start meanwhile": {
		arrange: func(s *scene) { runningAndNext(s); s.dyingCompletion() }, first: completing, second: starting,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent)
			s.want(second, http.StatusOK)
			require.Equal(s.T, "succeeded", s.status())
		},
	},
	"an export, completed and tidied meanwhile": {
		arrange: started,
		first:   func(s *scene) boottest.Answer { return s.call(http.MethodGet, s.stack+"/export", nil) },
		second: func(s *scene) boottest.Answer {
			a := s.run.complete("succeeded")
			s.relayed = true
			s.Relay()
			return a
		},
		check: func(s *scene, first, second boottest.Answer) {
			s.want(second, http.StatusNoContent)
			s.want(first, http.StatusOK)
			require.Contains(s.T, string(first.Body), urn(1), "an export never shows less than was acknowledged")
		},
	},
	"a delete, started meanwhile": {
		arrange: func(s *scene) { finished(s); s.next = s.create(s.stack, "update", false) }, first: deleting, second: starting,
		check: deletedOrStarted,
	},
	"a start, deleted meanwhile": {
		arrange: func(s *scene) { finished(s); s.next = s.create(s.stack, "update", false) }, first: starting, second: deleting,
		check: func(s *scene, first, second boottest.Answer) { deletedOrStarted(s, second, first) },
	},
	"a purge, told of a late event meanwhile": {
		arrange: func(s *scene) {
			finished(s)
			s.Relay()
			s.relayed = true
			deleting(s).Into(s.T, http.StatusNoContent, nil)
		},
		first: purging,
		second: func(s *scene) boottest.Answer {
			return s.run.record(map[string]any{"sequence": 5, "timestamp": 1})
		},
		check: func(s *scene, first, second boottest.Answer) { s.nothingLeft() },
	},
	"a purge, a preview started meanwhile": {
		arrange: func(s *scene) {
			finished(s)
			s.Relay()
			s.relayed = true
			s.next = s.create(s.stack, "preview", true)
			deleting(s).Into(s.T, http.StatusNoContent, nil)
		},
		first: purging, second: starting,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(second, http.StatusNotFound)
			s.nothingLeft()
		},
	},
	"a preview's start, deleted and purged meanwhile": {
		arrange: func(s *scene) { finished(s); s.next = s.create(s.stack, "preview", true) }, first: starting,
		second: func(s *scene) boottest.Answer {
			a := deleting(s)
			s.relayed = true
			s.Relay()
			return a
		},
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK, http.StatusNotFound)
			s.want(second, http.StatusNoContent)
			s.Clock.Add(leaseAndGrace)
			s.Relay()
			s.nothingLeft()
		},
	},
	"two creations of one stack": {
		noStack: true, first: creating, second: creating,
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusOK, http.StatusConflict)
			s.want(second, http.StatusOK, http.StatusConflict)
			require.NotEqual(s.T, first.Status, second.Status)
		},
	},
	"the same save, twice": {
		arrange: func(s *scene) { s.run = s.start(s.stack, "update", 0) },
		first:   func(s *scene) boottest.Answer { return s.saveAll() },
		second:  func(s *scene) boottest.Answer { return s.saveAll() },
		check: func(s *scene, first, second boottest.Answer) {
			s.want(first, http.StatusNoContent)
			s.want(second, http.StatusNoContent)
		},
	},
}

func purging(s *scene) boottest.Answer {
	_, err := boot.Relay(s.Ports).Deliver(context.Background(), 100)
	require.NoError(s.T, err)
	s.Clock.Add(leaseAndGrace)
	s.Relay()
	return boottest.Answer{}
}

func deletedOrStarted(s *scene, deletion, start boottest.Answer) {
	s.T.Helper()
	if deletion.Status == http.StatusNoContent {
		s.want(start, http.StatusNotFound)
		return
	}
	s.want(deletion, http.StatusConflict)
	s.want(start, http.StatusOK)
}

// dyingCompletion closes the lease and dies before the stack is free.
func (s *scene) dyingCompletion() {
	s.T.Helper()
	s.Spy.Hook(func(_ int, c boottest.Call) boottest.Fate {
		if c.Method == "Write" && len(c.Changes) > 1 {
			return boottest.FailsBefore
		}
		return boottest.Works
	})
	require.Equal(s.T, http.StatusInternalServerError, s.run.complete("succeeded").Status)
	s.Spy.Hook(nil)
}
