package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// framer is net/http's server, used for HTTP/2 frames alone (RFC 9113 §4 to §7):
// streams, flow control, header compression. It gets connections whose TLS
// handshake is done, and everything that a request is about happens in
// serveStream. It is the listener that net/http accepts them from.
type framer struct {
	server  *http.Server
	conns   chan net.Conn
	closed  chan struct{}
	ends    sync.Once
	start   sync.Once
	serving sync.WaitGroup
}

// Bounds of the memory that one connection may take.
const (
	maxReadFrame    = 16 << 10  // RFC 9113 §6.5.2's least, one TLS record
	maxStreamUpload = 128 << 10 // of a body that the application does not take
	maxConnUpload   = 32 << 20  // of all of a connection
)

func newFramer(s *Server) *framer {
	f := &framer{conns: make(chan net.Conn), closed: make(chan struct{})}
	config := s.config
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	f.server = &http.Server{
		Handler:                      http.HandlerFunc(s.serveStream),
		DisableGeneralOptionsHandler: true,
		Protocols:                    protocols,
		// The head's size is checked by the parser, as it would be written over
		// HTTP/1.1. RFC 9113 §6.5.2 counts 32 bytes more for each field.
		MaxHeaderBytes: int(config.MaxHeaderBytes) + 32*maxFields,
		IdleTimeout:    config.IdleTimeout.Duration,
		WriteTimeout:   s.streamTime(),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:      int(config.HTTP2MaxStreams),
			MaxReadFrameSize:          maxReadFrame,
			MaxReceiveBufferPerStream: maxStreamUpload,
			// As much for each stream that may be open, up to 256: none can take the others' share,
			// as net/http gives the connection's window back only when it is read.
			MaxReceiveBufferPerConnection: min(int(config.HTTP2MaxStreams)*maxStreamUpload, maxConnUpload),
			CountError:                    s.countFault,
		},
		ConnContext: func(ctx context.Context, socket net.Conn) context.Context {
			return withConn(ctx, ownerOf(socket))
		},
		ConnState: func(socket net.Conn, state http.ConnState) {
			ownerOf(socket).streams.Load().state(state)
		},
	}
	// What it has to say is about clients; faults of our own are not left to it.
	f.server.ErrorLog, _ = zap.NewStdLogAt(s.log, zap.DebugLevel)
	return f
}

// streamTime is how long a stream may take that is not written to: to be judged,
// to wait for the application, to have a small answer taken. Whatever lasts longer,
// the exchange times itself, and moves net/http's deadline with it.
func (s *Server) streamTime() time.Duration {
	c := s.config
	return c.OCSPTimeout.Duration + c.UpstreamConnectTimeout.Duration + c.UpstreamTimeout.Duration + c.SendTimeout.Duration + 2*patience
}

// ownerOf leads from what net/http has to the connection.
func ownerOf(socket net.Conn) *conn {
	return socket.(*tls.Conn).NetConn().(*wire).owner
}

// countFault counts what net/http finds wrong in a client's frames, by its name
// for it, which has the kind of error in front.
func (s *Server) countFault(name string) {
	switch {
	case strings.HasSuffix(name, "_over_max_streams"), strings.HasSuffix(name, "_over_max_streams_race"):
		s.events.count(H2StreamLimit)
	case strings.HasSuffix(name, "_too_many_early_resets"):
		s.events.count(H2Resets)
	case name == "stream_STREAM_CLOSED_closed":
		// DATA for a stream that has been answered, mostly: it was on its way (RFC 9113 §5.1).
	default:
		s.events.count(H2ProtocolError)
	}
}

// serveStreams hands a connection over to net/http, which goes on with it on
// goroutines of its own.
func (s *Server) serveStreams(c *conn) {
	late := func() { s.events.count(SendTimeout) }
	c.streams.Store(&streams{conn: c, batch: newBatch(c.socket, s.config.SendTimeout.Duration, late), open: map[*stream]struct{}{}, span: c.now})
	if !c.shuttingDown() && s.framer.take(s, c) || s.late.take(s, c) {
		return
	}
	c.tls.Close()
	s.conns.remove(c)
}

// take goes on with a connection, or reports that it takes none any more.
func (f *framer) take(s *Server, c *conn) bool {
	f.start.Do(func() {
		f.serving.Go(func() {
			if err := f.server.Serve(f); !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("HTTP/2 is not served any more", faultField(err))
			}
		})
	})
	select {
	case f.conns <- c.tls:
		return true
	case <-f.closed:
		return false
	}
}

// Accept, Close and Addr make a net.Listener.
func (f *framer) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (f *framer) Close() error {
	f.ends.Do(func() { close(f.closed) })
	return nil
}

// Addr is of no use to net/http.
func (f *framer) Addr() net.Addr { return &net.TCPAddr{} }

// goAway has every client told to send no more requests on its connection
// (GOAWAY, RFC 9113 §6.8), which ends with its last stream. A connection that
// net/http was only about to take in is missed: it is to be called again.
func (f *framer) goAway() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = f.server.Shutdown(ended) // the connections are waited for elsewhere
}

// stop ends what has been started, once no connection is left.
func (f *framer) stop() {
	_ = f.server.Close() // first, or the end of Accept would be news to it
	_ = f.Close()
	f.serving.Wait()
}

// goAwayEvery is how often a shutdown repeats goAway.
const goAwayEvery = 100 * time.Millisecond
