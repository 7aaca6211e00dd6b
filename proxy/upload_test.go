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
func stuckUpload(t *testing.T, s *sidecar) (*conn, *upload) {
	t.Helper()
	app, other := net.Pipe()
	socket, client := net.Pipe()
	t.Cleanup(func() {
		for _, end := range []net.Conn{app, other, socket, client} {
			end.Close()
		}
	})
	c := &conn{server: s.Server, socket: socket, now: time.Now(), work: newWork()}
	w := c.work
	w.client.Reset(strings.NewReader("body"), w.in[:])
	w.upBody.Reset(&w.client, http1.Length, 4)
	w.request.Framing = http1.Length
	up := &upstream.Conn{Conn: app}
	w.answer = answerSource{conn: c, up: up, timeout: s.config.UpstreamTimeout.Duration}
	w.answer.upload = c.startUpload(up)
	return c, w.answer.upload
}

// A connection on which a part of a body was sent must not be used again: the
// application would take the next request for the rest of that body.
func TestAConnectionIsNotKeptWhenTheLastPieceOfABodyWasNotSent(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1", "MTLS_UPSTREAM_TIMEOUT=50ms")
	c, u := stuckUpload(t, s)
	waitFor(t, "the client's part is over", u.read.Load)
	c.work.response.KeepAlive, c.work.response.KeepAliveTimeout = true, -1 // the application has answered early
	c.finish(u.up, keep)
	if n := s.pool.Idle(); n != 0 {
		t.Errorf("%d connections were kept", n)
	}
	s.pool.Close()
}
