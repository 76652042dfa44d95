package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip" // several times faster than the standard library's on large exports
)

// compressFrom is the size from which an answer is compressed, in bytes: below it the headers weigh more than what is saved.
const compressFrom = 1 << 10

var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// answer is the response of one request. Until compressFrom bytes are written or a flush is asked for nothing leaves, so that a
// failure can still be answered as one.
type answer struct {
	to     http.ResponseWriter
	head   bool // HEAD: headers only
	zip    bool // the client takes gzip
	whole  bool // the first Write brings the whole body
	stream bool // neither hold back nor compress

	status   int // 0 until it is known
	held     *bytes.Buffer
	gz       *gzip.Writer
	sent     bool  // the headers have left
	flushed  bool  // the length is not known
	size     int64 // bytes of body given to us
	out      int64 // bytes of body that left
	poisoned bool  // what comes is to be dropped: the request has failed
}

func (a *answer) Header() http.Header { return a.to.Header() }

// WriteHeader remembers the status; the headers leave with the body.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && !a.poisoned {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.poisoned {
		return len(p), nil
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.size += int64(len(p))
	switch {
	case a.head || !bodyAllowed(a.status):
		return len(p), nil
	case a.sent:
		return a.push(p)
	case a.stream:
		a.send()
		return a.push(p)
	case a.whole:
		if len(p) < compressFrom || !a.compress() {
			a.Header().Set("Content-Length", strconv.Itoa(len(p)))
		}
		a.send()
		return a.push(p)
	}
	if a.held == nil {
		a.held = buffers.Get().(*bytes.Buffer)
	}
	if a.held.Len()+len(p) < compressFrom {
		return a.held.Write(p)
	}
	a.compress()
	a.sendHeld()
	return a.push(p)
}

// compress switches to gzip when the client takes it and the answer is worth it.
func (a *answer) compress() bool {
	h := a.Header()
	if !compressible(h.Get("Content-Type")) || h.Get("Content-Encoding") != "" || a.status == http.StatusPartialContent {
		return false
	}
	h.Add("Vary", "Accept-Encoding")
	if !a.zip {
		return false
	}
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	a.gz = gzipWriters.Get().(*gzip.Writer)
	a.gz.Reset(wire{a})
	return true
}

// wire is where compressed bytes go.
type wire struct{ a *answer }

func (w wire) Write(p []byte) (int, error) {
	n, err := w.a.to.Write(p)
	w.a.out += int64(n)
	return n, err
}

func (a *answer) push(p []byte) (int, error) {
	if a.gz != nil {
		return a.gz.Write(p)
	}
	return wire{a}.Write(p)
}

func (a *answer) send() {
	a.sent = true
	a.to.WriteHeader(a.status)
}

func (a *answer) sendHeld() {
	a.send()
	if a.held != nil {
		_, _ = a.push(a.held.Bytes())
		release(a.held)
		a.held = nil
	}
}

// FlushError sends what there is, for http.ResponseController.
func (a *answer) FlushError() error {
	a.flushed = true
	if a.poisoned || a.head {
		return nil
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if !a.sent {
		if !a.stream {
			a.compress()
		}
		a.sendHeld()
	}
	if a.gz != nil {
		if err := a.gz.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(a.to).Flush()
}

// Flush sends what there is.
func (a *answer) Flush() { _ = a.FlushError() }

// SetWriteDeadline lets a stream outlive the server's own deadline.
func (a *answer) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(a.to).SetWriteDeadline(t)
}

// SetReadDeadline does nothing: how long a body may take is the server's to say.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// finish sends what is left.
func (a *answer) finish() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if !a.sent {
		a.announce()
		a.sendHeld()
	}
	if a.gz != nil {
		_ = a.gz.Close()
		a.giveBack()
	}
}

// announce says how long a body is that is complete and not compressed. HEAD says what GET would have said.
func (a *answer) announce() {
	h := a.Header()
	if !bodyAllowed(a.status) || h.Get("Content-Length") != "" {
		return
	}
	if a.head {
		if a.size >= compressFrom && !a.stream && compressible(h.Get("Content-Type")) {
			h.Add("Vary", "Accept-Encoding")
			if a.zip {
				return
			}
		}
		if a.size == 0 || a.flushed || a.stream {
			return
		}
	}
	h.Set("Content-Length", strconv.FormatInt(a.size, 10))
}

// drop forgets what is held and what comes, so that something else can be answered; it reports false when it is too late.
func (a *answer) drop() bool {
	a.poisoned = true
	a.giveBack()
	if a.held != nil {
		release(a.held)
		a.held = nil
	}
	return !a.sent
}

// again starts over after drop.
func (a *answer) again() { a.poisoned, a.status, a.size, a.stream, a.whole = false, 0, 0, false, true }

func (a *answer) giveBack() {
	if a.gz != nil {
		a.gz.Reset(nil)
		gzipWriters.Put(a.gz)
		a.gz = nil
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// compressible reports whether a content type gains from compression.
func compressible(contentType string) bool {
	for _, dense := range []string{"image/", "audio/", "video/", "font/", "application/gzip", "application/x-gzip", "application/zip", "application/zstd"} {
		if strings.HasPrefix(contentType, dense) {
			return contentType == "image/svg+xml"
		}
	}
	return true
}

// acceptsGzip reads Accept-Encoding: gzip must be named, or "*", with a weight above zero and not below that of identity.
func acceptsGzip(header []string) bool {
	if len(header) == 0 {
		return false
	}
	if len(header) == 1 && header[0] == "gzip" {
		return true
	}
	zip, any, plain := -1.0, -1.0, -1.0
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") {
			name, rest, _ := strings.Cut(item, ";")
			q := 1.0
			for p := range strings.SplitSeq(rest, ";") {
				if k, v, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(k), "q") {
					var err error
					if q, err = strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil || q < 0 || q > 1 {
						q = 0
					}
				}
			}
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				zip = max(zip, q)
			case "*":
				any = q
			case "identity":
				plain = q
			}
		}
	}
	if zip < 0 {
		zip = any
	}
	return zip > 0 && zip >= plain
}
