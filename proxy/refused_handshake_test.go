package proxy

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestInAlertModeTheHandshakeFailsAndTheApplicationSeesNothing(t *testing.T) {
	clients := clientCertificates(t)
	for _, mode := range []VerifyClient{VerifyOptional, VerifyOn, VerifyOptionalNoCA} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_REJECT_WITH=alert", "MTLS_VERIFY_CLIENT="+string(mode))
		for _, version := range tlsVersions {
			for _, c := range clients {
				t.Run(fmt.Sprintf("%s/%s/%s", mode, version.name, c.name), func(t *testing.T) {
					s.logs.TakeAll()
					want := nginxSays(c, mode, InvalidReject)
					config := clientOf(version.version, c.certificate)
					if want.status == 200 {
						s.dialWith(t, config).asks(app, want)
						return
					}
					err := s.handshakeOnly(t, config)
					if alert := alertFor(c, version.version); err == nil || !strings.Contains(err.Error(), alert) {
						t.Errorf("got %v, want the alert %s", err, alert)
					}
					app.sawNothing(t)
					got := s.onlyRefusal(t, "refused in the handshake")
					if got["error.type"] != c.reason || got["client.address"] != "127.0.0.1" {
						t.Errorf("log: got %v", got)
					}
				})
			}
		}
	}
}

// alertFor names what crypto/tls sends. TLS 1.2 has no alert of its own for a
// certificate that is missing (RFC 5246 §7.4.6 asks for handshake_failure).
func alertFor(c clientCertificate, version uint16) string {
	switch {
	case c.certificate != nil:
		return "bad certificate"
	case version == tls.VersionTLS12:
		return "handshake failure"
	default:
		return "certificate required"
	}
}

func TestARefusedHandshakeLogsNoSubject(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := startSidecar(t, "http://127.0.0.1:1", "MTLS_REJECT_WITH=alert")
		past := time.Now().Add(-time.Hour)
		expired := issue(t, pki.Options{
			Subject: pkix.Name{CommonName: "unproved"}, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past})
		if err := s.handshakeOnly(t, clientOf(version, expired)); err == nil {
			t.Fatal("an expired certificate came through")
		}
		got := s.onlyRefusal(t, "refused in the handshake")
		if got["error.type"] != "expired" || got["error.message"] != "certificate has expired" {
			t.Errorf("log: got %v", got)
		}
		s.logsNothingOf(t, "unproved")
	})
}

// In TLS 1.3 a client may send its request before it hears of the refusal.
// Closing on unread bytes makes the kernel send a reset, which would throw the
// alert away before the client has read it.
func TestTheAlertReachesAClientThatIsAlreadySending(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_REJECT_WITH=alert", "MTLS_VERIFY_CLIENT=on")
	for range 30 {
		conn, err := tls.Dial("tcp", s.addr, clientOf(tls.VersionTLS13, nil))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(hang))
		for range 4 {
			if _, err := conn.Write(make([]byte, 16<<10)); err != nil {
				break // the server may have gone by now; what it said counts
			}
		}
		_, err = io.ReadAll(conn)
		conn.Close()
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Fatalf("got %v, want the alert certificate_required", err)
		}
	}
	app.sawNothing(t)
}

func TestARefusalsPageReachesAClientWhoseHandshakeIsFine(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	bothVersions(t, func(t *testing.T, version uint16) {
		c := s.dialWith(t, clientOf(version, nil))
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("b", 64<<10))
		answer, body := c.answer("POST")
		if answer.StatusCode != 400 || !strings.Contains(body, "No required SSL certificate was sent") { // nginx's 496
			t.Errorf("got %d:\n%s", answer.StatusCode, body)
		}
		if _, err := c.rest(); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("after the page: %v", err)
		}
	})
	app.sawNothing(t)
}
