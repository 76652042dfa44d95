package standalone_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// source makes a DIY backend of one stack with so many updates.
func source(t *testing.T, updates int) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "backend")
	write := func(name, text string) {
		name = filepath.Join(root, ".pulumi", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	state := func(n int) string {
		return fmt.Sprintf(`{"version":3,"checkpoint":{"stack":"dev","latest":{"manifest":{"time":"2026-01-01T00:00:00Z","magic":"","version":""},`+
			`"resources":[{"urn":"urn:pulumi:dev::proj::a:b:C::r","custom":false,"type":"a:b:C","outputs":{"n":%d}}]}}}`, n)
	}
	write("meta.yaml", "version: 1\n")
	for n := 1; n <= updates; n++ {
		stem := fmt.Sprintf("history/proj/dev/dev-%d", 1_700_000_000_000_000_000+n)
		write(stem+".history.json", fmt.Sprintf(`{"kind":"update","startTime":1700000000,"endTime":1700000001,"message":"update %d","result":"succeeded"}`, n))
		write(stem+".checkpoint.json", state(n))
	}
	write("stacks/proj/dev.json", state(updates))
	return root
}

func TestAnImportGoesToTheRunningProcessAndItsClientsSeeTheStackAtOnce(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	status, out, errs := ended(t, []string{"import", "pulumi", "--data", dir, "--dry-run", source(t, 3)})
	require.Zero(t, status, "%s", errs)
	require.Contains(t, out, "would be imported   3         1")
	res, _ := get(t, p.pulumi+"/api/stacks/acme/proj/dev", fixedToken)
	require.Equal(t, http.StatusNotFound, res.StatusCode, "a dry run changes nothing")
	status, out, errs = ended(t, []string{"import", "pulumi", "--data", dir, "file://" + source(t, 3)})
	require.Zero(t, status, "%s", errs)
	require.Contains(t, errs, "stack 1 of 1, update 0 of 3")
	require.Regexp(t, `proj/dev +imported +3 +1 +0\n`, out)
	require.Contains(t, out, "pulumi login "+p.pulumi)
	res, body := get(t, p.pulumi+"/api/stacks/acme/proj/dev/export", fixedToken)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, body, `"outputs":{"n":3}`)
	res, body = get(t, p.pulumi+"/api/stacks/acme/proj/dev/updates?output-type=service", fixedToken)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Contains(t, body, `"message":"update 2"`)
	require.Zero(t, p.stop())
}

func TestAnImportThatIsKilledOrLosesItsServerGoesOnWhenItIsStartedAgain(t *testing.T) {
	const updates = 1200 // far more than are brought between a look at the history and what the test does then
	dir, from := dataDir(t), source(t, updates)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	all := func() int {
		_, body := get(t, p.pulumi+"/api/stacks/acme/proj/dev/updates?output-type=service", fixedToken)
		return strings.Count(body, `"updateID"`)
	}
	history := func() int { // a look that costs the same however long the history is
		var page struct{ Total int }
		_, body := get(t, p.pulumi+"/api/stacks/acme/proj/dev/updates?output-type=service&page=1&pageSize=1", fixedToken)
		_ = json.Unmarshal([]byte(body), &page) // there is no stack at first
		return page.Total
	}
	run := func() (func() error, func()) {
		cmd := command([]string{"import", "pulumi", "--data", dir, from})
		require.NoError(t, cmd.Start())
		return cmd.Wait, func() { _ = cmd.Process.Kill() }
	}
	until := func(n int) {
		for history() < n {
			require.Less(t, history(), updates, "it was faster than the test")
		}
	}
	wait, kill := run()
	until(1)
	kill()
	require.Error(t, wait())
	begun := history()
	wait, _ = run()
	until(begun + 100) // more than the server may still bring for the command that was killed
	p.kill()
	require.Error(t, wait())
	p = serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	begun = history()
	wait, _ = run()
	until(begun + 1)
	require.Zero(t, p.stop(), "a server that stops ends the import")
	require.Error(t, wait())
	status, out, errs := ended(t, []string{"import", "pulumi", "--data", dir, from}) // nothing runs
	require.Zero(t, status, "%s", errs)
	require.Contains(t, out, "resumed")
	status, out, _ = ended(t, []string{"import", "pulumi", "--data", dir, from})
	require.Zero(t, status)
	require.Contains(t, out, "unchanged")
	p = serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	require.Equal(t, updates, all(), "none twice, none missing")
	require.Zero(t, p.stop())
}

func TestAnImportThatMakesNoSenseIsRefusedWithASentence(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	from := source(t, 1)
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args   []string
		status int
		text   string
	}{
		"no system":         {[]string{"import"}, 2, "usage: polyplane import pulumi"},
		"another system":    {[]string{"import", "terraform", from}, 2, "usage: polyplane import pulumi"},
		"no source":         {[]string{"import", "pulumi", "--data", dir}, 2, "usage: polyplane import pulumi"},
		"no such directory": {[]string{"import", "pulumi", "--data", dir, from + "x"}, 1, "is no directory"},
		"another scheme":    {[]string{"import", "pulumi", "--data", dir, "gs://bucket"}, 1, "sources are directories, file:// and s3://"},
		"no organization":   {[]string{"import", "pulumi", "--data", dir, "--org", "nobody", from}, 1, `organization "nobody" not found`},
		"no passphrase":     {[]string{"import", "pulumi", "--data", dir, "--passphrase-file", from + "x", from}, 1, "passphrase: open"},
		"no data":           {[]string{"import", "pulumi", "--data", empty, from}, 1, "holds no Polyplane data"},
		"flags behind":      {[]string{"import", "pulumi", from, "--data", dir, "--org", "nobody"}, 1, `organization "nobody" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := ended(t, c.args)
			require.Equal(t, c.status, status, "%s", errs)
			require.Empty(t, out)
			require.Contains(t, errs, c.text)
		})
	}
	require.Zero(t, p.stop())
}
