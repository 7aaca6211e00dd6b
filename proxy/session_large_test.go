package proxy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// paddedTo is a client that presents so many bytes of certificates: its own, and
// a useless one with room in it.
func paddedTo(t testing.TB, size int) *tls.Certificate {
	t.Helper()
	leaf := issue(t, pki.Options{})
	filler := func(n int) tls.Certificate {
		one, err := pki.SelfSigned(pki.Options{ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: make([]byte, n)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	// A signature's length varies, so the last bytes are a matter of luck.
	for room := size; room > 0; {
		one := filler(room)
		excess := len(leaf.Leaf.Raw) + len(one.Leaf.Raw) - size
		if excess == 0 {
			padded := pki.With(*leaf, one.Leaf)
			return &padded
		}
		room -= excess
	}
	t.Fatalf("no filler for %d bytes", size)
	return nil
}

// overhead is what a session has besides the certificates: those of two.
func overhead() int {
	return sessionSize(tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}, {}}})
}

// usable reports whether the client holds a ticket that is worth presenting.
func (k *tickets) usable(t testing.TB) bool {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.latest == nil {
		return false
	}
	ticket, _, err := k.latest.ResumptionState()
	if err != nil {
		t.Fatal(err)
	}
	return len(ticket) > 0
}

func TestAChainOf40KiBGetsNoTicketButAnAnswer(t *testing.T) {
	certificate := paddedTo(t, 40<<10)
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		for _, entries := range [][]string{nil, {"MTLS_REJECT_WITH=alert", "MTLS_VERIFY_CLIENT=on"}} {
			s := startSidecar(t, app.url, entries...)
			v := newVisitor(version, certificate)
			for range 3 {
				c := s.dialWith(t, v.config())
				if c.ConnectionState().DidResume {
					t.Error("a session was resumed")
				}
				c.asks(app, believed)
				c.asks(app, believed)
				c.Close()
				if v.sessions.usable(t) {
					t.Error("the server gave a ticket")
				}
				if version == tls.VersionTLS13 && v.sessions.count() > 0 {
					t.Error("the server sent a NewSessionTicket")
				}
			}
			other := newVisitor(version, issue(t, pki.Options{}))
			other.visits(t, s, app, believed, false)
			other.visits(t, s, app, believed, true) // the limit is each connection's own
		}
	})
}

func TestTheLimitOfASessionIs32KiB(t *testing.T) {
	fits, tooLarge := paddedTo(t, maxSession-overhead()), paddedTo(t, maxSession-overhead()+1)
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, fits)
		v.visits(t, s, app, believed, false)
		v.visits(t, s, app, believed, true) // and renewed, which needs as much room
		v.visits(t, s, app, believed, true)
		v = newVisitor(version, tooLarge)
		s.dialWith(t, v.config()).asks(app, believed)
		if v.sessions.usable(t) {
			t.Error("one byte more: the server gave a ticket")
		}
	})
}

// A client may staple an OCSP answer to its own certificate, and crypto/tls keeps
// it in the session.
func TestALargeStapleOfTheClientGetsNoTicketButAnAnswer(t *testing.T) {
	certificate := *issue(t, pki.Options{})
	certificate.OCSPStaple = make([]byte, 40<<10)
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	v := newVisitor(tls.VersionTLS13, &certificate)
	s.dialWith(t, v.config()).asks(app, believed)
	if v.sessions.usable(t) {
		t.Error("the server gave a ticket")
	}
	certificate.OCSPStaple = nil
	certificate.SignedCertificateTimestamps = [][]byte{make([]byte, 20<<10), make([]byte, 20<<10)}
	s.dialWith(t, v.config()).asks(app, believed)
	if v.sessions.usable(t) {
		t.Error("timestamps: the server gave a ticket")
	}
}

// Whoever shares the ticket keys could seal more than we would.
func TestASessionAboveTheLimitIsNotResumed(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, s, app, believed, false)
		for size, resumed := range map[int]bool{16 << 10: true, 33 << 10: false} {
			v.sessions.forge = func([]byte) []byte {
				state := opened(t, s, v.sessions)
				state.Extra = append(state.Extra, make([]byte, size))
				sealed, err := s.tls.Load().EncryptTicket(tls.ConnectionState{}, state)
				if err != nil {
					t.Fatal(err)
				}
				return sealed
			}
			v.visits(t, s, app, believed, resumed)
			v.sessions.forge = nil
		}
	})
}

// verify keeps crypto/tls from asking for these. Were it to ask all the same, an
// empty label would make clients of TLS 1.3 give up.
func TestNoTicketIsEmptyInTLS12AloneAndOpensNowhere(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	large := []*x509.Certificate{{Raw: make([]byte, maxSession)}}
	one := session{server: s.Server, base: s.tls.Load()}
	for version, want := range map[uint16][]byte{tls.VersionTLS12: {}, tls.VersionTLS13: {0}} {
		for name, cs := range map[string]tls.ConnectionState{
			"certificates":              {Version: version, PeerCertificates: large},
			"what is not reckoned with": {Version: version},
		} {
			state := someSession(t)
			if name != "certificates" {
				state.Extra = [][]byte{make([]byte, maxSession)}
			}
			got, err := one.wrap(cs, state)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("version %#x, %s: got %x and %v, want %x", version, name, got, err, want)
			}
		}
		if state, err := one.unwrap(want, tls.ConnectionState{}); state != nil || err != nil {
			t.Errorf("version %#x: it opens: %v, %v", version, state, err)
		}
	}
}

// sClient makes one request with openssl s_client and returns what it prints.
func sClient(t *testing.T, s *sidecar, version uint16, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	flag := map[uint16]string{tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}[version]
	command := exec.CommandContext(ctx, openssl(t), append([]string{"s_client", "-connect", s.addr, flag, "-ign_eof"}, arguments...)...)
	command.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("openssl s_client: %v\n%s", err, out)
	}
	return string(out)
}

// presents are s_client's arguments for a client certificate and all that goes
// with it.
func presents(t *testing.T, certificate *tls.Certificate) []string {
	t.Helper()
	folder := t.TempDir()
	key, err := pki.KeyPEM(certificate.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	alone := tls.Certificate{Certificate: certificate.Certificate[:1]}
	others := tls.Certificate{Certificate: certificate.Certificate[1:]}
	var arguments []string
	for flag, text := range map[string][]byte{"cert": pki.ChainPEM(alone), "key": key, "cert_chain": pki.ChainPEM(others)} {
		if len(text) == 0 {
			continue
		}
		path := filepath.Join(folder, flag)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, "-"+flag, path)
	}
	return arguments
}

func TestOpenSSLWithAChainOf40KiBGetsNoTicketButAnAnswer(t *testing.T) {
	openssl(t)
	arguments := presents(t, paddedTo(t, 40<<10))
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url)
		kept := filepath.Join(t.TempDir(), "session")
		out := sClient(t, s, version, append(arguments, "-sess_out", kept)...)
		for range 2 {
			if !strings.Contains(out, "New, TLS") || !strings.Contains(out, "HTTP/1.1 200 OK") {
				t.Errorf("got\n%s", out)
			}
			if strings.Contains(out, "TLS session ticket:") {
				t.Errorf("the server gave a ticket:\n%s", out)
			}
			if got, want := told(app.seen(t)), toldAs("SUCCESS", "CN=client"); got != want {
				t.Errorf("the application was told %s, want %s", got, want)
			}
			if _, err := os.Stat(kept); err != nil {
				return // there is nothing to come back with
			}
			out = sClient(t, s, version, append(arguments, "-sess_in", kept)...)
		}
	})
}
