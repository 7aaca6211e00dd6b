package proxy

import (
	"bufio"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests wait for what a short timeout brings about; none measures it.

func TestAHeadThatDoesNotComeEndsTheConnection(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_HEADER_TIMEOUT=50ms")
	for _, part := range []string{"G", "GET / HTTP/1.1\r\nHost: h\r\n"} {
		c := s.dial(t, nil)
		c.send(part)
		if rest, _ := c.rest(); rest != "" {
			t.Errorf("after %q the client got %q", part, rest)
		}
	}
	// A head that comes in drops has no more time than one that does not come.
	c := s.dial(t, nil)
	c.send("GET / HTTP/1.1\r\nHost: h\r\n")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = c.rest()
	}()
	for dripping := true; dripping; {
		select {
		case <-ended:
			dripping = false
		case <-time.After(5 * time.Millisecond):
			_, _ = io.WriteString(c, "X")
		}
	}
	app.sawNothing(t)
}

func TestABodyThatDoesNotComeEndsTheExchange(t *testing.T) {
	got := make(chan received, 1)
	app := startBackend(t, readingAll(got, okAnswer))
	c := startSidecar(t, app.url, "MTLS_BODY_TIMEOUT=50ms").dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
	if rest, _ := c.rest(); rest != "" {
		t.Errorf("the client got %q", rest)
	}
	if body := await(t, "the application sees the end", got); body.err == nil {
		t.Errorf("the application took %q for a whole body", body.body)
	}
}

func TestAClientThatDoesNotReadIsCut(t *testing.T) {
	stopped := make(chan error, 1)
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
		for piece := make([]byte, 1<<20); err == nil; {
			_, err = conn.Write(piece)
		}
		stopped <- err
		return false
	})
	s := startSidecar(t, app.url, "MTLS_SEND_TIMEOUT=100ms")
	c := s.dial(t, nil)
	c.send(simpleGet)
	await(t, "the application is told to stop", stopped)
	if c.endsConnections() {
		waitFor(t, "the connection is gone", func() bool { return s.open() == 0 })
	}
}

// open counts the sidecar's connections.
func (s *sidecar) open() int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	return len(s.conns.conns)
}

func TestAnIdleConnectionEndsCleanly(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, header := range []string{"10s", "10ms"} {
		s := startSidecar(t, app.url, "MTLS_IDLE_TIMEOUT=60ms", "MTLS_HEADER_TIMEOUT="+header)
		fresh, used := s.dial(t, nil), s.dial(t, nil)
		used.send(simpleGet)
		used.wantAnswer("GET", 200, "ok")
		for _, c := range []*client{fresh, used} {
			if rest := c.wantEnd(); rest != "" {
				t.Errorf("the client got %q", rest)
			}
		}
	}
}

func TestAnAnswerThatDoesNotComeIsA504(t *testing.T) {
	for _, request := range []string{simpleGet, post("x"), "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"} {
		arrived := make(chan struct{}, 1)
		app := startBackend(t, silent(arrived)) // which ends with its connection
		c := startSidecar(t, app.url, "MTLS_UPSTREAM_TIMEOUT=60ms").dial(t, nil)
		c.send(request)
		if _, page := c.wantRefusal("GET", 504); !strings.Contains(page, "upstream_timeout") {
			t.Errorf("the page is %s", page)
		}
		await(t, "the request", arrived)
		app.seen(t)
		app.sawNothing(t)
	}
}

func TestNoAnswerIsDueWhileTheRequestIsBeingSent(t *testing.T) {
	app := startBackend(t, readingAll(make(chan received, 1), okAnswer))
	const timeout = 500 * time.Millisecond
	c := startSidecar(t, app.url, "MTLS_UPSTREAM_TIMEOUT="+timeout.String()).dial(t, nil)
	c.send(chunkedPost("", ""))
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for start := time.Now(); time.Since(start) < 2*timeout; <-pause.C {
		c.send("1\r\nx\r\n")
	}
	c.send("0\r\n\r\n")
	c.wantAnswer("POST", 200, "ok")
}

func TestAnAnswerThatStallsIsCut(t *testing.T) {
	app := startBackend(t, refusing("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
	c := startSidecar(t, app.url, "MTLS_UPSTREAM_TIMEOUT=60ms").dial(t, nil)
	c.send(simpleGet)
	if got := c.wantCut(); !strings.HasSuffix(got, "\r\n\r\nhalf") {
		t.Errorf("the client got %q", got)
	}
}

// deafListener listens, but connections to it never come about: its queue is
// full, and Linux then drops what asks for more.
func deafListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	for range 20 {
		socket, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { socket.Close() })
	}
	absent(t, "this system queues connections without end")
	return ""
}

func TestAnApplicationThatDoesNotAcceptIsA504(t *testing.T) {
	addr := deafListener(t)
	for _, send := range []string{"60s", "50ms"} { // the page has its own time to be sent in
		c := startSidecar(t, "http://"+addr, "MTLS_UPSTREAM_CONNECT_TIMEOUT=200ms", "MTLS_SEND_TIMEOUT="+send).dial(t, nil)
		c.send(simpleGet)
		c.wantRefusal("GET", 504)
	}
}
