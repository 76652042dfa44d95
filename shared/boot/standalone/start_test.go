package standalone_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/boot/standalone"
)

func TestTheFirstStartPrintsAddressesAndATokenAndIsReadySoon(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir)
	res, body := get(t, p.gateway+"/healthz", "")
	took := time.Since(p.began)
	t.Logf("%d ms from exec to the answer of /healthz", took.Milliseconds())
	require.Less(t, took, 5*time.Second)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "ok\n", body)
	require.GreaterOrEqual(t, len(p.token()), 40)
	for _, part := range []string{
		p.gateway + "/pulumi", "pulumi login " + p.pulumi, "  data           " + dir, "  organization   acme", "export PULUMI_ACCESS_TOKEN=" + p.token(), "shown this once",
	} {
		require.Contains(t, p.greeting, part)
	}
	res, _ = get(t, p.pulumi+"/api/user", p.token())
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Zero(t, p.stop())
	require.Empty(t, p.log())
}

func TestTheSecondStartDoesNotShowTheTokenWhichIsStillGood(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir)
	token := p.token()
	require.Zero(t, p.stop())
	p = serve(t, dir)
	require.Empty(t, p.token())
	require.NotContains(t, p.greeting, token)
	require.Contains(t, p.greeting, "polyplane token NAME")
	res, _ := get(t, p.pulumi+"/api/user", token)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Zero(t, p.stop())
}

func TestAFixedTokenIsGoodOnEveryStartAndNeverShown(t *testing.T) {
	dir := dataDir(t)
	for _, token := range []string{fixedToken, fixedToken, strings.Repeat("f", 40)} {
		p := serve(t, dir, "POLYPLANE_TOKEN="+token)
		require.NotContains(t, p.greeting, token)
		require.Contains(t, p.greeting, "$POLYPLANE_TOKEN")
		res, _ := get(t, p.pulumi+"/api/user", token)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Zero(t, p.stop())
	}
}

func TestWhatCannotStartSaysWhyInASentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	dir := dataDir(t)
	running := serve(t, dir)
	free := "127.0.0.1:0"
	for name, c := range map[string]struct {
		args   []string
		env    string
		status int
		text   string
	}{
		"short token":     {[]string{"--data", dataDir(t), "--addr", free}, "POLYPLANE_TOKEN=short", 1, "polyplane: a fixed token needs at least 40 characters, this one has 5\n"},
		"same directory":  {[]string{"--data", dir, "--addr", free}, "", 1, "data directory " + dir + "/store is in use: another polyplane process runs on it"},
		"taken port":      {[]string{"--data", dataDir(t), "--addr", taken.Addr().String()}, "", 1, "another program listens on " + taken.Addr().String() + " already: choose other ports with --addr"},
		"bad log level":   {[]string{"--data", dataDir(t), "--log", "loud"}, "", 1, `--log "loud": it must be debug, info, warn or error`},
		"log from env":    {[]string{"--data", dataDir(t)}, "POLYPLANE_LOG=loud", 1, `--log "loud": it must be debug, info, warn or error`},
		"addr no port":    {[]string{"--data", dataDir(t), "--addr", "localhost"}, "", 1, `--addr "localhost": it must be an address and a port, as in 127.0.0.1:8080`},
		"addr named port": {[]string{"--data", dataDir(t), "--addr", "localhost:http"}, "", 1, `--addr "localhost:http": the port must be a number up to 65535`},
		"addr last port":  {[]string{"--data", dataDir(t), "--addr", "127.0.0.1:65535"}, "", 1, "65535 is the last there is"},
		"addr not ours":   {[]string{"--data", dataDir(t), "--addr", "192.0.2.1:9000"}, "", 1, "cannot listen on 192.0.2.1:9000, choose another address with --addr"},
		"bad name":        {[]string{"--data", dataDir(t), "--addr", free, "--org", "a b"}, "", 1, `organization name "a b" must be`},
		"long path":       {[]string{"--data", dataDir(t) + strings.Repeat("/long", 30), "--addr", free}, "", 1, "the path of the data directory is too long for the socket"},
		"unknown flag":    {[]string{"--port", "80"}, "", 2, "flag provided but not defined: -port"},
		"unknown command": {[]string{"sevre"}, "", 2, `there is no command "sevre"`},
		"too much":        {[]string{"serve", "now"}, "", 2, "usage: polyplane serve"},
		"token no name":   {[]string{"token"}, "", 2, "usage: polyplane token [flags] NAME"},
		"token empty":     {[]string{"token", "--data", dir, ""}, "", 1, "a token needs a name"},
		"token nowhere":   {[]string{"token", "--data", dataDir(t), "ci"}, "", 1, "holds no Polyplane data"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := ended(t, c.args, c.env)
			require.Equal(t, c.status, status, "%s", errs)
			require.Contains(t, errs, c.text)
			require.Equal(t, 1, strings.Count(errs, c.text), "said once")
			require.Empty(t, out)
		})
	}
	require.Zero(t, running.stop())
}

func TestHelpTellsTheCommandsTheFlagsAndNoToken(t *testing.T) {
	for _, arg := range []string{"help", "--help"} {
		status, out, errs := ended(t, []string{arg})
		require.Zero(t, status)
		require.Empty(t, errs)
		for _, command := range []string{"serve", "token NAME", "backup DIRECTORY", "restore DIRECTORY"} {
			require.Contains(t, out, "polyplane "+command)
		}
	}
	status, _, errs := ended(t, []string{"serve", "-h"}, "POLYPLANE_TOKEN="+fixedToken)
	require.Zero(t, status)
	for _, part := range []string{"-addr", "-data", "-org", "-token", "-log", "POLYPLANE_ADDR"} {
		require.Contains(t, errs, part)
	}
	require.NotContains(t, errs, fixedToken)
}

func TestAFailedStartGivesEverythingBackAndKeepsTheTokenForTheNextOne(t *testing.T) {
	dir := dataDir(t)
	settings := standalone.Settings{Data: dir, Org: "acme"}
	log := slog.New(slog.DiscardHandler)
	// The gateway's port is free and the first dialect's is not.
	var taken net.Listener
	for taken == nil {
		gateway, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := gateway.Addr().(*net.TCPAddr).Port
		settings.Addr = gateway.Addr().String()
		taken, _ = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		require.NoError(t, gateway.Close())
	}
	_, err := standalone.Open(context.Background(), settings, log)
	require.ErrorContains(t, err, "another program listens on "+taken.Addr().String())
	require.NoError(t, taken.Close())
	s, err := standalone.Open(context.Background(), settings, log)
	require.NoError(t, err)
	require.NotEmpty(t, s.Token(), "the first start is the first that succeeds")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, s.Serve(ctx))
}

func TestTheGatewayAndTheDialectsOwnPortAnswerTheSame(t *testing.T) {
	p := serve(t, dataDir(t))
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{"/api/user", p.token(), http.StatusOK},
		{"/api/user", "", http.StatusUnauthorized},
		{"/api/capabilities", "", http.StatusOK},
		{"/api/stacks/acme/shop/none", p.token(), http.StatusNotFound},
		{"/api/openapi.json", "", http.StatusOK},
		{"/api/nothing", p.token(), http.StatusNotFound},
	} {
		own, ownBody := get(t, p.pulumi+c.path, c.token)
		below, belowBody := get(t, p.gateway+"/pulumi"+c.path, c.token)
		require.Equal(t, c.status, own.StatusCode, c.path)
		require.Equal(t, own.StatusCode, below.StatusCode, c.path)
		require.Equal(t, own.Header.Get("Content-Type"), below.Header.Get("Content-Type"), c.path)
		require.Equal(t, ownBody, belowBody, c.path)
	}
	for _, path := range []string{"/", "/api/user", "/terraform/api/user", "/pulumix"} {
		res, body := get(t, p.gateway+path, p.token())
		require.Equal(t, http.StatusNotFound, res.StatusCode, path)
		require.Contains(t, body, "nothing at this path")
	}
	res, _ := get(t, p.pulumi+"/healthz", "")
	require.Equal(t, http.StatusNotFound, res.StatusCode, "health and metrics are the gateway's")
	_, body := get(t, p.gateway+"/metrics", "")
	require.Contains(t, body, `polyplane_requests_total{dialect="pulumi",operation="GetCurrentUser",status="2xx"} 2`)
	require.Zero(t, p.stop())
}

func TestAtLevelInfoEveryRequestIsALineAndNoLineHoldsTheToken(t *testing.T) {
	p := serve(t, dataDir(t), "POLYPLANE_LOG=info")
	get(t, p.pulumi+"/api/user", p.token())
	token := p.token()
	require.Zero(t, p.stop())
	log := p.log()
	require.Contains(t, log, `"operation":"GetCurrentUser"`)
	require.Contains(t, log, `"msg":"serving"`)
	require.Contains(t, log, `"msg":"stopping"`)
	require.NotContains(t, log, token)
}

func TestTheDataDirectoryIsItsOwnersAlone(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir)
	for _, name := range []string{".", "store", "blobs", "keys", "keys/master.key", "control.sock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, name)
	}
	require.Zero(t, p.stop())
}

func TestAnAddressThatAllMachinesReachIsShownAsOneThatWorksAndWarnedOf(t *testing.T) {
	s, err := standalone.Open(context.Background(), standalone.Settings{Data: dataDir(t), Org: "acme", Addr: ":0"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	var b strings.Builder
	s.Greet(&b)
	require.Contains(t, b.String(), "Other machines can reach this one")
	require.True(t, strings.HasPrefix(s.Gateway(), "http://127.0.0.1:"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	res, err := http.Get(s.Gateway() + "/healthz")
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, res.Body)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	cancel()
	require.NoError(t, <-done)
}
