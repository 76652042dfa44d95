package standalone_test

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/store"
	"github.com/polyplane/polyplane/shared/store/keys"
	"github.com/polyplane/polyplane/shared/store/local"
)

// made makes a stack of this name.
func made(t testing.TB, p *process, name string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.pulumi+"/api/stacks/acme/proj", strings.NewReader(`{"stackName":"`+name+`"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "token "+fixedToken)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// sealed runs `polyplane audit verify` until the process that serves has sealed everything.
func sealed(t testing.TB, dir string) string {
	t.Helper()
	until := time.Now().Add(time.Minute)
	for {
		status, out, errs := ended(t, []string{"audit", "verify", "--data", dir})
		require.Zero(t, status, "%s%s", out, errs)
		if strings.Contains(out, "not sealed   0 entries") {
			return out
		}
		require.True(t, time.Now().Before(until), "%s", out)
	}
}

// forge changes the entries of a stopped directory.
func forge(t testing.TB, dir string, change func(i store.Item) []store.Change) {
	t.Helper()
	ctx := context.Background()
	db, err := local.Open(filepath.Join(dir, "store"), local.Options{Now: time.Now})
	require.NoError(t, err)
	name, err := db.Get(ctx, keys.OrganizationName("acme"))
	require.NoError(t, err)
	org := strings.Trim(strings.TrimPrefix(string(name.Body), `{"id":`), `"}`)
	for n := range keys.AuditShards {
		page, err := db.Query(ctx, store.Query{PK: keys.AuditEntries(org, n)})
		require.NoError(t, err)
		for _, i := range page.Items {
			if changes := change(i); changes != nil {
				require.NoError(t, db.Write(ctx, changes...))
			}
		}
	}
	require.NoError(t, db.Close())
}

func TestTheAuditIsSealedWhileTheProgramRunsAndVerifiedWhetherItRunsOrNot(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	status, out, errs := ended(t, []string{"audit", "verify", "--data", dir})
	require.Zero(t, status, "%s", errs)
	require.Contains(t, out, "verified     0 entries")
	made(t, p, "one")
	made(t, p, "two")
	require.Zero(t, p.stop())

	p = serve(t, dir, "POLYPLANE_TOKEN="+fixedToken, clockAhead+"=2h")
	out = sealed(t, dir)
	require.Contains(t, out, "verified     2 entries under ")
	require.Contains(t, out, "signed with  ed25519:")
	_, newest, _ := strings.Cut(out, "newest       ")
	newest, _, _ = strings.Cut(newest, " ")
	require.Zero(t, p.stop())

	verify := func(args ...string) (int, string, string) {
		return ended(t, append([]string{"audit", "verify", "--data", dir}, args...))
	}
	status, out, errs = verify("--org", "ACME", "--expect", newest)
	require.Zero(t, status, "%s%s", out, errs)
	require.Contains(t, out, "verified     2 entries under ")
	status, out, _ = verify("--expect", strings.Repeat("0", 64))
	require.Equal(t, 1, status)
	require.Contains(t, out, "cut short")
	status, _, errs = verify("--org", "nobody")
	require.Equal(t, 1, status)
	require.Contains(t, errs, `there is no organization "nobody"`)

	var id string
	forge(t, dir, func(i store.Item) []store.Change {
		if !bytes.Contains(i.Body, []byte("proj/two")) {
			return nil
		}
		_, id = keys.AuditEntryOf(i.SK)
		i.Body = bytes.Replace(i.Body, []byte(`"admin"`), []byte(`"other"`), 1)
		return []store.Change{store.Replace(i)}
	})
	status, out, errs = verify()
	require.Equal(t, 1, status)
	require.Contains(t, out, "TAMPERED     the audit of organization acme was tampered with: the entry "+id)
	require.Contains(t, out, " was changed")
	require.Contains(t, errs, "not what it was sealed as")
}
