package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// fromLoopback makes the tests' clients balancers.
const fromLoopback = "MTLS_PROXY_PROTOCOL_FROM=127.0.0.0/8"

// connect reaches the sidecar wherever it listens, and sends what comes first.
func (s *sidecar) connect(t testing.TB, first string) net.Conn {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(s.addr, "/") {
		network = "unix"
	}
	socket, err := net.DialTimeout(network, s.addr, hang)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(hang))
	if _, err := io.WriteString(socket, first); err != nil {
		t.Fatal(err)
	}
	return socket
}

// behind is a client whose balancer has sent a header.
func (s *sidecar) behind(t testing.TB, header string, config *tls.Config) *client {
	t.Helper()
	tail := &recordTail{Conn: s.connect(t, header)}
	conn := tls.Client(tail, config)
	if err := conn.Handshake(); err != nil {
		t.Fatalf("handshake with the sidecar: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{Conn: conn, r: bufio.NewReader(conn), t: t, tail: tail}
}

// wantAddress asks once, and looks at what the application is told of the address.
func (c *client) wantAddress(app *backend, want string) {
	c.t.Helper()
	c.send("GET / HTTP/1.1\r\nHost: h\r\nX-Real-IP: 203.0.113.66\r\nX-Forwarded-For: 203.0.113.77\r\n\r\n")
	c.wantAnswer("GET", 200, "ok")
	head := app.seen(c.t)
	if got := strings.Join(values(head, "X-Real-IP"), "|"); got != want {
		c.t.Errorf("X-Real-IP: got %q, want %q", got, want)
	}
	if got := strings.Join(values(head, "X-Forwarded-For"), "|"); got != "203.0.113.77, "+want {
		c.t.Errorf("X-Forwarded-For: got %q, want %q", got, "203.0.113.77, "+want)
	}
}

func TestTheAddressInAHeaderIsTheClients(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, fromLoopback, noneLeftOut)
	certificate := issue(t, clientNamed("client"))
	for _, test := range goodHeaders(t) {
		t.Run(test.name, func(t *testing.T) {
			s.logs.TakeAll()
			want := test.source
			if want == "" {
				want = "127.0.0.1" // the balancer speaks for itself
			}
			c := s.behind(t, test.header, clientConfig(certificate))
			c.wantAddress(app, want)
			c.send("GET /\x00 HTTP/1.1\r\n\r\n")
			c.wantRefusal("GET", 400)
			waitFor(t, "the log lines", func() bool { return len(s.logged("request refused")) == 1 })
			if got := s.logged("request refused")[0].ContextMap()["client.address"]; got != want {
				t.Errorf("the log names %v, want %s", got, want)
			}
			line := s.logged("PROXY header")
			if len(line) != 1 || line[0].ContextMap()["client.address"] != want || line[0].ContextMap()["balancer"] != "127.0.0.1" {
				t.Errorf("the line about the header: got %v", line)
			}
		})
	}
}

func TestAHeaderThatComesInPiecesIsRead(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, fromLoopback)
	for _, header := range []string{haproxyLine, fromHex(t, haproxyV6)} {
		socket := s.connect(t, "")
		_ = socket.(*net.TCPConn).SetNoDelay(true)
		for i := range header {
			if _, err := io.WriteString(socket, header[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		conn := tls.Client(socket, clientConfig(nil))
		c := &client{Conn: conn, r: bufio.NewReader(conn), t: t, tail: &recordTail{Conn: socket}}
		c.wantAddress(app, "::1")
	}
}

// A header and a ClientHello mostly come in one segment.
func TestWhatFollowsAHeaderIsLeftForTLS(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, fromLoopback)
	for _, test := range goodHeaders(t) {
		socket := &joined{Conn: s.connect(t, ""), first: test.header}
		conn := tls.Client(socket, clientConfig(nil))
		if err := conn.Handshake(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		conn.Close()
	}
}

// joined sends something together with the first that is written.
type joined struct {
	net.Conn
	first string
}

func (j *joined) Write(p []byte) (int, error) {
	_, err := io.WriteString(j.Conn, j.first+string(p))
	j.first = ""
	return len(p), err
}

func TestTrustIsBySocketNotByWhatAHeaderSays(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_PROXY_PROTOCOL_FROM=192.0.2.0/24,10.0.0.0/8")
	conn := s.connect(t, "PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n")
	wantClosed(t, conn)
	waitFor(t, "the event is counted", func() bool { return s.Count(ProxyHeaderUnexpected) == 1 })
	s.dial(t, nil).wantAddress(app, "127.0.0.1") // who is not named needs no header
	if got := s.Count(ProxyHeaderMissing) + s.Count(ProxyHeaderBad); got != 0 {
		t.Errorf("a header was missed from a peer that is not named, %d times", got)
	}
}

func TestOverAnIPv6SocketRangesOfIPv6Count(t *testing.T) {
	for entry, trusted := range map[string]bool{"::1": true, "fe80::/10,::/64": true, "127.0.0.0/8": false, "2001:db8::/32": false} {
		app := startBackend(t, answering(okAnswer))
		s := startIPv6Sidecar(t, app.url, "MTLS_PROXY_PROTOCOL_FROM="+entry)
		if trusted {
			s.behind(t, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", clientConfig(nil)).wantAddress(app, "192.0.2.1")
		} else {
			s.dial(t, nil).wantAddress(app, "::1")
		}
	}
}

// startIPv6Sidecar listens on ::1 alone.
func startIPv6Sidecar(t *testing.T, upstream string, entries ...string) *sidecar {
	t.Helper()
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		absent(t, "no IPv6 loopback here: %v", err)
	}
	probe.Close()
	return startSidecar(t, upstream, append(entries, "MTLS_LISTEN_ADDR=[::1]:0")...)
}

// Whatever else a connection can be is the same behind a header.
func TestBehindAHeaderEverythingElseWorks(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
	app := startBackend(t, answering(okAnswer))
	t.Run("plain HTTP is told so", func(t *testing.T) {
		s := startSidecar(t, app.url, fromLoopback)
		conn := s.connect(t, header+"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), "The plain HTTP request was sent to HTTPS port") {
			t.Errorf("got %v and %q", err, got)
		}
		if line := s.logged("plain HTTP on the TLS port"); len(line) != 1 || line[0].ContextMap()["client.address"] != "192.0.2.1" {
			t.Errorf("log: got %v", line)
		}
	})
	t.Run("sessions are resumed", func(t *testing.T) {
		s := startSidecar(t, app.url, fromLoopback)
		config := clientConfig(issue(t, clientNamed("client")))
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for _, resumed := range []bool{false, true} {
			c := s.behind(t, header, config)
			c.asks(app, believed)
			if got := c.ConnectionState().DidResume; got != resumed {
				t.Errorf("resumed: got %t, want %t", got, resumed)
			}
		}
	})
	t.Run("alerts are sent", func(t *testing.T) {
		s := startSidecar(t, app.url, fromLoopback, "MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH=alert")
		conn := tls.Client(s.connect(t, header), clientConfig(nil))
		_, err := conn.Read(make([]byte, 1)) // in TLS 1.3 the alert comes after the client's Finished
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("got %v, want the alert certificate_required", err)
		}
		waitFor(t, "the line", func() bool { return len(s.logged("refused in the handshake")) == 1 })
		if got := s.logged("refused in the handshake")[0].ContextMap()["client.address"]; got != "192.0.2.1" {
			t.Errorf("the log names %v", got)
		}
	})
	t.Run("a kept connection is found idle", func(t *testing.T) {
		s := startSidecar(t, app.url, fromLoopback, "MTLS_HEADER_TIMEOUT=20ms", "MTLS_IDLE_TIMEOUT=200ms")
		c := s.behind(t, header, clientConfig(nil))
		c.wantAddress(app, "192.0.2.1")
		if got, err := c.rest(); got != "" || err != nil {
			t.Errorf("got %q and %v, want a clean end", got, err)
		}
		if s.Count(IdleTimeout) != 1 {
			t.Error("the connection did not end for being idle")
		}
	})
}

func TestAPeerOverAUnixSocketIsToldAsNginxTellsIt(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+socketPath(t))
	s.behind(t, "", clientConfig(nil)).wantAddress(app, "unix:") // $remote_addr of a unix socket
	s = startSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+socketPath(t), "MTLS_PROXY_PROTOCOL_FROM=unix")
	s.behind(t, "PROXY TCP6 2001:db8::5 2001:db8::1 1 2\r\n", clientConfig(nil)).wantAddress(app, "2001:db8::5")
	s.behind(t, nginxUnix, clientConfig(nil)).wantAddress(app, "unix:")
	wantClosed(t, s.connect(t, string(helloOf(t))))
	waitFor(t, "the event is counted", func() bool { return s.Count(ProxyHeaderMissing) == 1 })
}
