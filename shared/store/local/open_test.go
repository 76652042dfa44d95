package local_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/local"
)

func TestAStoreKeepsItsItemsAcrossCloseAndOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	d := open(t, dir, local.Options{})
	i := store.Item{Key: store.Key{PK: "p", SK: "s"}, Kind: "k", Schema: 1, Body: []byte("body"), Due: fixed()}
	require.NoError(t, d.Write(t.Context(), store.Create(i)))
	require.NoError(t, d.Close())

	d = open(t, dir, local.Options{})
	i.Version = 1
	got, err := d.Get(t.Context(), i.Key)
	require.NoError(t, err)
	require.Equal(t, i, got)
	due, err := d.Due(t.Context(), store.DueQuery{Kind: "k", Before: fixed().Add(time.Second), Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []store.Key{i.Key}, due)
}

func TestAfterCloseEveryCallIsUnavailable(t *testing.T) {
	d := open(t, t.TempDir(), local.Options{})
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	ctx, k := t.Context(), store.Key{PK: "p", SK: "s"}
	_, err := d.Get(ctx, k)
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = d.BatchGet(ctx, []store.Key{k})
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = d.Query(ctx, store.Query{PK: "p"})
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = d.Due(ctx, store.DueQuery{Kind: "k", Before: fixed(), Limit: 1})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, d.Write(ctx, store.Check(k, 0)), store.ErrUnavailable)
	require.ErrorIs(t, d.Backup(ctx, filepath.Join(t.TempDir(), "b")), store.ErrUnavailable)
	_, err = d.Sweep(ctx)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Zero(t, d.Stats())
}

func TestCloseUnderLoadLetsEachCallFinishOrRefusesIt(t *testing.T) {
	d := open(t, t.TempDir(), local.Options{NoSync: true})
	started, done := make(chan struct{}, 8), make(chan error, 8)
	for n := range 8 {
		go func() {
			k := store.Key{PK: "p", SK: string(rune('a' + n))}
			for v := int64(0); ; v++ {
				c := store.Create(store.Item{Key: k, Kind: "k", Schema: 1})
				if v > 0 {
					c = store.Replace(store.Item{Key: k, Kind: "k", Schema: 1, Version: v})
				}
				err := d.Write(context.Background(), c)
				if err == nil {
					_, err = d.Query(context.Background(), store.Query{PK: "p"})
				}
				if err != nil {
					done <- err
					return
				}
				if v == 3 {
					started <- struct{}{}
				}
			}
		}()
	}
	for range 8 {
		<-started
	}
	require.NoError(t, d.Close())
	for range 8 {
		require.ErrorIs(t, <-done, store.ErrUnavailable)
	}
}

func TestADirectoryInUseIsRefusedWithItsName(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, local.Options{})
	_, err := local.Open(dir, local.Options{Now: fixed})
	require.ErrorContains(t, err, "data directory "+dir+" is in use: another polyplane process runs on it")
	require.NoError(t, d.Close())
	open(t, dir, local.Options{})
}

func TestADirectoryOfANewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, open(t, dir, local.Options{}).Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("polyplane store 2\n"), 0o600))
	_, err := local.Open(dir, local.Options{Now: fixed})
	require.ErrorContains(t, err, dir+" was written by a newer version of polyplane (store format 2, this version reads up to 1)")
}

func TestADirectoryThatIsNoStoreIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o600))
	_, err := local.Open(dir, local.Options{Now: fixed})
	require.ErrorContains(t, err, "thesis.txt but no FORMAT file")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("A4"), 0o600))
	_, err = local.Open(dir, local.Options{Now: fixed})
	require.ErrorContains(t, err, "no polyplane store")
}

func TestAStoreThatLostItsManifestIsRefusedInsteadOfBegunAnew(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, local.Options{})
	require.NoError(t, d.Write(t.Context(), store.Create(store.Item{Key: store.Key{PK: "p", SK: "s"}, Kind: "k", Schema: 1})))
	require.NoError(t, d.Close())
	markers, err := filepath.Glob(filepath.Join(dir, "marker.manifest.*"))
	require.NoError(t, err)
	require.NotEmpty(t, markers)
	for _, m := range markers {
		require.NoError(t, os.Remove(m))
	}
	_, err = local.Open(dir, local.Options{Now: fixed})
	require.ErrorContains(t, err, "does not exist")
}

func TestAnOpenThatWasCutShortCanBeRepeated(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"LOCK", "FORMAT.new"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	open(t, dir, local.Options{})
}

func TestTheEngineLogsAtDebug(t *testing.T) {
	var buf bytes.Buffer
	d := open(t, t.TempDir(), local.Options{Log: slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, d.Close())
	require.Contains(t, buf.String(), "level=DEBUG msg=\"pebble: ")
	require.NotContains(t, buf.String(), "level=INFO")
}

func TestStatsCountWhatIsStored(t *testing.T) {
	d := open(t, t.TempDir(), local.Options{NoSync: true})
	for n := range 4 {
		i := store.Item{Key: store.Key{PK: "p", SK: string(rune('a' + n))}, Kind: "k", Schema: 1, Body: make([]byte, 300<<10)}
		require.NoError(t, d.Write(t.Context(), store.Create(i)))
	}
	require.Greater(t, d.Stats().MemTableBytes, uint64(1<<20))
}
