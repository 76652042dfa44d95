package metrics_test

import (
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/api"
	"github.com/polyplane/polyplane/shared/api/metrics"
)

func TestTheMeterShowsWhatTheFrontObserves(t *testing.T) {
	m := metrics.New()
	m.Begin("tiny", "GetThing")
	m.Begin("tiny", "GetThing")
	m.Observe(api.Observation{Dialect: "tiny", Operation: "GetThing", Status: 201, Duration: 3 * time.Millisecond, BytesIn: 10, BytesOut: 20})
	m.Begin("tiny", "")
	m.Observe(api.Observation{Dialect: "tiny", Status: 404})
	m.Begin("tiny", "Gone")
	m.Observe(api.Observation{Dialect: "tiny", Operation: "Gone", Status: 499})

	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(rec.Body)
	require.NoError(t, err)
	for _, line := range []string{
		`polyplane_requests_total{dialect="tiny",operation="GetThing",status="2xx"} 1`,
		`polyplane_requests_total{dialect="tiny",operation="none",status="4xx"} 1`,
		`polyplane_requests_total{dialect="tiny",operation="Gone",status="499"} 1`,
		`polyplane_requests_in_flight{dialect="tiny",operation="GetThing"} 1`,
		`polyplane_requests_in_flight{dialect="tiny",operation="none"} 0`,
		`polyplane_request_bytes_total{dialect="tiny",operation="GetThing"} 10`,
		`polyplane_response_bytes_total{dialect="tiny",operation="GetThing"} 20`,
		`polyplane_request_seconds_bucket{dialect="tiny",operation="GetThing",le="0.0025"} 0`,
		`polyplane_request_seconds_bucket{dialect="tiny",operation="GetThing",le="0.005"} 1`,
		"go_goroutines",
	} {
		require.Contains(t, string(text), line)
	}
}
