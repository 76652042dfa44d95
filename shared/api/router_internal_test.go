package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func routerOf(t *testing.T, patterns ...string) *router {
	t.Helper()
	rt := &router{}
	for _, p := range patterns {
		method, path, _ := strings.Cut(p, " ")
		r, err := newRoute(&Operation{Method: method, Path: path, Name: p}, 1)
		require.NoError(t, err)
		require.NoError(t, rt.add(r))
	}
	return rt
}

func TestTheMoreSpecialRowWinsWhateverTheOrder(t *testing.T) {
	patterns := []string{
		"GET /e/{org}/yaml/open/{id}",
		"GET /e/{org}/{project}/{env}/hooks",
		"GET /e/{org}/{project}/{env}/{other}",
		"GET /users/{id}",
		"GET /users/email={email}",
		"GET /users/me",
		"POST /users/{id}",
		"PUT /users/me",
		"GET /files/{path...}",
		"GET /files/{one}/raw",
		"GET /",
	}
	cases := []struct {
		method, path, row string
		values            string
	}{
		{"GET", "/e/o/yaml/open/hooks", "GET /e/{org}/yaml/open/{id}", "o,hooks"},
		{"GET", "/e/o/yaml/x/hooks", "GET /e/{org}/{project}/{env}/hooks", "o,yaml,x"},
		{"GET", "/e/o/yaml/x/y", "GET /e/{org}/{project}/{env}/{other}", "o,yaml,x,y"},
		{"GET", "/users/me", "GET /users/me", ""},
		{"GET", "/users/%6de", "GET /users/me", ""},
		{"HEAD", "/users/me", "GET /users/me", ""},
		{"POST", "/users/me", "POST /users/{id}", "me"},
		{"GET", "/users/email=a@b", "GET /users/email={email}", "a@b"},
		{"GET", "/users/email=", "GET /users/{id}", "email="},
		{"GET", "/users/email=a%2Fb", "GET /users/email={email}", "a/b"},
		{"GET", "/users/other", "GET /users/{id}", "other"},
		{"GET", "/files/a/raw", "GET /files/{one}/raw", "a"},
		{"GET", "/files/a/b/c", "GET /files/{path...}", "a/b/c"},
		{"GET", "/files", "", ""},
		{"GET", "/", "GET /", ""},
		{"DELETE", "/users/me", "", ""},
	}
	for range 2 {
		rt := routerOf(t, patterns...)
		for _, c := range cases {
			segs, ok := splitPath(c.path)
			require.True(t, ok)
			r, values := rt.find(c.method, segs)
			if c.row == "" {
				require.Nil(t, r, c)
				continue
			}
			require.NotNil(t, r, c)
			require.Equal(t, c.row, r.op.Name)
			require.Equal(t, c.values, strings.Join(values, ","), c)
		}
		for i, j := 0, len(patterns)-1; i < j; i, j = i+1, j-1 {
			patterns[i], patterns[j] = patterns[j], patterns[i]
		}
	}
	segs, _ := splitPath("/users/me")
	require.Equal(t, []string{"GET", "HEAD", "POST", "PUT"}, routerOf(t, patterns...).allowed(segs))
}

func TestBadPatternsAreRefused(t *testing.T) {
	for _, p := range []string{"", "a", "/a//b", "/a/", "/{", "/}", "/{}", "/{a}x", "/{a}{b}", "/{a}/{a}", "/{a...}/b", "/x{a...}", "/a%20b", "/a?b", "/..", "/{...}"} {
		_, err := parsePath(p)
		require.Error(t, err, p)
	}
	rt := routerOf(t, "GET /a/{b}")
	r, err := newRoute(&Operation{Method: http.MethodGet, Path: "/a/{c}"}, 1)
	require.NoError(t, err)
	require.Error(t, rt.add(r))
}

func TestCompressibleTypes(t *testing.T) {
	require.True(t, compressible("application/json"))
	require.True(t, compressible("image/svg+xml"))
	require.False(t, compressible("image/png"))
}

// FuzzRawPathsDecodeSegmentBySegment holds splitPath against net/url: the same segments, each decoded for itself, and never one
// that could climb.
func FuzzRawPathsDecodeSegmentBySegment(f *testing.F) {
	for _, s := range []string{"/", "//a//b/", "/a%2Fb/c", "/%2e%2e/x", "/a/../b", "/%", "/%zz", "/a%00", "/%ff", "/a%252Fb", "a", "/ü/%C3%BC", "/a+b%20c", "/;x=1/?q"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		segs, ok := splitPath(raw)
		var want []string
		good := true
		for _, part := range strings.Split(raw, "/") {
			if part == "" {
				continue
			}
			s, err := url.PathUnescape(part)
			if err != nil || s == "." || s == ".." || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				good = false
				break
			}
			want = append(want, s)
		}
		require.Equal(t, good, ok)
		if !ok {
			require.Nil(t, segs)
			return
		}
		require.Equal(t, len(want), len(segs))
		escaped := make([]string, len(segs))
		for i, s := range segs {
			require.Equal(t, want[i], s)
			require.NotEmpty(t, s)
			escaped[i] = url.PathEscape(s)
		}
		again, ok := splitPath("/" + strings.Join(escaped, "/"))
		require.True(t, ok)
		require.Equal(t, len(segs), len(again))
		for i := range segs {
			require.Equal(t, segs[i], again[i])
		}
	})
}
