package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"

	"mtls-sidecar/proxy/admin"
)

// AdminAddr is where operators look: what ListenAddr takes, or off.
type AdminAddr string

// adminOff is the AdminAddr of a sidecar that has none.
const adminOff AdminAddr = "off"

// UnmarshalText accepts host:port with an empty host, an IP address or localhost,
// unix:///path, and off.
func (a *AdminAddr) UnmarshalText(text []byte) error {
	if AdminAddr(text) == adminOff {
		*a = adminOff
		return nil
	}
	var listen ListenAddr
	if err := listen.UnmarshalText(text); err != nil {
		return fmt.Errorf("%w; or off", err)
	}
	*a = AdminAddr(listen)
	return nil
}

// Off reports whether there is no such port.
func (a AdminAddr) Off() bool { return a == adminOff }

// Dial is how the address is reached from the same pod: what net.Dial is told.
func (a AdminAddr) Dial() (network, address string) {
	network, address = ListenAddr(a).network()
	if network == "unix" {
		return network, address
	}
	host, port, _ := net.SplitHostPort(address) // has been one already
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return "tcp", net.JoinHostPort(host, port)
}

// adminFaults checks the admin port against the other addresses, and the paths
// that it relays.
func (c *Config) adminFaults() []Fault {
	var faults []Fault
	add := func(variable, value, problem string) { faults = append(faults, Fault{variable, value, problem}) }
	if c.AdminAddr.Off() {
		if len(c.AdminUpstreamPaths) > 0 {
			add("MTLS_ADMIN_UPSTREAM_PATHS", strings.Join(c.AdminUpstreamPaths, ","), "is relayed by the admin port, and MTLS_ADMIN_ADDR is off; remove one of the two")
		}
		if c.ReadyUpstream {
			add("MTLS_READY_UPSTREAM", "true", "is about /readyz of the admin port, and MTLS_ADMIN_ADDR is off; remove one of the two")
		}
		return faults
	}
	port := *c
	port.ListenAddr = ListenAddr(c.AdminAddr)
	if port.upstreamIsSelf() {
		add("MTLS_ADMIN_ADDR", string(c.AdminAddr), "is MTLS_UPSTREAM_URL, where requests are sent; give the admin port another address")
	}
	if c.sameListener() {
		add("MTLS_ADMIN_ADDR", string(c.AdminAddr), "is MTLS_LISTEN_ADDR, too; give the admin port another address, or set it to off")
	}
	for _, p := range c.AdminUpstreamPaths {
		if err := admin.CheckPath(p); err != nil {
			add("MTLS_ADMIN_UPSTREAM_PATHS", p, err.Error())
		}
	}
	return faults
}

// sameListener reports whether TLS and the admin port would be bound to one address.
func (c *Config) sameListener() bool {
	network, address := c.ListenAddr.network()
	adminNetwork, admin := ListenAddr(c.AdminAddr).network()
	if network == "unix" || adminNetwork == "unix" {
		return network == adminNetwork && path.Clean(address) == path.Clean(admin)
	}
	host, port, _ := net.SplitHostPort(address)
	adminHost, adminPort, _ := net.SplitHostPort(admin)
	if port != adminPort || port == "0" {
		return false
	}
	ip, _ := netip.ParseAddr(host)
	adminIP, _ := netip.ParseAddr(adminHost)
	everywhere := func(host string, ip netip.Addr) bool { return host == "" || ip.IsUnspecified() }
	return host == adminHost || everywhere(host, ip) || everywhere(adminHost, adminIP) || ip.IsValid() && ip.Unmap() == adminIP.Unmap()
}
