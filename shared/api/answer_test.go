package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/core/fault"
)

type sizeIn struct {
	N    int    `query:"n"`
	Type string `query:"type"`
}

// sized answers n bytes of text.
func sized(_ ctx, in *sizeIn) (*textOut, error) {
	return &textOut{ContentType: in.Type, Body: bytes.Repeat([]byte("x"), in.N)}, nil
}

type encodedOut struct {
	ContentEncoding string `header:"Content-Encoding"`
	Body            []byte
}

func unzip(t *testing.T, b []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(text)
}

func TestAnswersAreCompressedForWhoTakesItAndOnlyWhenWorthIt(t *testing.T) {
	cases := []struct {
		accept, query string
		zipped        bool
	}{
		{"gzip", "n=1024", true},
		{"gzip", "n=1023", false},
		{"gzip", "n=0", false},
		{"", "n=5000", false},
		{"gzip;q=0", "n=5000", false},
		{"gzip; q=0.0, *", "n=5000", false},
		{"*", "n=5000", true},
		{"*;q=0", "n=5000", false},
		{"deflate, gzip;q=0.5", "n=5000", true},
		{"identity, gzip;q=0.5", "n=5000", false},
		{"x-gzip", "n=5000", true},
		{"GZIP", "n=5000", true},
		{"gzip;q=nonsense", "n=5000", false},
		{"br", "n=5000", false},
		{"gzip", "n=5000&type=image/png", false},
		{"gzip", "n=5000&type=application/gzip", false},
	}
	w := newWorld(row("GET /api/sized", "Sized", sized))
	for _, c := range cases {
		rec := w.do(ask{path: "/api/sized?" + c.query, header: map[string]string{"Accept-Encoding": c.accept}})
		n, _ := strconv.Atoi(strings.TrimPrefix(strings.Split(c.query, "&")[0], "n="))
		want := strings.Repeat("x", n)
		if c.zipped {
			require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"), c)
			require.Empty(t, rec.Header().Get("Content-Length"))
			require.EqualValues(t, rec.Body.Len(), w.lastObserved().BytesOut)
			require.Equal(t, want, unzip(t, rec.Body.Bytes()))
		} else {
			require.Empty(t, rec.Header().Get("Content-Encoding"), c)
			require.Equal(t, strconv.Itoa(n), rec.Header().Get("Content-Length"))
			require.Equal(t, want, rec.Body.String())
		}
		if n >= 1024 && !strings.Contains(c.query, "type") {
			require.Equal(t, []string{"Accept-Encoding"}, rec.Header().Values("Vary"), c)
		}
	}
}

func TestAnAnswerThatIsEncodedAlreadyIsLeftAlone(t *testing.T) {
	body := zipped(t, strings.Repeat("export ", 1000), strings.Repeat("x", 3000))
	w := newWorld(row("GET /api/export", "Export", func(ctx, *struct{}) (*encodedOut, error) {
		return &encodedOut{ContentEncoding: "gzip", Body: body}, nil
	}))
	rec := w.do(ask{path: "/api/export", header: map[string]string{"Accept-Encoding": "gzip"}})
	require.Equal(t, body, rec.Body.Bytes())
}

func TestPooledWritersDoNotMixAnswers(t *testing.T) {
	w := newWorld(row("GET /api/sized", "Sized", sized))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := 1000; n < 1100; n += 7 {
				rec := w.do(ask{path: "/api/sized?n=" + strconv.Itoa(n+i), header: map[string]string{"Accept-Encoding": "gzip"}})
				got := rec.Body.Len()
				if rec.Header().Get("Content-Encoding") == "gzip" {
					got = len(unzip(t, rec.Body.Bytes()))
				}
				if got != n+i {
					t.Errorf("asked for %d bytes, got %d", n+i, got)
				}
			}
		})
	}
	all.Wait()
}

type streamOut struct{ Body api.StreamBody }

func TestAStreamArrivesPieceByPiece(t *testing.T) {
	for _, opts := range [][]api.Option{nil, {api.Streams()}} {
		next := make(chan string)
		w := newWorld(row("GET /api/events", "Events", func(ctx, *struct{}) (*streamOut, error) {
			return &streamOut{api.Stream("text/event-stream", func(_ context.Context, w api.Writer) error {
				for s := range next {
					if _, err := io.WriteString(w, s); err != nil {
						return err
					}
					w.Flush()
				}
				return nil
			})}, nil
		}, opts...))
		server := httptest.NewServer(w.handler)
		r, err := http.NewRequest("GET", server.URL+"/api/events", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "token good")
		res := make(chan *http.Response, 1)
		go func() {
			got, err := server.Client().Do(r)
			if err != nil {
				t.Error(err)
			}
			res <- got
		}()
		next <- "one\n"
		got := <-res
		require.Equal(t, "text/event-stream", got.Header.Get("Content-Type"))
		require.Equal(t, opts == nil, got.Uncompressed, "only a row that says Streams is not compressed")
		lines := bufio.NewReader(got.Body)
		for _, s := range []string{"one\n", "two\n", "three\n"} {
			if s != "one\n" {
				next <- s
			}
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, s, line)
		}
		close(next)
		_, err = lines.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, got.Body.Close())
		server.Close()
	}
}

func TestAStreamThatFailsBeforeItsFirstPieceIsAFault(t *testing.T) {
	w := newWorld(row("GET /api/events", "Events", func(ctx, *struct{}) (*streamOut, error) {
		return &streamOut{api.Stream("text/plain", func(context.Context, api.Writer) error { return fault.Missing("no log yet") })}, nil
	}))
	rec := w.get("/api/events")
	require.Equal(t, 404, rec.Code)
	require.Equal(t, "no log yet", errorOf(t, rec).Message)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
}

func TestAStreamThatFailsLaterCutsTheConnection(t *testing.T) {
	for name, fail := range map[string]func() error{
		"by an error": func() error { return errSecret },
		"by a panic":  func() error { panic(errSecret) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(row("GET /api/events", "Events", func(ctx, *struct{}) (*streamOut, error) {
				return &streamOut{api.Stream("text/plain", func(_ context.Context, w api.Writer) error {
					if err := w.SetWriteDeadline(time.Time{}); err != nil {
						return err
					}
					_, _ = io.WriteString(w, "part")
					w.Flush()
					return fail()
				})}, nil
			}))
			server := httptest.NewServer(w.handler)
			defer server.Close()
			r, err := http.NewRequest("GET", server.URL+"/api/events", nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "token good")
			res, err := server.Client().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.Error(t, err, "a part must not look like the whole")
			require.Equal(t, "part", string(body))
			require.NoError(t, res.Body.Close())
			server.Close()
			require.Contains(t, w.log.String(), "refused", "the cause is in the log")
			require.Contains(t, w.log.String(), `"level":"ERROR"`)
		})
	}
}

func TestHeadSaysTheLengthOfABodyThatGetWouldSend(t *testing.T) {
	w := newWorld(row("GET /api/sized", "Sized", sized))
	head := func(query, accept string) http.Header {
		rec := w.do(ask{method: "HEAD", path: "/api/sized?" + query, header: map[string]string{"Accept-Encoding": accept}})
		require.Empty(t, rec.Body.String())
		return rec.Header()
	}
	require.Equal(t, "5000", head("n=5000", "").Get("Content-Length"))
	require.Empty(t, head("n=5000", "gzip").Get("Content-Length"))
	require.Equal(t, "Accept-Encoding", head("n=5000", "gzip").Get("Vary"))
	require.Equal(t, "500", head("n=500", "gzip").Get("Content-Length"))
}

func TestHeadOfAStreamDoesNotWaitForItsEnd(t *testing.T) {
	w := newWorld(row("GET /api/events", "Events", func(ctx, *struct{}) (*streamOut, error) {
		return &streamOut{api.Stream("text/plain", func(context.Context, api.Writer) error { panic("not asked for") })}, nil
	}, api.Streams()))
	rec := w.do(ask{method: "HEAD", path: "/api/events"})
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "text/plain", rec.Header().Get("Content-Type"))
}

func TestAnErrorAfterHeadersOfAnOutputLeavesNoneOfThem(t *testing.T) {
	type out struct {
		Mine string `header:"X-Mine"`
		Body map[string]any
	}
	w := newWorld(row("GET /api/odd", "Odd", func(ctx, *struct{}) (*out, error) {
		return &out{Mine: "leak", Body: map[string]any{"x": errorsInJSON{}}}, nil
	}))
	rec := w.get("/api/odd")
	require.Equal(t, 500, rec.Code)
	require.Empty(t, rec.Header().Get("X-Mine"))
	require.NotEmpty(t, rec.Header().Get("X-Tiny-Request"))
}

type errorsInJSON struct{}

func (errorsInJSON) MarshalJSON() ([]byte, error) { return nil, errors.New("no form") }
