package main

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"
)

// frontTable measures single calls over connections that are kept, each client on a stack of its own with a running update.
func frontTable(c scale) error {
	p, err := newPlane()
	if err != nil {
		return err
	}
	t := newTable("front: one call, over HTTP with kept connections; budget: warm read p99 < 5 ms, durable write p99 < 10 ms",
		"call", "clients", "p50", "p99", "a second", "reads", "writes")
	if err := p.rows(c, t); err != nil {
		return fmt.Errorf("%w (%v)", err, p.remove())
	}
	t.end()
	return p.remove()
}

func (p *plane) rows(c scale, t table) error {
	secret := object{"plaintext": base64.StdEncoding.EncodeToString([]byte("correct horse battery staple"))}
	told := batches("events", engineEvents(24), 50)[0]
	for _, clients := range []int{1, 16} {
		updates := make([]running, clients)
		for i := range updates {
			s, err := p.newStack(fmt.Sprintf("s%d-%d", clients, i))
			if err != nil {
				return err
			}
			if updates[i], err = s.start(2); err != nil {
				return err
			}
		}
		times := max(c.times/clients, 1)
		saves := batches("entries", entries(8*times/3+8), 8)
		for _, row := range []struct {
			name string
			call func(client, n int) error
		}{
			{"get stack", func(i, _ int) error {
				return updates[i].call(http.MethodGet, updates[i].path, p.auth, nil, nil)
			}},
			{"encrypt", func(i, _ int) error {
				return updates[i].call(http.MethodPost, updates[i].path+"/encrypt", p.auth, secret, nil)
			}},
			{"journal batch of 8", func(i, n int) error { return updates[i].journal(saves[n]) }},
			{"event batch of 50", func(i, _ int) error { return updates[i].events(told) }},
		} {
			reads, writes, began := p.counts.reads.Load(), p.counts.writes.Load(), time.Now()
			got, err := timed(clients, times, row.call)
			if err != nil {
				return err
			}
			calls := len(got)
			t.row(row.name, clients, got.at(.5), got.at(.99), fmt.Sprintf("%.0f", float64(calls)/time.Since(began).Seconds()),
				per(p.counts.reads.Load()-reads, calls), per(p.counts.writes.Load()-writes, calls))
		}
	}
	return nil
}

// exportTable measures the export of a checkpoint of 10 MB, half of which are random digits.
func exportTable(c scale) error {
	p, err := newPlane()
	if err != nil {
		return err
	}
	t := newTable("export: a checkpoint of 10 MB", "answer", "p50", "p99", "on the wire")
	if err := p.exports(c, t); err != nil {
		return fmt.Errorf("%w (%v)", err, p.remove())
	}
	t.end()
	return p.remove()
}

func (p *plane) exports(c scale, t table) error {
	s, err := p.newStack("large")
	if err != nil {
		return err
	}
	r, err := s.start(0)
	if err != nil {
		return err
	}
	var resources []object
	for i := range 10 << 10 {
		state := component(i)
		digits := make([]byte, 256)
		_, _ = rand.Read(digits)
		state["inputs"] = object{"policy": hex.EncodeToString(digits)[:420]}
		resources = append(resources, state)
	}
	whole := zip(object{"isInvalid": false, "version": 3, "deployment": deployment{manifest, resources, nil}})
	if err := r.call(http.MethodPatch, r.at+"/checkpoint", r.lease, whole, nil); err != nil {
		return err
	}
	if err := r.complete(); err != nil {
		return err
	}
	for _, encoding := range []string{"identity", "gzip"} {
		var wire int64
		got, err := timed(1, max(min(c.times/20, 20), 3), func(int, int) (err error) {
			wire, err = s.export(encoding)
			return err
		})
		if err != nil {
			return err
		}
		t.row(encoding, got.at(.5), got.at(.99), kilobytes(wire))
	}
	return nil
}

// export reads an export to its end and returns the bytes of its body on the wire.
func (s stack) export(encoding string) (int64, error) {
	req, err := http.NewRequest(http.MethodGet, s.server.BaseURL("pulumi")+"/api"+s.path+"/export", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", s.auth)
	req.Header.Set("Accept-Encoding", encoding)
	res, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK || (res.Header.Get("Content-Encoding") == "gzip") != (encoding == "gzip") {
		return 0, fmt.Errorf("export: %s, encoding %q", res.Status, res.Header.Get("Content-Encoding"))
	}
	wire := &counted{from: res.Body}
	var text io.Reader = wire
	if encoding == "gzip" {
		if text, err = gzip.NewReader(wire); err != nil {
			return 0, err
		}
	}
	_, err = io.Copy(io.Discard, text)
	return wire.n, err
}

// counted counts what is read.
type counted struct {
	from io.Reader
	n    int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n += int64(n)
	return n, err
}
