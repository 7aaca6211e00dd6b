package proxy

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func clientNamed(name string) pki.Options { return pki.Options{Subject: pkix.Name{CommonName: name}} }

// wantClosed fails when anything is answered before the connection ends.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	got, err := io.ReadAll(conn)
	if len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q and %v, want the end of the connection and no answer", got, err)
	}
}

// wantRefusedHeader fails unless one line says why, naming the variable, and
// one event is counted.
func (s *sidecar) wantRefusedHeader(t *testing.T, reason string, event Event) {
	t.Helper()
	waitFor(t, "the line about it", func() bool { return len(s.logged("PROXY header refused")) == 1 })
	fields := s.onlyRefusal(t, "PROXY header refused")
	if fields["error.type"] != reason || fields["client.address"] != "127.0.0.1" {
		t.Errorf("logged %v, want the reason %s of 127.0.0.1", fields, reason)
	}
	if reason != "proxy_header_bad" && !strings.Contains(fmt.Sprint(fields["advice"]), "MTLS_PROXY_PROTOCOL_FROM") {
		t.Errorf("the advice does not name the variable: %v", fields["advice"])
	}
	for _, e := range []Event{ProxyHeaderMissing, ProxyHeaderBad, ProxyHeaderUnexpected, HandshakeFailed, HandshakeTimeout} {
		if got, want := s.Count(e), map[bool]uint64{true: 1}[e == event]; got != want {
			t.Errorf("event %d: counted %d times, want %d", e, got, want)
		}
	}
}

func TestABalancerThatSendsNoHeaderIsTurnedAway(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, test := range noHeaders(t) {
		t.Run(test.name, func(t *testing.T) {
			s := startSidecar(t, app.url, fromLoopback)
			wantClosed(t, s.connect(t, test.header))
			s.wantRefusedHeader(t, "proxy_header_missing", ProxyHeaderMissing)
		})
	}
	app.sawNothing(t)
}

func TestAMalformedHeaderIsTurnedAway(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	hello := string(helloOf(t))
	for _, test := range badHeaders(t) {
		t.Run(test.name, func(t *testing.T) {
			s := startSidecar(t, app.url, fromLoopback)
			wantClosed(t, s.connect(t, test.header+hello))
			s.wantRefusedHeader(t, "proxy_header_bad", ProxyHeaderBad)
		})
	}
	app.sawNothing(t)
}

func TestASecondHeaderIsTurnedAway(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	for _, second := range []string{haproxyLine, fromHex(t, haproxyV4)} {
		s := startSidecar(t, app.url, fromLoopback)
		wantClosed(t, s.connect(t, nginxLine+second+string(helloOf(t))))
		s.wantRefusedHeader(t, "proxy_header_bad", ProxyHeaderBad)
	}
	app.sawNothing(t)
}

func TestAHeaderOfSomebodyElseIsTurnedAway(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	hello := string(helloOf(t))
	for _, entry := range []string{"MTLS_PROXY_PROTOCOL_FROM=", "MTLS_PROXY_PROTOCOL_FROM=192.0.2.1,unix", "MTLS_PROXY_PROTOCOL_FROM=::/0"} {
		for name, header := range map[string]string{
			"version 1": nginxLine, "version 2": fromHex(t, haproxyV4), "LOCAL": fromHex(t, haproxyUnix), "UNKNOWN": nginxUnix,
		} {
			t.Run(entry+" "+name, func(t *testing.T) {
				s := startSidecar(t, app.url, entry)
				wantClosed(t, s.connect(t, header+hello))
				s.wantRefusedHeader(t, "proxy_header_unexpected", ProxyHeaderUnexpected)
			})
		}
	}
	app.sawNothing(t)
}

// A balancer's health checks end as soon as they are answered for.
func TestHealthChecksAreLoggedAtDebugOnly(t *testing.T) {
	for name, header := range map[string]string{
		"nothing": "", "HAProxy's of version 2": fromHex(t, haproxyCheck), "HAProxy's of version 1": nginxLine, "LOCAL": fromHex(t, haproxyUnix), "UNKNOWN": nginxUnix,
		"half a header": nginxLine[:20],
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reset %t", name, reset), func(t *testing.T) {
				s := startSidecar(t, "http://127.0.0.1:1", fromLoopback)
				conn := s.connect(t, header).(*net.TCPConn)
				if reset {
					_ = conn.SetLinger(0)
				}
				conn.Close()
				s.quietly(t, probeLine)
				for _, e := range []Event{ProxyHeaderMissing, ProxyHeaderBad, HandshakeFailed} {
					if s.Count(e) != 0 {
						t.Errorf("event %d is counted", e)
					}
				}
			})
		}
	}
}

func TestAHealthCheckThatEndsWithinTheHandshakeIsNoFailure(t *testing.T) {
	hello := string(helloOf(t))
	for header, quiet := range map[string]bool{
		fromHex(t, haproxyUnix): true, nginxLine: true, nginxUnix: true,
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n": false, // a client that left
	} {
		s := startSidecar(t, "http://127.0.0.1:1", fromLoopback)
		conn := s.connect(t, header+hello).(*net.TCPConn)
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the server's turn has come
			t.Fatal(err)
		}
		_ = conn.SetLinger(0)
		conn.Close()
		if quiet {
			s.quietly(t, "a balancer's check ended within the TLS handshake")
		} else if got := s.onlyRefusal(t, "handshake failed"); got["error.type"] != "client_left" {
			t.Errorf("a client that left: got %v", got)
		}
		if got, want := s.Count(HandshakeFailed), map[bool]uint64{false: 1}[quiet]; got != want {
			t.Errorf("%q: HandshakeFailed is counted %d times, want %d", header, got, want)
		}
	}
}

func TestAHeaderIsBoundedByTheHandshakesTimeout(t *testing.T) {
	for name, test := range map[string]struct{ sent, line string }{
		"silence":       {"", probeLine},
		"half a line":   {nginxLine[:30], "PROXY header not finished within MTLS_HANDSHAKE_TIMEOUT"},
		"half a block":  {fromHex(t, haproxyV6)[:20], "PROXY header not finished within MTLS_HANDSHAKE_TIMEOUT"},
		"a header only": {fromHex(t, haproxyUnix), probeLine},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSidecar(t, "http://127.0.0.1:1", fromLoopback, "MTLS_HANDSHAKE_TIMEOUT=50ms")
			wantClosed(t, s.connect(t, test.sent))
			waitFor(t, "the line about it", func() bool { return len(s.logged(test.line)) == 1 })
			if got := s.Count(HandshakeTimeout); got != 1 || s.Count(ProxyHeaderBad) != 0 {
				t.Errorf("HandshakeTimeout is counted %d times, want once, and ProxyHeaderBad %d times", got, s.Count(ProxyHeaderBad))
			}
		})
	}
}

func TestAShutdownDoesNotWaitForHeaders(t *testing.T) {
	for name, sent := range map[string]string{"not begun": "", "begun": nginxLine[:10], "cut short": fromHex(t, haproxyV6)[:20]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the grace
			s := startSidecar(t, "http://127.0.0.1:1", fromLoopback, "MTLS_HANDSHAKE_TIMEOUT=1h")
			conn := s.connect(t, sent)
			waitFor(t, "the connection to be known", func() bool { return s.open() == 1 })
			ctx, cancel := context.WithTimeout(context.Background(), hang)
			defer cancel()
			if cut := s.Shutdown(ctx); ctx.Err() != nil || cut != 0 {
				t.Errorf("the shutdown waited until it was told to stop waiting (%v), and cut %d requests", ctx.Err(), cut)
			}
			if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
				t.Error("the connection is still open")
			}
			s.quietly(t, "handshake ended by the shutdown")
		})
	}
}

func TestAConnectionWithoutItsHeaderYetCountsAsOpen(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, fromLoopback, "MTLS_MAX_CONNECTIONS=1")
	s.connect(t, nginxLine[:10])
	waitFor(t, "the connection to be known", func() bool { return s.open() == 1 })
	wantClosed(t, s.connect(t, ""))
	if got := s.Count(ConnectionLimit); got != 1 {
		t.Errorf("ConnectionLimit is counted %d times, want once", got)
	}
}
