package standalone

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/core/ports"
	"github.com/polyplane/polyplane/shared/store"
)

// writes is a store whose writes do nothing.
type writes struct {
	store.Store
	err error
}

func (w writes) Write(context.Context, ...store.Change) error { return w.err }

func TestOnlyAWriteThatLeftAnEventWakesTheRelay(t *testing.T) {
	p := ports.Ports{Now: time.Now, NewID: newID}
	left := event.New(p, "o", "stack.created", struct{}{})
	other := store.Check(store.Key{PK: "a", SK: "b"}, 0)
	wake := make(chan struct{}, 1)
	woken := func() bool {
		select {
		case <-wake:
			return true
		default:
			return false
		}
	}
	ctx := context.Background()
	require.NoError(t, waking{Store: writes{}, wake: wake}.Write(ctx, other))
	require.False(t, woken())
	require.Error(t, waking{Store: writes{err: errors.New("no")}, wake: wake}.Write(ctx, other, left))
	require.False(t, woken(), "nothing was written")
	for range 3 {
		require.NoError(t, waking{Store: writes{}, wake: wake}.Write(ctx, other, left))
	}
	require.True(t, woken())
	require.False(t, woken(), "once is enough")
}

func TestAWorkerLooksAtOnceComesBackForMoreAndSurvivesAPanic(t *testing.T) {
	var log strings.Builder
	s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	wake := make(chan struct{}, 2)
	wake <- struct{}{}
	wake <- struct{}{}
	var seen []string
	steps := []func() (bool, error){
		func() (bool, error) { return true, nil }, // at once
		func() (bool, error) { panic("a poisonous event") },
		func() (bool, error) { return true, errors.New("disk full") }, // woken; not full, since it failed
		func() (bool, error) { cancel(); return false, nil },          // woken
	}
	s.run(ctx, worker{name: "relay", every: time.Hour, wake: wake, work: func() (bool, error) {
		step := steps[len(seen)]
		seen = append(seen, "")
		return step()
	}})
	require.Len(t, seen, 4)
	require.Contains(t, log.String(), "panic: a poisonous event")
	require.Contains(t, log.String(), "disk full")
}
