package standalone_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABackupMadeWhileClientsWriteHoldsEverythingAcknowledgedBefore(t *testing.T) {
	dir := dataDir(t)
	to := filepath.Join(filepath.Dir(dir), "backup")
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	l := newLoad(p, fixedToken, 150)
	over := l.begin(4, "r")
	require.True(t, l.isFull(over), "%v", l.wrong)
	before := l.snapshot()
	status, out, errs := ended(t, []string{"backup", "--data", dir, to})
	require.Zero(t, status, "%s", errs)
	require.Contains(t, out, "polyplane restore --data NEW "+to)
	after := l.acked.Load()
	p.kill()
	<-over
	require.Empty(t, l.wrong)
	require.Greater(t, after, int64(150), "clients wrote during the backup")

	restored := dataDir(t)
	status, out, errs = ended(t, []string{"restore", "--data", restored, to})
	require.Zero(t, status, "%s", errs)
	require.Contains(t, out, "Restored")
	p = serve(t, restored)
	require.Empty(t, p.token(), "it is not a first start")
	l.at(p, -1)
	l.check(before, false)
	require.NoError(t, l.live("after-restore"))
	require.Empty(t, l.wrong)
	require.Zero(t, p.stop())
	t.Logf("%d writes acknowledged before the backup, %d until its end, %d stacks", 150, after, len(before))
}

func TestABackupOfAStoppedDirectoryIsRestoredTooAndTheOriginalIsLeftAlone(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	l := newLoad(p, fixedToken, -1)
	require.NoError(t, l.live("dev"))
	require.Zero(t, p.stop())
	to := filepath.Join(filepath.Dir(dir), "backup")
	status, _, errs := ended(t, []string{"backup", "--data", dir, to})
	require.Zero(t, status, "%s", errs)
	restored := dataDir(t)
	require.NoError(t, os.Mkdir(restored, 0o755), "an empty directory will do")
	status, _, errs = ended(t, []string{"restore", "--data", restored, to})
	require.Zero(t, status, "%s", errs)
	require.NoError(t, filepath.WalkDir(restored, func(name string, _ os.DirEntry, err error) error {
		if info, e := os.Lstat(name); e == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others", name)
		}
		return err
	}))
	before := l.all()
	for _, at := range []string{restored, dir} {
		p = serve(t, at)
		l.at(p, -1)
		l.check(before, true)
		require.NoError(t, l.live("more"), at)
		require.Empty(t, l.wrong)
		require.Zero(t, p.stop())
	}
}

func TestBackupAndRestoreOverwriteNothingAndTakeNothingHalf(t *testing.T) {
	dir := dataDir(t)
	root := filepath.Dir(dir)
	p := serve(t, dir)
	whole := filepath.Join(root, "backup")
	status, _, errs := ended(t, []string{"backup", "--data", dir, whole})
	require.Zero(t, status, "%s", errs)
	half := func(without string) string {
		at := filepath.Join(root, "without-"+strings.ReplaceAll(without, "/", "-"))
		require.NoError(t, os.CopyFS(at, os.DirFS(whole)))
		require.NoError(t, os.RemoveAll(filepath.Join(at, without)))
		return at
	}
	newer := half("BACKUP")
	require.NoError(t, os.WriteFile(filepath.Join(newer, "BACKUP"), []byte("polyplane backup 2\n"), 0o600))
	interrupted := dataDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(interrupted, ".restoring"), 0o700))
	fresh := dataDir(t)
	for name, c := range map[string]struct {
		args []string
		text string
	}{
		"backup into one that exists":     {[]string{"backup", "--data", dir, whole}, "there is something already; name a directory that does not exist"},
		"backup into the data":            {[]string{"backup", "--data", dir, filepath.Join(dir, "store", "b")}, "it lies within the data directory"},
		"backup where nothing can be":     {[]string{"backup", "--data", dir, filepath.Join(root, "no", "such")}, "no such file or directory"},
		"backup of nothing":               {[]string{"backup", "--data", fresh, filepath.Join(root, "b")}, "holds no Polyplane data"},
		"restore over data":               {[]string{"restore", "--data", dir, whole}, "is not empty: choose another directory with --data"},
		"restore of running data":         {[]string{"restore", "--data", fresh, dir}, "is not a backup"},
		"restore without the table":       {[]string{"restore", "--data", fresh, half("store")}, "is not a whole backup"},
		"restore without the chunks":      {[]string{"restore", "--data", fresh, half("blobs")}, "is not a whole backup"},
		"restore without the keys":        {[]string{"restore", "--data", fresh, half("keys/master.key")}, "is not a whole backup"},
		"restore of a newer form":         {[]string{"restore", "--data", fresh, newer}, "was made by a newer version of polyplane"},
		"restore of nothing":              {[]string{"restore", "--data", fresh, filepath.Join(root, "nothing")}, "is not a backup"},
		"serving a backup":                {[]string{"--data", whole, "--addr", "127.0.0.1:0"}, "is a backup: make a data directory from it with `polyplane restore`"},
		"serving an interrupted restore":  {[]string{"--data", interrupted, "--addr", "127.0.0.1:0"}, "did not end: empty it and restore again"},
		"restore over an interrupted one": {[]string{"restore", "--data", interrupted, whole}, "is not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := ended(t, c.args)
			require.Equal(t, 1, status)
			require.Empty(t, out)
			require.Contains(t, errs, c.text)
		})
	}
	_, err := os.Stat(fresh)
	require.ErrorIs(t, err, os.ErrNotExist, "a refused restore leaves nothing")
	left, err := filepath.Glob(filepath.Join(root, ".backup-*"))
	require.NoError(t, err)
	require.Empty(t, left, "a failed backup leaves nothing")
	require.Zero(t, p.stop())
}

func TestATokenIsMadeWhileTheProcessRunsAndWhenNoneDoes(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir)
	made := func() string {
		status, out, errs := ended(t, []string{"token", "--data", dir, "ci"})
		require.Zero(t, status, "%s", errs)
		return strings.TrimSpace(out)
	}
	good := func(token string) {
		res, _ := get(t, p.pulumi+"/api/user", token)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	online := made()
	good(online)
	require.Zero(t, p.stop())
	offline := made()
	require.NotEqual(t, online, offline)
	p = serve(t, dir)
	good(online)
	good(offline)
	p.kill()
	after := made() // the socket of the dead process is still there
	p = serve(t, dir)
	good(after)
	require.Zero(t, p.stop())
}
