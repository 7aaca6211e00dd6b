package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// outside says why a request does not come from an operator on this machine; nil
// when it does.
//
// Two things keep others out. The connection has both its ends on loopback, or on
// the one address that the port is bound to, or is a unix socket's. One end is not
// enough: a mesh's proxy in the same pod hands on what comes from afar from
// 127.0.0.6 (Istio) or the pod's own address (Linkerd). And the operator's browser
// does not act for another website: it names this machine as Host, which a
// website's name that is made to resolve to 127.0.0.1 does not, and nobody else as
// Origin (RFC 6454) or in Sec-Fetch-Site (W3C Fetch Metadata).
//
// X-Forwarded-For and its kin are not believed: they say that somebody else's
// request is being passed on.
func (s *Server) outside(r *http.Request) error {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !s.sameMachine(local, r.RemoteAddr) {
		return fmt.Errorf("this is for peers on loopback; run: kubectl port-forward POD %s, then open http://localhost:%[1]s/", port(local))
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header[name] != nil {
			return fmt.Errorf("the header %s says that a proxy passes this on, and this is for peers on loopback; ask without the proxy", name)
		}
	}
	if !namesMachine(r.Host, isUnix(local)) {
		return fmt.Errorf("the host must be localhost or an address; open http://localhost:%s/", port(local))
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "none" && site != "same-origin" {
			return errors.New("another website has sent your browser here; if you want to see this, type the address yourself")
		}
	}
	for _, from := range r.Header["Origin"] {
		if !strings.EqualFold(from, "http://"+r.Host) {
			return errors.New("another website has sent this request; send it from a terminal, or from the status page's own address")
		}
	}
	return nil
}

func isUnix(addr net.Addr) bool { return addr != nil && addr.Network() == "unix" }

// sameMachine reports whether both ends of a connection are here.
func (s *Server) sameMachine(local net.Addr, remote string) bool {
	if isUnix(local) {
		return true
	}
	here, there := ipOf(local), ip(remote)
	if !here.IsValid() || !there.IsValid() {
		return false
	}
	if here.IsLoopback() && there.IsLoopback() {
		return true
	}
	bound := s.bound.Load()
	return bound != nil && here == there && ipOf(*bound) == here
}

func ipOf(addr net.Addr) netip.Addr {
	if addr == nil {
		return netip.Addr{}
	}
	return ip(addr.String())
}

func ip(hostport string) netip.Addr {
	at, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// asker is who asks, as the log knows it: without a port.
func asker(r *http.Request) string {
	if from := ip(r.RemoteAddr); from.IsValid() {
		return from.String()
	}
	return "unix:" // as the application is told
}

// namesMachine reports whether a Host is one that no other website can have.
func namesMachine(host string, unix bool) bool {
	if host == "" {
		return unix
	}
	name := host
	if only, _, err := net.SplitHostPort(host); err == nil {
		name = only
	} else if inner, found := strings.CutPrefix(host, "["); found {
		name = strings.TrimSuffix(inner, "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// port is the one that a listener's connections come to.
func port(local net.Addr) string {
	if local != nil {
		if _, port, err := net.SplitHostPort(local.String()); err == nil {
			return port
		}
	}
	return "9902"
}
