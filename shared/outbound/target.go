package outbound

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Target is where a URL leads: a host that is either an address or a name, and a port.
type Target struct {
	URL  *url.URL   // without fragment
	Name string     // lower case, without trailing dot; "" when the host is an address
	Addr netip.Addr // valid when the host is an address
	Port uint16
}

// Host is "host:port".
func (t Target) Host() string {
	host := t.Name
	if host == "" {
		host = t.Addr.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(t.Port)))
}

// busyPorts are ports above 1023 at which something else than a receiver of HTTP listens; a call would only be an attack on it. The
// low ports other than 80 and 443 are all refused.
var busyPorts = map[uint16]bool{
	1719: true, 1720: true, 1723: true, 2049: true, 2375: true, 2376: true, 2379: true, 2380: true, 3306: true, 3389: true, 3659: true,
	4045: true, 4190: true, 5060: true, 5061: true, 5432: true, 5672: true, 5984: true, 6000: true, 6379: true, 6443: true, 6566: true,
	6665: true, 6666: true, 6667: true, 6668: true, 6669: true, 6679: true, 6697: true, 9042: true, 9092: true, 9200: true, 9300: true,
	10080: true, 10250: true, 11211: true, 27017: true,
}

// Port reports whether a receiver of HTTP may be expected at a port.
func Port(n uint16) bool { return n == 80 || n == 443 || n >= 1024 && !busyPorts[n] }

// Parse reads a URL strictly: http or https, no user and password in it, and a host written as the name or the address that it is. What
// some libraries take for an address and others for a name (0x7f000001, 127.1, 0177.0.0.1, full-width digits) is refused.
func Parse(text string) (Target, error) {
	if len(text) > MaxURL {
		return Target{}, refuse("the URL is longer than " + strconv.Itoa(MaxURL) + " bytes")
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || strings.ContainsAny(text, "\\ \t\r\n") {
		return Target{}, refuse("this is not a URL of the form https://host/path")
	}
	u.Fragment, u.RawFragment = "", ""
	t := Target{URL: u}
	switch u.Scheme {
	case "https":
		t.Port = 443
	case "http":
		t.Port = 80
	default:
		return Target{}, refuse("the URL must begin with https:// or http://")
	}
	if u.User != nil {
		return Target{}, refuse("the URL may not hold a user name or a password")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 || p[0] == '0' {
			return Target{}, refuse("the port of the URL must be a number from 1 to 65535")
		}
		t.Port = uint16(n)
	} else if strings.HasSuffix(u.Host, ":") {
		return Target{}, refuse("the URL has a colon behind its host and no port")
	}
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return Target{}, refuse("what stands in brackets must be an IPv6 address without a zone")
		}
		t.Addr = a
		return t, nil
	}
	err = t.setHost(strings.TrimSuffix(strings.ToLower(host), "."))
	return t, err
}

// setHost takes a host that is not in brackets.
func (t *Target) setHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		t.Addr = a
		return nil
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.ContainsFunc(l, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return refuse("the host of the URL must be a name of letters, digits, '-' and '.', or an address")
		}
	}
	if last := labels[len(labels)-1]; numeric(last) {
		return refuse("the host of the URL looks like an address in an unusual form: write it as four decimal numbers")
	}
	if len(host) > 253 {
		return refuse("the host of the URL is too long")
	}
	t.Name = host
	return nil
}

// numeric reports whether a last label makes some resolvers read the whole host as an IPv4 address.
func numeric(label string) bool {
	if strings.HasPrefix(label, "0x") {
		return true
	}
	for _, r := range label {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// Allow lists what may be called although the policy forbids it, for development. The zero Allow lists nothing.
type Allow struct {
	names    map[string]bool
	prefixes []netip.Prefix
}

// ParseAllow reads a comma-separated list of host names, addresses and CIDR blocks: "localhost,127.0.0.1,10.1.0.0/16".
func ParseAllow(text string) (Allow, error) {
	a := Allow{names: map[string]bool{}}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if part == "" {
			continue
		}
		if p, err := netip.ParsePrefix(part); err == nil {
			a.prefixes = append(a.prefixes, p.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(part); err == nil {
			a.prefixes = append(a.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		var t Target
		if err := t.setHost(strings.TrimSuffix(part, ".")); err != nil {
			return Allow{}, refuse("\"" + part + "\" is neither a host name nor an address nor a CIDR block")
		}
		a.names[t.Name] = true
	}
	return a, nil
}

// Dial reports whether a connection to an address and a port may be made, for the sake of a host name; "" when there was none.
func (a Allow) Dial(name string, to netip.AddrPort) bool {
	return a.names[name] || in(a.prefixes, to.Addr()) || !Forbidden(to.Addr()) && Port(to.Port())
}

// Check applies to a URL what can be said without resolving its name.
func (a Allow) Check(text string) (Target, error) {
	t, err := Parse(text)
	if err != nil {
		return t, err
	}
	if t.Addr.IsValid() {
		if in(a.prefixes, t.Addr) {
			return t, nil
		}
		if Forbidden(t.Addr) {
			return t, refuse("the URL leads to an address that is not public, which may not be called")
		}
	} else if a.names[t.Name] {
		return t, nil
	} else if t.Name == "localhost" || strings.HasSuffix(t.Name, ".localhost") {
		if len(a.prefixes) == 0 {
			return t, refuse("the URL leads to an address that is not public, which may not be called")
		}
		return t, nil // whether its address is listed is seen when it is dialled
	}
	if !Port(t.Port) && (t.Addr.IsValid() || len(a.prefixes) == 0) {
		return t, refuse("the URL names a port at which no receiver of HTTP is expected: use 80, 443, or one above 1023")
	}
	return t, nil
}
