package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/fault"
)

// FuzzABodyIsWhatGzipSaysUpToTheCap feeds arbitrary bytes: what comes out is what compress/gzip makes of them or a fault, and
// never more than the cap.
func FuzzABodyIsWhatGzipSaysUpToTheCap(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(bytes.Repeat([]byte("polyplane "), 40))
	require.NoError(f, err)
	require.NoError(f, w.Close())
	for _, seed := range [][]byte{b.Bytes(), b.Bytes()[:20], append(bytes.Clone(b.Bytes()), b.Bytes()...), {0x1f}, {0x1f, 0x8b}, []byte("plain"), nil} {
		f.Add(seed, true, uint16(300))
		f.Add(seed, false, uint16(4000))
	}
	f.Fuzz(func(t *testing.T, data []byte, declared bool, limit uint16) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(data))
		if declared {
			r.Header.Set("Content-Encoding", "gzip")
		}
		in := openBody(r, int64(limit), true)
		got, err := io.ReadAll(in)
		require.NoError(t, in.Close())
		require.LessOrEqual(t, len(got), int(limit))
		if err != nil {
			require.NotNil(t, fault.As(err), "%v", err)
			return
		}
		want := data
		if declared || len(data) > 1 && data[0] == 0x1f && data[1] == 0x8b {
			if len(data) == 0 {
				require.Empty(t, got)
				return
			}
			z, err := gzip.NewReader(bytes.NewReader(data))
			require.NoError(t, err)
			want, err = io.ReadAll(z)
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(want, got))
	})
}
