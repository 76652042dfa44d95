package update_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/boot/boottest"
	"github.com/polyplane/polyplane/shared/core/checkpoint"
	"github.com/polyplane/polyplane/shared/core/organization"
	"github.com/polyplane/polyplane/shared/core/permission"
	"github.com/polyplane/polyplane/shared/core/stack"
	"github.com/polyplane/polyplane/shared/core/update"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

// journaled is a stack with a running update that saves by journal.
type journaled struct {
	*boottest.Plane
	org   organization.Organization
	stack string // id
	name  string
	id    string // of the update
	token string
}

func begin(t *testing.T, p *boottest.Plane, name string) *journaled {
	t.Helper()
	ctx := context.Background()
	o, err := organization.Find(ctx, p.Ports, p.Org)
	require.NoError(t, err)
	s, err := stack.Create(ctx, p.Ports, permission.Principal{ID: "somebody"}, o, stack.Draft{Project: "fold", Name: name})
	require.NoError(t, err)
	u, err := update.Create(ctx, p.Ports, s, update.By{Login: "somebody"}, update.Update, false, update.Program{})
	require.NoError(t, err)
	j := &journaled{Plane: p, org: o, stack: s.ID, name: name, id: u.ID}
	started, err := update.Start(ctx, p.Ports, o, j.head(), u.ID, update.StartOptions{Journal: true})
	require.NoError(t, err)
	j.token = started.Token
	return j
}

func (j *journaled) head() store.Doc[stack.Stack] {
	j.T.Helper()
	d, err := stack.Of(context.Background(), j.Ports, j.stack)
	require.NoError(j.T, err)
	return d
}

func (j *journaled) lease() store.Doc[update.Lease] {
	j.T.Helper()
	l, err := update.Authenticate(context.Background(), j.Ports, j.token)
	require.NoError(j.T, err)
	return l
}

// entries are those from one sequence number to another, both included: even ones begin a resource, odd ones from 3 create it, and every
// tenth resource replaces the one before it.
func entries(t testing.TB, numbers ...int) []checkpoint.Entry {
	t.Helper()
	body := []byte(`{"entries":[`)
	for i, n := range numbers {
		if i > 0 {
			body = append(body, ',')
		}
		op, res := n/2, fmt.Sprintf(`{"urn":"urn:pulumi:dev::p::t:i:R::r%d","type":"t:i:R","custom":false}`, n/2)
		switch {
		case n == 1:
			body = append(body, `{"version":1,"kind":6,"sequenceID":1,"operationID":0,"removeOld":null,"removeNew":null,"secretsProvider":{"type":"service"}}`...)
		case n%2 == 0:
			body = fmt.Appendf(body, `{"version":1,"kind":0,"sequenceID":%d,"operationID":%d,"removeOld":null,"removeNew":null,"operation":{"type":"creating","resource":%s}}`, n, op, res)
		default:
			remove := "null"
			if op%10 == 0 {
				remove = fmt.Sprint(op - 1)
			}
			body = fmt.Appendf(body, `{"version":1,"kind":1,"sequenceID":%d,"operationID":%d,"removeOld":null,"removeNew":%s,"state":%s}`, n, op, remove, res)
		}
	}
	out, err := checkpoint.DecodeBatch(append(body, "]}"...), checkpoint.Limits{})
	require.NoError(t, err)
	return out
}

func numbers(from, to int) []int {
	var out []int
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// journal sends the entries from one number to another in batches.
func (j *journaled) journal(from, to, batch int) {
	j.T.Helper()
	for n := from; n <= to; n += batch {
		require.NoError(j.T, update.Journal(context.Background(), j.Ports, j.lease(), entries(j.T, numbers(n, min(n+batch-1, to))...)))
	}
}

func (j *journaled) export() string {
	j.T.Helper()
	text, err := update.Export(context.Background(), j.Ports, j.org, j.head().Value)
	require.NoError(j.T, err)
	return string(text)
}

func (j *journaled) complete() {
	j.T.Helper()
	require.NoError(j.T, update.Complete(context.Background(), j.Ports, j.lease(), update.Succeeded))
}

func (j *journaled) exists(k store.Key) bool {
	j.T.Helper()
	found, err := j.Ports.Store.BatchGet(context.Background(), []store.Key{k})
	require.NoError(j.T, err)
	return found[0].Version > 0
}

func TestAFoldedJournalComesToTheSameAsOneThatWasNot(t *testing.T) {
	p := boottest.New(t)
	restore := update.SetFoldEvery(math.MaxInt64 / 2)
	defer func() { restore() }()
	plain := begin(t, p, "plain")
	plain.journal(1, 501, 7)
	restore()
	restore = update.SetFoldEvery(20)
	folded := begin(t, p, "folded")
	for n := 1; n <= 501; n += 50 {
		folded.journal(n, min(n+49, 501), 7)
		folded.journal(max(1, n-5), n, 3) // again, split otherwise
		folded.Restart()
	}
	require.False(t, plain.exists(keys.Fold(plain.stack, plain.id)))
	require.True(t, folded.exists(keys.Fold(folded.stack, folded.id)))
	require.Equal(t, plain.export(), folded.export())
	plain.complete()
	folded.complete()
	require.Contains(t, folded.export(), "::r250\"")
	require.Equal(t, plain.export(), folded.export())
}

func TestABatchThatReachesFromBeforeTheFoldToBehindItIsNotLost(t *testing.T) {
	defer update.SetFoldEvery(1100)()
	j := begin(t, boottest.New(t), "wide")
	j.journal(1, 1199, 400)
	require.True(t, j.exists(keys.Fold(j.stack, j.id)))
	require.NoError(t, update.Journal(context.Background(), j.Ports, j.lease(), entries(t, 2, 1200, 1201)))
	require.Contains(t, j.export(), "::r600\"")
	j.complete()
	require.Contains(t, j.export(), "::r600\"")
}

func TestReadersOfALongJournalReplayABoundedTail(t *testing.T) {
	const every, batch, length = 40, 4, 2001
	defer update.SetFoldEvery(every)()
	j := begin(t, boottest.New(t), "long")
	j.Spy.Reset()
	most := 0
	for n := 1; n <= length; n += batch {
		before := j.Spy.Items()
		j.journal(n, min(n+batch-1, length), batch)
		most = max(most, j.Spy.Items()-before)
	}
	bound := (every+length/8)/batch + 2
	require.LessOrEqual(t, most, bound, "one fold reads no more than the tail")
	require.LessOrEqual(t, j.Spy.Items(), 10*length/batch, "folding reads every batch a few times at most, however long the journal")
	j.Spy.Reset()
	j.export()
	require.LessOrEqual(t, j.Spy.Items(), bound)
	j.Spy.Reset()
	j.complete()
	require.LessOrEqual(t, j.Spy.Items(), bound)
	require.Contains(t, j.export(), "::r1000\"")
}

func TestAJournalThatWaitsForAnEntryIsNotReadAgainWithEveryBatch(t *testing.T) {
	const every, batch, length = 40, 4, 2001
	defer update.SetFoldEvery(every)()
	j := begin(t, boottest.New(t), "waiting")
	j.journal(1, 1, batch)
	j.Spy.Reset()
	j.journal(3, length, batch)
	require.LessOrEqual(t, j.Spy.Items(), 10*length/batch)
	j.journal(2, 2, 1)
	j.complete()
	require.Contains(t, j.export(), "::r1000\"")
	require.Contains(t, j.export(), "::r1\"")
}

func TestWhatWasFoldedIsRemovedOnceTheCheckpointHoldsIt(t *testing.T) {
	ctx := context.Background()
	defer update.SetFoldEvery(10)()
	j := begin(t, boottest.New(t), "tidied")
	j.journal(1, 101, 5)
	require.NoError(t, update.Tidy(ctx, j.Ports, j.stack, j.id))
	require.True(t, j.exists(keys.Fold(j.stack, j.id)), "nothing is removed from a running update")
	j.complete()
	left := j.export()
	require.NoError(t, update.Tidy(ctx, j.Ports, j.stack, j.id))
	require.False(t, j.exists(keys.Fold(j.stack, j.id)))
	page, err := j.Ports.Store.Query(ctx, store.Query{PK: keys.UpdateItems(j.stack, j.id), Prefix: keys.JournalPrefix})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Equal(t, left, j.export())
	before := j.chunks()
	j.Clock.Add(blob.Grace - time.Minute)
	_, err = update.Collect(ctx, j.Ports, j.stack)
	require.NoError(t, err)
	require.Equal(t, before, j.chunks(), "not before the grace is over")
	j.Clock.Add(time.Hour)
	done, err := update.Collect(ctx, j.Ports, j.stack)
	require.NoError(t, err)
	require.Positive(t, done.Deleted)
	require.Less(t, j.chunks(), before)
	require.Equal(t, left, j.export())
}

func (j *journaled) chunks() int {
	j.T.Helper()
	found, err := j.Ports.Blobs.List(context.Background(), string(keys.Stack(j.stack)), "", 10_000)
	require.NoError(j.T, err)
	return len(found)
}

func TestCollectingTheChunksOfADeletedStackIsNoError(t *testing.T) {
	ctx := context.Background()
	j := begin(t, boottest.New(t), "deleted")
	j.journal(1, 9, 3)
	j.complete()
	require.NoError(t, stack.Delete(ctx, j.Ports, permission.Principal{}, j.org, j.head(), true))
	_, err := update.Collect(ctx, j.Ports, j.stack)
	require.NoError(t, err)
	require.NoError(t, stack.Purge(ctx, j.Ports, j.stack))
	_, err = update.Collect(ctx, j.Ports, j.stack)
	require.NoError(t, err)
}

func TestACrashAtAnyStoreCallOfAFoldLosesNothing(t *testing.T) {
	defer update.SetFoldEvery(20)()
	p := boottest.New(t)
	for _, fate := range []boottest.Fate{boottest.FailsBefore, boottest.FailsAfter} {
		for _, once := range []bool{true, false} {
			for at, reached := 0, true; reached; at++ {
				j := begin(t, p, fmt.Sprintf("s%d-%d-%t", at, fate, once))
				j.journal(1, 19, 5)
				l := j.lease()
				batch := entries(t, numbers(20, 31)...)
				reached = false
				p.Spy.Hook(func(n int, _ boottest.Call) boottest.Fate {
					switch {
					case n == at:
						reached = true
						return fate
					case n > at && !once:
						return boottest.FailsBefore
					}
					return boottest.Works
				})
				err := update.Journal(context.Background(), p.Ports, l, batch)
				p.Spy.Hook(nil)
				if err == nil {
					require.Contains(t, j.export(), "::r15\"", "what was acknowledged is there")
				}
				require.NoError(t, update.Journal(context.Background(), j.Ports, j.lease(), batch))
				j.journal(32, 61, 6)
				require.True(t, j.exists(keys.Fold(j.stack, j.id)), "the next batch folds")
				j.complete()
				require.Contains(t, j.export(), "::r30\"")
			}
		}
	}
}
