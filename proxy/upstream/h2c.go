package upstream

import (
	"container/list"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"mtls-sidecar/proxy/http1"
)

// H2CConfig says how the application is spoken to in HTTP/2.
type H2CConfig struct {
	Config

	// MaxHeader bounds the head of an answer, and its trailers, in bytes of
	// HTTP/1.1; above 0.
	MaxHeader int
	// WriteTimeout ends a connection on which nothing could be written for so
	// long; 0 is never.
	WriteTimeout time.Duration
	// Dialed is asked after each dial. Its error closes the connection, and is
	// what Do returns. Nil: no question.
	Dialed func() error

	quietPing, pingTimeout, lingering time.Duration // for tests; 0 is what is said below
	greeting                          time.Duration // for tests; 0 is what is left of ConnectTimeout
}

const (
	// quietPing is how long nothing need come on a connection before it is asked
	// for a sign of life. gRPC servers take more than one ping in five minutes
	// without data for abuse, and end the connection at the third (grpc's
	// doc/keepalive.md): a quiet stream of hours must survive.
	quietPing   = 5*time.Minute + 30*time.Second
	pingTimeout = 15 * time.Second

	// lingering is how long a connection that is not wanted any more may take to
	// tell the application so.
	lingering = time.Second

	// streamWindow is what an answer may be ahead of its reader, in bytes: the
	// memory that a slow client costs.
	streamWindow = 256 << 10
	// maxFrame bounds the frames that the application sends, in bytes: each
	// connection keeps a buffer for one.
	maxFrame = 64 << 10

	// usualStreams is what RFC 9113 §6.5.2 would have an application take at
	// least, until it has said so itself.
	usualStreams = 100

	// headSlack is how many times larger than MaxHeader a head may be before
	// net/http ends the connection for it, and all that is in flight there.
	headSlack = 4
)

// H2C keeps the connections to an application that speaks HTTP/2 without TLS
// from the first byte (RFC 9113 §3.3, prior knowledge). net/http does the
// frames; which connection a request goes out on, and whether it goes out twice,
// is decided here and by the caller. A connection carries the streams of one
// owner at a time.
type H2C struct {
	config    H2CConfig
	transport *http.Transport
	heads     sync.Pool // of *http1.Request

	life  context.Context
	end   context.CancelFunc
	dials sync.WaitGroup

	mu     sync.Mutex
	conns  map[*h2cConn]struct{} // all whose socket is open
	groups map[any]*h2cGroup     // by owner; none is empty
	idle   list.List             // of *h2cConn: nobody's, and fit for anybody; the last used is at the back
	room   int                   // streams that a new connection is thought to take
}

// NewH2C makes an H2C without connections; they are made as they are needed.
func NewH2C(c H2CConfig) *H2C {
	if c.MaxIdle == 0 {
		c.MaxIdle = maxIdle
	}
	if c.lingering == 0 {
		c.lingering = lingering
	}
	h := &H2C{config: c, conns: map[*h2cConn]struct{}{}, groups: map[any]*h2cGroup{}, room: usualStreams}
	h.heads.New = func() any { return new(http1.Request) }
	h.life, h.end = context.WithCancel(context.Background())
	if c.quietPing == 0 {
		c.quietPing, c.pingTimeout = quietPing, pingTimeout
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h.transport = &http.Transport{
		Protocols:              protocols,
		DialContext:            dialedBefore,
		DisableCompression:     true,
		IdleConnTimeout:        c.IdleTimeout,
		MaxResponseHeaderBytes: headSlack * int64(c.MaxHeader),
		HTTP2: &http.HTTP2Config{
			MaxReadFrameSize:          maxFrame,
			MaxReceiveBufferPerStream: streamWindow,
			SendPingTimeout:           c.quietPing,
			PingTimeout:               c.pingTimeout,
			WriteByteTimeout:          c.WriteTimeout,
		},
	}
	return h
}

// Request is one exchange's request. Of what is lent here, nothing is used any
// more once Do has returned an error, or Answer.Close has returned.
type Request struct {
	// Head is the whole head, as it would go to an application that speaks
	// HTTP/1.1. It may be overwritten once Do has returned.
	Head []byte
	// Owner is whose request it is: those of one owner may share a connection, and
	// with it the window, the limit of streams and the count of resets that the
	// application grants a connection. Two owners never share one at the same time.
	// It must be comparable; nil is an owner like any other.
	Owner any
	// Body is the body's content, not chunked; nil: none. It is read from another
	// goroutine, which may go on after Do has returned. An error but io.EOF resets
	// the stream, and is what Do and Answer.Read return. It is held to
	// Content-Length. An end that comes with the last bytes saves a frame.
	Body io.Reader
	// Interrupt makes a Read of Body that waits, or is about to, return with an
	// error: nobody wants what it would bring. It is called at most once, from any
	// goroutine, and must not wait itself. Nil: Body never waits for long.
	Interrupt func()
	// Interim takes the heads of interim answers, HTTP/1.1 too, in order and one
	// at a time; none comes after Do has returned. Its error ends the exchange and
	// is what Do returns. Nil: they are dropped.
	Interim func(head []byte) error
}

// attempts is how many connections may turn out to be closing, one after the
// other, before a request was written to any of them.
const attempts = 3

// Do sends a request and returns when the head of the final answer is there; the
// body may still be on its way. The end of ctx ends everything, the answer's
// body included, and its cause is the error then.
//
// The error is otherwise an *http1.Error with status 400 or 431 for a request
// that HTTP/2 cannot carry or the application says is too large, with 502 for an
// answer that breaks the rules; an *H2CError when the application has ended the
// stream or the connection; ErrNotHTTP2; that of Body, Interim or Dialed; a
// net.Error when the application cannot be reached; or net.ErrClosed after Close.
func (h *H2C) Do(ctx context.Context, r Request) (*Answer, error) {
	a := &Answer{h2c: h, limit: h.config.MaxHeader}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	req, err := h.newRequest(a, &r)
	if err == nil {
		err = h.send(a, r.Owner, req)
	}
	a.interim.settle(err != nil)
	if a.ctx.Err() != nil {
		err = context.Cause(a.ctx)
	}
	if err == nil {
		err = a.begin()
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// send tries connections until one takes the request.
func (h *H2C) send(a *Answer, owner any, req *http.Request) error {
	for tried := 1; ; tried++ {
		conn, err := h.conn(a.ctx, owner)
		if err != nil {
			return err
		}
		a.kept = conn.answered.Load()
		a.upload.reopen()
		res, err := conn.RoundTrip(req)
		if err == nil {
			conn.answered.Store(true)
			a.conn, a.response = conn, res
			return nil
		}
		h.release(conn, wasTooLarge(err)) // then nothing was sent, and all is well with the connection
		if tried == attempts || a.ctx.Err() != nil || !neverSent(err) {
			return a.fault(err)
		}
	}
}

// Close ends all connections and what is in flight on them.
func (h *H2C) Close() {
	h.mu.Lock()
	h.end()
	h.mu.Unlock()
	h.dials.Wait() // none is begun now
	h.mu.Lock()
	conns := slices.Collect(maps.Keys(h.conns))
	h.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// socketKey is where dialedBefore finds a socket.
type socketKey struct{}

// dialedBefore hands net/http a socket that is connected already, so that the
// dial's own error, and what is heard on the socket, are ours to look at.
func dialedBefore(ctx context.Context, _, _ string) (net.Conn, error) {
	socket, ok := ctx.Value(socketKey{}).(net.Conn)
	if !ok {
		return nil, net.ErrClosed
	}
	return socket, nil
}
