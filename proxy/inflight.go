package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/upstream"
)

// exchange is a request and its answer on their way: the one in flight on an
// HTTP/1.1 connection, or one of those on an HTTP/2 connection. What is common to
// the requests of a connection, its client before all, is in conn.
type exchange struct {
	server *Server
	conn   *conn
	stream *stream // that carries it; nil: the connection itself, over HTTP/1.1
	work   *work
	ids    requestIDs
	hint   uint32    // where in the upstream pool to look first
	now    time.Time // of the last byte that came from either side: what deadlines are reckoned from

	told      atomic.Bool                             // the application is being told of a client's certificate
	vouched   atomic.Bool                             // what it is told is SUCCESS, or is about to be decided
	tunnels   atomic.Bool                             // the request has become a tunnel
	up        atomic.Pointer[upstream.Conn]           // the application's connection in use
	call      *call                                   // to an application that speaks HTTP/2; else nil
	cancel    atomic.Pointer[context.CancelCauseFunc] // of that call
	answering atomic.Bool                             // the answer has begun while the request's body still comes
	begun     bool                                    // something of the answer has been written
	parting   bool                                    // the client is to send its next request on another connection
	account   account

	readAlarm  upstream.Alarm
	writing    sync.Mutex // of writeAlarm: whoever reads may have to write, see coverWrites
	writeAlarm upstream.Alarm
}

// closeApplication ends the application's part. It may be called from another
// goroutine.
func (x *exchange) closeApplication() {
	if up := x.up.Swap(nil); up != nil { // else somebody else may have it by now
		up.Close()
	}
	if cancel := x.cancel.Load(); cancel != nil {
		(*cancel)(errCallOver)
	}
}

// severTold cuts the exchange if the application is being told of the client,
// and reports whether it was. It is called by the sweeper, from another goroutine.
func (x *exchange) severTold() bool {
	if !x.told.Load() {
		return false
	}
	if x.stream != nil {
		return x.stream.sever()
	}
	state := &x.conn.state
	if !state.CompareAndSwap(busy, severed) && !state.CompareAndSwap(draining, severed) {
		return false
	}
	x.conn.sever()
	return true
}

// severed reports whether the exchange was cut from our side.
func (x *exchange) severed() bool {
	return x.conn.state.Load() == severed || x.stream != nil && x.stream.severed.Load()
}

// leaving reports whether the answer must tell the client to send the next
// request on another connection.
func (x *exchange) leaving() bool {
	if x.parting || x.server.draining.Load() || x.conn.shuttingDown() {
		return true
	}
	return !x.conn.old.IsZero() && x.now.After(x.conn.old)
}

func (x *exchange) dropWork() {
	if x.work != nil {
		x.work.reclaim()
		if x.stream != nil {
			x.server.streamWorks.Put(x.work)
		} else {
			x.server.works.Put(x.work)
		}
		x.work = nil
	}
}
