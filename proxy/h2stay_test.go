package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// What one client of HTTP/2 does stays its own affair, and what an exchange gives
// up stays given up.

// Over HTTP/1.1 such a head ends its connection; who sends one after the other pays
// for each with a handshake, and each is a line in the log.
func TestOverHTTP2AMalformedHeadIsAnsweredAndItsClientToldToGo(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"a fragment in the target":  {"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		"a method not to be asked":  {"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
		"a target that is too long": {"GET /" + strings.Repeat("a", maxTarget) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dialOver(t, overHTTP2)
			c.send(simpleGet)
			c.keeps("GET", 200, "ok")
			app.seen(t)
			c.send(test.request)
			answer, page := c.answer("GET")
			if answer.StatusCode != test.status || !answer.Close {
				t.Errorf("got %d, the client told to go: %t; want %d, and so: %s", answer.StatusCode, answer.Close, test.status, page)
			}
			app.sawNothing(t)
		})
	}
}

// net/http gives the connection's window back as the application reads. So it has
// to be as large as those of all streams together.
func TestOverHTTP2UploadsThatNobodyTakesLeaveRoomForAnother(t *testing.T) {
	const most = 8
	release := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if strings.HasPrefix(head, "POST /slow ") {
			<-release
			return false
		}
		body, _, err := appBody(r, head)
		if string(body) != "0123456789" || err != nil {
			t.Errorf("the application got %q (%v)", body, err)
		}
		_, err = io.WriteString(conn, okAnswer)
		return err == nil
	})
	t.Cleanup(func() { close(release) })
	s := startSidecar(t, app.url, "MTLS_HTTP2_MAX_STREAMS=8")
	c := s.openWire(t, nil)
	window := c.told(settingWindow, 65535)
	connection := 65535 + uint32FromWire(c.until(frameWindow, 0).payload)
	send := func(stream, n uint32) {
		for ; n > 0; n -= min(n, maxReadFrame) {
			c.send(frame(frameData, 0, stream, strings.Repeat("x", int(min(n, maxReadFrame)))))
		}
	}
	for i := range most - 1 { // each as much as it may, and no window counted as given back
		c.send(c.post(odd(i), "/slow"))
		send(odd(i), min(window, connection))
		connection -= min(window, connection)
	}
	if connection < 10 {
		t.Fatalf("%d uploads leave the connection a window of %d bytes", most-1, connection)
	}
	last := odd(most - 1)
	c.send(c.post(last, "/", "content-length", "10"), frame(frameData, flagEndStream, last, "0123456789"))
	if got := c.outcome(last); got != "200" {
		t.Errorf("the upload beside them: %s, want 200", got)
	}
}

func uint32FromWire(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}

// measuredWriter knows the largest piece that net/http was given.
type measuredWriter struct {
	streamWriter
	largest *atomic.Int64
}

func (w measuredWriter) Write(p []byte) (int, error) {
	w.largest.Store(max(w.largest.Load(), int64(len(p))))
	return w.streamWriter.Write(p)
}

// A piece has MTLS_SEND_TIMEOUT to be taken. Many streams share a slow client's link
// by frames, so that none may need several of them.
func TestOverHTTP2AnAnswerIsWrittenInPiecesOfAFrame(t *testing.T) {
	const size = 4 << 20
	app := startBackend(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n"+strings.Repeat("x", size)))
	s := newSidecar(t, app.url)
	var largest atomic.Int64
	serve := s.framer.server.Handler
	s.framer.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		serve.ServeHTTP(measuredWriter{rw.(streamWriter), &largest}, r)
	})
	s.start(t)
	c := s.dialOver(t, overHTTP2)
	c.send(simpleGet)
	c.keeps("GET", 200, strings.Repeat("x", size))
	if got := largest.Load(); got == 0 || got > maxReadFrame {
		t.Errorf("the largest piece has %d bytes, want at most a frame's %d", got, maxReadFrame)
	}
}

// Hundreds of streams of one client would otherwise hold as many.
func TestOverHTTP2NoLargeBufferIsLent(t *testing.T) {
	one := &stream{}
	one.exchange.stream, one.work = one, newWork(streamIn, streamOut)
	plain := &exchange{work: newWork(bufferSize, 2*bufferSize)}
	for _, x := range []*exchange{&one.exchange, plain} {
		var r http1.Reader
		r.Reset(strings.NewReader(""), x.work.answerIn)
		x.enlarge(&r, largeAnswer)
		if lent, want := x.work.large != nil, x.stream == nil; lent != want {
			t.Errorf("over HTTP/2 %t: a large buffer lent: %t, want %t", x.stream != nil, lent, want)
		}
		x.work.shrink()
	}
}

// endedSocket counts how often it is closed; meanwhile something else may happen.
type endedSocket struct {
	net.Conn  // nil: nothing else may be called
	closed    int
	meanwhile func()
}

func (e *endedSocket) Close() error {
	e.closed++
	if e.closed == 1 && e.meanwhile != nil {
		e.meanwhile()
	}
	return nil
}

// partExchange is one whose answer is there, whole, with the application's
// connection that it came on.
func partExchange(t *testing.T) (*exchange, *upstream.Conn, *endedSocket) {
	t.Helper()
	server, _ := partServer(&Config{})
	server.pool = upstream.NewPool(upstream.Config{Network: "tcp", Address: "127.0.0.1:1", IdleTimeout: time.Hour})
	t.Cleanup(server.pool.Close)
	x := &newConn(server, &deadlineSocket{}, "").exchange
	x.now, x.work = time.Now(), newWork(bufferSize, 2*bufferSize)
	x.work.response.KeepAlive, x.work.response.KeepAliveTimeout = true, -1
	socket := &endedSocket{}
	up := &upstream.Conn{Conn: socket}
	x.up.Store(up)
	return x, up, socket
}

// A connection to the application is closed by whoever cuts the exchange, or kept
// for another one: never both, however the two fall together.
func TestOverHTTP2OrNotAConnectionIsNotKeptThatIsBeingClosed(t *testing.T) {
	for name, test := range map[string]struct {
		steps func(x *exchange, up *upstream.Conn, socket *endedSocket)
		kept  bool
	}{
		"kept, then the exchange is cut": {func(x *exchange, up *upstream.Conn, _ *endedSocket) {
			x.finish(up, keep)
			x.closeApplication()
		}, true},
		"cut, then the answer ends": {func(x *exchange, up *upstream.Conn, _ *endedSocket) {
			x.closeApplication()
			x.finish(up, keep)
		}, false},
		"the answer ends while it is cut": {func(x *exchange, up *upstream.Conn, socket *endedSocket) {
			socket.meanwhile = func() { x.finish(up, keep) }
			x.closeApplication()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			x, up, socket := partExchange(t)
			test.steps(x, up, socket)
			if kept := x.server.pool.Idle() == 1; kept != test.kept || kept != (socket.closed == 0) {
				t.Errorf("kept: %t, closed %d times; want kept: %t, and closed only if not", kept, socket.closed, test.kept)
			}
		})
	}
}
