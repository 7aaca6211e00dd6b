package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// liveApp is an application whose answers take as long as the test likes. What it
// does is said by the first word of the path; each request has a path of its own.
type liveApp struct {
	*backend
	done   chan struct{} // the test is over
	mu     sync.Mutex
	heads  map[string]string // by path
	stages map[string]*stage
}

// stage is where one exchange is played.
type stage struct {
	cues chan struct{} // each lets another piece be written
	mu   sync.Mutex
	got  int           // bytes of the body
	over chan struct{} // closed when the application has seen the end of its connection, or made it
}

// Answers and uploads come in pieces, of ten bytes each.
const (
	piece  = "0123456789"
	pieces = 6
)

func startLiveApp(t *testing.T) *liveApp {
	t.Helper()
	a := &liveApp{done: make(chan struct{}), heads: map[string]string{}, stages: map[string]*stage{}}
	a.backend = startBackend(t, a.serve)
	t.Cleanup(func() { close(a.done) }) // before the backend waits for its connections
	return a
}

func (a *liveApp) stage(path string) *stage {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stages[path]
	if s == nil {
		s = &stage{cues: make(chan struct{}, pieces), over: make(chan struct{})}
		a.stages[path] = s
	}
	return s
}

// head is a request's as it arrived; empty: it did not.
func (a *liveApp) head(path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heads[path]
}

func (a *liveApp) serve(conn net.Conn, r *bufio.Reader, head string) bool {
	<-a.requests // they are told apart by their paths
	path := strings.Fields(head)[1]
	a.mu.Lock()
	a.heads[path] = head
	a.mu.Unlock()
	s := a.stage(path)
	switch kind := strings.Split(path, "/")[1]; kind {
	case "tunnel":
		defer close(s.over)
		if !strings.Contains(head, "\r\nUpgrade: ") {
			return echoing(conn, r, head)
		}
		_, _ = io.WriteString(conn, switched)
		_, _ = io.Copy(onlyWriter{conn}, r)
		return false
	case "upload":
		defer close(s.over)
		return s.takes(conn, r)
	case "flood":
		defer close(s.over)
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		for err == nil {
			_, err = io.WriteString(conn, piece)
		}
		return false
	case "deaf":
		<-a.done
		return false
	case "download", "events", "held":
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = r.Peek(1)
		}()
		a.plays(conn, s, kind, gone)
		conn.Close()
		<-gone
		return false
	default:
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	}
}

// takes reads a whole body, if it comes.
func (s *stage) takes(conn net.Conn, r *bufio.Reader) bool {
	for range pieces {
		n, err := io.ReadFull(r, make([]byte, len(piece)))
		s.mu.Lock()
		s.got += n
		s.mu.Unlock()
		if err != nil {
			return false
		}
	}
	_, err := io.WriteString(conn, okAnswer)
	return err == nil
}

// received is how much of a body has arrived.
func (s *stage) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// plays writes an answer, a piece for each cue.
func (a *liveApp) plays(conn net.Conn, s *stage, kind string, gone <-chan struct{}) {
	defer close(s.over)
	all, begin, form, end := pieces, "", "%[2]s", ""
	switch kind {
	case "download":
		begin = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", pieces*len(piece))
	case "events":
		begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
		form, end = "%x\r\n%s\r\n", "0\r\n\r\n"
	case "held":
		all, end = 1, okAnswer
	}
	_, _ = io.WriteString(conn, begin)
	for range all {
		select {
		case <-s.cues:
		case <-gone:
			return
		case <-a.done:
			return
		}
		if kind == "held" {
			break
		}
		if _, err := fmt.Fprintf(conn, form, len(piece), piece); err != nil {
			return
		}
	}
	_, _ = io.WriteString(conn, end)
}

// exchange is one that is under way.
type liveExchange struct {
	kind string
	path string
	*client
	stage *stage
	body  io.Reader // of its answer
	moved int       // pieces
}

// begins opens an exchange and has its first piece pass.
func (a *liveApp) begins(c *client, kind, path string) *liveExchange {
	c.t.Helper()
	x := &liveExchange{kind: kind, path: path, client: c, stage: a.stage(path)}
	switch kind {
	case "tunnel":
		if c.h2 != nil { // its tunnels are exchanges with both bodies at once
			c.send(strings.Replace(chunkedPost("", ""), " / ", " "+path+" ", 1))
			x.body = c.hasHead(path)
			break
		}
		c.send(strings.Replace(upgradeHead, "/chat", path, 1))
		c.wantSwitch()
	case "upload":
		c.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", path, pieces*len(piece)))
	case "held":
		c.send(get(path))
		waitFor(c.t, "the application has the request", func() bool { return a.head(path) != "" })
		return x
	default:
		c.send(get(path))
		x.body = c.hasHead(path)
	}
	x.moves()
	return x
}

// hasHead reads an answer's head and returns its body.
func (c *client) hasHead(path string) io.Reader {
	c.t.Helper()
	answer, err := http.ReadResponse(c.r, &http.Request{Method: "GET"})
	if err != nil || answer.StatusCode != 200 {
		c.t.Fatalf("%s: got %v (%v)", path, answer, err)
	}
	return answer.Body
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }

// moves has one more piece pass.
func (x *liveExchange) moves() {
	x.t.Helper()
	x.moved++
	from := x.body
	switch x.kind {
	case "held":
		return
	case "upload":
		x.send(piece)
		waitFor(x.t, "the application has the piece", func() bool { return x.stage.received() >= x.moved*len(piece) })
		return
	case "tunnel":
		if x.h2 != nil {
			x.send(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
			break
		}
		x.send(piece)
		from = x.r
	default:
		x.stage.cues <- struct{}{}
	}
	got := make([]byte, len(piece))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != piece {
		x.t.Errorf("%s: piece %d came as %q (%v)", x.path, x.moved, got, err)
	}
}

// ends lets the exchange come to its end, which must be a whole one.
func (x *liveExchange) ends() {
	x.t.Helper()
	for x.kind != "tunnel" && x.kind != "held" && x.moved < pieces {
		x.moves()
	}
	if x.kind == "tunnel" && x.h2 != nil {
		x.send("0\r\n\r\n")
		if rest, err := io.ReadAll(x.body); err != nil || len(rest) > 0 {
			x.t.Errorf("%s: after the last piece: %q (%v), want the answer's end", x.path, rest, err)
		}
		return
	}
	switch x.kind {
	case "tunnel":
		if err := x.CloseWrite(); err != nil {
			x.t.Errorf("%s: ending: %v", x.path, err)
		}
		x.wantEnd()
		return
	case "held":
		x.stage.cues <- struct{}{}
		x.wantAnswer("GET", 200, "ok")
	case "upload":
		x.wantAnswer("POST", 200, "ok")
	default:
		if rest, err := io.ReadAll(x.body); err != nil || len(rest) > 0 {
			x.t.Errorf("%s: after the last piece: %q (%v), want the answer's end", x.path, rest, err)
		}
	}
}

// isCut wants the exchange broken off so that both sides can tell.
func (x *liveExchange) isCut() {
	x.t.Helper()
	if rest := x.wantCut(); rest != "" {
		x.t.Errorf("%s: before the cut came %q", x.path, rest)
	}
	select {
	case <-x.stage.over:
	case <-time.After(hang):
		x.t.Errorf("%s: the application was not told that it is over", x.path)
	}
}
