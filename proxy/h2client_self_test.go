package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// dialH2 connects the test's client to any server.
func dialH2(t *testing.T, addr string) *client {
	t.Helper()
	socket, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(hang))
	config := clientConfig(nil)
	config.NextProtos = []string{"h2"}
	tail := &recordTail{Conn: socket}
	conn := tls.Client(tail, config)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return (&client{Conn: conn, r: bufio.NewReader(conn), t: t, tail: tail}).carried()
}

// plainH2 is net/http's own server.
func plainH2(t *testing.T, handler http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return dialH2(t, server.Listener.Addr().String())
}

// What the translating client says must be what the test has written, or a test over
// HTTP/2 would be about something else.
func TestTheClientSaysInHTTP2WhatWasWrittenInHTTP1(t *testing.T) {
	c := plainH2(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-End")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "%s %s %s %s %q %v|%s|%s|%s", r.Proto, r.Method, r.RequestURI, r.Host, body, err,
			r.Header.Get("X-A"), r.Trailer.Get("X-Sum"), r.Header.Get("Content-Length"))
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-End", "9")
	})
	for _, test := range []struct{ method, raw, want string }{
		{"GET", "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX-A:  1 \r\n\r\n", `HTTP/2.0 GET /a?b h:1 "" <nil>|1||`},
		{"POST", post("hello"), `HTTP/2.0 POST / h "hello" <nil>|||5`},
		{"POST", chunkedPost("Trailer: X-Sum\r\n", "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n"), `HTTP/2.0 POST / h "hello" <nil>||7|`},
		{"POST", chunkedPost("", "0\r\n\r\n"), `HTTP/2.0 POST / h "" <nil>|||`},
	} {
		for _, size := range []int{1, len(test.raw)} {
			for at := 0; at < len(test.raw); at += size {
				c.send(test.raw[at:min(at+size, len(test.raw))])
			}
			if interim, _ := c.answer(test.method); interim.StatusCode != 103 {
				t.Errorf("got %d, want 103 first", interim.StatusCode)
			}
			answer := c.wantAnswer(test.method, 200, test.want)
			if answer.Trailer.Get("X-End") != "9" || answer.Close {
				t.Errorf("got the trailer %v, Connection: close %t", answer.Trailer, answer.Close)
			}
		}
	}
}

func TestTheClientTellsHowAStreamEnds(t *testing.T) {
	c := plainH2(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/early":
			w.WriteHeader(http.StatusUnauthorized)
		case "/last":
			w.Header().Set("Connection", "close")
		}
	})
	c.send("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n", simpleGet)
	if got := c.wantCut(); !strings.HasSuffix(got, "\r\n\r\nhalf") {
		t.Errorf("before the cut came %q", got)
	}
	if answer := c.wantAnswer("GET", 200, ""); answer.Close {
		t.Error("after a stream was cut the connection is closed")
	}
	c.send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
	c.wantAnswer("POST", 401, "")
	c.send(strings.Repeat("x", 1000000), "GET /last HTTP/1.1\r\nHost: h\r\n\r\n")
	if answer := c.wantAnswer("GET", 200, ""); !answer.Close {
		t.Error("GOAWAY is not told as Connection: close")
	}
	if rest := c.wantEnd(); rest != "" {
		t.Errorf("after the last answer came %q", rest)
	}
}

// A client that does not read takes no more than its window, and its streams do
// not wait for each other.
func TestTheClientReadsOnlyWhatTheTestReads(t *testing.T) {
	const size = 1 << 20
	written := make(chan error, 1)
	c := plainH2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/large" {
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := io.WriteString(w, strings.Repeat("x", size))
		written <- errors.Join(err, http.NewResponseController(w).Flush())
	})
	c.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := await(t, "the server gives up", written); err == nil {
		t.Error("the server could write all of it to a client that does not read")
	}
	c.wantCut()
	c.send(simpleGet)
	c.wantAnswer("GET", 200, "")
}
