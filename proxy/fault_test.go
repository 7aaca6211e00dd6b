package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An application can die, stall or talk out of turn at any point of an
// exchange. Whatever it does, the client sees a whole answer or can tell that it
// has none, and the next client is served.

// outcome is what a client sees of a request: the status of a whole answer, or
// an answer that is visibly cut short (a 502 as long as nothing of it has been
// passed on).
type outcome int

const cutShort outcome = 0

// fault is one way to fail. It is run once the request's head has been read, and
// its body too where it says so; then the connection is closed.
type fault struct {
	what  string
	reads bool // the request's body, first
	do    func(conn net.Conn, held <-chan struct{})
	want  outcome
	dies  bool // it may be without a byte of an answer: a safe request is then sent once more
	mute  bool // and it certainly is
	stays bool // reads on and serves the next request
	waits bool // says and does nothing more, until MTLS_UPSTREAM_TIMEOUT has passed
}

func applicationFaults() []fault {
	say := func(text string) func(net.Conn, <-chan struct{}) {
		return func(conn net.Conn, _ <-chan struct{}) { _, _ = io.WriteString(conn, text) }
	}
	reset := func(text string) func(net.Conn, <-chan struct{}) {
		return func(conn net.Conn, _ <-chan struct{}) {
			_, _ = io.WriteString(conn, text)
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	}
	stall := func(text string) func(net.Conn, <-chan struct{}) {
		return func(conn net.Conn, held <-chan struct{}) {
			_, _ = io.WriteString(conn, text)
			<-held
		}
	}
	const (
		halfHead = "HTTP/1.1 200 OK\r\nContent-Le"
		head     = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
		chunked  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
		endless  = "HTTP/1.1 200 OK\r\n\r\n"
	)
	return []fault{
		{what: "closes before the head", reads: true, do: say(""), want: 502, dies: true, mute: true},
		{what: "closes in the head", reads: true, do: say(halfHead), want: 502},
		{what: "closes after the head", reads: true, do: say(head), want: cutShort},
		{what: "closes in a body of known length", reads: true, do: say(head + "half"), want: cutShort},
		{what: "closes in a chunked body", reads: true, do: say(chunked), want: cutShort},
		{what: "closes before the last empty line", reads: true, do: say(chunked + "0\r\n"), want: cutShort},
		{what: "resets before the head", reads: true, do: reset(""), want: 502, dies: true, mute: true},
		{what: "resets in the head", reads: true, do: reset(halfHead), want: 502, dies: true}, // what it said may be lost with it
		{what: "closes while the request comes", do: say(""), want: 502, dies: true, mute: true},
		{what: "resets while the request comes", do: reset(""), want: 502, dies: true, mute: true},
		{what: "stalls before the head", reads: true, do: stall(""), want: 504, waits: true},
		{what: "stalls in the head", reads: true, do: stall(halfHead), want: 504, waits: true},
		{what: "stalls in a body of known length", reads: true, do: stall(head + "half"), want: cutShort, waits: true},
		{what: "stalls in a chunked body", reads: true, do: stall(chunked), want: cutShort, waits: true},
		{what: "stalls in a body without end", reads: true, do: stall(endless + "half"), want: cutShort, waits: true},
		{what: "stops reading", do: stall(""), want: 504, waits: true},
		{what: "stops reading after half a head", do: stall(halfHead), want: 504, waits: true},
		{what: "answers while the request comes, and closes", do: say(tooEarly), want: 401},
		{what: "answers while the request comes, and stays", do: say(tooEarly), want: 401, stays: true},
		{what: "answers while the request comes, and resets", do: reset(tooEarly), want: 401, dies: true},
	}
}

// faultyRequests are the requests that meet a fault: without a body, with a
// small one that goes out with the head, with one larger than all buffers.
func faultyRequests() map[string]string {
	const large = 1 << 20
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 10<<10, strings.Repeat("c", 10<<10))
	head := "POST /fault HTTP/1.1\r\nHost: h\r\n"
	return map[string]string{
		"none":           "GET /fault HTTP/1.1\r\nHost: h\r\n\r\n",
		"small, length":  head + "Content-Length: 5\r\n\r\nsmall",
		"small, chunked": head + "Transfer-Encoding: chunked\r\n\r\n5\r\nsmall\r\n0\r\n\r\n",
		"large, length":  head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", large, strings.Repeat("l", large)),
		"large, chunked": head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, large/(10<<10)) + "0\r\n\r\n",
	}
}

func TestWhateverTheApplicationDoesTheClientCanTellAndTheNextIsServed(t *testing.T) {
	for _, f := range applicationFaults() {
		t.Run(f.what, func(t *testing.T) {
			t.Parallel()
			for body, request := range faultyRequests() {
				for _, kept := range []bool{false, true} {
					if f.waits && kept == strings.HasPrefix(body, "large") {
						continue // each of these takes its time: half of them do
					}
					t.Run(fmt.Sprintf("%s/kept=%t", body, kept), func(t *testing.T) {
						meetFault(t, f, request, kept)
					})
				}
			}
		})
	}
}

// meetFault sends one request to an application that fails, on a kept or a fresh
// connection, then another.
func meetFault(t *testing.T, f fault, request string, kept bool) {
	held := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if !strings.Contains(head, " /fault ") {
			_, err := io.WriteString(conn, okAnswer)
			return err == nil
		}
		switch {
		case f.reads:
			_, _, _ = appBody(r, head)
		case f.waits:
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		f.do(conn, held)
		if f.stays {
			_, _, err := appBody(r, head)
			return err == nil
		}
		return false
	})
	t.Cleanup(func() { close(held) })
	timeout := hang
	if f.waits {
		timeout = 200 * time.Millisecond
	}
	s := startSidecar(t, app.url, "MTLS_UPSTREAM_TIMEOUT="+timeout.String(), "MTLS_UPSTREAM_EXPOSED=ignore")
	c := s.dial(t, nil)
	want := 1
	if kept {
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "ok")
		waitFor(t, "the connection is kept", func() bool { return s.pool.Idle() == 1 })
		app.seen(t)
		if f.dies && strings.HasPrefix(request, "GET") {
			want = 2
		}
	}
	c.sendAside(request)
	c.wantOutcome(f.want)

	next := s.dial(t, nil)
	next.send(simpleGet)
	next.wantAnswer("GET", 200, "ok")
	attempts := 0
	for head := app.seen(t); strings.Contains(head, " /fault "); head = app.seen(t) {
		attempts++
	}
	if attempts > want || attempts == 0 || (attempts < want && f.mute) {
		t.Errorf("the application got the request %d times, want %d", attempts, want)
	}
}

// wantOutcome reads what comes of a request.
func (c *client) wantOutcome(want outcome) {
	c.t.Helper()
	if want == cutShort {
		got, err := c.rest()
		if err == nil && !strings.HasPrefix(got, "HTTP/1.1 502 ") {
			c.t.Errorf("the connection ended cleanly after %q: a client would take that for the whole answer", got)
		}
		return
	}
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("reading the answer: %v, want %d", err, want)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != int(want) {
		c.t.Fatalf("got %d %q (%v), want a whole %d", answer.StatusCode, body, err, want)
	}
	if want == 401 && string(body) != "sign in" {
		c.t.Errorf("got %q, want what the application said", body)
	}
	if want > 500 && !answer.Close && c.endsConnections() {
		c.t.Error("our own answer lacks Connection: close")
	}
}
