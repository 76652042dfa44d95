package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// trip is what one update cost.
type trip struct {
	requests, sent       int64
	reads, writes, items int64 // round trips, and bytes of items put
	table, chunks        int64 // bytes on disk afterwards, beyond a fresh plane's
	took                 time.Duration
}

// travel measures the calls of drive on a fresh plane, from the login to the last answer.
func travel(drive func(stack) error) (trip, error) {
	p, err := newPlane()
	if err != nil {
		return trip{}, err
	}
	table, chunks, err := p.onDisk()
	if err != nil {
		return trip{}, err
	}
	c := p.counts
	c.reads.Store(0)
	c.writes.Store(0)
	c.bytes.Store(0)
	began := time.Now()
	s, err := p.newStack("dev")
	if err == nil {
		err = drive(s)
	}
	t := trip{took: time.Since(began), requests: p.requests.Load(), sent: p.sent.Load()}
	if err == nil {
		err = p.settle()
	}
	t.reads, t.writes, t.items = c.reads.Load(), c.writes.Load(), c.bytes.Load()
	if err != nil {
		return t, fmt.Errorf("%w (%v)", err, p.remove())
	}
	if t.table, t.chunks, err = p.onDisk(); err != nil {
		return t, err
	}
	t.table, t.chunks = t.table-table, t.chunks-chunks
	return t, p.remove()
}

// journey replays the calls that the CLI makes when it creates resources and saves by journal: batches one after another, event batches
// beside them, three at a time.
func journey(c scale) error {
	t := newTable("journey: one update that creates N components, saved by journal; a resource costs three entries and two engine events",
		"N", "entries/batch", "requests", "sent", "reads", "writes", "items put", "table", "chunks", "wall", "│", "requests/res", "sent B/res", "stored B/res", "trips/res", "ms/res")
	defer t.end()
	for _, n := range []int{100, 1_000, 10_000} {
		if n > c.most {
			continue
		}
		journal, events := entries(n), batches("events", engineEvents(n), 50)
		for _, shape := range []int{8, 100} {
			saves := batches("entries", journal, shape)
			got, err := travel(func(s stack) error { return s.up(saves, events) })
			if err != nil {
				return err
			}
			t.row(n, shape, got.requests, kilobytes(got.sent), got.reads, got.writes, kilobytes(got.items), kilobytes(got.table), kilobytes(got.chunks), got.took, "│",
				per(got.requests, n), per(got.sent, n), per(got.table+got.chunks, n), per(got.reads+got.writes, n), float64(got.took)/1e6/float64(n))
		}
	}
	return nil
}

func (s stack) up(saves, events []zipped) error {
	r, err := s.start(2)
	if err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() { told <- r.tell(events) }()
	for i, b := range saves {
		if err := r.journal(b); err != nil {
			return err
		}
		if i == len(saves)/2 { // the client renews at half of the lease; once stands for it
			if err := r.renew(); err != nil {
				return err
			}
		}
	}
	if err := <-told; err != nil {
		return err
	}
	if err := r.complete(); err != nil {
		return err
	}
	var left struct {
		Deployment struct{ Resources []struct{ URN string } }
	}
	if err := s.call(http.MethodGet, s.path+"/export", s.auth, nil, &left); err != nil {
		return err
	}
	if len(left.Deployment.Resources) == 0 {
		return fmt.Errorf("the export is empty")
	}
	return nil
}

// tell sends event batches, three at a time.
func (r running) tell(events []zipped) error {
	var wg sync.WaitGroup
	next := make(chan zipped)
	failed := make(chan error, len(events))
	for range 3 {
		wg.Go(func() {
			for b := range next {
				if err := r.events(b); err != nil {
					failed <- err
				}
			}
		})
	}
	for _, b := range events {
		next <- b
	}
	close(next)
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// checkpoints does the same without a journal: every resource saves the whole state, or the edits since the last save, when it
// begins and when it is there. What is sent grows with the square of N, which is the client's doing.
func checkpoints(c scale) error {
	t := newTable("checkpoint: the same saved by checkpoints, twice a resource", "N", "mode", "requests", "sent", "reads", "writes", "items put", "table", "chunks", "wall",
		"│", "requests/res", "sent B/res", "stored B/res", "trips/res", "ms/res")
	defer t.end()
	for _, n := range []int{100, 300} {
		if n > c.most {
			continue
		}
		for _, mode := range []string{"plain", "delta"} {
			saves := wholeSaves(n)
			if mode == "delta" {
				saves = deltaSaves(n)
			}
			got, err := travel(func(s stack) error { return s.save(saves) })
			if err != nil {
				return err
			}
			t.row(n, mode, got.requests, kilobytes(got.sent), got.reads, got.writes, kilobytes(got.items), kilobytes(got.table), kilobytes(got.chunks), got.took, "│",
				per(got.requests, n), per(got.sent, n), per(got.table+got.chunks, n), per(got.reads+got.writes, n), float64(got.took)/1e6/float64(n))
		}
	}
	return nil
}

// save is a call that keeps a checkpoint.
type save struct {
	below string // the update's path
	body  zipped
}

func (s stack) save(saves []save) error {
	r, err := s.start(0)
	if err != nil {
		return err
	}
	for _, one := range saves {
		if err := r.call(http.MethodPatch, r.at+one.below, r.lease, one.body, nil); err != nil {
			return err
		}
	}
	if err := r.complete(); err != nil {
		return err
	}
	return s.call(http.MethodGet, s.path+"/export", s.auth, nil, &object{})
}

// deployment is a state in the client's order of fields.
type deployment struct {
	Manifest  object   `json:"manifest"`
	Resources []object `json:"resources"`
	Pending   []object `json:"pending_operations,omitempty"`
}

var manifest = object{"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""}

// states are the deployments that an update of n components goes through: each begins, each is there.
func states(n int) []deployment {
	var out []deployment
	made := []object{}
	for i := range n {
		out = append(out, deployment{manifest, made, []object{{"type": "creating", "resource": component(i)}}})
		made = append(made[:i:i], component(i))
		out = append(out, deployment{manifest, made, nil})
	}
	return out
}

func wholeSaves(n int) []save {
	var out []save
	for _, d := range states(n) {
		out = append(out, save{"/checkpoint", zip(object{"isInvalid": false, "version": 3, "deployment": d})})
	}
	return out
}

func deltaSaves(n int) []save {
	var out []save
	var before []byte
	for i, d := range states(n) {
		text, err := json.Marshal(struct {
			Version    int        `json:"version"`
			Deployment deployment `json:"deployment"`
		}{3, d})
		if err != nil {
			panic(err) // made here
		}
		if i == 0 {
			out = append(out, save{"/checkpointverbatim", zip(object{"version": 3, "sequenceNumber": 1, "untypedDeployment": json.RawMessage(text)})})
			before = text
			continue
		}
		sum := sha256.Sum256(text)
		out = append(out, save{"/checkpointdelta", zip(object{
			"version": 3, "checkpointHash": hex.EncodeToString(sum[:]), "sequenceNumber": i + 1, "deploymentDelta": []object{edit(before, text)},
		})})
		before = text
	}
	return out
}

// edit is the one edit that makes b of a: what lies between their common beginning and their common end.
func edit(a, b []byte) object {
	from := 0
	for from < min(len(a), len(b)) && a[from] == b[from] {
		from++
	}
	tail := 0
	for tail < min(len(a), len(b))-from && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return object{
		"Span":    object{"uri": "", "start": object{"line": 1, "column": from + 1, "offset": from}, "end": object{"line": 1, "column": len(a) - tail + 1, "offset": len(a) - tail}},
		"NewText": string(b[from : len(b)-tail]),
	}
}
