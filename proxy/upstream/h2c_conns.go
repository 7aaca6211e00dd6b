package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// h2cConn is one connection to the application, shared by many exchanges.
type h2cConn struct {
	*http.ClientConn
	answered atomic.Bool // an answer has come on it
}

// h2cDial is the making of one connection. Requests wait for it together, or a
// burst would open a connection for each of them.
type h2cDial struct {
	done    chan struct{}
	waiters int   // guarded by H2C.mu
	err     error // read after done
}

// standIn is the address that net/http knows the application by. It goes
// nowhere: sockets are dialled here, and :authority is the Host of the request.
const standIn = "application:80"

// conn returns a connection on which a stream is reserved. It opens one when
// those that are there have no more streams to give.
func (h *H2C) conn(ctx context.Context) (*h2cConn, error) {
	for {
		h.mu.Lock()
		if h.life.Err() != nil {
			h.mu.Unlock()
			return nil, net.ErrClosed
		}
		if c := h.reserve(); c != nil {
			h.mu.Unlock()
			return c, nil
		}
		d := h.dialing
		if d == nil || d.waiters >= h.room {
			d = &h2cDial{done: make(chan struct{})}
			h.dialing = d
			h.dials.Go(func() { h.dial(d) })
		}
		d.waiters++
		h.mu.Unlock()
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// reserve takes a stream of the first connection that has one, so that surplus
// ones grow old, and drops those that have ended. The lock is held.
func (h *H2C) reserve() *h2cConn {
	ended := func(c *h2cConn) bool { return c.Err() != nil }
	for _, c := range h.conns {
		if c.Reserve() == nil {
			return c
		}
	}
	h.conns = slices.DeleteFunc(h.conns, ended)
	return nil
}

func (h *H2C) dial(d *h2cDial) {
	conn, room, err := h.connect()
	h.mu.Lock()
	if err == nil {
		h.conns = append(h.conns, conn)
		h.room = room
	}
	if h.dialing == d {
		h.dialing = nil
	}
	h.mu.Unlock()
	d.err = err
	close(d.done)
}

var errNoStreams = errors.New("the application allows no request on a new connection (SETTINGS_MAX_CONCURRENT_STREAMS is 0)")

// connect makes a connection and waits for the application's SETTINGS, without
// which nobody knows how many requests it takes at once. One that is slow to
// send them is used all the same, as RFC 9113 §3.4 allows: the timeout of the
// answer decides.
func (h *H2C) connect() (conn *h2cConn, room int, err error) {
	start := time.Now()
	dialer := net.Dialer{Timeout: h.config.ConnectTimeout}
	tcp, err := dialer.DialContext(h.life, h.config.Network, h.config.Address)
	if err != nil {
		return nil, 0, err
	}
	if h.config.Dialed != nil {
		if err := h.config.Dialed(); err != nil {
			tcp.Close()
			return nil, 0, err
		}
	}
	socket := newH2CSocket(tcp)
	client, err := h.transport.NewClientConn(context.WithValue(h.life, socketKey{}, net.Conn(socket)), "http", standIn)
	if err != nil {
		tcp.Close()
		return nil, 0, fmt.Errorf("beginning HTTP/2 with the application: %w", err)
	}
	patience := time.NewTimer(h.config.ConnectTimeout - time.Since(start))
	defer patience.Stop()
	select {
	case <-socket.greeted:
		err = socket.fault
	case <-h.life.Done():
		err = net.ErrClosed
	case <-patience.C:
	}
	room = client.Available()
	if err == nil && room == 0 {
		err = errNoStreams
	}
	if err != nil {
		_ = client.Close()
		return nil, 0, err
	}
	return &h2cConn{ClientConn: client}, room, nil
}
