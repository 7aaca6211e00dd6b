package proxy

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"mtls-sidecar/proxy/pki"
)

// hostileSize is what one hostile client may make both ends of its connection
// allocate from first byte to last, tests included; no peak is higher.
const hostileSize = 24 << 20

// allocated is how much memory was allocated, and perhaps freed, since before.
func allocated(since uint64) uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc - since
}

// readsWell fails when a logged line, in either format, is more than one line of visible ASCII.
func (s *sidecar) readsWell(t testing.TB) {
	t.Helper()
	for _, encoder := range []zapcore.Encoder{zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"}), zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "msg"})} {
		for _, entry := range s.logs.All() {
			line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.TrimSuffix(line.String(), "\n")
			if strings.ContainsFunc(text, func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' }) {
				t.Errorf("a line of the log is not visible ASCII: %q", text[:min(len(text), 500)])
			}
		}
	}
}

// meets presents a hostile certificate and compares what comes of it.
func (s *sidecar) meets(t *testing.T, app *backend, version uint16, h *hostile) {
	t.Helper()
	if h.failed != "" {
		if err := s.hears(t, clientOf(version, &h.certificate)); err == nil {
			t.Error("the handshake came through")
		}
		if got := s.onlyRefusal(t, "handshake failed")["error.type"]; got != h.failed {
			t.Errorf("the handshake failed for %v, want %s", got, h.failed)
		}
		app.sawNothing(t)
		return
	}
	c := s.dialWith(t, clientOf(version, &h.certificate))
	c.send(getRequest)
	answer, body := c.answer("GET")
	if h.page != "" {
		if answer.StatusCode < 400 || !strings.Contains(body, "<code>"+h.page+"</code>") {
			t.Errorf("got %d, want a page about %s:\n%s", answer.StatusCode, h.page, body)
		}
		app.sawNothing(t)
		return
	}
	if answer.StatusCode != 200 {
		t.Fatalf("got %d:\n%s", answer.StatusCode, body)
	}
	if got, want := told(app.seen(t)), toldAs("SUCCESS", h.dn); got != want {
		t.Errorf("the application was told %s, want %s", got, want)
	}
}

func TestEachHostileCertificateHasItsOutcomeAndHarmsNobodyElse(t *testing.T) {
	clients := hostileClients(t)
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	other, good := s.dial(t, nil), expectation{200, "SUCCESS", "CN=client,O=Acme"}
	bothVersions(t, func(t *testing.T, version uint16) {
		for i := range clients {
			t.Run(clients[i].name, func(t *testing.T) {
				s.logs.TakeAll()
				before := allocated(0)
				s.meets(t, app, version, &clients[i])
				if size := allocated(before); size > hostileSize {
					t.Errorf("it took %d KiB, want at most %d", size>>10, hostileSize>>10)
				}
				s.readsWell(t)
				other.asks(app, nobody)
				s.dial(t, &testCA(t).client).asks(app, good)
			})
		}
	})
}

func TestRefusedCertificatesLeaveNoMemoryBehind(t *testing.T) {
	many := make([][]byte, 500) // some 2 MiB once parsed
	for i := range many {
		many[i] = testCA(t).ca.Cert.Raw
	}
	h := hostile{certificate: tls.Certificate{Certificate: many, PrivateKey: testCA(t).ca.Key}, page: "chain_too_long"}
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, noneLeftOut)
	held := func() uint64 {
		waitFor(t, "the connections' end", func() bool { s.conns.mu.Lock(); defer s.conns.mu.Unlock(); return len(s.conns.conns) == 0 })
		s.logs.TakeAll()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := uint64(0)
	for i := range 21 {
		t.Run("client", func(t *testing.T) { s.meets(t, app, tls.VersionTLS13, &h) }) // which leaves at the end
		if i == 0 {
			before = held()
		}
	}
	if after := held(); after > before+8<<20 {
		t.Errorf("20 more refused clients left %d KiB", (after-before)>>10)
	}
}

func TestACertificateCutAnywhereEndsTheHandshake(t *testing.T) {
	leaf := issue(t, pki.Options{DNSNames: names(20, "a")})
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, noneLeftOut)
	bothVersions(t, func(t *testing.T, version uint16) {
		for size := 1; size < len(leaf.Certificate[0]); size += 64 {
			for _, chain := range [][][]byte{{leaf.Certificate[0][:size]}, {leaf.Certificate[0], testCA(t).ca.Cert.Raw[:min(size, len(testCA(t).ca.Cert.Raw)-1)]}} {
				s.logs.TakeAll()
				s.meets(t, app, version, &hostile{certificate: tls.Certificate{Certificate: chain, PrivateKey: leaf.PrivateKey}, failed: "certificate_unparsable"})
			}
		}
	})
}

func TestWhatIsNoCertificateEndsTheHandshake(t *testing.T) {
	leaf := issue(t, pki.Options{})
	der, key := leaf.Certificate[0], leaf.PrivateKey.(crypto.Signer)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), NextUpdate: time.Now()}, testCA(t).ca.Cert, testCA(t).ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, noneLeftOut)
	bothVersions(t, func(t *testing.T, version uint16) {
		for name, raw := range map[string][]byte{
			"a CRL": list, "a request": request, "a key": private, "PEM": pki.CertPEM(leaf.Leaf), "a byte after it": append(bytes.Clone(der), 0),
			"a certificate of version 4": patched(t, der, "a003020102", "a003020103"), "an indefinite length": append(append([]byte{0x30, 0x80}, der[4:]...), 0, 0),
			"SET for SEQUENCE": append([]byte{0x31}, der[1:]...), "a length beyond the end": append([]byte{0x30, 0x83, 0xff}, der[2:]...), "zeros": make([]byte, 1<<16),
			"nested SEQUENCEs": bytes.Repeat([]byte{0x30, 0x80}, 1<<15),
		} {
			t.Run(name, func(t *testing.T) {
				s.logs.TakeAll()
				s.meets(t, app, version, &hostile{certificate: tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, failed: "certificate_unparsable"})
				s.readsWell(t)
			})
		}
	})
}

// certificateMessage is RFC 8446 §4.4.2's: a context, and for each certificate
// its length and its extensions.
func certificateMessage(chain [][]byte) int {
	size := 1 + 3
	for _, der := range chain {
		size += 3 + len(der) + 2
	}
	return size
}

func TestCertificatesOf256KiBAreTheMostThatAClientMaySend(t *testing.T) {
	const most = 256 << 10
	_, key, err := ed25519.GenerateKey(rand.Reader) // its signatures are all of one size
	if err != nil {
		t.Fatal(err)
	}
	stuffing := func(size int) *x509.Certificate {
		a, err := pki.NewRoot(pki.Options{Key: key, Serial: big.NewInt(1), ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999}, Value: make([]byte, size)}}})
		if err != nil {
			t.Fatal(err)
		}
		return a.Cert
	}
	leaf := testCA(t).client
	around := certificateMessage(pki.With(leaf, stuffing(200<<10)).Certificate) - 200<<10
	app := startBackend(t, answering(okAnswer))
	for _, test := range []struct {
		size int
		h    hostile
	}{{most, hostile{dn: "CN=client,O=Acme"}}, {most + 1, hostile{failed: "certificate_too_large"}}} {
		test.h.certificate = pki.With(leaf, stuffing(test.size-around))
		if got := certificateMessage(test.h.certificate.Certificate); got != test.size {
			t.Fatalf("the message has %d bytes, want %d", got, test.size)
		}
		s := startSidecar(t, app.url)
		s.meets(t, app, tls.VersionTLS13, &test.h)
	}
}
