package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
)

// shutDown runs Shutdown on a goroutine of its own and gives its result.
func shutDown(ctx context.Context, s *sidecar) <-chan int {
	cut := make(chan int, 1)
	go func() { cut <- s.Shutdown(ctx) }()
	return cut
}

// waitDraining waits until the sidecar has stopped accepting and has told its
// connections.
func waitDraining(t *testing.T, s *sidecar) {
	t.Helper()
	waitFor(t, "the sidecar drains", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return s.conns.draining
	})
}

// holding is an application that answers a request when it is released.
func holding(arrived chan<- struct{}, release <-chan struct{}) exchangeFunc {
	return func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		arrived <- struct{}{}
		<-release
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	}
}

// silent is an application that takes requests and never answers; it ends when
// its connection does.
func silent(arrived chan<- struct{}) exchangeFunc {
	return func(_ net.Conn, r *bufio.Reader, _ string) bool {
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r)
		return false
	}
}

func TestAShutdownEndsIdleConnectionsAtOnce(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	fresh, used := s.dial(t, nil), s.dial(t, nil)
	used.send(simpleGet)
	used.wantAnswer("GET", 200, "ok")
	cut := shutDown(t.Context(), s)
	for _, c := range []*client{fresh, used} {
		if rest := c.wantEnd(); rest != "" {
			t.Errorf("an idle connection got %q", rest)
		}
	}
	if n := await(t, "Shutdown returns", cut); n != 0 {
		t.Errorf("%d connections were cut, want none", n)
	}
}

func TestAShutdownLetsARequestInFlightFinish(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	app := startBackend(t, holding(arrived, release))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	await(t, "the request arrives", arrived)
	cut := shutDown(t.Context(), s)
	waitDraining(t, s)
	close(release)
	if answer := c.wantAnswer("GET", 200, "ok"); !answer.Close {
		t.Error("the last answer does not say Connection: close")
	}
	c.wantEnd()
	c.Close() // else the sidecar waits a while for what the client may still send
	if n := await(t, "Shutdown returns", cut); n != 0 {
		t.Errorf("%d connections were cut, want none", n)
	}
}

func TestAShutdownLetsARequestThatIsStillArrivingFinish(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	waitFor(t, "the connection waits for a request", func() bool { return s.inState(idle) == 1 })
	c.send("GET / HTTP/1.1\r\n")
	waitFor(t, "the request has begun", func() bool { return s.inState(idle) == 0 })
	cut := shutDown(t.Context(), s)
	waitDraining(t, s)
	c.send("Host: h\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	c.wantEnd()
	c.Close()
	await(t, "Shutdown returns", cut)
}

// inState counts the connections in a state.
func (s *sidecar) inState(state int32) int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	n := 0
	for c := range s.conns.conns {
		if c.state.Load() == state {
			n++
		}
	}
	return n
}

func TestAShutdownRefusesNewConnections(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	app := startBackend(t, holding(arrived, release))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet)
	await(t, "the request arrives", arrived)
	cut := shutDown(t.Context(), s)
	waitDraining(t, s)
	if socket, err := net.DialTimeout("tcp", s.addr, hang); err == nil {
		socket.Close()
		t.Error("a new connection was accepted")
	}
	close(release)
	c.wantAnswer("GET", 200, "ok")
	c.Close()
	await(t, "Shutdown returns", cut)
}

func TestAShutdownThatRunsOutOfTimeCutsAndCounts(t *testing.T) {
	arrived := make(chan struct{}, 2)
	app := startBackend(t, silent(arrived))
	s := startSidecar(t, app.url)
	first, second := s.dial(t, nil), s.dial(t, nil)
	first.send(simpleGet)
	second.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
	await(t, "the first request arrives", arrived)
	await(t, "the second request arrives", arrived)
	ctx, cancel := context.WithCancel(t.Context())
	cut := shutDown(ctx, s)
	waitDraining(t, s)
	cancel()
	if n := await(t, "Shutdown returns although the application never answers", cut); n != 2 {
		t.Errorf("Shutdown counts %d cut connections, want 2", n)
	}
	first.wantCut()
	second.wantCut()
}

func TestAShutdownBeforeServeMakesServeReturn(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Shutdown(t.Context()); n != 0 {
		t.Errorf("cut %d connections, want none", n)
	}
	if err := s.Serve(listener); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := listener.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}
