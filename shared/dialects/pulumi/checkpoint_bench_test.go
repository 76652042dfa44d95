package pulumi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/blob"
)

// weighed counts the bytes that are put.
type weighed struct {
	blob.Store
	bytes atomic.Int64
}

func (w *weighed) Put(ctx context.Context, scope string, chunks []blob.Chunk) error {
	for _, c := range chunks {
		w.bytes.Add(int64(len(c.Data)))
	}
	return w.Store.Put(ctx, scope, chunks)
}

// bigStack is a deployment of about 10 MB in 10,500 resources whose ids and hashes do not compress.
type bigStack struct {
	rng       *rand.Rand
	resources []string
}

func newBigStack() *bigStack {
	s := &bigStack{rng: rand.New(rand.NewPCG(1, 2))}
	for i := range 10_500 {
		s.resources = append(s.resources, s.resource(i))
	}
	return s
}

func (s *bigStack) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return hex.EncodeToString(b)
}

func (s *bigStack) resource(i int) string {
	return fmt.Sprintf(`{"urn":%q,"custom":true,"id":"i-%s","type":"t:i:R","inputs":{"description":%q,"hash":%q},"outputs":{"arn":"arn:aws:service:eu-central-1:%d:%s","hash":%q,"policy":%q}}`,
		urn(i), s.hex(8), strings.Repeat("managed by the platform team; ", 1+s.rng.IntN(8)), s.hex(48), s.rng.Int64N(1e12), s.hex(8), s.hex(64),
		strings.Repeat(`{"Effect":"Allow","Action":"s3:GetObject"}`, 1+s.rng.IntN(14)))
}

const bigHead = `{"version":3,"deployment":{"manifest":{"time":"2026-01-02T03:04:05Z","magic":"","version":""},"resources":[`

func (s *bigStack) text() string { return bigHead + strings.Join(s.resources, ",") + "]}}" }

// BenchmarkAHundredUpdatesOf10MBInDeltaMode tells how much 100 updates store that change one resource each, as the client saves without a
// journal: the whole text first, then the edits of the change.
func BenchmarkAHundredUpdatesOf10MBInDeltaMode(b *testing.B) {
	for b.Loop() {
		c := newClient(b)
		kept := &weighed{Store: c.Ports.Blobs}
		c.Ports.Blobs = kept
		c.Restart()
		stack, s := c.fresh(), newBigStack()
		items := 0
		for range 100 {
			u := c.start(stack, "update", 0)
			text := s.text()
			u.verbatim(1, text).Into(b, http.StatusNoContent, nil)
			at := s.rng.IntN(len(s.resources))
			start := len(bigHead) + at
			for _, r := range s.resources[:at] {
				start += len(r)
			}
			end := start + len(s.resources[at])
			s.resources[at] = s.resource(at)
			sum := sha256.Sum256([]byte(text[:start] + s.resources[at] + text[end:]))
			u.save("checkpointdelta", map[string]any{
				"version": 3, "sequenceNumber": 2, "checkpointHash": hex.EncodeToString(sum[:]), "deploymentDelta": []edit{{
					Span: map[string]any{"start": map[string]any{"offset": start}, "end": map[string]any{"offset": end}}, NewText: s.resources[at],
				}},
			}).Into(b, http.StatusNoContent, nil)
			u.complete("succeeded").Into(b, http.StatusNoContent, nil)
			for _, call := range c.Spy.Calls() {
				for _, ch := range call.Changes {
					items += len(ch.Item.Body)
				}
			}
			c.Spy.Reset()
		}
		require.Equal(b, s.text(), c.exported(stack))
		b.ReportMetric(float64(len(s.text()))/1e6, "MB/checkpoint")
		b.ReportMetric(float64(kept.bytes.Load())/1e6, "MB-chunks")
		b.ReportMetric(float64(items)/1e6, "MB-items")
	}
}

// BenchmarkAnExportOf10MB is the median over loopback, with and without compression.
func BenchmarkAnExportOf10MB(b *testing.B) {
	c := newClient(b)
	stack, text := c.fresh(), newBigStack().text()
	c.imported(stack, text)
	server := httptest.NewServer(c.Handler())
	defer server.Close()
	for _, accepted := range []string{"identity", "gzip"} {
		b.Run(accepted, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				r, err := http.NewRequest(http.MethodGet, server.URL+"/pulumi/api"+stack+"/export", nil)
				require.NoError(b, err)
				r.Header.Set("Authorization", c.auth)
				r.Header.Set("Accept-Encoding", accepted)
				began := time.Now()
				a, err := http.DefaultClient.Do(r)
				require.NoError(b, err)
				n, err := io.Copy(io.Discard, a.Body)
				require.NoError(b, err)
				require.NoError(b, a.Body.Close())
				took = append(took, time.Since(began))
				require.Equal(b, accepted == "gzip", n < int64(len(text)))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}

// BenchmarkASaveOf300KB is what a client without a journal does twice for each resource of a stack of a thousand.
func BenchmarkASaveOf300KB(b *testing.B) {
	c := newClient(b)
	s := newBigStack()
	s.resources = s.resources[:400]
	u := c.start(c.fresh(), "update", 0)
	for b.Loop() {
		at := s.rng.IntN(len(s.resources))
		s.resources[at] = s.resource(at)
		u.save("checkpoint", s.text()).Into(b, http.StatusNoContent, nil)
		c.Spy.Reset()
	}
}
