package guarantee

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/boot/boottest"
)

// The budget of a call that a warm process answers, in round trips to the store.
const (
	maxReads  = 2
	maxWrites = 1
)

// trips are the round trips of one call.
type trips struct{ reads, writes int }

func (n trips) within() bool { return n.reads <= maxReads && n.writes <= maxWrites }

func (n trips) String() string { return fmt.Sprintf("%d+%d", n.reads, n.writes) }

// RoundTrips counts what a call of every row costs: in a process that has just started, and in one that has served this caller and
// target before. It prints the table, and fails when more than a tenth of the rows exceed the budget warm, when one exceeds it
// that exceptions does not name, or when exceptions names one that keeps it. exceptions gives a reason for each.
func RoundTrips(t *testing.T, tb Table, exceptions map[string]string) {
	p := tb.New(t)
	var table strings.Builder
	fmt.Fprintf(&table, "round trips (reads+writes)\n%-42s %6s %6s\n", "row", "cold", "warm")
	rows, over := 0, 0
	tb.each(t, p, func(t *testing.T, op api.Operation, sample Sample) {
		rows++
		cold := count(t, p, func() boottest.Request {
			r := tb.proper(p, sample(p))
			p.Restart()
			return r
		})
		warm := count(t, p, func() boottest.Request {
			r := tb.proper(p, sample(p))
			tb.warm(p, r)
			return r
		})
		mark, why := "", exceptions[op.Name]
		if !warm.within() {
			over++
			mark = "  over: " + why
		}
		fmt.Fprintf(&table, "%-42s %6s %6s%s\n", op.Name, cold, warm, mark)
		if why == "" {
			require.True(t, warm.within(), "%s takes %s round trips, the budget is %d+%d", op.Name, warm, maxReads, maxWrites)
		} else {
			require.False(t, warm.within(), "%s keeps the budget with %s: take it off the list", op.Name, warm)
		}
	})
	t.Log(table.String())
	require.LessOrEqual(t, over*10, rows, "%d of %d rows exceed the budget", over, rows)
}

// warm makes the process know the caller and the target: by the same call where it changes nothing, else by the table's.
func (tb Table) warm(p *boottest.Plane, r boottest.Request) {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		p.Do(r)
	case tb.Warm != nil:
		if w := tb.Warm(r); w != nil {
			p.Do(tb.proper(p, *w))
		}
	}
}

func count(t *testing.T, p *boottest.Plane, prepare func() boottest.Request) trips {
	t.Helper()
	r := prepare()
	p.Spy.Reset()
	call(t, p, r)
	return trips{p.Spy.Reads(), p.Spy.Writes()}
}
