package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// writing is an application that writes fixed bytes and closes.
func writing(answer string) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		_, _, _ = appBody(r, head)
		_, _ = io.WriteString(conn, answer)
		return false
	}
}

func TestABrokenHeadIsA502(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct{ what, answer string }{
		{"nothing", ""},
		{"garbage", "garbage\r\n\r\n"},
		{"half a head", status + "Content-Le"},
		{"two lengths", status + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"},
		{"the same length twice", status + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"},
		{"a list of lengths", status + "Content-Length: 2, 2\r\n\r\nab"},
		{"a negative length", status + "Content-Length: -2\r\n\r\nab"},
		{"length and coding", status + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"another coding", status + "Transfer-Encoding: gzip\r\n\r\nab"},
		{"two codings", status + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{"a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a coding with 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nab"},
		{"obs-fold", status + "X: a\r\n b\r\nContent-Length: 2\r\n\r\nab"},
		{"space before the colon", status + "Content-Length : 2\r\n\r\nab"},
		{"a control byte", status + "X: a\x00b\r\nContent-Length: 2\r\n\r\nab"},
		{"a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nab"},
		{"a status above 599", "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nab"},
		{"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nab"},
		{"an empty line first", "\r\n" + status + "Content-Length: 2\r\n\r\nab"},
		{"an endless head", status + strings.Repeat("X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 3000)},
		{"too many fields", status + strings.Repeat("X: a\r\n", 300) + "Content-Length: 2\r\n\r\nab"},
		{"101 unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
	} {
		t.Run(test.what, func(t *testing.T) {
			app := startBackend(t, writing(test.answer))
			s := startSidecar(t, app.url)
			c := s.dial(t, nil)
			c.send(simpleGet, smuggled)
			c.wantRefusal("GET", 502)
			app.seen(t)
			app.sawNothing(t)
			if logged := len(s.logged("reading the application's answer failed")); logged != 1 {
				t.Errorf("%d lines were logged, want 1", logged)
			}
		})
	}
}

func TestABodyCutShortDoesNotLookWhole(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	const chunked = status + "Transfer-Encoding: chunked\r\n\r\n"
	for _, test := range []struct{ what, answer, want string }{
		{"a length not reached", status + "Content-Length: 5\r\n\r\nhel", status + "Content-Length: 5\r\n\r\nhel"},
		{"a length and no body", status + "Content-Length: 5\r\n\r\n", status + "Content-Length: 5\r\n\r\n"},
		{"no last chunk", chunked + "3\r\nhel\r\n", chunked + "3\r\nhel\r\n"},
		{"half a chunk", chunked + "5\r\nhel", chunked + "3\r\nhel\r\n"},
		{"no empty line after the last chunk", chunked + "3\r\nhel\r\n0\r\n", chunked + "3\r\nhel\r\n"},
		{"a bad chunk size", chunked + "3\r\nhel\r\nxyz\r\n", chunked + "3\r\nhel\r\n"},
		{"data longer than its chunk", chunked + "3\r\nhello\r\n0\r\n\r\n", chunked + "3\r\nhel\r\n"},
		{"a bare LF", chunked + "3\nhel\r\n0\r\n\r\n", chunked},
		{"a trailer that is no field", chunked + "3\r\nhel\r\n0\r\nX : 1\r\n\r\n", chunked + "3\r\nhel\r\n"},
	} {
		t.Run(test.what, func(t *testing.T) {
			app := startBackend(t, writing(test.answer))
			c := startSidecar(t, app.url).dial(t, nil)
			c.send(simpleGet, smuggled)
			got, err := c.rest()
			// What came before the fault may have arrived or not, but no more; a
			// fault that was there before anything had gone out is a 502.
			switch {
			case strings.HasPrefix(got, "HTTP/1.1 502 ") && err == nil:
			case err == nil:
				t.Errorf("the connection ended cleanly after %q: a client would take that for the whole answer", got)
			case !strings.HasPrefix(c.kept(test.want), c.kept(got)):
				t.Errorf("the client got\n%q\nwhich is not a part of\n%q", got, test.want)
			}
			app.seen(t)
			app.sawNothing(t)
		})
	}
}

func TestAnOldClientSeesThatABodyWasCutShort(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	} {
		app := startBackend(t, writing(answer))
		c := startSidecar(t, app.url).dial(t, nil)
		c.send("GET / HTTP/1.0\r\n\r\n")
		c.wantCut()
	}
}

func TestAResetInACloseDelimitedAnswerIsACut(t *testing.T) {
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nhel")
		_, _ = r.ReadByte() // wait until the client has seen it
		_ = conn.(*net.TCPConn).SetLinger(0)
		return false
	})
	c := startSidecar(t, app.url).dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(answer.Body, make([]byte, len("hel"))); err != nil {
		t.Fatal(err)
	}
	c.send("x")
	if rest := c.wantCut(); rest != "" {
		t.Errorf("after the reset the client got %q", rest)
	}
}

func TestAHeadInManyPiecesIsPutTogether(t *testing.T) {
	large := "X-Large: " + strings.Repeat("v", 20<<10) + "\r\n" // more than the first buffer holds
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		for _, piece := range []string{"HTTP/1.1 2", "00 OK\r\nContent-Length: 2", "\r", "\n" + large[:100], large[100:], "\r\nok"} {
			if _, err := io.WriteString(conn, piece); err != nil {
				return false
			}
		}
		return true
	})
	c := startSidecar(t, app.url).dial(t, nil)
	for range 2 {
		c.send(simpleGet)
		if answer := c.wantAnswer("GET", 200, "ok"); len(answer.Header.Get("X-Large")) != 20<<10 {
			t.Errorf("X-Large has %d bytes", len(answer.Header.Get("X-Large")))
		}
	}
}

func TestALargeRequestHeadWithinTheLimitPasses(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	c := startSidecar(t, app.url).dial(t, nil)
	large := strings.Repeat("v", 30<<10)
	for range 2 {
		c.send("GET / HTTP/1.1\r\nHost: h\r\nX-Large: ", large, "\r\n\r\n")
		c.wantAnswer("GET", 200, "ok")
		if got := values(app.seen(t), "X-Large"); len(got) != 1 || got[0] != large {
			t.Error("the field did not arrive whole")
		}
	}
}

func TestAFaultInABodyOfWhichNothingWasSentIsA502(t *testing.T) {
	app := startBackend(t, writing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"))
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(simpleGet)
	c.wantRefusal("GET", 502)
}
