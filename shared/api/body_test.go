package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
)

func zipped(t testing.TB, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return b.Bytes()
}

func TestRequestBodiesMayBeCompressed(t *testing.T) {
	text := `{"name":"n"}`
	cases := map[string]struct {
		body   []byte
		header map[string]string
	}{
		"declared":                 {zipped(t, text), map[string]string{"Content-Encoding": "gzip"}},
		"declared by its old name": {zipped(t, text), map[string]string{"Content-Encoding": "X-GZIP"}},
		"not declared":             {zipped(t, text), nil},
		"in two members":           {zipped(t, text[:5], text[5:]), map[string]string{"Content-Encoding": "gzip"}},
		"plain":                    {[]byte(text), nil},
		"declared plain":           {[]byte(text), map[string]string{"Content-Encoding": "identity"}},
		"of another content type":  {[]byte(text), map[string]string{"Content-Type": "text/plain; charset=x"}},
		"of a vendor's type":       {[]byte(text), map[string]string{"Content-Type": "application/vnd.x+y;+"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(things()...)
			rec := w.do(ask{method: "POST", path: "/api/things/o/x", body: bytes.NewReader(c.body), header: c.header})
			require.Equal(t, 200, rec.Code, rec.Body.String())
			require.JSONEq(t, text, rec.Body.String())
			require.EqualValues(t, len(c.body), w.lastObserved().BytesIn)
		})
	}
}

func TestARawBodyArrivesByteForByte(t *testing.T) {
	w := newWorld(things()...)
	text := " {\"a\":1,  \"a\":2}\n\x00\xff"
	archive := zipped(t, text)
	cases := map[string]struct {
		body   []byte
		header map[string]string
		want   string
	}{
		"plain":                           {[]byte(text), nil, text},
		"compressed":                      {archive, map[string]string{"Content-Encoding": "gzip"}, text},
		"an archive stays one":            {archive, map[string]string{"Content-Type": "application/octet-stream"}, string(archive)},
		"compressed JSON without a label": {archive, map[string]string{"Content-Type": "application/json"}, text},
	}
	for name, c := range cases {
		rec := w.do(ask{method: "POST", path: "/api/raw/o", body: bytes.NewReader(c.body), header: c.header})
		require.Equal(t, 200, rec.Code, name)
		require.Equal(t, c.want, rec.Body.String(), name)
	}
}

func TestARawBodyMayBeKeptByTheHandler(t *testing.T) {
	var kept [][]byte
	w := newWorld(row("POST /api/raw/{org}", "Raw", func(_ ctx, in *rawIn) (*struct{}, error) {
		kept = append(kept, in.RawBody)
		return nil, nil
	}))
	for _, text := range []string{"first", "other"} {
		require.Equal(t, 204, w.post("/api/raw/o", text).Code)
	}
	require.Equal(t, "first", string(kept[0]))
}

func TestAnEmptyRawBodyIsTakenWhereTheRowSaysSo(t *testing.T) {
	type optional struct {
		RawBody []byte `required:"false"`
	}
	w := newWorld(append(things(), row("POST /api/maybe", "Maybe", func(_ ctx, in *optional) (*textOut, error) {
		return &textOut{Body: []byte{byte('0' + len(in.RawBody))}}, nil
	}))...)
	require.Equal(t, "0", w.post("/api/maybe", "").Body.String())
	require.Equal(t, "a request body is required", errorOf(t, w.post("/api/raw/o", "")).Message)
}

func TestABodyOverTheCapIsTooLarge(t *testing.T) {
	text := func(n int) string { return `{"name":"` + strings.Repeat("x", n-len(`{"name":""}`)) + `"}` }
	w := newWorld(
		row("POST /api/things/{org}/{thing}", "PutThing", putThing),
		row("POST /api/small/{org}", "Small", echoRaw, api.BodyCap(4<<10)),
		row("POST /api/large/{org}", "Large", echoRaw, api.BodyCap(64<<20)),
	)
	w.Limits = api.Limits{Body: 32 << 10, MaxBody: 64 << 10}
	w.serve()
	cases := []struct {
		path string
		cap  int
		says string
	}{
		{"/api/things/o/x", 32 << 10, "32 KB"},
		{"/api/small/o", 4 << 10, "4 KB"},
		{"/api/large/o", 64 << 10, "64 KB"},
	}
	for _, c := range cases {
		for _, announce := range []bool{true, false} {
			for _, compress := range []bool{true, false} {
				send := func(n int) (int, string) {
					body := []byte(text(n))
					header := map[string]string{}
					if compress {
						body = zipped(t, string(body))
						header["Content-Encoding"] = "gzip"
					}
					var r io.Reader = bytes.NewReader(body)
					if !announce {
						r = io.MultiReader(r)
					}
					rec := w.do(ask{method: "POST", path: c.path, body: r, header: header})
					return rec.Code, rec.Body.String()
				}
				code, _ := send(c.cap)
				require.Equal(t, 200, code, "%v announce %v compress %v: exactly the cap is taken", c, announce, compress)
				code, body := send(c.cap + 1)
				require.Equal(t, 413, code, "%v announce %v compress %v", c, announce, compress)
				require.Contains(t, body, c.says)
			}
		}
	}
}

func TestTheCompressedSizeIsCappedToo(t *testing.T) {
	w := newWorld(row("POST /api/small/{org}", "Small", echoRaw, api.BodyCap(4<<10)))
	empty := zipped(t, "")
	rec := w.do(ask{
		method: "POST", path: "/api/small/o", body: io.MultiReader(bytes.NewReader(bytes.Repeat(empty, 10_000))),
		header: map[string]string{"Content-Encoding": "gzip"},
	})
	require.Equal(t, 413, rec.Code, rec.Body.String())
	require.Less(t, w.lastObserved().BytesIn, int64(16<<10))
}

// endless is a gzip stream that would expand to ten gigabytes, made while it is read.
func endless() io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 10 << 10 {
			if _, err := z.Write(zeros); err != nil {
				_ = w.CloseWithError(err)
				return
			}
		}
		_ = w.CloseWithError(z.Close())
	}()
	return r
}

func TestABombIsRefusedAtTheCapInBoundedMemory(t *testing.T) {
	w := newWorld(things()...)
	for _, header := range []map[string]string{{"Content-Encoding": "gzip"}, {"Content-Type": "application/json"}} {
		for _, path := range []string{"/api/things/o/x", "/api/raw/o"} {
			bomb := endless()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rec := w.do(ask{method: "POST", path: path, body: bomb, header: header})
			runtime.ReadMemStats(&after)
			require.NoError(t, bomb.Close())
			require.Equal(t, 413, rec.Code)
			require.Equal(t, "The request body is larger than the 1 MB that this operation takes.", errorOf(t, rec).Message)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "bytes allocated for a cap of 1 MB")
		}
	}
}

func TestABrokenBodyIsASentence(t *testing.T) {
	whole := zipped(t, `{"name":"`+strings.Repeat("abc", 100)+`"}`)
	wrongSum := bytes.Clone(whole)
	wrongSum[len(wrongSum)-6] ^= 1
	declared := map[string]string{"Content-Encoding": "gzip"}
	cases := map[string]struct {
		body   io.Reader
		header map[string]string
		status int
		says   string
	}{
		"cut off":              {bytes.NewReader(whole[:len(whole)-12]), declared, 400, "ends too early"},
		"cut off in its head":  {bytes.NewReader(whole[:5]), declared, 400, "ends too early"},
		"cut off after a byte": {bytes.NewReader(whole[:1]), declared, 400, "ends too early"},
		"with a wrong sum":     {bytes.NewReader(wrongSum), declared, 400, "not valid gzip"},
		"not gzip":             {strings.NewReader(`{"name":"n"}`), declared, 400, "not valid gzip"},
		"garbage after it":     {bytes.NewReader(append(bytes.Clone(whole), "garbage that is no member"...)), declared, 400, "not valid gzip"},
		"another coding":       {strings.NewReader("x"), map[string]string{"Content-Encoding": "br"}, 415, `"br" is not supported`},
		"two codings":          {bytes.NewReader(whole), map[string]string{"Content-Encoding": "gzip, gzip"}, 415, "not supported"},
		"lost on the way":      {io.MultiReader(strings.NewReader(`{"na`), failingReader{io.ErrUnexpectedEOF}), nil, 400, "before all of it had arrived"},
		"lost in gzip":         {io.MultiReader(bytes.NewReader(whole[:20]), failingReader{errors.New("reset")}), declared, 400, "before all of it had arrived"},
		"too slow":             {io.MultiReader(strings.NewReader(`{"na`), failingReader{timeout{}}), nil, 408, "did not arrive in time"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(things()...)
			rec := w.do(ask{method: "POST", path: "/api/things/o/x", body: c.body, header: c.header})
			require.Equal(t, c.status, rec.Code, rec.Body.String())
			require.Contains(t, errorOf(t, rec).Message, c.says)
		})
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return false }

func TestAnAnnouncedGiantIsRefusedUnread(t *testing.T) {
	w := newWorld(things()...)
	body := &watched{r: strings.NewReader("x")}
	r, err := http.NewRequest("POST", "/api/raw/o", body)
	require.NoError(t, err)
	r.ContentLength = 1 << 40
	r.Header.Set("Authorization", "token good")
	rec := record(w, r)
	require.Equal(t, 413, rec.Code)
	require.False(t, body.read)
}
