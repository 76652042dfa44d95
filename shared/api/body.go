package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip" // several times faster than the standard library's on large exports

	"github.com/polyplane/polyplane/shared/core/fault"
)

// body reads a request body: decompressed, and never more than limit bytes of it. Nothing is read before the first Read, so that
// a caller who is not let in sends nothing (Expect: 100-continue). Errors are faults.
type body struct {
	from   counter
	length int64 // as the client announced it; -1 when it did not
	coding string
	sniff  bool // take a body that begins like gzip for gzip
	limit  int64

	in   io.Reader // decoded; nil until the first Read
	peek *bufio.Reader
	gz   *gzip.Reader
	read int64
	err  error
}

// counter counts what came over the wire and remembers what went wrong there.
type counter struct {
	r    io.ReadCloser
	n    int64
	max  int64
	fail error
}

var errWireLimit = errors.New("too many bytes on the wire")

func (c *counter) Read(p []byte) (int, error) {
	if c.n >= c.max {
		// One byte more tells a body of exactly max bytes from a longer one.
		p = p[:min(len(p), 1)]
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.fail = err
	}
	if c.n > c.max {
		c.fail = errWireLimit
		return n, errWireLimit
	}
	return n, err
}

var (
	gzipReaders sync.Pool
	peekers     = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}
)

// openBody prepares the body of r for an operation that takes at most limit bytes.
func openBody(r *http.Request, limit int64, takesJSON bool) *body {
	b := &body{length: r.ContentLength, limit: limit, coding: strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))}
	// Compression never makes a body more than a little larger than it is, so what exceeds that is refused unread.
	b.from = counter{r: r.Body, max: limit + limit>>8 + 1<<10}
	if b.from.r == nil {
		b.from.r = http.NoBody
	}
	b.sniff = takesJSON || strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "json")
	return b
}

func (b *body) Read(p []byte) (int, error) {
	if b.err == nil && b.in == nil {
		b.err = b.open()
	}
	if b.err != nil {
		return 0, b.err
	}
	if left := b.limit - b.read; left < int64(len(p)) {
		p = p[:left+1]
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	switch {
	case b.read > b.limit || errors.Is(err, errWireLimit):
		b.err = tooLarge(b.limit)
		return 0, b.err
	case err == io.EOF:
		b.err = io.EOF
	case err != nil:
		b.err = b.explain(err)
	}
	return n, b.err
}

// open finds out how the body is coded.
func (b *body) open() error {
	compressed := false
	switch b.coding {
	case "", "identity":
		if b.length > b.limit && !b.sniff {
			return tooLarge(b.limit)
		}
	case "gzip", "x-gzip":
		compressed = true
	default:
		return fault.Wrong("header.Content-Encoding", "The content encoding %q is not supported; send gzip or nothing.", clip(b.coding, 40)).WithReason(ReasonUnsupportedEncoding)
	}
	if b.length > b.from.max {
		return tooLarge(b.limit)
	}
	b.peek = peekers.Get().(*bufio.Reader)
	b.peek.Reset(&b.from)
	b.in = b.peek
	if !compressed && !b.sniff {
		return nil
	}
	head, err := b.peek.Peek(2)
	if len(head) == 0 {
		if err == io.EOF {
			return nil // no body at all, whatever the header says
		}
		return b.explain(err)
	}
	if !compressed && (len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b) {
		return nil
	}
	if gz, ok := gzipReaders.Get().(*gzip.Reader); ok {
		b.gz, err = gz, gz.Reset(b.peek)
	} else {
		b.gz, err = gzip.NewReader(b.peek)
	}
	if err != nil {
		return b.explain(err)
	}
	b.in = b.gz
	return nil
}

// explain tells the client's mistakes from the wire's.
func (b *body) explain(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, errWireLimit):
		return tooLarge(b.limit)
	case b.from.fail != nil && errors.As(b.from.fail, &timeout) && timeout.Timeout():
		return fault.Wrong("body", "The request body did not arrive in time.").WithReason(ReasonBodyTimeout).Because(err)
	case b.from.fail != nil:
		return fault.Wrong("body", "The request body ended before all of it had arrived.").Because(b.from.fail)
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		return fault.Wrong("body", "The compressed request body ends too early.").Because(err)
	}
	return fault.Wrong("body", "The request body is not valid gzip.").Because(err)
}

// WriteTo lets the reader of a whole body ask for the room it needs at once.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	if g, ok := w.(interface{ Grow(int) }); ok && b.length > 0 {
		g.Grow(int(min(b.length, b.limit, pooledBuffer)) + 512)
	}
	if rf, ok := w.(io.ReaderFrom); ok {
		return rf.ReadFrom(justReader{b})
	}
	return io.Copy(w, justReader{b})
}

type justReader struct{ io.Reader }

// Close gives back what was borrowed. It does not close the connection's body: net/http does.
func (b *body) Close() error {
	if b.gz != nil {
		gzipReaders.Put(b.gz)
		b.gz = nil
	}
	if b.peek != nil {
		b.peek.Reset(nil)
		peekers.Put(b.peek)
		b.peek = nil
	}
	if b.in = nil; b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
	return nil
}

func tooLarge(limit int64) *fault.Fault {
	return fault.New(fault.TooLarge, "The request body is larger than the %s that this operation takes.", sizeText(limit))
}

// sizeText is a size for people: whole units of 1024.
func sizeText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
