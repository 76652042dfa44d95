package guarantee

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// The budget of a call that a warm process answers, in round trips to the store.
const (
	maxReads  = 2 // that wait for one another; those that are under way at the same time count as one
	maxWrites = 1
)

// trips are the round trips of one call.
type trips struct {
	reads, writes int
	deep          int // reads that wait for one another, where fewer than reads
}

func (n trips) within() bool { return min(n.reads, n.deep) <= maxReads && n.writes <= maxWrites }

func (n trips) String() string {
	if n.deep < n.reads {
		return fmt.Sprintf("%d(%d)+%d", n.reads, n.deep, n.writes)
	}
	return fmt.Sprintf("%d+%d", n.reads, n.writes)
}

// RoundTrips counts what a call of every row costs: in a process that has just started, and in one that has served this caller and
// target before (the second of two equal calls, where a second one does the same again). It prints the table, and fails when more
// than a tenth of the rows exceed the budget warm, when one exceeds it that exceptions does not name, or when exceptions
// names one that keeps it. exceptions gives a reason for each.
func RoundTrips(t *testing.T, tb Table, exceptions map[string]string) {
	p := tb.New(t)
	var table strings.Builder
	fmt.Fprintf(&table, "round trips (reads+writes; in brackets the reads that wait for one another, where fewer)\n%-42s %8s %8s\n", "row", "cold", "warm")
	rows, over := 0, 0
	tb.each(t, p, func(t *testing.T, op api.Operation, sample Sample) {
		rows++
		cold := tb.proper(p, sample(p))
		p.Restart()
		first := count(t, p, cold)
		warm := tb.warm(t, p, op, sample, cold, first)
		mark, why := "", exceptions[op.Name]
		if !warm.within() {
			over++
			mark = "  over: " + why
		}
		fmt.Fprintf(&table, "%-42s %8s %8s%s\n", op.Name, first, warm, mark)
		if why == "" {
			require.True(t, warm.within(), "%s takes %s round trips, the budget is %d+%d", op.Name, warm, maxReads, maxWrites)
		} else {
			require.False(t, warm.within(), "%s keeps the budget with %s: take it off the list", op.Name, warm)
		}
	})
	t.Log(table.String())
	require.LessOrEqual(t, over*10, rows, "%d of %d rows exceed the budget", over, rows)
}

// warm counts a call that the process is prepared for.
func (tb Table) warm(t *testing.T, p *boottest.Plane, op api.Operation, sample Sample, r boottest.Request, first trips) trips {
	t.Helper()
	if op.Method == http.MethodGet || op.Method == http.MethodHead {
		again := count(t, p, r)
		if again.reads > maxReads {
			again.deep = depth(t, p, r)
		}
		return again
	}
	if !op.Idempotent {
		p.Spy.Reset()
		a := p.Do(r)
		if again := counted(p); a.Status < 300 && again.writes == first.writes {
			return again // it did the same work
		}
	}
	r = tb.proper(p, sample(p))
	if tb.Warm != nil {
		if w := tb.Warm(r); w != nil {
			p.Do(tb.proper(p, *w))
		}
	}
	return count(t, p, r)
}

func count(t *testing.T, p *boottest.Plane, r boottest.Request) trips {
	t.Helper()
	p.Spy.Reset()
	call(t, p, r)
	return counted(p)
}

func counted(p *boottest.Plane) trips {
	return trips{reads: p.Spy.Reads(), writes: p.Spy.Writes(), deep: p.Spy.Reads()}
}

// depth is how many reads of a call wait for one another: how many seconds it takes when every read takes one, on a clock that moves
// only while everybody waits.
func depth(t *testing.T, p *boottest.Plane, r boottest.Request) int {
	t.Helper()
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p.Spy.Hook(func(_ int, c boottest.Call) boottest.Fate {
			if c.Method != "Write" {
				time.Sleep(time.Second)
			}
			return boottest.Works
		})
		call(t, p, r)
		took = time.Since(start)
	})
	p.Spy.Hook(nil)
	return int(took / time.Second)
}
