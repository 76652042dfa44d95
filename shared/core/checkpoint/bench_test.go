package checkpoint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/core/checkpoint"
)

// bigResource is a resource of about a kilobyte, with texts, numbers and nesting in the proportions of real ones.
func bigResource(i int) string {
	inputs := fmt.Sprintf(`{"bucket":"logs-%d","tags":{"team":"platform","cost":"c-%d","env":"production"},"rules":[{"id":"a","days":30,"enabled":true},{"id":"b","days":365,"enabled":false}],"policy":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\"}]}"}`, i, i)
	return res(fmt.Sprint("r", i), `,"id":"id-`+fmt.Sprint(i)+`","inputs":`+inputs+`,"outputs":`+inputs,
		ref("parent", "r0"), refs("dependencies", "r0"), `,"propertyDependencies":{"bucket":["`+urn("r0")+`"],"tags":null}`,
		`,"created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z"`)
}

// bigJournal is the journal that creates n resources, in bodies of a hundred entries.
func bigJournal(n int) (bodies [][]byte, size int) {
	var list []string
	for i := range n {
		list = append(list, entry(2*i+1, 0, i+1, pendingOp("creating", bigResource(i))), entry(2*i+2, 1, i+1, state(bigResource(i))))
		if len(list) == 100 || i == n-1 {
			bodies = append(bodies, batch(list...))
			size += len(bodies[len(bodies)-1])
			list = nil
		}
	}
	return bodies, size
}

func BenchmarkReplay20000Entries(b *testing.B) {
	bodies, size := bigJournal(10_000)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		s, err := checkpoint.New(nil)
		require.NoError(b, err)
		for _, body := range bodies {
			entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.ApplyAll(entries); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func bigState(b *testing.B, more ...string) *checkpoint.State {
	bodies, _ := bigJournal(10_000)
	s, err := checkpoint.New(nil)
	require.NoError(b, err)
	for _, body := range append(bodies, batch(more...)) {
		entries, err := checkpoint.DecodeBatch(body, checkpoint.Limits{})
		require.NoError(b, err)
		require.NoError(b, s.ApplyAll(entries))
	}
	return s
}

func BenchmarkMaterialize10000Resources(b *testing.B) {
	for name, more := range map[string]string{
		"plain":     entry(20_001, 9, 0),
		"refreshed": entry(20_001, 3, 20_001, `"removeNew":1`), // what every other resource refers to is gone
		"renamed":   entry(20_001, 4, 20_001, `"removeNew":1`, state(res("r0-renamed", `,"aliases":["`+urn("r0")+`"]`))),
	} {
		b.Run(name, func(b *testing.B) {
			s := bigState(b, more)
			snapshot, err := s.Materialize(now, "v")
			require.NoError(b, err)
			b.SetBytes(int64(len(snapshot.Deployment)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Materialize(now, "v"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFold10000Resources(b *testing.B) {
	s := bigState(b)
	encoded := s.Encode()
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			s.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		for b.Loop() {
			if _, err := checkpoint.DecodeState(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBaseOf10000Resources(b *testing.B) {
	snapshot, err := bigState(b).Materialize(now, "v")
	require.NoError(b, err)
	for name, read := range map[string]func([]byte) error{
		"new":     func(d []byte) error { _, err := checkpoint.New(d); return err },
		"count":   func(d []byte) error { _, err := checkpoint.CountResources(d); return err },
		"inspect": func(d []byte) error { _, err := checkpoint.Inspect(d, ""); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(snapshot.Deployment)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(snapshot.Deployment); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTwoFoldsShareMostOfTheirLines(t *testing.T) {
	var list []string
	for i := range 300 {
		list = append(list, entry(i+1, 1, i+1, state(bigResource(i)), fmt.Sprintf(`"removeOld":%d`, i)))
	}
	var old []string
	for i := range 1000 {
		old = append(old, bigResource(i))
	}
	before := replay(t, base(old...), list[:200]...).Encode()
	after := replay(t, base(old...), list...).Encode()
	known := map[string]bool{}
	for line := range strings.SplitSeq(string(before), "\n") {
		known[line] = true
	}
	fresh := 0
	for line := range strings.SplitSeq(string(after), "\n") {
		if !known[line] {
			fresh += len(line)
		}
	}
	require.Less(t, fresh, len(after)/8, "a hundred entries are a tenth of the bytes")
}
