package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// numbering numbers an application's connections in the order of their first
// requests, and counts the requests of each.
type numbering struct {
	mu       sync.Mutex
	numbers  map[net.Conn]int
	requests map[net.Conn]int
}

// next tells the number of a connection and of its request, both from 1.
func (n *numbering) next(conn net.Conn) (connection, request int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.numbers == nil {
		n.numbers, n.requests = map[net.Conn]int{}, map[net.Conn]int{}
	}
	if n.numbers[conn] == 0 {
		n.numbers[conn] = len(n.numbers) + 1
	}
	n.requests[conn]++
	return n.numbers[conn], n.requests[conn]
}

// telling answers with the connection's number, and more fields.
func telling(n *numbering, fields string) exchangeFunc {
	return func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		connection, _ := n.next(conn)
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n%s\r\n%d", fields, connection)
		return err == nil
	}
}

func TestAConnectionToTheApplicationIsUsedAgain(t *testing.T) {
	app := startBackend(t, telling(&numbering{}, ""))
	s := startSidecar(t, app.url)
	first, second := s.dial(t, nil), s.dial(t, nil)
	for _, c := range []*client{first, first, second, first, second} {
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "1")
		waitFor(t, "the connection is kept", func() bool { return s.pool.Idle() == 1 })
	}
}

func TestAConnectionOnWhichSomebodySaidCloseIsNotUsedAgain(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n%d",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, Close\r\n\r\n%d",
		"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n%d",
	} {
		var n numbering
		app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
			connection, _ := n.next(conn)
			_, err := fmt.Fprintf(conn, answer, connection)
			return err == nil // it stays open all the same
		})
		c := startSidecar(t, app.url).dial(t, nil)
		for _, want := range []string{"1", "2"} {
			c.send(simpleGet)
			c.wantAnswer("GET", 200, want)
		}
	}
}

func TestTheApplicationsKeepAliveTimeoutIsHeeded(t *testing.T) {
	for timeout, want := range map[string]string{"timeout=1": "2", "timeout=0, max=9": "2", "max=9, timeout=100": "1", "nonsense": "1"} {
		app := startBackend(t, telling(&numbering{}, "Keep-Alive: "+timeout+"\r\n"))
		c := startSidecar(t, app.url).dial(t, nil)
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "1")
		c.send(simpleGet)
		c.wantAnswer("GET", 200, want)
	}
}

func TestAStaleConnectionIsDiscardedBeforeAPost(t *testing.T) {
	for what, spoil := range map[string]func(net.Conn){
		"closed":         func(conn net.Conn) { conn.Close() },
		"half closed":    func(conn net.Conn) { _ = conn.(*net.TCPConn).CloseWrite() },
		"byte unasked":   func(conn net.Conn) { _, _ = io.WriteString(conn, "H") },
		"answer unasked": func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison") },
	} {
		t.Run(what, func(t *testing.T) {
			var n numbering
			used := make(chan net.Conn, 1)
			app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
				connection, _ := n.next(conn)
				_, _, _ = appBody(r, head)
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", connection)
				used <- conn
				return true
			})
			s := startSidecar(t, app.url)
			c := s.dial(t, nil)
			c.send(post("a"))
			c.wantAnswer("POST", 200, "1")
			waitFor(t, "the connection is kept", func() bool { return s.pool.Idle() == 1 })
			spoil(await(t, "the application's connection", used))
			c.send(post("b"))
			c.wantAnswer("POST", 200, "2")
			<-used
		})
	}
}

func TestBytesAfterAnAnswerNeverReachTheNextClient(t *testing.T) {
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	} {
		var n numbering
		app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
			if connection, _ := n.next(conn); connection > 1 {
				_, err := io.WriteString(conn, okAnswer)
				return err == nil
			}
			_, err := io.WriteString(conn, answer+poison)
			return err == nil
		})
		s := startSidecar(t, app.url)
		c := s.dial(t, nil)
		c.send(simpleGet)
		if answer, _ := c.answer("GET"); answer.StatusCode == 103 {
			_, _ = c.answer("GET")
		}
		for _, c := range []*client{c, s.dial(t, nil)} {
			c.send(simpleGet)
			c.wantAnswer("GET", 200, "ok")
		}
	}
}

func TestAnAnswerToHEADWithABodyDoesNotPoison(t *testing.T) {
	var n numbering
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		connection, _ := n.next(conn)
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", connection)
		return err == nil
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.wantAnswer("HEAD", 200, "")
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "2")
}

func TestAnApplicationThatCannotBeReachedIsA502(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	for _, upstream := range []string{"http://" + addr, "unix://" + filepath.Join(t.TempDir(), "none.sock")} {
		c := startSidecar(t, upstream).dial(t, nil)
		c.send(post("hello"))
		if _, page := c.wantRefusal("POST", 502); !strings.Contains(page, "upstream_down") {
			t.Errorf("%s: the page is %s", upstream, page)
		}
	}
}

func TestTheApplicationMayListenOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	app := startBackendOn(t, listener, telling(&numbering{}, ""))
	c := startSidecar(t, "unix://"+path).dial(t, nil)
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "1")
	if modeOf(t) == overHTTP2 {
		return // where nobody lacks a Host
	}
	c.send("GET / HTTP/1.0\r\n\r\n")
	c.wantAnswer("GET", 200, "1")
	app.seen(t)
	if got := values(app.seen(t), "Host"); !slices.Equal(got, []string{"localhost"}) {
		t.Errorf("without a Host the application is told %q", got)
	}
}
