package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/polyplane/polyplane/shared/boot/standalone"
	"github.com/polyplane/polyplane/shared/core/event"
	"github.com/polyplane/polyplane/shared/store"
)

// plane is the standalone process, running inside this one.
type plane struct {
	dir    string
	server *standalone.Server
	counts *counts
	http   *http.Client
	auth   string // "token …"

	stop  context.CancelFunc
	ended chan error

	requests, sent atomic.Int64 // HTTP requests and bytes of their bodies on the wire
}

// counts stands between the core and the store.
type counts struct {
	store.Store
	reads, writes, bytes atomic.Int64 // bytes of the items that were put
}

// Get implements store.Store.
func (c *counts) Get(ctx context.Context, k store.Key) (store.Item, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, k)
}

// BatchGet implements store.Store.
func (c *counts) BatchGet(ctx context.Context, ks []store.Key) ([]store.Item, error) {
	c.reads.Add(1)
	return c.Store.BatchGet(ctx, ks)
}

// Query implements store.Store.
func (c *counts) Query(ctx context.Context, q store.Query) (store.Page, error) {
	c.reads.Add(1)
	return c.Store.Query(ctx, q)
}

// Write implements store.Store. The due index is not counted: only workers ask it.
func (c *counts) Write(ctx context.Context, changes ...store.Change) error {
	c.writes.Add(1)
	for _, change := range changes {
		switch change.Op {
		case store.OpCreate, store.OpReplace, store.OpKeep:
			c.bytes.Add(int64(change.Item.Size()))
		}
	}
	return c.Store.Write(ctx, changes...)
}

// newPlane starts a plane on a fresh directory.
func newPlane() (*plane, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	p := &plane{dir: dir, counts: &counts{}, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("%w (%v)", err, os.RemoveAll(dir))
	}
	p.auth = "token " + p.server.Token()
	return p, nil
}

func (p *plane) open() error {
	ctx, stop := context.WithCancel(context.Background())
	server, err := standalone.Open(ctx, standalone.Settings{
		Addr: "127.0.0.1:0", Data: filepath.Join(p.dir, "data"), Org: "acme",
		Hooks: standalone.Hooks{Store: func(s store.Store) store.Store { p.counts.Store = s; return p.counts }},
	}, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		stop()
		return err
	}
	p.server, p.stop, p.ended = server, stop, make(chan error, 1)
	go func() { p.ended <- server.Serve(ctx) }()
	return nil
}

func (p *plane) close() error {
	p.http.CloseIdleConnections()
	p.stop()
	return <-p.ended
}

// remove closes the plane and removes its directory.
func (p *plane) remove() error {
	err := p.close()
	if e := os.RemoveAll(p.dir); err == nil {
		err = e
	}
	return err
}

// settle waits until the relay has handed on every event, so that what it removes is removed.
func (p *plane) settle() error {
	end := time.Now().Add(time.Minute)
	for time.Now().Before(end) {
		left, err := p.counts.Due(context.Background(), store.DueQuery{Kind: event.Kind, Before: time.Now().Add(time.Hour), Limit: 1})
		if err != nil || len(left) == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("events were not handed on within a minute")
}

// onDisk closes the plane and returns the bytes of its table and of its chunks. It is opened once more in between, so that the log of
// the last run is worked into the table.
func (p *plane) onDisk() (table, chunks int64, err error) {
	for range 2 {
		if err := p.close(); err != nil {
			return 0, 0, err
		}
		if table, err = size(filepath.Join(p.dir, "data", "store")); err == nil {
			chunks, err = size(filepath.Join(p.dir, "data", "blobs"))
		}
		if err != nil {
			return 0, 0, err
		}
		if err := p.open(); err != nil {
			return 0, 0, err
		}
	}
	return table, chunks, nil
}

func size(root string) (n int64, err error) {
	err = filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// call is one request below /api. body is nil, packed bytes, or a value to be sent as JSON; out, unless nil, is decoded into.
func (p *plane) call(method, path, auth string, body, out any) error {
	raw, packed := body.(zipped)
	if !packed && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, p.server.BaseURL("pulumi")+"/api"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pulumi-cli/1 (v3.274.1; linux; cmd=up)")
	req.Header.Set("Accept-Encoding", "gzip")
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	p.requests.Add(1)
	p.sent.Add(int64(len(raw)))
	res, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil && res.StatusCode/100 == 2 {
		_, err := io.Copy(io.Discard, res.Body)
		return err
	}
	var from io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		if from, err = gzip.NewReader(res.Body); err != nil {
			return err
		}
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, strings.TrimSpace(string(text)))
	}
	return json.Unmarshal(text, out)
}

// zipped is a body that was compressed beforehand, so that the client's work is not measured.
type zipped []byte

func zip(v any) zipped {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			panic(err) // made here
		}
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(raw) // into memory
	_ = w.Close()
	return b.Bytes()
}
