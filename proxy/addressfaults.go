package proxy

import (
	"net"
	"net/netip"
	"path"
	"strings"
)

// addressFaults checks where is listened, where the application is, and whose
// word is taken for a client's address.
func (c *Config) addressFaults() []Fault {
	var faults []Fault
	add := func(variable, value, problem string) { faults = append(faults, Fault{variable, value, problem}) }
	if c.UpstreamURL.remote() && !bool(c.UpstreamAllowRemote) {
		add("MTLS_UPSTREAM_URL", c.UpstreamURL.String(),
			"is not a loopback address: what is sent there may cross the network in plain text; use 127.0.0.1, [::1], localhost or unix:///path, or set MTLS_UPSTREAM_ALLOW_REMOTE=true if that is meant")
	}
	if c.upstreamIsSelf() {
		remedy := "name the application's port"
		if c.UpstreamURL.Network == "unix" {
			remedy = "name the application's socket"
		}
		add("MTLS_UPSTREAM_URL", c.UpstreamURL.String(), "is MTLS_LISTEN_ADDR, the sidecar itself; "+remedy)
	}
	if from := c.ProxyProtocolFrom; from.Set() {
		switch network, _ := c.ListenAddr.network(); {
		case network == "unix" && !from.unix:
			add("MTLS_PROXY_PROTOCOL_FROM", from.String(), "names addresses alone, and whoever connects to MTLS_LISTEN_ADDR=unix://… has none; add the word unix if a balancer there sends PROXY headers, or remove it")
		case network != "unix" && len(from.prefixes) == 0:
			add("MTLS_PROXY_PROTOCOL_FROM", from.String(), "names peers over unix sockets alone, and MTLS_LISTEN_ADDR is none; name the balancer's address, or listen on unix:///path")
		}
	}
	return faults
}

// addressWarnings are about ranges that can be meant, and seldom are.
func (c *Config) addressWarnings() []string {
	for _, prefix := range c.ProxyProtocolFrom.prefixes {
		if prefix.Bits() == 0 {
			return []string{"MTLS_PROXY_PROTOCOL_FROM names every address: whoever reaches MTLS_LISTEN_ADDR may claim any client address, and whoever sends no PROXY header is turned away; name the balancer's addresses"}
		}
	}
	return nil
}

// upstreamIsSelf reports whether requests would go to the sidecar itself.
func (c *Config) upstreamIsSelf() bool {
	network, address := c.ListenAddr.network()
	if network == "unix" || c.UpstreamURL.Network == "unix" {
		return network == c.UpstreamURL.Network && path.Clean(address) == path.Clean(c.UpstreamURL.Address)
	}
	own, ownPort, _ := net.SplitHostPort(address)
	host, port, err := net.SplitHostPort(c.UpstreamURL.Address)
	if err != nil || port != ownPort {
		return false
	}
	ip, _ := netip.ParseAddr(own)
	to, _ := netip.ParseAddr(host)
	ip, to = ip.Unmap(), to.Unmap()
	switch {
	case own == "" || ip.IsUnspecified():
		return !c.UpstreamURL.remote() && (network == "tcp" || !to.Is6())
	case strings.EqualFold(own, "localhost"):
		return !c.UpstreamURL.remote()
	case strings.EqualFold(host, "localhost"):
		return ip.IsLoopback()
	}
	return ip == to
}
