package web_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polyplane/polyplane/shared/outbound"
	"github.com/polyplane/polyplane/shared/outbound/web"
)

// listening is a listener on loopback that counts who connects.
func listening(t *testing.T) (port int, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	connections = &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, connections
}

// names are what the resolver of the tests knows; a name with several answers gives the next one each time it is asked.
func resolver(names map[string][]string) (func(context.Context, string) ([]netip.Addr, error), *atomic.Int64) {
	asked := &atomic.Int64{}
	return func(_ context.Context, name string) ([]netip.Addr, error) {
		n := asked.Add(1)
		answers := names[name]
		if len(answers) == 0 {
			return nil, fmt.Errorf("no such host %s", name)
		}
		var out []netip.Addr
		for a := range strings.SplitSeq(answers[min(int(n), len(answers))-1], " ") {
			out = append(out, netip.MustParseAddr(a))
		}
		return out, nil
	}, asked
}

// targets are addresses and names that must never be dialled. PORT is that of the listener.
var targets = []string{
	// Plain.
	"http://127.0.0.1:PORT/", "https://127.0.0.1:PORT/", "http://127.255.255.254:PORT/", "http://0.0.0.0:PORT/", "http://10.0.0.1:PORT/", "http://172.16.0.1:PORT/",
	"http://172.31.255.255:PORT/", "http://192.168.1.1:PORT/", "http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/v2/credentials",
	"http://100.64.0.1:PORT/", "http://100.100.100.200/latest/meta-data/", "http://168.63.129.16/machine", "http://192.0.0.192/opc/v1/", "http://198.18.0.1/",
	"http://192.0.2.1/", "http://198.51.100.7/", "http://203.0.113.9/", "http://192.88.99.1/", "http://224.0.0.1/", "http://239.255.255.250:1900/",
	"http://240.0.0.1/", "http://255.255.255.255/",
	// Other ways to write an IPv4 address.
	"http://2130706433:PORT/", "http://017700000001:PORT/", "http://0x7f000001:PORT/", "http://0x7f.0.0.1:PORT/", "http://0177.0.0.1:PORT/", "http://127.1:PORT/",
	"http://127.0.1:PORT/", "http://0:PORT/", "http://127.0.0.1.:PORT/", "http://127.000.000.001:PORT/", "http://127.0.0.0x1:PORT/", "http://１２７.0.0.1:PORT/",
	"http://127。0。0。1:PORT/", "http://%31%32%37.0.0.1:PORT/", "http://①②⑦.0.0.1:PORT/", "http://127.0.0.1%00.example.com:PORT/",
	// IPv6, and IPv4 within it.
	"http://[::1]:PORT/", "http://[::]:PORT/", "http://[0:0:0:0:0:0:0:1]:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/", "http://[::127.0.0.1]:PORT/",
	"http://[::ffff:8.8.8.8]:PORT/", "http://[64:ff9b::7f00:1]:PORT/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]:PORT/", "http://[2002:a9fe:a9fe::]/",
	"http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "http://[2001:db8::1]/", "http://[3fff::1]/", "http://[2001:2::1]/", "http://[fe80::1]:PORT/", "http://[fe80::1%25lo]:PORT/",
	"http://[::1%25lo]:PORT/", "http://[fc00::1]/", "http://[fd00:ec2::254]/latest/meta-data/", "http://[ff02::1]/", "http://[fec0::1]/", "http://[100::1]/", "http://[5f00::1]/",
	"http://[2a00:1450:4001:82f:0:5efe:7f00:1]/",
	// Tricks of the URL.
	"http://user@127.0.0.1:PORT/", "http://user:pass@example.com:PORT/", "http://example.com@127.0.0.1:PORT/", "http://127.0.0.1:PORT@example.com/", "http://example.com:80@127.0.0.1:PORT/",
	"http://example.com\\@127.0.0.1:PORT/", "http://127.0.0.1:PORT\\@example.com/", "http:/127.0.0.1:PORT/", "http:127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "//127.0.0.1:PORT/",
	"127.0.0.1:PORT", "http://127.0.0.1:PORT#@example.com/", "http://127.0.0.1:PORT?@example.com/", "http://example.com:0/", "http://example.com:/", "http://example.com:65536/",
	"http://example.com:00080/", "http://example.com:22/", "http://example.com:25/", "http://example.com:6379/", "http://example.com:2375/", "http://exa mple.com/", "http://example..com/", "http://.example.com/",
	"http://-/../127.0.0.1:PORT/\r\nHost: x", " http://127.0.0.1:PORT/", "http://[127.0.0.1]:PORT/", "http://[::1:PORT/",
	// Other schemes.
	"file:///etc/passwd", "gopher://127.0.0.1:PORT/", "ftp://127.0.0.1:PORT/", "unix:///var/run/docker.sock", "dict://127.0.0.1:PORT/", "javascript:alert(1)", "data:text/plain,x", "ws://127.0.0.1:PORT/", "",
	// Names.
	"http://localhost:PORT/", "http://LOCALHOST:PORT/", "http://localhost.:PORT/", "http://a.localhost:PORT/", "http://private.example:PORT/", "http://loop.example:PORT/", "http://loop.example.:PORT/",
	"http://LOOP.example:PORT/", "http://metadata.example/", "http://mapped.example:PORT/", "http://mixed.example:PORT/", "http://sixth.example:PORT/", "http://nat64.example:PORT/", "http://teredo.example/",
	"http://rebinding.example:PORT/", "http://nowhere.example:PORT/", "http://zero.example:PORT/",
}

func TestNothingThatIsNotThePublicsIsEverDialled(t *testing.T) {
	require.GreaterOrEqual(t, len(targets), 60)
	port, connections := listening(t)
	for _, target := range targets {
		url := strings.ReplaceAll(target, "PORT", fmt.Sprint(port))
		for _, injected := range []bool{true, false} { // once before a dialer that counts, once with real sockets
			resolve, _ := resolver(map[string][]string{
				"private.example": {"192.168.0.7"}, "loop.example": {"127.0.0.1"}, "metadata.example": {"169.254.169.254"}, "mapped.example": {"::ffff:127.0.0.1"},
				"mixed.example": {"93.184.216.34 127.0.0.1"}, "sixth.example": {"::1"}, "nat64.example": {"64:ff9b::7f00:1"}, "teredo.example": {"2001:0::1"},
				"rebinding.example": {"127.0.0.1", "93.184.216.34"}, "zero.example": {"0.0.0.0"}, "localhost": {"127.0.0.1"}, "a.localhost": {"127.0.0.1"},
			})
			var dialled atomic.Int64
			o := web.Options{Resolve: resolve}
			if injected {
				o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					dialled.Add(1)
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			}
			c := web.New(o)
			_, err := c.Call(t.Context(), outbound.Request{URL: url, Body: []byte("{}")})
			f := outbound.AsFailure(err)
			require.NotNil(t, f, "%s: %v", url, err)
			require.Contains(t, []outbound.Reason{outbound.Refused, outbound.Unresolved}, f.Reason, "%s: %s", url, f)
			require.Zero(t, dialled.Load(), url)
			require.NotRegexp(t, `\d+\.\d+\.\d+\.\d+|::`, f.Message, "the sentence names an address")
		}
	}
	require.Zero(t, connections.Load())
}

func TestANameThatChangesItsAnswerIsDialledAtTheAddressThatWasLookedAt(t *testing.T) {
	port, connections := listening(t)
	resolve, asked := resolver(map[string][]string{"rebinding.example": {"93.184.216.34", "127.0.0.1"}})
	var dialled []string
	c := web.New(web.Options{Resolve: resolve, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("refused")}
	}})
	url := fmt.Sprintf("http://rebinding.example:%d/", port)
	_, err := c.Call(t.Context(), outbound.Request{URL: url})
	require.Equal(t, outbound.Unreachable, outbound.AsFailure(err).Reason)
	require.EqualValues(t, 1, asked.Load())
	require.Equal(t, []string{fmt.Sprintf("93.184.216.34:%d", port)}, dialled)
	_, err = c.Call(t.Context(), outbound.Request{URL: url})
	require.Equal(t, outbound.Refused, outbound.AsFailure(err).Reason, "the second answer is looked at like the first")
	require.Len(t, dialled, 1)
	require.Zero(t, connections.Load())
}

func TestEverySpecialBlockIsForbiddenFromItsFirstToItsLastAddress(t *testing.T) {
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "2001:200::1"} {
		require.False(t, outbound.Forbidden(netip.MustParseAddr(a)), a)
	}
	for _, p := range []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"} {
		prefix := netip.MustParsePrefix(p)
		first := prefix.Addr()
		last := first.AsSlice()
		for bit := prefix.Bits(); bit < first.BitLen(); bit++ {
			last[bit/8] |= 1 << (7 - bit%8)
		}
		end, _ := netip.AddrFromSlice(last)
		require.True(t, outbound.Forbidden(first), first)
		require.True(t, outbound.Forbidden(end), end)
	}
	require.True(t, outbound.Forbidden(netip.Addr{}))
}

func FuzzNoURLLeadsToLoopback(f *testing.F) {
	for _, t := range targets {
		f.Add(strings.ReplaceAll(t, "PORT", "8080"))
	}
	f.Add("https://example.com/hook?a=b#c")
	f.Fuzz(func(t *testing.T, url string) {
		c := web.New(web.Options{
			Resolve: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
			},
			Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				to, err := netip.ParseAddrPort(address)
				if err != nil || outbound.Forbidden(to.Addr()) || !outbound.Port(to.Port()) {
					t.Errorf("%q dials %s", url, address)
				}
				return nil, net.ErrClosed
			},
		})
		_, err := c.Call(t.Context(), outbound.Request{URL: url})
		require.NotNil(t, outbound.AsFailure(err))
	})
}
