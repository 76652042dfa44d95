package outbound

import "net/netip"

// forbidden4 are the IPv4 blocks that are not the public's: IANA's special-purpose registry, and one public address behind which a cloud
// hides its metadata.
var forbidden4 = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared by carriers (and one cloud's metadata)
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // one cloud's host agent
	"169.254.0.0/16",   // link-local, the usual metadata service included
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments (and one cloud's metadata)
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays of 6to4
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, limited broadcast included
)

// public6 is all of IPv6 that is routed in public; forbidden6 are the blocks in it that are not, or that lead to an IPv4 address.
var (
	public6    = netip.MustParsePrefix("2000::/3")
	forbidden6 = prefixes(
		"2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4: an IPv4 address in disguise
		"3fff::/20",     // documentation
	)
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// Forbidden reports whether an address may not be called: all that is not plainly the public's. An IPv4 address that is written as, or
// carried in, an IPv6 address is forbidden whatever it is; so is an address with a zone.
func Forbidden(a netip.Addr) bool {
	switch {
	case !a.IsValid(), a.Zone() != "", a.Is4In6():
		return true
	case a.Is4():
		return in(forbidden4, a)
	}
	return !public6.Contains(a) || in(forbidden6, a) || isatap(a)
}

// isatap reports whether an IPv6 address carries an IPv4 address in its second half.
func isatap(a netip.Addr) bool {
	b := a.As16()
	return (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func in(ps []netip.Prefix, a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
