package proxy

import (
	"net"
	"sync"
	"time"
)

// registry knows the open connections, so that a shutdown can reach them. It is
// asked when a connection comes and goes, never by a request.
type registry struct {
	limit    int // most connections; 0: no limit
	mu       sync.Mutex
	conns    map[*conn]struct{}
	listener net.Listener
	ended    <-chan struct{} // closed once nobody accepts from it
	full     bool            // a connection was turned away since one last ended
	draining bool
	empty    chan struct{} // closed once draining and no connection is left
}

// serving remembers the listener, and what is closed when nobody accepts from it any
// more; or closes it when shutdown came first.
func (r *registry) serving(l net.Listener, ended <-chan struct{}) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		l.Close()
		return false
	}
	r.listener, r.ended = l, ended
	return true
}

// stopAccepting takes what is in the listener's queue, closes it, and waits for
// Serve to have taken what it has accepted.
func (r *registry) stopAccepting(take func(net.Conn)) {
	r.mu.Lock()
	listener, ended := r.listener, r.ended
	r.mu.Unlock()
	if listener == nil {
		return
	}
	acceptRest(listener, take)
	listener.Close()
	<-ended
}

// add reports ok false when the connection must be closed at once, and news
// when that is because the limit has been reached since a connection last ended.
func (r *registry) add(c *conn) (ok, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return false, false
	}
	if r.limit > 0 && len(r.conns) >= r.limit {
		news = !r.full
		r.full = true
		return false, news
	}
	if r.conns == nil {
		r.conns = map[*conn]struct{}{}
	}
	r.conns[c] = struct{}{}
	return true, false
}

func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	r.full = false
	r.signal()
}

// drain stops accepting and ends what is idle. Connections with a request in
// flight end by themselves after it: they ask closing.
func (r *registry) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return
	}
	r.draining = true
	r.empty = make(chan struct{})
	if r.listener != nil {
		r.listener.Close()
	}
	for c := range r.conns {
		c.drain()
	}
	r.signal()
}

// unasked reports whether an HTTP/2 connection has not had a request yet.
func (r *registry) unasked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if streams := c.streams.Load(); streams != nil && streams.unasked() {
			return true
		}
	}
	return false
}

// cut closes what is still open, without a clean end, and counts the requests
// that were in flight.
func (r *registry) cut() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	cut := 0
	for c := range r.conns {
		cut += c.sever()
	}
	return cut
}

func (r *registry) signal() {
	if !r.draining || len(r.conns) > 0 {
		return
	}
	select {
	case <-r.empty:
	default:
		close(r.empty)
	}
}

// past is a deadline that wakes a blocked read at once.
var past = time.Unix(1, 0)
