package guarantee

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
)

// Bombs sends one row of each body cap a body of about 10 MB that unpacks to 10 GB. It must be refused as too large, having taken no
// more of the body than what unpacks to the cap, and no more memory than a few times the cap.
func Bombs(t *testing.T, tb Table) {
	p := tb.New(t)
	doc := tb.served(t, p)
	done := map[int64]bool{}
	for _, op := range tb.rows(t, p) {
		limit := op.BodyCap
		if limit == 0 {
			limit = api.DefaultBody
		}
		if _, _, takes := doc.request(op.Name); !takes || done[limit] || tb.Samples[op.Name] == nil {
			continue
		}
		done[limit] = true
		t.Run(op.Name, func(t *testing.T) {
			r := tb.Samples[op.Name](p)
			bomb := newBomb(10 << 30)
			r.Body, r.Gzip = bomb, false
			r.Header = http.Header{"Content-Encoding": {"gzip"}}
			p.Spy.Reset()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := p.Do(tb.proper(p, r))
			runtime.ReadMemStats(&after)
			require.Equal(t, http.StatusRequestEntityTooLarge, a.Status, "%s", a)
			tb.Problem(t, a)
			require.Zero(t, p.Spy.Writes())
			require.LessOrEqual(t, bomb.taken, limit/500+64<<10, "bytes taken of the compressed body")
			allocated := int64(after.TotalAlloc - before.TotalAlloc)
			require.LessOrEqual(t, allocated, 10*limit+8<<20, "bytes allocated, in buffers that grew by doubling")
			t.Logf("cap %d MB: %d bytes of the body taken, %d MB allocated", limit>>20, bomb.taken, allocated>>20)
		})
	}
	require.NotEmpty(t, done)
}

// bomb is a body of many gzip members, each a run of zeros.
type bomb struct {
	io.Reader
	taken int64
}

const member = 16 << 20 // bytes that one member unpacks to

func newBomb(unpacked int64) *bomb {
	z := zip(make([]byte, member))
	var parts []io.Reader
	for range unpacked / member {
		parts = append(parts, bytes.NewReader(z))
	}
	return &bomb{Reader: io.MultiReader(parts...)}
}

func (b *bomb) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.taken += int64(n)
	return n, err
}
