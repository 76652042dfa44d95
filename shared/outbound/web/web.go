// Package web makes the calls of the outbound port over HTTP. It is the only place of Polyplane from which a user's address is dialled.
//
// A name is resolved once for each connection, every address that it has is held against the policy, and the connection goes to one of
// those very addresses; nothing is looked up again in between, so a name that changes its answer gains nothing. The socket is looked
// at once more right before it connects.
package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/polyplane/polyplane/shared/outbound"
)

// Options of New. The zero Options call the public internet with the system's resolver.
type Options struct {
	Allow   outbound.Allow // for development
	Resolve func(ctx context.Context, name string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // address is "ip:port"
	Roots   *x509.CertPool                                                       // nil: the system's
	MaxTime time.Duration                                                        // of one call; 0 means outbound.MaxTime
}

// Caller is an outbound.Caller.
type Caller struct {
	allow     outbound.Allow
	resolve   func(context.Context, string) ([]netip.Addr, error)
	dial      func(context.Context, string, string) (net.Conn, error)
	transport *http.Transport
	maxTime   time.Duration
}

var _ outbound.Caller = (*Caller)(nil)

// How long the parts of a call may take. A connection that idles is closed soon, so that a changed name is seen.
const (
	dialTimeout = 5 * time.Second
	idleTimeout = 20 * time.Second
)

// New makes a Caller.
func New(o Options) *Caller {
	c := &Caller{allow: o.Allow, resolve: o.Resolve, dial: o.Dial, maxTime: o.MaxTime}
	if c.resolve == nil {
		c.resolve = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	if c.dial == nil {
		c.dial = c.dialSocket
	}
	if c.maxTime == 0 {
		c.maxTime = outbound.MaxTime
	}
	c.transport = &http.Transport{
		Proxy:                  nil, // a proxy of the environment would resolve and dial in our stead
		DialContext:            c.dialChecked,
		TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  c.maxTime,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what is kept is counted as it comes
	}
	return c
}

// Check implements outbound.Caller.
func (c *Caller) Check(url string) error {
	_, err := c.allow.Check(url)
	return err
}

// Host implements outbound.Caller.
func (c *Caller) Host(url string) string {
	t, err := outbound.Parse(url)
	if err != nil {
		return ""
	}
	return t.Host()
}

// Call implements outbound.Caller. Redirects are answers like any other: the transport follows none.
func (c *Caller) Call(ctx context.Context, r outbound.Request) (outbound.Answer, error) {
	began := time.Now()
	answer, err := c.call(ctx, r)
	answer.Duration = max(time.Since(began).Round(time.Millisecond), time.Millisecond)
	return answer, err
}

func (c *Caller) call(ctx context.Context, r outbound.Request) (outbound.Answer, error) {
	t, err := c.allow.Check(r.URL)
	if err != nil {
		return outbound.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.maxTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL.String(), bytes.NewReader(r.Body))
	if err != nil {
		return outbound.Answer{}, failure(ctx, err)
	}
	for _, h := range r.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	// Not sent, for it is empty: it lets the transport send once more, on a fresh connection, what met a connection that the receiver had
	// closed while it idled.
	req.Header["Idempotency-Key"] = []string{}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return outbound.Answer{}, failure(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	a := outbound.Answer{Status: res.StatusCode, Headers: kept(res.Header)}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, outbound.MaxBodyKept+1))
	if len(a.Body) > outbound.MaxBodyKept {
		a.Body, a.Truncated = a.Body[:outbound.MaxBodyKept], true
	}
	if err != nil {
		return outbound.Answer{}, failure(ctx, err)
	}
	return a, nil
}

// kept are the lines of a header that are kept, sorted by name.
func kept(h http.Header) []outbound.Header {
	names := make([]string, 0, len(h))
	for n := range h {
		names = append(names, n)
	}
	slices.Sort(names)
	var out []outbound.Header
	size := 0
	for _, n := range names {
		for _, v := range h[n] {
			if size += len(n) + len(v); size > outbound.MaxHeadersKept {
				return out
			}
			out = append(out, outbound.Header{Name: textproto.CanonicalMIMEHeaderKey(n), Value: v})
		}
	}
	return out
}

// noPublicAddress is said both of names without address and of those with a forbidden one, so that nobody learns which names there are
// in a private network.
const noPublicAddress = "the receiver has no public address"

// dialChecked resolves a name once, refuses it when any of its addresses is forbidden, and connects to the addresses in turn.
func (c *Caller) dialChecked(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs, err := c.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if !c.allow.Dial(host, netip.AddrPortFrom(a, uint16(n))) {
			return nil, &outbound.Failure{Reason: outbound.Refused, Message: noPublicAddress}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, hostKey{}, host), dialTimeout)
	defer cancel()
	for _, a := range addrs {
		var conn net.Conn
		if conn, err = c.dial(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *Caller) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil // already judged as it was written
	}
	found, err := c.resolve(ctx, host)
	if err != nil || len(found) == 0 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &outbound.Failure{Reason: outbound.Unresolved, Message: noPublicAddress}
	}
	out := make([]netip.Addr, len(found))
	for i, a := range found {
		out[i] = a.Unmap() // resolvers give IPv4 addresses in the form of IPv6
	}
	return out, nil
}

// hostKey carries the name that is being dialled to the socket.
type hostKey struct{}

// dialSocket connects, and holds the address of the socket itself against the policy.
func (c *Caller) dialSocket(ctx context.Context, network, address string) (net.Conn, error) {
	host, _ := ctx.Value(hostKey{}).(string)
	d := net.Dialer{Control: func(_, concrete string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(concrete)
		if err != nil || !c.allow.Dial(host, netip.AddrPortFrom(to.Addr().Unmap(), to.Port())) {
			return &outbound.Failure{Reason: outbound.Refused, Message: noPublicAddress}
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// failure says in a sentence that names no address why a call came to nothing.
func failure(ctx context.Context, err error) error {
	if f := outbound.AsFailure(err); f != nil {
		return f
	}
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var dialling *net.OpError
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &outbound.Failure{Reason: outbound.TimedOut, Message: "the receiver did not answer in time"}
	case errors.As(err, &certificate):
		return &outbound.Failure{Reason: outbound.Untrusted, Message: "the receiver's certificate is not trusted for its name"}
	case errors.As(err, &dialling) && dialling.Op == "dial":
		return &outbound.Failure{Reason: outbound.Unreachable, Message: "no connection to the receiver could be made"}
	}
	return &outbound.Failure{Reason: outbound.Broken, Message: "the receiver ended the connection, or did not answer in HTTP"}
}
