package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// refusing answers when it has seen the head, reads nothing more and stays.
func refusing(answer string) exchangeFunc {
	return func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(io.Discard, onlyReader{conn})
		return false
	}
}

// onlyReader hides what else a connection can do.
type onlyReader struct{ io.Reader }

const tooEarly = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nsign in"

func TestAnEarlyAnswerReachesAClientThatIsStillSending(t *testing.T) {
	for what, request := range map[string]string{
		"length":  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nbegun",
		"chunked": chunkedPost("", "5\r\nbegun\r\n"),
		"asking":  "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n",
	} {
		app := startBackend(t, refusing(tooEarly))
		c := startSidecar(t, app.url).dial(t, nil)
		c.send(request)
		if !c.asksTheApplication() && what == "asking" {
			// A 100 that nobody has asked the application for, if its answer was not there first.
			if start, _ := c.r.Peek(len("HTTP/1.1 100")); string(start) == "HTTP/1.1 100" {
				c.answer("POST")
			}
		}
		if answer := c.wantAnswer("POST", 401, "sign in"); !answer.Close && c.endsConnections() {
			t.Errorf("%s: the answer lacks Connection: close, but the rest of the body would be the next request", what)
		}
		c.wantLast()
	}
}

func TestAnEarlyAnswerIsNotLostToAReset(t *testing.T) {
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, tooEarly)
		return false // with bytes unread: the sidecar gets a reset
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", strings.Repeat("u", 8<<10))
	c.wantAnswer("POST", 401, "sign in")
	for range 20 {
		c.send(strings.Repeat("u", 10<<10))
	}
	c.wantLast()
}

func TestTheRestOfABodyAfterAnEarlyAnswerIsNoRequest(t *testing.T) {
	app := startBackend(t, refusing(tooEarly))
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
	c.wantAnswer("POST", 401, "sign in")
	c.send(smuggled)
	if rest := c.wantEnd(); rest != "" {
		t.Errorf("the client got %q", rest)
	}
	app.seen(t)
	app.sawNothing(t)
}

func TestContinueIsAskedForAndGranted(t *testing.T) {
	got := make(chan received, 1)
	reading := readingAll(got, okAnswer)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if asked := strings.Contains(head, "\r\nexpect: 100-Continue\r\n"); asked != (modeOf(t) != overHTTP2) {
			t.Errorf("the application was asked: %t\n%s", asked, head)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\nX-A: 1\r\nConnection: X-B\r\nX-B: 2\r\n\r\n")
		return reading(conn, r, head)
	})
	c := startSidecar(t, app.url).dial(t, nil)
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: h\r\nexpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
		want := "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n"
		if !c.asksTheApplication() {
			want = "HTTP/1.1 100 Continue\r\n\r\n"
		}
		interim := make([]byte, len(want))
		if _, err := io.ReadFull(c.r, interim); err != nil || string(interim) != want {
			t.Fatalf("got %q (%v)", interim, err)
		}
		c.send("hello")
		c.wantAnswer("POST", 200, "ok")
		if body := await(t, "the body", got); body.body != "hello" {
			t.Errorf("the application got %q (%v)", body.body, body.err)
		}
	}
}

func TestInterimAnswersGoToThoseWhoUnderstandThem(t *testing.T) {
	const interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	app := startBackend(t, answering(interim+"HTTP/1.1 100 Continue\r\n\r\n"+okAnswer))
	s := startSidecar(t, app.url)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n": interim + okOld, // 100 was not asked for
		"GET / HTTP/1.0\r\n\r\n":                                 okOld,
	} {
		c := s.dial(t, nil)
		if !c.keepsFields() && strings.Contains(request, "HTTP/1.0") {
			continue // nobody is that old there
		}
		c.send(request)
		if got := c.wantEnd(); c.kept(got) != c.kept(want) {
			t.Errorf("%q: got\n%q\nwant\n%q", request, got, want)
		}
	}
}

func TestAnInterimAnswerComesBeforeTheFinalOneIsThere(t *testing.T) {
	release := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n\r\n")
		<-release
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(simpleGet)
	answer, err := http.ReadResponse(c.r, nil)
	close(release)
	if err != nil || answer.StatusCode != 103 {
		t.Fatalf("got %v (%v), want 103", answer, err)
	}
	c.wantAnswer("GET", 200, "ok")
}

func TestAnAnswerComesAsItIsWritten(t *testing.T) {
	step := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
		for range 3 {
			<-step
			_, _ = io.WriteString(conn, "data: x\n\n")
		}
		return false
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(simpleGet)
	answer, err := http.ReadResponse(c.r, nil) // the head alone, first
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		step <- struct{}{}
		event := make([]byte, len("data: x\n\n"))
		if _, err := io.ReadFull(answer.Body, event); err != nil || string(event) != "data: x\n\n" {
			t.Fatalf("got %q (%v)", event, err)
		}
	}
}

func TestABodyGoesOnAsItComes(t *testing.T) {
	pieces := make(chan string)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		for range 3 {
			piece := make([]byte, 3)
			_, _ = io.ReadFull(r, piece)
			pieces <- string(piece)
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
	for _, piece := range []string{"one", "two", "333"} {
		c.send(piece)
		if got := await(t, "a piece of the body", pieces); got != piece {
			t.Errorf("the application got %q, want %q", got, piece)
		}
	}
	c.wantAnswer("POST", 200, "ok")
}

func TestAnUpgradeIsNeitherAskedForNorAnnounced(t *testing.T) {
	app := startBackend(t, answering("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nno"))
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	answer := c.wantAnswer("GET", 426, "no")
	if answer.Header.Get("Upgrade") != "" || answer.Header.Get("Connection") != "" {
		t.Errorf("the client got %v", answer.Header)
	}
	if head := strings.ToLower(app.seen(t)); strings.Contains(head, "upgrade") || strings.Contains(head, "http2") || strings.Contains(head, "connection") {
		t.Errorf("the application got\n%s", head)
	}
}

func TestAnAbandonedUploadIsNoWholeRequest(t *testing.T) {
	for what, request := range map[string]string{
		"length":              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
		"chunked":             chunkedPost("", "4\r\nhalf\r\n"),
		"chunked, in a chunk": chunkedPost("", "8\r\nhalf"),
		"chunked, at the end": chunkedPost("", "4\r\nhalf\r\n0\r\n"),
		"torn":                chunkedPost("", "4\r\nhalf\r\n"),
	} {
		got := make(chan received, 1)
		app := startBackend(t, readingAll(got, okAnswer))
		c := startSidecar(t, app.url).dial(t, nil)
		c.send(request)
		app.seen(t)
		if what == "torn" {
			c.tail.Close()
		} else {
			c.Close()
		}
		if body := await(t, "the application sees the end", got); body.err == nil {
			t.Errorf("%s: the application took %q for a whole body", what, body.body)
		}
	}
}
