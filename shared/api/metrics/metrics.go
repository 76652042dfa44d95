// Package metrics shows what the front observes in the Prometheus text format, on one machine. A function on AWS does not link it.
package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/polyplane/polyplane/shared/api"
)

// Meter counts requests in a registry of its own.
type Meter struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	in, out  *prometheus.CounterVec
	flight   *prometheus.GaugeVec
}

// New makes a meter. Give its Begin and Observe to api.Config, and its Handler as Metrics.
func New() *Meter {
	row := []string{"dialect", "operation"}
	m := &Meter{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyplane_requests_total", Help: "Requests answered, by status class (499: the client went away).",
		}, append(row, "status")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "polyplane_request_seconds", Help: "Time from the first byte of a request to the last of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, row),
		in: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyplane_request_bytes_total", Help: "Bytes of request bodies on the wire.",
		}, row),
		out: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "polyplane_response_bytes_total", Help: "Bytes of response bodies on the wire.",
		}, row),
		flight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "polyplane_requests_in_flight", Help: "Requests being worked on.",
		}, row),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.in, m.out, m.flight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry lets other parts of the process show metrics beside these.
func (m *Meter) Registry() prometheus.Registerer { return m.registry }

// Begin counts a request as being worked on. Every Begin is followed by one Observe of the same dialect and operation.
func (m *Meter) Begin(dialect, operation string) {
	m.flight.WithLabelValues(dialect, named(operation)).Inc()
}

// Observe counts a request that was answered.
func (m *Meter) Observe(o api.Observation) {
	op := named(o.Operation)
	m.flight.WithLabelValues(o.Dialect, op).Dec()
	m.requests.WithLabelValues(o.Dialect, op, class(o.Status)).Inc()
	m.seconds.WithLabelValues(o.Dialect, op).Observe(o.Duration.Seconds())
	m.in.WithLabelValues(o.Dialect, op).Add(float64(o.BytesIn))
	m.out.WithLabelValues(o.Dialect, op).Add(float64(o.BytesOut))
}

// Handler serves the text.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// named keeps the number of series bounded: whatever no row serves is one operation.
func named(operation string) string {
	if operation == "" {
		return "none"
	}
	return operation
}

func class(status int) string {
	if status == 499 {
		return "499"
	}
	return strconv.Itoa(status/100) + "xx"
}
