package proxy

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/upstream"
)

// conn is one client's connection after its handshake. While it waits for a
// request it holds neither buffer nor parser state: those are in a work, taken
// from a pool with the request's first byte.
type conn struct {
	server  *Server
	socket  net.Conn
	tls     *tls.Conn
	remote  string // address without port
	session session
	peer    atomic.Pointer[peer] // nil: it presented no certificate
	memo    memo
	nobody  []byte       // what is told on a path where MTLS_ROUTES says off; made when it is needed
	until   atomic.Int64 // of the verdict, for the sweeper
	told    atomic.Bool  // the application is being told of a client's certificate: a request is in flight
	vouched atomic.Bool  // what it is told is SUCCESS
	tunnels atomic.Bool  // that request has become a tunnel
	ids     requestIDs
	state   atomic.Int32
	up      atomic.Pointer[upstream.Conn] // in use for the request in flight
	first   [1]byte                       // of the next request, read while no buffer is held
	work    *work
	hint    uint32    // where in the upstream pool to look first
	now     time.Time // of the last byte that came from either side: what deadlines are reckoned from

	begun      bool // something of the answer has been written
	readAlarm  upstream.Alarm
	writing    sync.Mutex // of writeAlarm: whoever reads may have to write, see coverWrites
	writeAlarm upstream.Alarm
	waking     sync.Mutex // held by drain while it wakes an idle connection
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

// sever ends the connection whatever it is doing, and reports whether that cut
// anything but the wait after a last answer. It is called by the registry, from another goroutine.
func (c *conn) sever() bool {
	state := c.state.Swap(severed)
	c.socket.Close()
	if up := c.up.Load(); up != nil {
		up.Close()
	}
	return state != lingering
}

// severBusy severs a connection with a request in flight, and reports whether
// it had one.
func (c *conn) severBusy() bool {
	if !c.told.Load() || !c.state.CompareAndSwap(busy, severed) && !c.state.CompareAndSwap(draining, severed) {
		return false
	}
	c.sever()
	return true
}

// severed reports whether the connection was cut from our side.
func (c *conn) severed() bool { return c.state.Load() == severed }

// serve relays requests until one side has had enough.
func (c *conn) serve() {
	defer c.server.conns.remove(c)
	defer c.dropWork()
	if !c.state.CompareAndSwap(handshaking, busy) {
		c.tls.Close() // a shutdown came before the first request
		return
	}
	c.identify()
	c.now = time.Now()
	for c.await() {
		switch c.relay() {
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

// waitRead sets the deadline for reading from the client.
func (c *conn) waitRead(now time.Time, timeout time.Duration) {
	if deadline, move := c.readAlarm.Due(now, timeout); move {
		_ = c.socket.SetReadDeadline(deadline)
	}
	c.coverWrites(c.readAlarm.At())
}

// coverWrites makes sure that a write until then may still be made, and that
// none lasts for ever. A TLS 1.3 client may ask for a KeyUpdate at any time,
// which crypto/tls answers from within a read (RFC 8446 §4.6.3): with a deadline
// in the past the answer would fail and break the connection, without one a
// client that does not read would hold the read for ever.
func (c *conn) coverWrites(until time.Time) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if deadline, move := c.writeAlarm.Reach(until, c.server.config.SendTimeout.Duration); move {
		_ = c.socket.SetWriteDeadline(deadline)
	}
}

// waitWrite sets the deadline for writing to the client.
func (c *conn) waitWrite() {
	c.writing.Lock()
	defer c.writing.Unlock()
	if deadline, move := c.writeAlarm.Due(c.now, c.server.config.SendTimeout.Duration); move {
		_ = c.socket.SetWriteDeadline(deadline)
	}
}

// interrupt ends a read that another goroutine is in, and waits until it has
// ended. A write that the read has led to gets a moment, too.
func (c *conn) interrupt(done <-chan struct{}) {
	_ = c.socket.SetReadDeadline(past)
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		_ = c.socket.SetWriteDeadline(past)
		<-done
	}
	c.readAlarm.Forget()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.writeAlarm.Forget()
}

func (c *conn) dropWork() {
	if c.work != nil {
		c.work.reclaim()
		c.server.works.Put(c.work)
		c.work = nil
	}
}

// leaving reports whether the answer must tell the client to close.
func (c *conn) leaving() bool { return c.state.Load() >= draining }

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
