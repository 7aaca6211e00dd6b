package proxy

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// await blocks until the first byte of a request is there; it reports false
// when none will come.
func (c *conn) await() bool {
	if c.work != nil {
		if len(c.work.client.Buffered()) > 0 {
			return true // pipelined
		}
		c.dropWork()
	}
	if !c.state.CompareAndSwap(busy, idle) {
		if !c.readLast() {
			return false
		}
	} else if !c.readFirst() {
		return false
	}
	// A shutdown that came while we waited has set a deadline in the past; the
	// request that came first is served all the same.
	if !c.state.CompareAndSwap(idle, busy) {
		c.waking.Lock() // until that deadline is set, which is then forgotten
		c.readAlarm.Forget()
		c.waking.Unlock()
	}
	c.work = c.server.works.Get().(*work)
	c.work.lend(c)
	return true
}

// readLast is readFirst in a shutdown. Whoever has just made a connection may have
// sent the first request, and will not send it again: only on a kept connection has
// a client to expect that it is closed (RFC 9112 §9.3.1).
func (c *conn) readLast() bool {
	if c.served {
		return false
	}
	c.served = true
	c.waking.Lock() // until drain has set its deadline, which is not for this
	_ = c.socket.SetReadDeadline(time.Now().Add(handshakeGrace))
	c.readAlarm.Forget()
	c.waking.Unlock()
	n, _ := c.tls.Read(c.first[:])
	c.now = time.Now()
	return n > 0
}

// readFirst waits for one byte, for MTLS_IDLE_TIMEOUT in all. The first wait is
// as long as the head's timeout, so that on a busy connection one deadline
// serves both; a connection idle for longer waits shallowly.
func (c *conn) readFirst() bool {
	config := c.server.config
	start := c.now
	span := config.firstWait()
	for {
		left := config.IdleTimeout.Duration - c.now.Sub(start)
		if left <= 0 {
			c.server.events.count(IdleTimeout)
			return false
		}
		if c.now.Sub(start) >= span && !c.awaitReadable(left) {
			return false
		}
		c.waitRead(c.now, span)
		if c.shuttingDown() { // looked at after the deadline is set: a shutdown sets its own after this
			return c.readLast()
		}
		n, err := c.tls.Read(c.first[:])
		c.now = time.Now()
		if n > 0 {
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
}

// awaitReadable waits until the socket has something to read, or its end. A
// goroutine's stack shrinks only to four times what is in use when memory is
// collected, and parked inside tls.Conn.Read that is twice as much as here. It
// may be called only after a read has timed out: then tls.Conn holds no whole
// record that nobody would wake us for.
func (c *conn) awaitReadable(timeout time.Duration) bool {
	socket, ok := c.socket.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	c.waitRead(c.now, timeout)
	if c.shuttingDown() {
		return false
	}
	err = raw.Read(func(fd uintptr) bool {
		var peeked [1]byte
		_, _, err := syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	})
	c.now = time.Now()
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.shuttingDown() {
		c.server.events.count(IdleTimeout)
	}
	return err == nil
}

// firstWait is how long a connection waits for its next request before it waits
// shallowly; an eighth longer, as deadlines go.
func (c *Config) firstWait() time.Duration {
	return min(c.HeaderTimeout.Duration, c.IdleTimeout.Duration)
}
