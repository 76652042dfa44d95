package local

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/polyplane/polyplane/shared/store"
)

func TestItemsComeBackAsTheyWere(t *testing.T) {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "seconds"), 0).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		i := store.Item{
			Key: store.Key{PK: "p", SK: "s"}, Kind: part().Draw(t, "kind"),
			Schema: rapid.IntRange(1, 1<<31-1).Draw(t, "schema"), Version: rapid.Int64Range(1, 1<<63-1).Draw(t, "version"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"), Due: moment.Draw(t, "due"), Expires: moment.Draw(t, "expires"),
		}
		h, body, err := decodeItem(appendItem(nil, headOf(i), i.Body))
		require.NoError(t, err)
		require.Equal(t, i, h.item(i.Key, body))

		e, err := decodeExpiry(appendExpiry(nil, h))
		require.NoError(t, err)
		require.Equal(t, head{hasExpires: h.hasExpires, expires: h.expires}, e)
	})
}

func TestASmallItemCostsFewBytesBesideItsBody(t *testing.T) {
	h := headOf(store.Item{Kind: "stack", Schema: 1, Version: 12, Due: time.UnixMilli(1767225600000)})
	require.LessOrEqual(t, len(appendItem(nil, h, nil)), 16)
}

func TestAnItemOfAnotherFormatSaysSo(t *testing.T) {
	b := appendItem(nil, head{kind: "k", schema: 1, version: 1}, nil)
	b[0] = 9
	_, _, err := decodeItem(b)
	require.ErrorContains(t, err, "has format 9, this version reads 1")
}

func FuzzGarbageInPlaceOfAnItemIsAnErrorAndNeverAPanic(f *testing.F) {
	f.Add(appendItem(nil, head{kind: "stack", schema: 1, version: 3, hasDue: true, due: 5, hasExpires: true, expires: -7}, []byte("{}")))
	f.Add([]byte{itemFormat, 0})
	f.Add([]byte{itemFormat, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeExpiry(b)
		h, body, err := decodeItem(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, h.kind)
		require.Positive(t, h.schema)
		require.Positive(t, h.version)
		again, bodyAgain, err := decodeItem(appendItem(nil, h, body))
		require.NoError(t, err)
		require.Equal(t, h, again)
		require.Equal(t, body, bodyAgain)
	})
}
