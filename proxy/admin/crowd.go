package admin

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// crowd are the open connections. When there are too many, whoever has most of them
// loses one: the kubelet's probes and the application's preStop hook get through
// however many connections somebody else opens. Nobody has as many as there may be in
// all: what each holds, an answer that is not read for one, is this container's memory.
type crowd struct {
	most    int
	each    int // most of one origin; 0: as many as there may be
	mu      sync.Mutex
	guests  map[net.Conn]*guest
	arrived uint64
	closing bool
}

// guest is one connection.
type guest struct {
	from    string // who is behind it
	arrival uint64
	state   http.ConnState
}

// observe is an http.Server's ConnState.
func (c *crowd) observe(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.arrive(conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.guests, conn)
	default:
		if g := c.guests[conn]; g != nil {
			g.state = state
		}
	}
}

func (c *crowd) arrive(conn net.Conn) {
	if c.closing {
		conn.Close()
		return
	}
	if c.guests == nil {
		c.guests = map[net.Conn]*guest{}
	}
	c.arrived++
	from := origin(conn.RemoteAddr())
	c.guests[conn] = &guest{from: from, arrival: c.arrived}
	if len(c.guests) > c.most || c.each > 0 && c.count()[from] > c.each {
		if victim := c.victim(); victim != nil {
			delete(c.guests, victim)
			victim.Close()
		}
	}
}

// count is how many connections each origin has.
func (c *crowd) count() map[string]int {
	count := map[string]int{}
	for _, g := range c.guests {
		count[g.from]++
	}
	return count
}

// victim is, of those with most connections, the one that came first, an idle one
// rather than one that is being served.
func (c *crowd) victim() net.Conn {
	count := c.count()
	var found net.Conn
	var worst *guest
	for conn, g := range c.guests {
		if worst == nil || g.before(worst, count) {
			found, worst = conn, g
		}
	}
	return found
}

func (g *guest) before(other *guest, count map[string]int) bool {
	if mine, its := count[g.from], count[other.from]; mine != its {
		return mine > its
	}
	if mine, its := g.state == http.StateActive, other.state == http.StateActive; mine != its {
		return its
	}
	return g.arrival < other.arrival
}

// leave closes the connections that have sent nothing, which http.Server.Shutdown
// would wait for, for seconds: browsers open some in advance, and TCP probes never
// send anything.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, g := range c.guests {
		if g.state == http.StateNew {
			conn.Close()
		}
	}
}

// origin is who is behind an address. A host has a whole /64 of IPv6 to itself
// (RFC 4291 §2.5.4).
func origin(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.Network()
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
