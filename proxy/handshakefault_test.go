package proxy

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// victims makes a certificate of this name, whose key the client may lack.
func victims(t testing.TB, key crypto.Signer) *tls.Certificate {
	t.Helper()
	return issue(t, pki.Options{Subject: pkix.Name{CommonName: "victim"}, Key: key})
}

// badClient is a client whose certificate crypto/tls refuses by itself.
type badClient struct {
	name        string
	certificate tls.Certificate
	begins      string // crypto/tls's words
	alert       string // what the client hears
	reason      string
	event       Event
}

func badClients(t testing.TB) []badClient {
	t.Helper()
	key := anyKey(t, elliptic.P256())
	presented := func(chain ...[]byte) tls.Certificate { return tls.Certificate{Certificate: chain, PrivateKey: key} }
	unparsable := func(name string, chain ...[]byte) badClient {
		return badClient{name, presented(chain...), "tls: failed to parse client certificate: ", "error decoding message",
			"certificate_unparsable", CertificateUnparsable}
	}
	const kind = "tls: client certificate contains an unsupported public key of type "
	unsupported := func(name, begins, alert string, leaf []byte) badClient {
		return badClient{name, presented(leaf), begins, alert, "certificate_key_unsupported", CertificateKeyUnsupported}
	}
	unproved := func(name, begins, alert string, certificate *tls.Certificate, key crypto.Signer) badClient {
		return badClient{name, tls.Certificate{Certificate: certificate.Certificate, PrivateKey: key}, begins, alert,
			"certificate_not_proved", CertificateNotProved}
	}
	tooLarge := func(name string, chain ...[]byte) badClient {
		return badClient{name, presented(chain...), "tls: client sent certificate containing RSA key larger than 8192 bits", "bad certificate",
			"certificate_key_too_large", CertificateKeyTooLarge}
	}
	weak, err := weakRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, huge, ofRSA := victims(t, nil), victims(t, forger{&rsa.PublicKey{N: oddNumber(9000), E: 65537}}).Certificate[0], victims(t, weak)
	good := leaf.Certificate[0]
	return []badClient{
		unparsable("garbage", []byte("this is no certificate")),
		unparsable("a negative serial number", issue(t, pki.Options{Subject: pkix.Name{CommonName: "victim"}, Serial: big.NewInt(-1)}).Certificate[0]),
		unparsable("garbage after a good one", good, []byte{0x30, 0}),
		tooLarge("RSA with 9,000 bits", huge),
		tooLarge("RSA with 9,000 bits in what comes along", good, huge),
		unsupported("X25519", kind, "unsupported certificate", victims(t, forger{curve.PublicKey()}).Certificate[0]),
		unsupported("a key of an unknown kind", kind+"<nil>", "unsupported certificate", patched(t, good, "2a8648ce3d0201", "2a8648ce3d0209")),
		unsupported("RSASSA-PSS", kind+"<nil>", "unsupported certificate", patched(t, ofRSA.Certificate[0], "2a864886f70d010101", "2a864886f70d01010a")),
		unsupported("curve P-192", "tls: failed to parse client certificate: x509: unsupported elliptic curve", "error decoding message",
			patched(t, good, "2a8648ce3d030107", "2a8648ce3d030101")),
		unproved("a stolen certificate", "tls: invalid signature by the client certificate: ", "error decrypting message", leaf, key),
		unproved("no signature at all", "tls: invalid signature by the client certificate: ", "error decrypting message", leaf, forger{key.Public()}),
	}
}

// hears shakes hands and returns what the server says to it. The client sends
// nothing more: a reset, which is what the kernel answers to bytes after the
// end, could come before the alert.
func (s *sidecar) hears(t testing.TB, config *tls.Config) error {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	_, err = conn.Read(make([]byte, 1))
	return err
}

// wantFault reads the one line about a failed handshake, and that it was counted once.
func (s *sidecar) wantFault(t *testing.T, reason, begins string, event Event) {
	t.Helper()
	got := s.onlyRefusal(t, "handshake failed")
	detail, _ := got["error.message"].(string)
	advice, _ := got["advice"].(string)
	if got["error.type"] != reason || !strings.HasPrefix(detail, begins) || len(advice) < 40 || got["client.address"] != "127.0.0.1" {
		t.Errorf("log: got %v, want the reason %s and %q", got, reason, begins)
	}
	s.logsNothingOf(t, "victim")
	for e := range eventCount {
		want := uint64(0)
		if e == event {
			want = 1
		}
		if got := s.Count(e); got != want {
			t.Errorf("event %d: counted %d times, want %d", e, got, want)
		}
	}
}

func TestACertificateThatTLSItselfRefusesIsTypedCountedAndLogged(t *testing.T) {
	clients := badClients(t)
	app := startBackend(t, answering(okAnswer))
	for _, entry := range []string{"MTLS_REJECT_WITH=page", "MTLS_REJECT_WITH=alert"} {
		bothVersions(t, func(t *testing.T, version uint16) {
			for _, c := range clients {
				t.Run(entry+"/"+c.name, func(t *testing.T) {
					s := startSidecar(t, app.url, entry)
					err := s.hears(t, clientOf(version, &c.certificate))
					if err == nil || !strings.Contains(err.Error(), c.alert) {
						t.Errorf("the client got %v, want the alert %q", err, c.alert)
					}
					s.wantFault(t, c.reason, c.begins, c.event)
					app.sawNothing(t)
				})
			}
		})
	}
}

// In TLS 1.3 the kind of signature must fit the certificate's key (RFC 8446
// §4.4.3); in TLS 1.2 the mismatch shows when the signature is verified.
func TestAProofByAnotherKindOfKeyIsNoProof(t *testing.T) {
	weak, err := weakRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, certificate := range map[string]*tls.Certificate{"P-384 for P-256": victims(t, nil), "ECDSA for RSA": victims(t, weak)} {
		bothVersions(t, func(t *testing.T, version uint16) {
			t.Run(name, func(t *testing.T) {
				s := startSidecar(t, "http://127.0.0.1:1")
				begins := "tls: client certificate used with invalid signature algorithm"
				if version == tls.VersionTLS12 {
					begins = "tls: invalid signature by the client certificate: "
				}
				mixed := &tls.Certificate{Certificate: certificate.Certificate, PrivateKey: anyKey(t, elliptic.P384())}
				if err := s.hears(t, clientOf(version, mixed)); err == nil {
					t.Error("the handshake came through")
				}
				s.wantFault(t, "certificate_not_proved", begins, CertificateNotProved)
			})
		})
	}
}

func TestWhereClientAndServerHaveNothingInCommonTheLogSaysWhat(t *testing.T) {
	for _, test := range []struct {
		reason, begins string
		client         func(*tls.Config)
	}{
		{"no_common_version", "tls: client offered only unsupported versions: ", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }},
		{"no_common_cipher", "tls: no cipher suite supported by both client and server; ", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		}},
		{"no_common_key_exchange", "tls: no key exchanges supported by both client and server", func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }},
		{"no_common_protocol", "tls: client requested unsupported application protocols ", func(c *tls.Config) { c.NextProtos = []string{"spdy/3"} }},
	} {
		t.Run(test.reason, func(t *testing.T) {
			s := newSidecar(t, "http://127.0.0.1:1")
			if test.reason == "no_common_key_exchange" { // a Go client knows all that a Go server knows
				base := s.tls.Load().Clone()
				base.CurvePreferences = []tls.CurveID{tls.CurveP521}
				s.tls.Store(base)
			}
			s.start(t)
			config := clientConfig(nil)
			test.client(config)
			if err := s.hears(t, config); err == nil {
				t.Error("the handshake came through")
			}
			s.wantFault(t, test.reason, test.begins, HandshakeFailed)
		})
	}
}

func TestWhatIsNoCorrectTLSIsLoggedAsSuch(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := serverPair(t, ed)
	hello := helloOf(t)
	compressed := bytes.Clone(hello)
	suites := 44 + int(hello[43])                                         // after header, version, random and session id
	compressed[suites+2+int(hello[suites])<<8+int(hello[suites+1])+1] = 1 // the one compression method
	ecdsaOnly := patched(t, hello, "080404030807", "080404030403")        // of the signature algorithms
	record := bytes.Clone(append(hello, 23, 3, 3, 0, 32))                 // encrypted by nobody
	garbled, tooLong := append(record, make([]byte, 32)...), "160301000401ffffff"
	for _, test := range []struct{ reason, begins, send string }{
		{"no_common_signature", "tls: peer doesn't support any of the certificate's signature algorithms", string(ecdsaOnly)},
		{"unreadable_record", "local error: tls: bad record MAC", string(garbled)},
		{"malformed_handshake", "tls: handshake message of length 16777215 bytes exceeds maximum of 65536 bytes", string(unhex(t, tooLong))},
		{"malformed_handshake", "tls: received unexpected handshake message of type *tls.finishedMsg", string(unhex(t, "160301000414000000"))},
		{"handshake", "tls: TLS 1.3 client supports illegal compression methods", string(compressed)},
		{"client_left", "EOF", string(hello)},
	} {
		t.Run(test.begins, func(t *testing.T) {
			s := startSidecar(t, "http://127.0.0.1:1", "MTLS_CERT_FILE="+cert, "MTLS_KEY_FILE="+key)
			conn := s.plain(t)
			if _, err := io.WriteString(conn, test.send); err != nil {
				t.Fatal(err)
			}
			if test.reason == "client_left" {
				_ = conn.CloseWrite()
			}
			s.wantFault(t, test.reason, test.begins, HandshakeFailed)
		})
	}
}

func TestAnAlertOfTheClientIsCounted(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1")
	config := clientConfig(nil)
	config.InsecureSkipVerify = false
	if err := s.hears(t, config); err == nil {
		t.Fatal("the client believed a CA that it does not know")
	}
	s.onlyRefusal(t, "the client ended the handshake")
	if got := s.Count(HandshakeFailed); got != 1 {
		t.Errorf("counted %d times, want once", got)
	}
}

func TestAnErrorThatRepeatsTheClientsBytesIsCutAndMadeVisible(t *testing.T) {
	uri := "http://h:" + strings.Repeat("\x7f\u009b\n", 20) + strings.Repeat("p", 60<<10)
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}
	value, err := asn1.Marshal([]asn1.RawValue{name})
	if err != nil {
		t.Fatal(err)
	}
	s := startSidecar(t, "http://127.0.0.1:1")
	bad := issue(t, pki.Options{ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 17}, Value: value}}})
	if err := s.hears(t, clientConfig(bad)); err == nil {
		t.Fatal("the handshake came through")
	}
	s.wantFault(t, "certificate_unparsable", "tls: failed to parse client certificate: x509: ", CertificateUnparsable)
	detail, _ := s.logged("handshake failed")[0].ContextMap()["error.message"].(string)
	if len(detail) > 300 || strings.ContainsFunc(detail, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("detail: got %d bytes: %q", len(detail), detail)
	}
}

// OpenSSL sends its alert unencrypted over TLS 1.3, so that nobody can tell it from
// bytes that are no record. It is what an operator sees of curl after a bad renewal.
func TestAnOpenSSLClientThatRejectsOurCertificateIsGuessedAt(t *testing.T) {
	program := openssl(t)
	s := startSidecar(t, "http://127.0.0.1:1")
	for flag, want := range map[string]string{"-tls1_3": "unreadable_record", "-tls1_2": "alert"} {
		s.logs.TakeAll()
		out, err := exec.CommandContext(t.Context(), program, "s_client", "-connect", s.addr, "-verify_return_error", flag).CombinedOutput()
		if err == nil {
			t.Fatalf("%s: it believed a CA that it does not know:\n%s", flag, out)
		}
		var got map[string]any
		waitFor(t, "the refusal's line", func() bool {
			lines := s.logs.FilterFieldKey("error.type").All()
			if len(lines) > 0 {
				got = lines[0].ContextMap()
			}
			return got != nil
		})
		if got["error.type"] != want || want == "unreadable_record" && !strings.Contains(fmt.Sprint(got["advice"]), "does not trust the certificate in MTLS_CERT_FILE") {
			t.Errorf("%s: got %v, want %s", flag, got, want)
		}
	}
}
