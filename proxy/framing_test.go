package proxy

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

func TestEveryFramingOfAnAnswerReachesTheClient(t *testing.T) {
	const status = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct {
		what, method string
		answer       string // of an application that closes after it
		want         string // all that a client gets that keeps its connection
	}{
		{"a length", "GET", status + "X-a: 1\r\nContent-Length: 5\r\n\r\nhello", status + "X-a: 1\r\nContent-Length: 5\r\n\r\nhello"},
		{"a length of nothing", "GET", status + "Content-Length: 0\r\n\r\n", status + "Content-Length: 0\r\n\r\n"},
		{"chunks", "GET", status + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			status + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"chunks with extensions and trailers", "GET",
			status + "trailer: X-Sum\r\ntransfer-encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n2;c\r\nlo\r\n0;d\r\nX-Sum: 9\r\nContent-Length: 4\r\n\r\n",
			status + "trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 9\r\n\r\n"},
		{"no chunk at all", "GET", status + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"the connection's end", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", status + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"the connection's end at once", "GET", "HTTP/1.1 200 OK\r\n\r\n", status + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nhello", status + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"HTTP/1.0 with a length", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", status + "Content-Length: 5\r\n\r\nhello"},
		{"HEAD with a length", "HEAD", status + "Content-Length: 5\r\n\r\n", status + "Content-Length: 5\r\n\r\n"},
		{"HEAD with chunks", "HEAD", status + "Transfer-Encoding: chunked\r\n\r\n", status + "\r\n"},
		{"HEAD without either", "HEAD", status + "\r\n", status + "\r\n"},
		{"204", "GET", "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n"},
		{"204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n"},
		{"an empty reason", "GET", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
		{"odd names and values", "GET", status + "sEt-cookie:a\r\nSet-Cookie:  b\xe9 \r\nX_y: \r\nContent-Length: 0\r\n\r\n",
			status + "sEt-cookie: a\r\nSet-Cookie: b\xe9\r\nX_y: \r\nContent-Length: 0\r\n\r\n"},
		{"hop-by-hop fields", "GET", status + "Connection: X-Mine, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
			status + "Content-Length: 0\r\n\r\n"},
	} {
		t.Run(test.what, func(t *testing.T) {
			app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, head string) bool {
				if strings.Contains(head, "/last") {
					_, _ = io.WriteString(conn, okOld)
				} else {
					_, _ = io.WriteString(conn, test.answer)
				}
				return false
			})
			s := startSidecar(t, app.url)
			c := s.dial(t, nil)
			c.send(test.method, " / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			want := test.want + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
			if got := c.wantEnd(); c.kept(got) != c.kept(want) {
				t.Errorf("the client got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestEveryFramingOfARequestReachesTheApplication(t *testing.T) {
	got := make(chan received, 1)
	app := startBackend(t, readingAll(got, okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for _, test := range []struct {
		what, raw, framing, body string
		trailer                  []string
	}{
		{"no body", "POST / HTTP/1.1\r\nHost: h\r\n\r\n", "", "", nil},
		{"a length", post("hello"), "Content-Length: 5", "hello", nil},
		{"a length of nothing", post(""), "Content-Length: 0", "", nil},
		{"GET with a body", "GET / HTTP/1.1\r\nHost: h\r\ncontent-length: 02\r\n\r\nhi", "content-length: 02", "hi", nil},
		{"chunks", chunkedPost("", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "Transfer-Encoding: chunked", "hello!", nil},
		{"no chunk", chunkedPost("", "0\r\n\r\n"), "Transfer-Encoding: chunked", "", nil},
		{"extensions and trailers", chunkedPost("Trailer: X-Sum\r\n", "005;a=\"b;c\"\r\nhello\r\n00;x\r\nX-Sum: 9\r\n\r\n"),
			"Transfer-Encoding: chunked", "hello", []string{"X-Sum: 9"}},
		{"upper case", "POST / HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "0123456789", nil},
	} {
		c.send(test.raw)
		c.wantAnswer("POST", 200, "ok")
		body := await(t, "the body", got)
		if body.body != test.body || !slices.Equal(body.trailer, test.trailer) {
			t.Errorf("%s: the application got %q and %q, want %q and %q", test.what, body.body, body.trailer, test.body, test.trailer)
		}
		var framing []string
		for _, line := range lines(app.seen(t)) {
			if name, _, _ := strings.Cut(strings.ToLower(line), ":"); name == "content-length" || name == "transfer-encoding" {
				framing = append(framing, line)
			}
		}
		if got := strings.Join(framing, "|"); got != test.framing && (c.keepsFields() || !strings.EqualFold(got, test.framing)) {
			t.Errorf("%s: the application is told %q, want %q", test.what, framing, test.framing)
		}
	}
}

func TestTargetsReachTheApplicationInOriginForm(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for _, test := range []struct{ sent, want string }{
		{"GET /", "GET /"},
		{"GET //a//../b?c=?d%00", "GET //a//../b?c=?d%00"},
		{"GET http://h/a?b", "GET /a?b"},
		{"GET HTTPS://H", "GET /"},
		{"GET http://h?a/b", "GET /?a/b"},
		{"OPTIONS *", "OPTIONS *"},
		{"OPTIONS http://h", "OPTIONS *"},
		{"OPTIONS http://h/", "OPTIONS /"},
		{"OPTIONS /x", "OPTIONS /x"},
		{"M-SEARCH /x", "M-SEARCH /x"},
		{"get /x", "get /x"},
	} {
		if modeOf(t) == overHTTP2 && strings.Contains(test.sent, "://") {
			continue // a :path is a path (RFC 9113 §8.3.1)
		}
		c.send(test.sent, " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.wantAnswer("GET", 200, "ok")
		if got, _, _ := strings.Cut(app.seen(t), "\r\n"); got != test.want+" HTTP/1.1" {
			t.Errorf("%s: the application got %q, want %q", test.sent, got, test.want+" HTTP/1.1")
		}
	}
}

func TestAnEmptyLineBeforeARequestIsIgnored(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send("\r\n", simpleGet, "\r\n", simpleGet)
	c.wantAnswer("GET", 200, "ok")
	c.wantAnswer("GET", 200, "ok")
}

func TestOldClientsGetWhatTheyUnderstand(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct{ what, request, answer, want string }{
		{"chunks are taken out", "GET / HTTP/1.0\r\n\r\n",
			ok + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", ok + "Connection: close\r\n\r\nhello"},
		{"chunks are taken out though the client would stay", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ok + "Connection: close\r\n\r\nhello"},
		{"the end of the connection stays", "GET / HTTP/1.0\r\n\r\n", ok + "Connection: close\r\n\r\nhello", ok + "Connection: close\r\n\r\nhello"},
		{"a length stays", "GET / HTTP/1.0\r\n\r\n", ok + "Content-Length: 5\r\n\r\nhello", ok + "Content-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"keep-alive is granted", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", okAnswer,
			ok + "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok" + ok + "Content-Length: 2\r\nConnection: close\r\n\r\nok"},
	} {
		t.Run(test.what, func(t *testing.T) {
			app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
				_, _ = io.WriteString(conn, test.answer)
				return false
			})
			c := startSidecar(t, app.url).dial(t, nil)
			c.send(test.request)
			if got := c.wantEnd(); got != test.want {
				t.Errorf("the client got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

func TestAnOldClientWithoutHostIsGivenOne(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send("GET /x HTTP/1.0\r\nX-Forwarded-Host: spoofed\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	head := app.seen(t)
	if got := values(head, "Host"); !slices.Equal(got, []string{strings.TrimPrefix(app.url, "http://")}) {
		t.Errorf("Host is %q, want the application's address", got)
	}
	if !strings.HasPrefix(head, "GET /x HTTP/1.1\r\n") || strings.Contains(head, "X-Forwarded-Host") {
		t.Errorf("the application got\n%s", head)
	}
}
