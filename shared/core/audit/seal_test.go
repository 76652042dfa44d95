package audit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/account"
	"github.com/polyplane/polyplane/shared/core/audit"
	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
)

func TestAnHourIsSealedTwentyMinutesAfterItsEnd(t *testing.T) {
	w := newWorld(t, "o1")
	w.happens("o1", 10*time.Minute)
	w.at(beginning.Add(79 * time.Minute))
	w.seal()
	v := w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 0, v.Entries)
	require.EqualValues(t, 1, v.Unsealed)

	w.at(beginning.Add(80 * time.Minute))
	require.Equal(t, 1, w.seal())
	v = w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 1, v.Entries)
	require.EqualValues(t, 0, v.Unsealed)
	require.Equal(t, beginning.Add(time.Hour), v.Sealed)
}

func TestSealingIsDueOnceAnHourAndDoesNothingInBetween(t *testing.T) {
	w := newWorld(t, "o1")
	w.happens("o1", 10*time.Minute)
	w.at(beginning.Add(80 * time.Minute))
	require.Equal(t, 1, w.seal())
	require.Equal(t, 0, w.seal())
	w.at(beginning.Add(139 * time.Minute))
	require.Equal(t, 0, w.seal())
	w.at(beginning.Add(140 * time.Minute))
	require.Equal(t, 1, w.seal(), "a quiet hour has its digest too")
}

func TestAfterALongStopQuietTimesTakeOneDigest(t *testing.T) {
	w := newWorld(t, "o1", "o2")
	w.happens("o1", 10*time.Minute)
	w.happens("o2", 200*time.Hour)
	w.at(beginning.Add(1000 * time.Hour))
	require.Equal(t, 3, w.seal())
	v := w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 2, v.Entries)
	require.EqualValues(t, 3, v.Digests)
}

func TestALateEntryIsCoveredByTheNextDigest(t *testing.T) {
	w := newWorld(t, "o1")
	w.happens("o1", 10*time.Minute)
	w.at(beginning.Add(80 * time.Minute))
	w.seal()
	late := w.happens("o1", 20*time.Minute)
	v := w.verify()
	require.NotNil(t, v.Finding)
	require.Equal(t, "inserted", v.Finding.How)
	require.True(t, v.Finding.Fresh)

	w.at(beginning.Add(140 * time.Minute))
	w.happens("o1", 70*time.Minute)
	w.seal()
	v = w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 3, v.Entries)
	require.EqualValues(t, 1, v.Late)

	item, err := w.Store.Get(context.Background(), late)
	require.NoError(t, err)
	item.Body = append(item.Body[:len(item.Body)-1], `,"x":1}`...)
	w.put(item)
	_, id := keys.AuditEntryOf(late.SK)
	require.Equal(t, id, w.verify().Finding.ID, "late entries are protected as all others")
}

func TestAnEntryThatLandsTwoHoursLateIsReported(t *testing.T) {
	w := newWorld(t, "o1")
	for h := range 4 {
		w.happens("o1", time.Duration(h)*time.Hour+time.Minute)
	}
	w.at(beginning.Add(4*time.Hour + 20*time.Minute))
	w.seal()
	forged := w.happens("o1", 30*time.Minute)
	w.at(beginning.Add(10 * time.Hour))
	w.seal()
	f := w.verify().Finding
	_, id := keys.AuditEntryOf(forged.SK)
	require.NotNil(t, f)
	require.Equal(t, "inserted", f.How)
	require.Equal(t, id, f.ID)
	require.False(t, f.Fresh)
}

func TestAnOrganizationThatIsListedLaterIsSealedFromItsBeginning(t *testing.T) {
	w := newWorld(t, "o1")
	w.happens("o1", time.Minute)
	for range 5 {
		w.happens("old", 2*time.Minute)
	}
	w.at(beginning.Add(3 * time.Hour))
	w.seal()
	require.NoError(t, account.Reindex(context.Background(), w.Ports, acct, "old"))
	require.NoError(t, account.Reindex(context.Background(), w.Ports, acct, "old"))
	w.at(beginning.Add(4 * time.Hour))
	w.seal()
	v := w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 6, v.Entries)
}

func TestProcessesThatSealAtOnceLeaveOneChain(t *testing.T) {
	w := newWorld(t, "o1", "o2", "o3")
	for i := range 300 {
		w.happens([]string{"o1", "o2", "o3"}[i%3], time.Duration(i)*time.Minute)
	}
	w.at(beginning.Add(7 * time.Hour))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, err := audit.Seal(context.Background(), w.Ports, 100)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	w.seal()
	v := w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 300, v.Entries)
	require.Equal(t, beginning.Add(6*time.Hour), v.Sealed)
}

func TestAnHourWithManyOrganizationsTakesSeveralDigests(t *testing.T) {
	w := newWorld(t)
	for n := range 130 {
		o := "org-" + string(rune('a'+n/26)) + string(rune('a'+n%26))
		w.write(account.Own(acct, o, w.Now()))
		w.happens(o, time.Minute)
	}
	w.at(beginning.Add(2 * time.Hour))
	for range 3 { // taking notice of new organizations, 100 at a time
		w.seal()
	}
	v := w.verify()
	require.Nil(t, v.Finding)
	require.EqualValues(t, 130, v.Entries)
	require.EqualValues(t, 3, v.Digests)
	require.Equal(t, beginning.Add(time.Hour), v.Sealed)
}

func TestOneOrganizationCanBeVerifiedAlone(t *testing.T) {
	w := newWorld(t, "o1", "o2")
	w.happens("o1", time.Minute)
	gone := w.happens("o2", time.Minute)
	w.at(beginning.Add(2 * time.Hour))
	w.seal()
	item, err := w.Store.Get(context.Background(), gone)
	require.NoError(t, err)
	item.Kind = ""
	w.put(item)
	v, err := audit.Verify(context.Background(), w.Ports, audit.Question{Account: acct, Organization: "o1"})
	require.NoError(t, err)
	require.Nil(t, v.Finding)
	require.EqualValues(t, 1, v.Entries)
	v, err = audit.Verify(context.Background(), w.Ports, audit.Question{Account: acct, Organization: "o2"})
	require.NoError(t, err)
	require.Equal(t, "dropped", v.Finding.How)
}

func TestWhoKeptAHashNoticesAChainThatWasRolledBack(t *testing.T) {
	w := newWorld(t, "o1")
	w.happens("o1", time.Minute)
	w.at(beginning.Add(80 * time.Minute))
	w.seal()
	older, err := w.Store.Get(context.Background(), keys.AuditSealing(acct))
	require.NoError(t, err)
	doomed := w.happens("o1", 70*time.Minute)
	w.at(beginning.Add(140 * time.Minute))
	w.seal()
	newest := w.verify().Newest

	older.Due = w.Now()
	w.put(older)
	for _, k := range [...]struct{ pk, sk string }{
		{doomed.PK, doomed.SK}, {keys.AuditDigest(acct, 2).PK, keys.AuditDigest(acct, 2).SK}, {keys.AuditSeal("o1", 2).PK, keys.AuditSeal("o1", 2).SK},
	} {
		i := older
		i.PK, i.SK, i.Kind = k.pk, k.sk, ""
		w.put(i)
	}
	require.Nil(t, w.verify().Finding, "an older state is consistent in itself")
	v, err := audit.Verify(context.Background(), w.Ports, audit.Question{Account: acct, Expect: newest})
	require.NoError(t, err)
	require.NotNil(t, v.Finding)
	require.Contains(t, v.Finding.Error(), "cut short")
}

// flaky is a store of which one call fails, before or after it took effect.
type flaky struct {
	store.Store
	mu    sync.Mutex
	left  int // calls that still work
	after bool
}

var errKilled = errors.New("killed here")

func (f *flaky) fails() bool { f.mu.Lock(); defer f.mu.Unlock(); f.left--; return f.left == -1 }

func (f *flaky) Get(ctx context.Context, k store.Key) (store.Item, error) {
	if f.fails() {
		return store.Item{}, errKilled
	}
	return f.Store.Get(ctx, k)
}

func (f *flaky) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if f.fails() {
		return store.Page{}, errKilled
	}
	return f.Store.Query(ctx, q)
}

func (f *flaky) Write(ctx context.Context, changes ...store.Change) error {
	if !f.fails() {
		return f.Store.Write(ctx, changes...)
	}
	if f.after {
		_ = f.Store.Write(ctx, changes...)
	}
	return errKilled
}

func TestSealingCanBeKilledAtEveryCallAndDoneAgain(t *testing.T) {
	w := newWorld(t)
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			acct := fmt.Sprintf("account-%t-%d", after, n)
			organizations := []string{acct + "-1", acct + "-2"}
			for i := range 12 {
				w.happens(organizations[i%2], time.Duration(i)*15*time.Minute)
			}
			w.at(beginning.Add(4 * time.Hour))
			w.write(account.Own(acct, organizations[0], w.Now()), account.Own(acct, organizations[1], w.Now()))
			verify := func() audit.Verification {
				v, err := audit.Verify(context.Background(), w.Ports, audit.Question{Account: acct})
				require.NoError(t, err)
				require.Nil(t, v.Finding, "killed at call %d", n)
				return v
			}
			whole := w.Ports
			f := &flaky{Store: whole.Store, left: n, after: after}
			w.Ports.Store = f
			_, err := audit.Seal(context.Background(), w.Ports, 100)
			w.Ports = whole
			verify()
			w.seal()
			require.EqualValues(t, 12, verify().Entries)
			if err == nil && f.left >= 0 {
				require.Greater(t, n, 30)
				break
			}
		}
	}
}
