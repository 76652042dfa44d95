package standalone_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/update"
)

// rounds is how often the test kills the process: POLYPLANE_TEST_KILLS, or 10.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("POLYPLANE_TEST_KILLS")); err == nil && n > 0 {
		return n
	}
	return 10
}

// Between two kills the clock either goes on, and then the clients go on with the leases that they have, or is moved by one lease and its
// grace, and then every stack can be updated.
func TestAProcessKilledUnderLoadLosesNothingThatItAcknowledgedAndHoldsNoStackLongerThanALease(t *testing.T) {
	const clients = 6
	dir := dataDir(t)
	ahead := time.Duration(0)
	var l *load
	seen, killed := 0, 0
	for round := range rounds() {
		p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken, clockAhead+"="+ahead.String())
		limit := int64(10 + rand.IntN(120))
		if l == nil {
			l = newLoad(p, fixedToken, limit)
		} else {
			l.at(p, limit)
		}
		over := l.begin(clients, fmt.Sprintf("r%d", round))
		require.True(t, l.isFull(over), "%v", l.wrong)
		p.kill()
		<-over
		killed += int(l.acked.Load())
		require.Empty(t, l.wrong)

		goesOn := round%2 == 0
		if !goesOn {
			ahead += update.MaxLease + update.Grace + time.Second
		}
		p = serve(t, dir, "POLYPLANE_TOKEN="+fixedToken, clockAhead+"="+ahead.String())
		l.at(p, -1)
		touched := l.all()[seen:]
		l.check(touched, true)
		for _, s := range touched {
			if goesOn {
				l.goOn(s)
			} else {
				s.running = nil
				l.updateAgain(s)
			}
		}
		l.check(touched, true)
		require.Empty(t, l.wrong, "round %d", round)
		if !goesOn {
			seen = len(l.all()) // those of the round before may be in an update that nobody can go on with
		}
		require.Zero(t, p.stop())
	}
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken, clockAhead+"="+ahead.String())
	l.at(p, -1)
	l.check(l.all(), true)
	require.Empty(t, l.wrong)
	require.Zero(t, p.stop())
	t.Logf("%d kills, %d acknowledged writes before them, %d stacks", rounds(), killed, len(l.all()))
}

// goOn does what a client does whose server was away: it repeats what was not answered and ends its update.
func (l *load) goOn(s *ackedStack) {
	if s.running == nil {
		return
	}
	for n := 0; n < 2 && !s.running.closing; n++ {
		if err := l.journal(s); err != nil {
			l.complain("a client that held its lease cannot go on: %v", err)
			return
		}
	}
	if err := l.complete(s); err != nil {
		l.complain("a client that held its lease cannot complete: %v", err)
	}
}

func (l *load) updateAgain(s *ackedStack) {
	for _, step := range []func(*ackedStack) error{l.encrypt, l.start, l.journal, l.complete} {
		if err := step(s); err != nil {
			l.complain("a stack cannot be updated after a lease and its grace: %v", err)
			return
		}
	}
}
