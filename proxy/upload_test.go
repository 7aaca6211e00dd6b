package proxy

import (
	"net"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// stuckUpload starts the upload of a body whose bytes are all there, to an
// application that reads nothing.
func stuckUpload(t *testing.T, s *sidecar, size int) (*conn, *upload) {
	t.Helper()
	app, other := net.Pipe()
	socket, client := net.Pipe()
	t.Cleanup(func() {
		for _, end := range []net.Conn{app, other, socket, client} {
			end.Close()
		}
	})
	c := newConn(s.Server, socket, "")
	c.now, c.work = time.Now(), newWork(bufferSize, 2*bufferSize)
	w := c.work
	w.client.Reset(strings.NewReader(strings.Repeat("b", size)), w.in[:])
	w.upBody.Reset(&w.client, http1.Length, int64(size))
	w.request.Framing = http1.Length
	up := &upstream.Conn{Conn: app}
	w.answer = answerSource{exchange: &c.exchange, up: up, timeout: s.config.UpstreamTimeout.Duration}
	w.answer.upload = c.startUpload(up)
	return c, w.answer.upload
}

// A connection on which a part of a body was sent must not be used again: the
// application would take the next request for the rest of that body.
func TestAConnectionIsNotKeptWhenTheLastPieceOfABodyWasNotSent(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1", "MTLS_UPSTREAM_TIMEOUT=50ms")
	c, u := stuckUpload(t, s, 4)
	waitFor(t, "the client's part is over", u.read.Load)
	c.work.response.KeepAlive, c.work.response.KeepAliveTimeout = true, -1 // the application has answered early
	c.finish(u.up, keep)
	if n := s.pool.Idle(); n != 0 {
		t.Errorf("%d connections were kept", n)
	}
	s.pool.Close()
}

// An application may answer as soon as it has the last byte, before the write
// of it returns here. The client's connection stays open then all the same.
func TestABodyCountsAsReadBeforeItsLastPieceIsSent(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	for _, size := range []int{1, bufferSize/2 - 1, bufferSize / 2, bufferSize - 1, bufferSize} {
		c, u := stuckUpload(t, s, size)
		waitFor(t, "the client's part is over", u.read.Load)
		c.work.request.KeepAlive = true
		if c.frame(&http1.Response{Status: 200, Framing: http1.Length, KeepAlive: true}).close {
			t.Errorf("after a body of %d bytes the connection would be closed", size)
		}
		u.settle(cut)
	}
}
