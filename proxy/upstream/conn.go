package upstream

import (
	"net"
	"syscall"
	"time"

	"mtls-sidecar/proxy/http1"
)

// Conn is one connection to the application. It belongs to one request at a
// time.
type Conn struct {
	net.Conn
	// Reader reads the answers. Its buffer is lent to it by the exchange that
	// has the connection.
	Reader http1.Reader

	// ReadAlarm and WriteAlarm stand for the deadlines of the socket.
	ReadAlarm, WriteAlarm Alarm

	raw     syscall.RawConn // nil where the platform gives none
	peek    peeker
	offer   *offer // made with the first write at once
	reused  bool
	expires time.Time
}

func newConn(socket net.Conn) *Conn {
	c := &Conn{Conn: socket}
	if s, ok := socket.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	c.peek.init()
	return c
}

// Reused reports whether the connection has served a request before: only then
// can a failure mean that the application closed it in between.
func (c *Conn) Reused() bool { return c.reused }

// quiet reports whether nothing at all is readable, neither data nor an end.
func (c *Conn) quiet() bool {
	if c.raw == nil {
		return true
	}
	c.peek.wouldBlock = false
	err := c.raw.Control(c.peek.try)
	return err == nil && c.peek.wouldBlock
}

// peeker looks at a socket without taking anything from it. The function is
// made once, since a method value made per call would be allocated per request.
type peeker struct {
	try        func(fd uintptr)
	buf        [1]byte
	wouldBlock bool
}

func (p *peeker) init() {
	p.try = func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), p.buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		p.wouldBlock = err == syscall.EAGAIN
	}
}
