package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// plain connects without TLS.
func (s *sidecar) plain(t testing.TB) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.addr, hang)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(hang))
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// quietly fails when anything but the start was logged above debug, once the
// debug line about a probe is there.
func (s *sidecar) quietly(t *testing.T, line string) {
	t.Helper()
	waitFor(t, "the debug line", func() bool { return len(s.logged(line)) == 1 })
	for _, entry := range s.logs.All() {
		if entry.Level > zapcore.DebugLevel && entry.Message != "listening" {
			t.Errorf("logged at %s: %s %v", entry.Level, entry.Message, entry.ContextMap())
		}
	}
	if got := s.logged(line)[0].ContextMap()["client.address"]; got != "127.0.0.1" {
		t.Errorf("remote: got %v", got)
	}
}

const probeLine = "closed before a TLS handshake began"

func TestPlainHTTPIsToldThatThisPortSpeaksTLS(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for name, request := range map[string]string{
		"get":                "GET /secret?q=1 HTTP/1.1\r\nHost: h\r\nX-Mark: mark\r\n\r\n",
		"post with its body": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("b", 100000),
		"options":            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"without a host":     "GET / HTTP/1.0\r\n\r\n",
		"h2c preface":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s.logs.TakeAll()
			conn := s.plain(t)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("reading the answer: %v", err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatalf("reading the page: %v", err)
			}
			if answer.StatusCode != 400 || !answer.Close || !strings.Contains(string(body), "https://") ||
				!strings.Contains(string(body), "The plain HTTP request was sent to HTTPS port") { // nginx's 497
				t.Errorf("got %d, close %t:\n%s", answer.StatusCode, answer.Close, body)
			}
			if strings.Contains(string(body), "secret") || strings.Contains(string(body), "mark") {
				t.Errorf("the page repeats the request:\n%s", body)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("after the page: got %v, want the end of the connection", err)
			}
			if len(s.logged("plain HTTP on the TLS port")) != 1 {
				t.Errorf("log: got %v", s.logs.All())
			}
		})
	}
	app.sawNothing(t)
}

func TestProbesThatNeverSpeakTLSAreLoggedAtDebugOnly(t *testing.T) {
	for name, probe := range map[string]func(t *testing.T, conn *net.TCPConn){
		"connect and close": func(_ *testing.T, conn *net.TCPConn) { conn.Close() },
		"connect and reset": func(_ *testing.T, conn *net.TCPConn) { _ = conn.SetLinger(0); conn.Close() },
		"half a record":     func(_ *testing.T, conn *net.TCPConn) { _, _ = conn.Write([]byte{0x16, 3}); conn.Close() },
		"another protocol":  func(_ *testing.T, conn *net.TCPConn) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n") },
		"bytes":             func(_ *testing.T, conn *net.TCPConn) { _, _ = conn.Write(make([]byte, 64)) },
		"SSL 2.0":           func(_ *testing.T, conn *net.TCPConn) { _, _ = conn.Write([]byte("\x80\x2e\x01\x00\x02\x00\x15")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := startSidecar(t, "http://127.0.0.1:1")
			conn := s.plain(t)
			probe(t, conn)
			s.quietly(t, probeLine)
			if got, err := io.ReadAll(conn); err == nil && strings.Contains(string(got), "HTTP") {
				t.Errorf("it was answered in HTTP: %q", got)
			}
		})
	}
}

func TestASilentConnectionIsClosedAfterTheHandshakeTimeout(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_HANDSHAKE_TIMEOUT=50ms")
	conn := s.plain(t)
	if got, err := io.ReadAll(conn); len(got) > 0 || os.IsTimeout(err) {
		t.Errorf("got %q and %v, want the end of the connection", got, err)
	}
	s.quietly(t, probeLine)
}

// helloOf records what a client sends first.
func helloOf(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(ours, clientConfig(nil)).Handshake() // it gets no answer
	}()
	hello := make([]byte, 16<<10)
	n, err := theirs.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	<-done
	return hello[:n]
}

func TestAHandshakeThatStopsHalfwayIsCutByItsDeadline(t *testing.T) {
	hello := helloOf(t)
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_HANDSHAKE_TIMEOUT=100ms")
	conn := s.plain(t)
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want the end of the connection", err)
	}
	line := "handshake not finished within MTLS_HANDSHAKE_TIMEOUT"
	waitFor(t, "the line about it", func() bool { return len(s.logged(line)) == 1 })
	s.onlyRefusal(t, line)
}

func TestAClientThatResetsDuringTheHandshakeHarmsNobody(t *testing.T) {
	hello := helloOf(t)
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for range 20 {
		conn := s.plain(t)
		if _, err := conn.Write(hello); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetLinger(0)
		conn.Close()
	}
	s.dial(t, nil).asks(app, nobody)
	waitFor(t, "only one connection to be left", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		return len(s.conns.conns) == 1
	})
}

// deadlines hands out connections that tell which deadline they were given.
type deadlines struct {
	net.Listener
	set chan time.Time
}

type deadlineConn struct {
	net.Conn
	set chan time.Time
}

func (l deadlines) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return deadlineConn{conn, l.set}, err
}

func (c deadlineConn) SetDeadline(t time.Time) error {
	c.set <- t
	return c.Conn.SetDeadline(t)
}

func TestTheHandshakesDeadlineDoesNotOutliveIt(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := newSidecar(t, app.url, "MTLS_HANDSHAKE_TIMEOUT=1h")
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	set := make(chan time.Time, 16)
	s.addr = listener.Addr().String()
	go func() { s.served <- s.Serve(deadlines{listener, set}) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		<-s.served
	})
	before := time.Now()
	s.dial(t, nil).asks(app, nobody)
	if first := <-set; first.Before(before.Add(time.Hour)) || first.After(time.Now().Add(time.Hour)) {
		t.Errorf("during the handshake: got a deadline %s from now, want an hour", time.Until(first))
	}
	if last := <-set; !last.IsZero() {
		t.Errorf("after the handshake: got a deadline %s from now, want none", time.Until(last))
	}
}

func TestATLSVersionBelowTheLeastIsRefused(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, test := range []struct {
		least   string
		version uint16
		refused bool
	}{
		{"1.2", tls.VersionTLS11, true}, {"1.2", tls.VersionTLS12, false}, {"1.2", tls.VersionTLS13, false},
		{"1.3", tls.VersionTLS12, true}, {"1.3", tls.VersionTLS13, false},
	} {
		t.Run(test.least+"/"+tls.VersionName(test.version), func(t *testing.T) {
			s := startSidecar(t, app.url, "MTLS_MIN_TLS="+test.least)
			if !test.refused {
				s.dialWith(t, clientOf(test.version, nil)).asks(app, nobody)
				return
			}
			err := s.handshakeOnly(t, clientOf(test.version, nil))
			if err == nil || !strings.Contains(err.Error(), "protocol version not supported") { // alert 70
				t.Errorf("got %v, want the alert protocol_version", err)
			}
			s.onlyRefusal(t, "handshake failed")
		})
	}
}

func TestOnlyHTTP11IsNegotiatedWhereHTTP2IsOff(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_HTTP2=false")
	for _, test := range []struct {
		offered []string
		chosen  string
	}{
		{nil, ""}, {[]string{"http/1.1"}, "http/1.1"}, {[]string{"h2", "http/1.1"}, "http/1.1"},
	} {
		config := clientConfig(nil)
		config.NextProtos = test.offered
		c := s.dialWith(t, config)
		if got := c.ConnectionState().NegotiatedProtocol; got != test.chosen {
			t.Errorf("offered %q: got %q, want %q", test.offered, got, test.chosen)
		}
		c.asks(app, nobody)
	}
	config := clientConfig(nil)
	config.NextProtos = []string{"h2"}
	if err := s.handshakeOnly(t, config); err == nil || !strings.Contains(err.Error(), "no application protocol") { // alert 120
		t.Errorf("h2 alone: got %v, want the alert no_application_protocol", err)
	}
	s.onlyRefusal(t, "handshake failed")
}

func TestAClientThatRejectsOurCertificateIsLoggedAsSuch(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1")
	bothVersions(t, func(t *testing.T, version uint16) {
		s.logs.TakeAll()
		config := clientOf(version, nil)
		config.InsecureSkipVerify = false
		if err := s.handshakeOnly(t, config); err == nil {
			t.Fatal("the client believed a CA that it does not know")
		}
		got := s.onlyRefusal(t, "the client ended the handshake")
		if text, _ := got["error.message"].(string); !strings.Contains(text, "bad certificate") && !strings.Contains(text, "unknown certificate authority") {
			t.Errorf("the alert is not told: %v", got)
		}
	})
}
