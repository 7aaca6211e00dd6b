package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"os/exec"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// Where a proxy chooses its rules for clients by the server name, each way to
// write that name is a way round them: a trailing dot (CVE-2022-23632),
// a wildcard where an exact name was meant (CVE-2026-48491), another case
// (CVE-2026-53622, GO-2026-4541), a ClientHello in pieces in which the name was not found
// (CVE-2026-32305). Here there is one set of rules for a listener.

func TestCVE202223632NoServerNameLeadsToOtherRules(t *testing.T) {
	openssl(t)
	stranger := presents(t, refusedClient(t))
	names := map[string][]string{
		"the certificate's name": {"-servername", "localhost"},
		"upper case":             {"-servername", "LOCALHOST"},
		"a wildcard":             {"-servername", "*.localhost"},
		"another name":           {"-servername", "other.example"},
		"no name":                {"-noservername"},
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
		for name, arguments := range names {
			t.Run(name, func(t *testing.T) {
				for who, more := range map[string][]string{"nobody": nil, "a stranger": stranger} {
					out := sClient(t, s, version, append(arguments, more...)...)
					if !strings.Contains(out, "HTTP/1.1 400 ") {
						t.Errorf("%s: want a refusal, got\n%s", who, out)
					}
				}
				app.sawNothing(t)
			})
		}
	})
}

// crypto/tls does not take a server name with a trailing dot at all (RFC 6066 §3).
func TestCVE202223632AServerNameWithATrailingDotEndsTheHandshake(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for _, arguments := range [][]string{nil, presents(t, issue(t, pki.Options{}))} {
		out, err := exec.CommandContext(t.Context(), openssl(t), append([]string{"s_client", "-connect", s.addr, "-servername", "localhost."}, arguments...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "alert decode error") {
			t.Errorf("want the alert decode_error, got %v\n%s", err, out)
		}
	}
	app.sawNothing(t)
}

// refusedClient has a certificate of a CA that nobody knows.
func refusedClient(t *testing.T) *tls.Certificate {
	t.Helper()
	for _, c := range clientCertificates(t) {
		if c.name == "unknown CA" {
			return c.certificate
		}
	}
	t.Fatal("there is no certificate of an unknown CA")
	return nil
}

// crumbled sends each byte of the first record, the ClientHello, in a record of its
// own.
type crumbled struct {
	net.Conn
	done bool
}

func (c *crumbled) Write(p []byte) (int, error) {
	if c.done {
		return c.Conn.Write(p)
	}
	c.done = true
	const header = 5
	var crumbs bytes.Buffer
	for _, b := range p[header:] {
		crumbs.Write([]byte{p[0], p[1], p[2], 0, 1, b})
	}
	if _, err := c.Conn.Write(crumbs.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestCVE202632305AClientHelloInPiecesIsSubjectToTheSameRules(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	for _, test := range []struct {
		who         string
		certificate *tls.Certificate
		status      int
	}{
		{"nobody", nil, 400},
		{"a stranger", refusedClient(t), 400},
		{"a client", &testCA(t).client, 200},
	} {
		socket, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		config := clientConfig(test.certificate)
		config.CurvePreferences = []tls.CurveID{tls.X25519} // a small ClientHello
		conn := tls.Client(&crumbled{Conn: socket}, config)
		if err := conn.Handshake(); err != nil {
			t.Errorf("%s: %v", test.who, err)
			continue
		}
		c := &client{Conn: conn, r: bufio.NewReader(conn), t: t}
		c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if answer, _ := c.answer("GET"); answer.StatusCode != test.status {
			t.Errorf("%s: got %d, want %d", test.who, answer.StatusCode, test.status)
		}
	}
}

// ghostunnel relaxes its demands for the protocol acme-tls/1, by which a CA asks
// for proof of a name. Here it is a protocol like any other that is not spoken.
func TestTheACMEProtocolIsNoWayRoundTheClientsCertificate(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	for _, test := range []struct {
		protocols []string
		agreed    string // empty: the handshake fails
	}{
		{[]string{"acme-tls/1"}, ""},
		{[]string{"acme-tls/1", "http/1.1"}, "http/1.1"},
	} {
		config := clientConfig(nil)
		config.NextProtos = test.protocols
		conn, err := tls.Dial("tcp", s.addr, config)
		if test.agreed == "" {
			if err == nil {
				t.Errorf("%v: the handshake succeeded with %q", test.protocols, conn.ConnectionState().NegotiatedProtocol)
				conn.Close()
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != test.agreed {
			t.Errorf("%v: agreed on %q, want %q", test.protocols, got, test.agreed)
		}
		c := &client{Conn: conn, r: bufio.NewReader(conn), t: t}
		c.send("GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if answer, _ := c.answer("GET"); answer.StatusCode != 400 {
			t.Errorf("%v: got %d, want 400", test.protocols, answer.StatusCode)
		}
	}
}

// Apache asked for a certificate only once it had seen the path, by TLS 1.3's
// authentication after the handshake, and let in clients that offered to be asked
// (CVE-2019-0215). Here nobody is asked later, and what the handshake has proved counts for every path.
func TestCVE20190215AnOfferToBeAskedLaterProvesNothing(t *testing.T) {
	openssl(t)
	for _, test := range []struct {
		mode string
		with []string
	}{
		{"optional", nil},
		{"off", presents(t, issue(t, pki.Options{}))},
	} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT="+test.mode)
		out := sClient(t, s, tls.VersionTLS13, append(test.with, "-enable_pha")...)
		if !strings.Contains(out, "HTTP/1.1 200 ") {
			t.Errorf("%s: got\n%s", test.mode, out)
		}
		if got, want := told(app.seen(t)), toldAs("NONE", ""); got != want {
			t.Errorf("%s: the application was told %s, want %s", test.mode, got, want)
		}
	}
}
