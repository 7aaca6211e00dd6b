package proxy

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// streams are the exchanges of one HTTP/2 connection (RFC 9113 §5), and what is
// watched over them together: that the client does more than make work. The lock
// is the connection's own.
type streams struct {
	conn  *conn
	batch *batch

	mu     sync.Mutex
	open   map[*stream]struct{}
	ids    requestIDs
	total  uint32    // streams so far
	reset  uint32    // of those, how many the client has cancelled before an answer
	idle   time.Time // since when there is none; zero: there is one
	abused bool      // it is being closed for what the client has cancelled
	closed bool      // the connection has ended

	gone atomic.Bool // the socket has nothing more to read

	useful atomic.Int64 // bytes of requests and answers in this span
	// Of the goroutine that reads the socket alone:
	received int64 // bytes in this span
	span     time.Time
}

// Limits on a client that makes work and takes no answers.
const (
	// floodSpan is how long bytes are counted together; floodSlack is what may
	// come in it beyond floodShare times what requests and answers carry. A client that only
	// reads sends window updates, one that is idle sends pings: both stay far below.
	floodSpan  = time.Minute
	floodSlack = 8 << 20
	floodShare = 8

	// fewResets is how many streams a client may cancel soon and before an answer,
	// however many it lets finish; after that it is no more than half. Those that
	// live longer are bounded by MTLS_HTTP2_MAX_STREAMS, and may be deadlines that pass.
	fewResets = 200
	soon      = time.Second
)

// add takes in a new exchange, or reports that the connection is over.
func (s *streams) add(t *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.conn.state.Load() == severed {
		return false
	}
	s.total++
	t.hint = s.conn.hint + s.total
	t.ids = s.ids.fork(s.total)
	s.open[t] = struct{}{}
	return true
}

// remove ends an exchange. cancelled says that the client wanted no answer to it.
func (s *streams) remove(t *stream, cancelled bool) {
	s.mu.Lock()
	delete(s.open, t)
	last := s.closed && len(s.open) == 0
	cancelled = cancelled && !s.gone.Load()
	if cancelled {
		s.reset++
	}
	abused := cancelled && !s.closed && !s.abused && s.reset > fewResets && s.reset > s.total/2
	s.abused = s.abused || abused
	s.mu.Unlock()
	if abused {
		s.conn.logResets()
		s.conn.sever()
	}
	if last {
		s.conn.server.conns.remove(s.conn)
	}
}

// state takes what net/http says of the connection.
func (s *streams) state(state http.ConnState) {
	s.mu.Lock()
	switch state {
	case http.StateIdle:
		s.idle = time.Now()
	case http.StateActive:
		s.idle = time.Time{}
	case http.StateClosed:
		s.closed = true
	}
	last := s.closed && len(s.open) == 0
	idle := s.closed && !s.idle.IsZero() && time.Since(s.idle) >= s.conn.server.config.IdleTimeout.Duration
	s.mu.Unlock()
	if idle {
		s.conn.server.events.count(IdleTimeout)
	}
	if last {
		s.conn.server.conns.remove(s.conn)
	}
}

func (s *streams) unasked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total == 0
}

// list is the exchanges in flight.
func (s *streams) list() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*stream, 0, len(s.open))
	for t := range s.open {
		all = append(all, t)
	}
	return all
}

// sever cuts what is in flight and returns how many exchanges that were.
func (s *streams) sever() int {
	cut := 0
	for _, t := range s.list() {
		if t.sever() {
			cut++
		}
	}
	return cut
}

// floods takes note of bytes from the client, and reports whether too few of
// them were for anything.
func (s *streams) floods(n int) bool {
	s.received += int64(n)
	if s.received <= floodSlack {
		return false
	}
	if now := time.Now(); now.Sub(s.span) > floodSpan {
		s.span, s.received = now, int64(n)
		s.useful.Store(0)
		return false
	}
	s.mu.Lock()
	unread := int64(len(s.open)) * maxStreamUpload // of bodies, at most
	s.mu.Unlock()
	return s.received-floodSlack-unread > floodShare*s.useful.Load()
}

func (c *conn) logFlood() {
	c.server.events.count(H2Flood)
	c.server.refuse(denial{message: "closing an HTTP/2 connection: its client sends frames that carry nothing", reason: "http2_flood", conn: c, grave: true})
}

func (c *conn) logResets() {
	c.server.events.count(H2Resets)
	c.server.refuse(denial{message: "closing an HTTP/2 connection: its client cancels most of its requests", reason: "http2_resets", conn: c, grave: true})
}
