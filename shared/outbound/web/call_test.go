package web_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/outbound/web"
)

func allowing(t testing.TB, list string) outbound.Allow {
	t.Helper()
	a, err := outbound.ParseAllow(list)
	require.NoError(t, err)
	return a
}

// reaching is a Caller that finds every name and address of the public at a server of the test.
func reaching(t testing.TB, s *httptest.Server, o web.Options) *web.Caller {
	t.Helper()
	o.Resolve, _ = resolver(map[string][]string{"example.com": {"93.184.216.34"}})
	o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	return web.New(o)
}

func TestACallSendsWhatItIsGivenAndKeepsWhatComesBack(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Method+" "+r.Host+r.URL.String()+" "+r.Header.Get("X-Given")+" "+string(body))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}))
	defer s.Close()
	c := reaching(t, s, web.Options{})
	a, err := c.Call(t.Context(), outbound.Request{URL: "http://example.com/a/b%2Fc?d=e#f", Headers: []outbound.Header{{Name: "X-Given", Value: "g"}}, Body: []byte(`{"h":1}`)})
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, a.Status)
	require.Equal(t, "short and stout", string(a.Body))
	require.Contains(t, a.Headers, outbound.Header{Name: "X-Seen", Value: `POST example.com/a/b%2Fc?d=e g {"h":1}`})
	require.GreaterOrEqual(t, a.Duration, time.Millisecond)
}

func TestRedirectsAreAnswersAndNotFollowed(t *testing.T) {
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, "http://127.0.0.1/secret", http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	a, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "http://example.com/"})
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, a.Status)
	require.EqualValues(t, 1, calls.Load())
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	a, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "http://example.com/"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
}

func TestOnlyTheFirst64KilobytesOfAnEndlessAnswerAreRead(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	a, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "http://example.com/"})
	require.NoError(t, err)
	require.True(t, a.Truncated)
	require.Len(t, a.Body, outbound.MaxBodyKept)
}

func TestAnAnswerThatUnpacksToMuchIsKeptPacked(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("not even gzip"))
	}))
	defer s.Close()
	a, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "http://example.com/"})
	require.NoError(t, err)
	require.Equal(t, "not even gzip", string(a.Body))
}

func TestAReceiverThatAnswersTooSlowlyIsGivenUp(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"before the header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		s := httptest.NewServer(handler)
		a, err := reaching(t, s, web.Options{MaxTime: 50 * time.Millisecond}).Call(t.Context(), outbound.Request{URL: "http://example.com/"})
		require.Equal(t, outbound.TimedOut, outbound.AsFailure(err).Reason, name)
		require.GreaterOrEqual(t, a.Duration, 50*time.Millisecond, name)
		s.CloseClientConnections()
		s.Close()
	}
}

func TestAConnectionThatTheReceiverClosedWhileItIdledIsNoFailure(t *testing.T) {
	var calls atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		assert.NotContains(t, r.Header, "Idempotency-Key")
	}))
	defer s.Close()
	c := reaching(t, s, web.Options{})
	for range 50 {
		_, err := c.Call(t.Context(), outbound.Request{URL: "http://example.com/", Body: []byte("{}")})
		require.NoError(t, err)
		s.CloseClientConnections()
	}
	require.EqualValues(t, 50, calls.Load())
}

func TestCertificatesAreVerified(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = nil
	_, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "https://example.com/"})
	require.Equal(t, outbound.Untrusted, outbound.AsFailure(err).Reason)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	a, err := reaching(t, s, web.Options{Roots: roots}).Call(t.Context(), outbound.Request{URL: "https://example.com/"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.Status)
}

func TestFailuresTellNeitherTheURLNorTheAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := l.Addr().String()
	require.NoError(t, l.Close())
	c := web.New(web.Options{Allow: allowing(t, "127.0.0.1")})
	_, err = c.Call(t.Context(), outbound.Request{URL: "http://" + closed + "/planted-secret"})
	require.Equal(t, outbound.Unreachable, outbound.AsFailure(err).Reason)
	require.NotContains(t, err.Error(), "planted-secret")
	require.NotContains(t, err.Error(), "127.0.0.1")
}

func TestWhatIsNotHTTPIsAFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n")
			_ = c.Close()
		}
	}()
	c := web.New(web.Options{Allow: allowing(t, "127.0.0.1")})
	_, err = c.Call(t.Context(), outbound.Request{URL: "http://" + l.Addr().String()})
	require.Equal(t, outbound.Broken, outbound.AsFailure(err).Reason)
}

func TestTheAllowListOpensWhatItNamesAndNothingElse(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for list, opens := range map[string]map[string]bool{
		"":                    {"127.0.0.1": false, "localhost": false},
		"127.0.0.1":           {"127.0.0.1": true, "localhost": true, "[::ffff:127.0.0.1]": false, "127.0.0.2": false, "10.0.0.1": false, "2130706433": false},
		"localhost":           {"127.0.0.1": false, "localhost": true, "LOCALHOST.": true},
		"10.0.0.0/8, 1.2.3.4": {"127.0.0.1": false, "localhost": false},
	} {
		resolve, _ := resolver(map[string][]string{"localhost": {"127.0.0.1"}})
		c := web.New(web.Options{Allow: allowing(t, list), Resolve: resolve, MaxTime: time.Second})
		for host, want := range opens {
			_, err := c.Call(t.Context(), outbound.Request{URL: fmt.Sprintf("http://%s:%s/", host, port)})
			if want {
				require.NoError(t, err, "%q %s", list, host)
				continue
			}
			require.Equal(t, outbound.Refused, outbound.AsFailure(err).Reason, "%q %s", list, host)
		}
	}
	for _, bad := range []string{"10.0.0.0/33", "http://x", "a b", "0x7f.1"} {
		_, err := outbound.ParseAllow(bad)
		require.Error(t, err, bad)
	}
}

func TestAHeaderThatWouldSplitTheRequestIsRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	_, err := reaching(t, s, web.Options{}).Call(t.Context(), outbound.Request{URL: "http://example.com/", Headers: []outbound.Header{{Name: "A", Value: "b\r\nC: d"}}})
	require.Error(t, err)
}

func TestTheReceiverOfAURLIsItsHostAndPort(t *testing.T) {
	c := web.New(web.Options{})
	require.Equal(t, "example.com:443", c.Host("https://EXAMPLE.com./a"))
	require.Equal(t, "example.com:8443", c.Host("https://example.com:8443/a"))
	require.Equal(t, "[2606:4700::1]:80", c.Host("http://[2606:4700:0::1]/"))
	require.Empty(t, c.Host("nonsense"))
	require.Error(t, c.Check("https://example.com/"+strings.Repeat("a", outbound.MaxURL)))
	require.NoError(t, c.Check("https://example.com/a"))
}
