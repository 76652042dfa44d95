package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/polyplane/polyplane/shared/api"
)

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

func benchmark(b *testing.B, method, path, body string) {
	w := newWorld(things()...)
	w.Observe, w.AuditContext, w.Log = nil, nil, nil
	w.serve()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "token good")
	out := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(out.h)
		w.gate.asked, w.gate.needs = w.gate.asked[:0], w.gate.needs[:0]
		if body != "" {
			r.Body = io.NopCloser(strings.NewReader(body))
		}
		w.handler.ServeHTTP(out, r)
	}
}

func BenchmarkASmallGet(b *testing.B) { benchmark(b, "GET", "/api/things/o/x", "") }

func BenchmarkASmallPost(b *testing.B) {
	benchmark(b, "POST", "/api/things/o/x", `{"name":"n","size":3,"tag":"t","part":{"kind":"k"}}`)
}

func BenchmarkCheck(b *testing.B) {
	w := newWorld(things()...)
	for b.Loop() {
		if err := api.Check(w.dialect); err != nil {
			b.Fatal(err)
		}
	}
}
