package blob_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
)

// FuzzAManifestOfAnyBytes reads by whatever a damaged or hostile item could hold: the document comes back, or an error does, and
// no more memory is taken than the chunks named could fill.
func FuzzAManifestOfAnyBytes(f *testing.F) {
	s, clock := newStore()
	doc := random(1, 100<<10)
	m := write(f, s, clock.Now(), doc)
	short := write(f, s, clock.Now(), []byte("short"))
	for _, m := range []blob.Manifest{m, short, write(f, s, clock.Now(), nil)} {
		stored, err := json.Marshal(m)
		require.NoError(f, err)
		f.Add(stored)
	}
	ref := `{"id":"` + short.Chunks[0].ID + `","n":5}`
	f.Add([]byte(`{"size":9223372036854775807,"sha256":"` + m.SHA256 + `","chunks":[` + ref + `]}`))
	f.Add([]byte(`{"size":50000,"sha256":"` + m.SHA256 + `","chunks":[` + strings.Repeat(ref+",", 9999) + ref + `]}`))
	f.Add([]byte(`{"size":262144,"sha256":"` + m.SHA256 + `","chunks":[{"id":"` + blobtest.ID("x") + `","n":262144}]}`))
	f.Add([]byte(`{"size":268435456,"sha256":"` + m.SHA256 + `","chunks":[` + strings.Repeat(`{"id":"`+blobtest.ID("x")+`","n":262144},`, 1023) +
		`{"id":"` + blobtest.ID("x") + `","n":262144}]}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var m blob.Manifest
		if json.Unmarshal(stored, &m) != nil {
			return
		}
		bound := uint64(24<<20) + uint64(len(m.Chunks))*4096
		require.Less(t, allocatedBy(func() {
			got, err := blob.Read(t.Context(), s, scope, key, m)
			if err != nil {
				require.ErrorIs(t, err, blob.ErrCorrupt)
				return
			}
			require.Equal(t, m.SHA256, blobtest.ID(string(got)))
			require.EqualValues(t, m.Size, len(got))
		}), bound)
	})
}
