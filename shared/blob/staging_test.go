package blob_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/blob"
	"github.com/polyplane/polyplane/shared/blob/blobtest"
	"github.com/polyplane/polyplane/shared/keyring"
)

func TestAStagedDocumentReadsAsOneThatWasPut(t *testing.T) {
	ctx := context.Background()
	key := keyring.NewDataKeyFrom([32]byte{1}, nil)
	rapid.Check(t, func(t *rapid.T) {
		clock := blobtest.NewClock()
		behind := blobtest.NewMemory(clock.Now)
		doc := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "seed"), 5000)
		held := map[string][]byte{}
		for range rapid.IntRange(1, 6).Draw(t, "saves") {
			at := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			doc = append(append(bytes.Clone(doc[:at]), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "edit")...), doc[at:]...)
			staging := blob.NewStaging(behind, held, clock.Now())
			m, err := blob.Write(ctx, staging, "stack/1", key, clock.Now(), doc)
			require.NoError(t, err)
			if rapid.Bool().Draw(t, "flush") {
				require.NoError(t, staging.Flush(ctx, "stack/1", m))
				held = nil
			} else {
				held, _ = staging.Named(m)
			}
			got, err := blob.Read(ctx, blob.NewStaging(behind, held, clock.Now()), "stack/1", key, m)
			require.NoError(t, err)
			require.True(t, bytes.Equal(doc, got))
		}
	})
}
