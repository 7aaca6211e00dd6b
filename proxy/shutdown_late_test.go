package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
)

// A client that has only just made its connection cannot know that the sidecar is
// going, and does not send its first request again.

// heldConn lets nothing in before it is told to.
type heldConn struct {
	net.Conn
	free chan struct{}
}

func (h heldConn) Read(p []byte) (int, error) {
	<-h.free
	return h.Conn.Read(p)
}

// asksOnce makes a handshake and one request over a socket.
func asksOnce(socket net.Conn, protocol string) (*http.Response, error) {
	config := clientConfig(nil)
	config.NextProtos = []string{protocol}
	secure := tls.Client(socket, config)
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	return asksOver(secure, protocol)
}

func asksOver(secure *tls.Conn, protocol string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodPost, "https://localhost/", http.NoBody)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		ForceAttemptHTTP2: protocol == "h2",
		DialTLSContext:    func(context.Context, string, string) (net.Conn, error) { return secure, nil },
	}
	return transport.RoundTrip(request)
}

func (s *sidecar) shutDown(t *testing.T) (ended chan struct{}) {
	t.Helper()
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.Background(), hang)
		defer cancel()
		s.Shutdown(ctx)
	}()
	return ended
}

func (s *sidecar) notListening() bool {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	return s.conns.draining
}

func TestAShutdownServesTheFirstRequestOfWhoWasStillInTheHandshake(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		app := startBackend(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
		s := startSidecar(t, app.url)
		socket, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		held := heldConn{socket, make(chan struct{})}
		var answer *http.Response
		var fault error
		var asking sync.WaitGroup
		asking.Go(func() { answer, fault = asksOnce(held, protocol) })
		waitFor(t, "the connection", func() bool { return s.conns.crowd().handshakes == 1 })
		ended := s.shutDown(t)
		waitFor(t, "the end of listening", s.notListening)
		close(held.free)
		asking.Wait()
		if fault != nil {
			t.Errorf("%s: %v", protocol, fault)
		} else if answer.StatusCode != 204 || protocol != "h2" && !answer.Close {
			t.Errorf("%s: got %d, to be closed: %v", protocol, answer.StatusCode, answer.Close)
		}
		<-ended
	}
}

func TestAShutdownServesTheFirstRequestOfWhoHasJustConnected(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		app := startBackend(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
		s := startSidecar(t, app.url)
		config := clientConfig(nil)
		config.NextProtos = []string{protocol}
		secure, err := tls.Dial("tcp", s.addr, config)
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the end of the handshake", func() bool { return s.conns.crowd().handshakes == 0 })
		ended := s.shutDown(t)
		waitFor(t, "the end of listening", s.notListening)
		if answer, err := asksOver(secure, protocol); err != nil || answer.StatusCode != 204 {
			t.Errorf("%s: got %v, %v", protocol, answer, err)
		}
		<-ended
		secure.Close()
	}
}

// queued accepts nothing until it is closed.
type queued struct {
	*net.TCPListener
	once   sync.Once
	closed chan struct{}
}

func (q *queued) Accept() (net.Conn, error) {
	<-q.closed
	return q.TCPListener.Accept()
}

func (q *queued) Close() error {
	defer q.once.Do(func() { close(q.closed) })
	return q.TCPListener.Close()
}

func TestAShutdownServesWhoStandsInTheKernelsQueue(t *testing.T) {
	app := startBackend(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
	s := newSidecar(t, app.url)
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	q := &queued{TCPListener: listener.(*net.TCPListener), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(q) }()
	waitFor(t, "Serve", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.listener != nil
	})
	socket, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	ended := s.shutDown(t)
	answer, err := asksOnce(socket, "http/1.1")
	if err != nil || answer.StatusCode != 204 {
		t.Errorf("got %v, %v", answer, err)
	}
	<-ended
	if err := <-served; err != nil {
		t.Error(err)
	}
	if late, err := net.Dial("tcp", listener.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it still listens: %v", err)
		late.Close()
	}
}
