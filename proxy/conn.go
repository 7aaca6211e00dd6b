package proxy

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one client's connection after its handshake. While it waits for a
// request it holds neither buffer nor parser state: those are in a work, taken
// from a pool with the request's first byte.
type conn struct {
	exchange // over HTTP/1.1, the one in flight

	server             *Server
	socket             net.Conn
	wire               wire // the socket, as TLS sees it
	tls                *tls.Conn
	remote             string // address without port
	session            session
	old                time.Time            // from when on an answer is its last; zero: never
	peer               atomic.Pointer[peer] // nil: it presented no certificate
	judging            sync.Mutex           // of memo
	memo               memo
	nobody             atomic.Pointer[[]byte] // what is told on a path where MTLS_ROUTES says off; made when it is needed
	until              atomic.Int64           // of the verdict, for the sweeper
	state              atomic.Int32
	served             bool    // it has had a request, over HTTP/1.1
	first              [1]byte // of the next request, read while no buffer is held
	resumed            bool    // and the rest of what is logged of its TLS
	tlsVersion, cipher uint16
	waking             sync.Mutex              // held by drain while it wakes an idle connection
	streams            atomic.Pointer[streams] // the exchanges over HTTP/2; nil: it speaks HTTP/1.1
}

// newConn is a client's connection before its handshake.
func newConn(s *Server, socket net.Conn, remote string) *conn {
	c := &conn{server: s, socket: socket, remote: remote}
	if age := s.config.MaxConnectionAge.Duration; age > 0 {
		// Up to a tenth earlier: those that came together do not leave together.
		c.old = time.Now().Add(age - rand.N(age/10+1))
	}
	c.wire = wire{Conn: socket, owner: c}
	c.session.server = s
	c.exchange.server, c.exchange.conn = s, c
	return c
}

// States of a connection, so that a shutdown ends an idle one at once and a
// busy one after its request.
const (
	handshaking int32 = iota
	busy
	idle
	draining  // busy, and to be closed after the request
	lingering // the last answer has been sent
	severed   // to be closed now
)

// handshakeGrace is what a shutdown gives a handshake to come to a clean end.
const handshakeGrace = time.Second

// drain is called by the registry, from another goroutine.
func (c *conn) drain() {
	c.waking.Lock()
	defer c.waking.Unlock()
	for {
		switch state := c.state.Load(); state {
		case handshaking:
			if c.state.CompareAndSwap(handshaking, draining) {
				_ = c.socket.SetDeadline(time.Now().Add(handshakeGrace))
				return
			}
		case busy:
			if c.state.CompareAndSwap(busy, draining) {
				return
			}
		case idle:
			if c.state.CompareAndSwap(idle, draining) {
				_ = c.socket.SetReadDeadline(past)
				return
			}
		default:
			return
		}
	}
}

// sever ends the connection whatever it is doing, and returns how many requests
// that cut. It is called by the registry, from another goroutine.
func (c *conn) sever() int {
	state := c.state.Swap(severed)
	defer c.socket.Close()
	if streams := c.streams.Load(); streams != nil {
		return streams.sever() // before net/http ends them for the socket's sake
	}
	c.closeApplication()
	if state == lingering {
		return 0 // but the wait after a last answer
	}
	return 1
}

// serve relays requests until one side has had enough.
func (c *conn) serve() {
	if !c.state.CompareAndSwap(handshaking, busy) && c.state.Load() == severed {
		c.tls.Close() // a shutdown came before the first request, and does not wait for it
		c.server.conns.remove(c)
		return
	}
	c.waking.Lock() // drain may be about to set its deadline for the handshake, which is over
	_ = c.socket.SetDeadline(time.Time{})
	c.waking.Unlock()
	c.identify()
	c.now = time.Now()
	if c.tls.ConnectionState().NegotiatedProtocol == "h2" {
		c.server.serveStreams(c)
		return
	}
	defer c.server.conns.remove(c)
	defer c.dropWork()
	for c.await() {
		c.account = account{began: c.now}
		end := c.relay()
		c.settle(end)
		c.served = true
		switch end {
		case keep:
		case closeAfter:
			c.linger()
			return
		case cut:
			c.socket.Close()
			return
		}
	}
	c.tls.Close()
}

// ending says what becomes of a connection after a request.
type ending uint8

const (
	keep       ending = iota
	closeAfter        // the answer is whole, and the last one
	cut               // the answer is not whole: no close_notify, so that the client can tell
)

// shuttingDown reports whether the connection has been told to end.
func (c *conn) shuttingDown() bool { return c.state.Load() >= draining }

// lingerTime and lingerBytes bound the wait for a client that is still sending
// after its answer.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 10
)

// linger ends the write side and reads on for a while. Closing at once would
// make the kernel answer whatever the client has sent or still sends with a
// reset, which throws away what the client has not read yet of our answer.
func (c *conn) linger() {
	if c.state.Swap(lingering) == severed {
		c.state.Store(severed)
	}
	_ = c.socket.SetWriteDeadline(time.Now().Add(lingerTime))
	_ = c.tls.CloseWrite()
	lingerSocket(c.socket)
}

func lingerSocket(socket net.Conn) {
	defer socket.Close()
	if half, ok := socket.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	_ = socket.SetReadDeadline(time.Now().Add(lingerTime))
	scratch := make([]byte, 4<<10)
	for left := lingerBytes; left > 0; {
		n, err := socket.Read(scratch)
		if err != nil {
			return
		}
		left -= n
	}
}
