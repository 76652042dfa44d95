package standalone_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARequestInFlightIsAnsweredAfterSIGTERMAndNewConnectionsAreRefused(t *testing.T) {
	dir := dataDir(t)
	p := serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	l := newLoad(p, fixedToken, -1)
	require.NoError(t, l.write(http.MethodPost, "/stacks/acme/shop", "", map[string]any{"stackName": "dev"}, nil))

	reading := make(chan struct{}) // the handler waits for the body
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	body, upload := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.pulumi+"/api/stacks/acme/shop/dev/encrypt", body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "token "+fixedToken)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	type answer struct {
		res *http.Response
		err error
	}
	answered := make(chan answer, 1)
	go func() { res, err := client.Do(req); answered <- answer{res, err} }()
	<-reading
	_, err = io.WriteString(upload, `{"plaintext":`)
	require.NoError(t, err)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	gateway, err := url.Parse(p.gateway)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", gateway.Host)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond, "new connections are still taken")
	select {
	case a := <-answered:
		t.Fatalf("answered before the body was there: %v %v", a.res, a.err)
	default:
	}
	_, err = io.WriteString(upload, `"c2VjcmV0"}`)
	require.NoError(t, err)
	require.NoError(t, upload.Close())
	a := <-answered
	require.NoError(t, a.err)
	got, err := io.ReadAll(a.res.Body)
	require.NoError(t, err)
	require.NoError(t, a.res.Body.Close())
	require.Equal(t, http.StatusOK, a.res.StatusCode)
	require.Contains(t, string(got), `"ciphertext":"`)
	require.Zero(t, p.wait())
	require.Empty(t, p.log())

	p = serve(t, dir, "POLYPLANE_TOKEN="+fixedToken)
	l.at(p, -1)
	l.check([]*ackedStack{{name: "acme/shop/dev"}}, false)
	require.Empty(t, l.wrong)
	require.Zero(t, p.stop())
}
