package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEveryAnswerIsVerified(t *testing.T) {
	head := func(lines ...string) string { return "HTTP/1.1 200 OK\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" }
	large := string(pattern(mebibyte))
	for _, c := range []struct{ name, want, answer, err string }{
		{"right", "hello", head("Content-Length: 5") + "hello", ""},
		{"right, written otherwise", "hello", "HTTP/1.1 200 \r\nserver: x\r\ncontent-length:5\r\nconnection: keep-alive\r\n\r\nhello", ""},
		{"large", large, head("Content-Length: 1048576") + large, ""},
		{"another status", "hello", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello", `answered "HTTP/1.1 502 Bad Gateway"`},
		{"another byte", "hello", head("Content-Length: 5") + "hellO", "other bytes"},
		{"a byte of a large one", large, head("Content-Length: 1048576") + large[:mebibyte-1] + "\x00", "other bytes"},
		{"parts exchanged", large, head("Content-Length: 1048576") + large[4096:8192] + large[:4096] + large[8192:], "other bytes"},
		{"another length", "hello", head("Content-Length: 6") + "hello!", "Content-Length of 6, want 5"},
		{"no length", "hello", head("Server: x") + "hello", "Content-Length of -1"},
		{"two lengths", "hello", head("Content-Length: 5", "Content-Length: 5") + "hello", "wrong Content-Length"},
		{"in chunks", "hello", head("Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n", "Content-Length of -1"},
		{"too much", "hello", head("Content-Length: 5") + "hello!", "too many"},
		{"cut", "hello", head("Content-Length: 5") + "hel", "cut after 3 of 5"},
		{"a large one cut", large, head("Content-Length: 1048576") + large[:mebibyte-1], "cut after 1048575 of 1048576"},
		{"cut in its head", "hello", "HTTP/1.1 200 OK\r\nContent-Le", "cut in an answer's head"},
		{"nothing", "hello", "", "cut in an answer's head"},
		{"a head without end", "hello", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1000), "no end"},
		{"it closes", "hello", head("Content-Length: 5", "Connection: close") + "hello", "closes"},
	} {
		for how, from := range map[string]io.Reader{"": strings.NewReader(c.answer), ", byte by byte": iotest.OneByteReader(strings.NewReader(c.answer))} {
			if c.err == "too many" && how != "" {
				continue // the next answer's reader would see it
			}
			err := newAnswers(from, []byte(c.want)).next()
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%s%s: got %v, want %q", c.name, how, err, c.err)
			}
		}
	}
}

// serveHTTP2 is net/http's server with a handler.
func serveHTTP2(t *testing.T, handler http.HandlerFunc) *h2Stream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &only}
	ended := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(ended)
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &h2Stream{on: openH2(conn), path: "/small", want: []byte(smallAnswer), answer: make(chan error, 1)}
	t.Cleanup(func() {
		s.close()
		_ = server.Close()
		<-ended
	})
	return s
}

func TestEveryAnswerOverHTTP2IsVerified(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		err     string
	}{
		{"right", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallAnswer) }, ""},
		{"another status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "answered 502"},
		{"other bytes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello worlD\n") }, "other bytes"},
		{"cut", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallAnswer[:5]) }, "5 bytes, want 12"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "0 bytes, want 12"},
		{"too much", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallAnswer+"!") }, "other bytes"},
		{"reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "reset"},
	} {
		s := serveHTTP2(t, c.handler)
		for range 2 { // a connection serves on after a wrong answer
			err := s.exchange()
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.err)
			}
		}
	}
}

func TestALostHTTP2ConnectionIsAnError(t *testing.T) {
	s := serveHTTP2(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallAnswer) })
	if err := s.exchange(); err != nil {
		t.Fatal(err)
	}
	_ = s.on.conn.Close()
	<-s.on.ended
	if err := s.exchange(); err == nil {
		t.Error("got no error")
	}
}

// serveApplication is the application at the other end of a pipe.
func serveApplication(t *testing.T) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	ended := make(chan struct{})
	go func() {
		newApplication().serve(server)
		close(ended)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-ended
	})
	return client
}

func TestAMessageComesBackAsItWas(t *testing.T) {
	talking, err := upgrade(serveApplication(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := talking.exchange(); err != nil {
			t.Error(err)
		}
	}
	talking.message[len(talking.message)-1] ^= 1
	if err := talking.exchange(); err == nil || !strings.Contains(err.Error(), "as another") {
		t.Errorf("another message: got %v", err)
	}
}

// RFC 6455 §5.7's example of a masked text message, "Hello", in the longer form of a
// length (§5.2) and as binary.
func TestAFrameIsMaskedAsTheProtocolSays(t *testing.T) {
	want := []byte{0x82, 0xfe, 0x00, 0x05, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	if got := frame([]byte("Hello"), true); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestTheApplicationComparesUploads(t *testing.T) {
	right := pattern(kibibytes64)
	changed := append([]byte(nil), right...)
	changed[kibibytes64/2] ^= 1
	for _, c := range []struct {
		name   string
		body   []byte
		status int
	}{{"right", right, 200}, {"changed", changed, 400}, {"of another length", right[:100], 400}} {
		conn := serveApplication(t)
		go func() { _, _ = conn.Write(putRequest("/upload", c.body)) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if answer.StatusCode != c.status {
			t.Errorf("%s: got %d, want %d", c.name, answer.StatusCode, c.status)
		}
	}
}

func TestPeersMustTellWhoTheClientIs(t *testing.T) {
	told := func(verified, dn, from string) http.Header {
		return http.Header{"Verified": {verified}, "Dn": {dn}, "X-Forwarded-For": {from}}
	}
	twice := told("SUCCESS", "CN=bench-client", "127.0.0.1")
	twice.Add("VERIFIED", "SUCCESS")
	for _, c := range []struct {
		name  string
		told  http.Header
		known bool
		right bool
	}{
		{"known", told("SUCCESS", "CN=bench-client,O=Bench", "127.0.0.1"), true, true},
		{"unknown", told("NONE", "(null)", "127.0.0.1"), false, true},
		{"unknown as known", told("SUCCESS", "", "127.0.0.1"), false, false},
		{"known as unknown", told("NONE", "", "127.0.0.1"), true, false},
		{"nameless", told("SUCCESS", "", "127.0.0.1"), true, false},
		{"the client's word", told("NONE", "CN="+forged, "127.0.0.1"), false, false},
		{"the client's word as well", twice, true, false},
		{"without an address", told("SUCCESS", "CN=bench-client", ""), true, false},
		{"nothing", http.Header{}, false, false},
	} {
		if err := judgeRules(c.told, c.known); (err == nil) != c.right {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestAServerWithAnotherCertificateIsRefused(t *testing.T) {
	one, err := newWorld(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other, err := newWorld(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		world *world
		right bool
	}{{one, true}, {other, false}} {
		pair, err := tls.LoadX509KeyPair(one.folder+"/server.crt", one.folder+"/server.key")
		if err != nil {
			t.Fatal(err)
		}
		client, server := net.Pipe()
		go func() {
			_ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
			_ = server.Close()
		}()
		err = tls.Client(client, c.world.clientTLS(c.world.client)).Handshake()
		_ = client.Close()
		if (err == nil) != c.right {
			t.Errorf("got %v, want it to succeed: %t", err, c.right)
		}
	}
}
