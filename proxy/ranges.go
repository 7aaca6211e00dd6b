package proxy

import (
	"errors"
	"net"
	"net/netip"
	"strings"
)

// Ranges are peers by their addresses: a value of MTLS_PROXY_PROTOCOL_FROM.
type Ranges struct {
	prefixes []netip.Prefix
	unix     bool // whoever connects over a unix socket
}

// UnmarshalText accepts addresses, ranges in CIDR notation and the word unix,
// separated by commas.
func (r *Ranges) UnmarshalText(text []byte) error {
	var list List
	if err := list.UnmarshalText(text); err != nil {
		return err
	}
	*r = Ranges{}
	for _, element := range list {
		if element == "unix" {
			r.unix = true
			continue
		}
		prefix, err := parseRange(element)
		if err != nil {
			return err
		}
		r.prefixes = append(r.prefixes, prefix)
	}
	return nil
}

// parseRange refuses a range whose address has bits beyond its length: it is a
// slip more often than it is meant.
func parseRange(text string) (netip.Prefix, error) {
	wrong := errors.New("must be addresses, ranges or the word unix, such as 10.0.0.0/8, 192.0.2.7, fd00::/8")
	prefix, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(text); err == nil && addr.Zone() == "" { // Prefix takes the zone off
			prefix, err = addr.Prefix(addr.BitLen())
		}
	}
	if err != nil || !prefix.IsValid() || prefix != prefix.Masked() || prefix.Addr().Is4In6() || prefix.Addr().Zone() != "" {
		return netip.Prefix{}, wrong
	}
	return prefix, nil
}

// Set reports whether any peer is among them.
func (r Ranges) Set() bool { return r.unix || len(r.prefixes) > 0 }

// has reports whether a peer's address is among them.
func (r Ranges) has(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return r.unix
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, prefix := range r.prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// String is the form that UnmarshalText accepts.
func (r Ranges) String() string {
	var all []string
	for _, prefix := range r.prefixes {
		all = append(all, prefix.String())
	}
	if r.unix {
		all = append(all, "unix")
	}
	return strings.Join(all, ",")
}
