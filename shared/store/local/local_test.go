package local_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
	"github.com/polyplane/polyplane/shared/store/storetest"
)

func TestTheEmbeddedStorePassesTheSuiteOfTheStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
		return open(t, t.TempDir(), local.Options{Now: now})
	})
}

// open opens a store that is closed with the test.
func open(t testing.TB, dir string, o local.Options) *local.DB {
	t.Helper()
	if o.Now == nil {
		o.Now = fixed
	}
	d, err := local.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func fixed() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }
