package upstream

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// h2cConn is one connection to the application. Its streams are of one owner;
// when the last has ended it is nobody's, or is closed.
type h2cConn struct {
	*http.ClientConn
	answered atomic.Bool // an answer has come on it

	// Guarded by H2C.mu.
	owner   any           // while there are streams
	streams int           // that have not been given back
	cut     bool          // one of them did not end as it should
	gone    bool          // the socket is closed
	at      *list.Element // of H2C.idle; nil: it is not there
}

// h2cDial is the making of one connection. Requests of one owner wait for it
// together, or a burst would open a connection for each of them.
type h2cDial struct {
	owner any
	done  chan struct{}

	// Guarded by H2C.mu.
	waiters int
	conn    *h2cConn

	err error // read after done
}

// standIn is the address that net/http knows the application by. It goes
// nowhere: sockets are dialled here, and :authority is the Host of the request.
const standIn = "application:80"

// conn returns a connection on which a stream is reserved for the owner. It opens
// one when those that the owner has can take no more, and none is nobody's.
func (h *H2C) conn(ctx context.Context, owner any) (*h2cConn, error) {
	for ended := 0; ; {
		h.mu.Lock()
		if h.life.Err() != nil {
			h.mu.Unlock()
			return nil, net.ErrClosed
		}
		var d *h2cDial
		c := h.reserve(owner)
		if c == nil {
			d = h.join(owner)
		}
		h.mu.Unlock()
		if c != nil {
			return c, nil
		}
		c, err := h.await(ctx, d)
		if err == errEndedAtOnce {
			if ended++; ended < attempts {
				continue
			}
			return nil, &H2CError{err: err}
		}
		if c != nil || err != nil {
			return c, err
		}
	}
}

// join has one more request wait for a connection. The lock is held.
func (h *H2C) join(owner any) *h2cDial {
	g := h.group(owner)
	if g.dialing == nil || g.dialing.waiters >= h.room {
		d := &h2cDial{owner: owner, done: make(chan struct{})}
		g.dialing = d
		h.dials.Go(func() { h.dial(d) })
	}
	g.dialing.waiters++
	return g.dialing
}

// await waits for a connection. That which it returns may be nil without an
// error: others have taken all streams that it has to give.
func (h *H2C) await(ctx context.Context, d *h2cDial) (*h2cConn, error) {
	select {
	case <-d.done:
	case <-ctx.Done():
		h.mu.Lock()
		d.waiters--
		c := d.conn
		h.mu.Unlock()
		if c != nil {
			h.release(c, true)
		}
		return nil, context.Cause(ctx)
	}
	switch {
	case d.err == nil && d.conn.Reserve() == nil:
		return d.conn, nil
	case d.err == nil:
		over := d.conn.Err() != nil || d.conn.Available() == 0 && d.conn.InFlight() == 0
		h.release(d.conn, true)
		if over {
			return nil, errEndedAtOnce
		}
	case h.life.Err() == nil:
		return nil, d.err
	}
	return nil, nil
}

// dial makes a connection. It counts as many streams on it as requests wait for
// it: they have been promised one each, and no other owner is to have it before.
func (h *H2C) dial(d *h2cDial) {
	conn, room, err := h.connect()
	kept := true
	h.mu.Lock()
	if err == nil {
		h.room = room
		conn.streams, d.conn = d.waiters, conn
		kept = h.keep(conn, d.owner)
	}
	if g := h.groups[d.owner]; g != nil && g.dialing == d {
		g.dialing = nil
		h.drop(d.owner, g)
	}
	h.mu.Unlock()
	if !kept {
		h.retire(conn)
	}
	d.err = err
	close(d.done)
}

var errEndedAtOnce = errors.New("each new one is ended before a request is sent on it")

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
	made := new(h2cConn)
	socket := newH2CSocket(tcp, func() { h.forget(made) })
	client, err := h.transport.NewClientConn(context.WithValue(h.life, socketKey{}, net.Conn(socket)), "http", standIn)
	if err != nil {
		tcp.Close()
		return nil, 0, fmt.Errorf("beginning HTTP/2 with the application: %w", err)
	}
	patience := time.NewTimer(cmp.Or(h.config.greeting, h.config.ConnectTimeout-time.Since(start)))
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
	made.ClientConn = client
	return made, room, nil
}
