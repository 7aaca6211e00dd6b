package proxy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// Bits of the manner in which a client presents its certificates.
const (
	speaksTLS12 = 1 << iota
	signedAgain // the leaf by the CA, so that what is altered counts
	issuerToo   // and likewise the second certificate
	bySecond    // the leaf by the key of the second
)

// fuzzedCerts is a sidecar for clients whose certificates the fuzzer makes. All
// keys are the same in every process: an input made in one is tried in others.
type fuzzedCerts struct {
	*sidecar
	ca      *pki.Authority
	key     ed25519.PrivateKey // the client's
	issuer  ed25519.PrivateKey // the second certificate's
	backend *backend
	socket  string
}

func fixedKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// lasting has nothing in it that differs from run to run.
func lasting(o pki.Options) pki.Options {
	if o.Serial == nil {
		o.Serial = big.NewInt(2)
	}
	if o.NotAfter.IsZero() {
		o.NotBefore, o.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return o
}

func startFuzzedCerts(f *testing.F) *fuzzedCerts {
	f.Helper()
	ca, err := pki.NewRoot(lasting(pki.Options{Subject: pkix.Name{CommonName: "Fuzzed CA"}, Key: fixedKey(1)}))
	if err != nil {
		f.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.WriteFile(folder+"/ca.crt", pki.CertPEM(ca.Cert), 0o600); err != nil {
		f.Fatal(err)
	}
	// Unix sockets: TCP would use up the ports, and a pipe in memory has no
	// room for an alert while the other side is still sending.
	listen := func(name string) net.Listener {
		listener, err := net.Listen("unix", folder+name)
		if err != nil {
			f.Fatal(err)
		}
		return listener
	}
	x := &fuzzedCerts{ca: ca, key: fixedKey(2), issuer: fixedKey(3), socket: folder + "/tls.sock"}
	x.backend = startBackendOn(f, listen("/app.sock"), answering(okAnswer))
	x.sidecar = newSidecar(f, "unix://"+folder+"/app.sock", "MTLS_CLIENT_CA_FILE="+folder+"/ca.crt", "MTLS_INVALID_CERT=failed")
	listener := listen("/tls.sock")
	go func() { x.served <- x.Serve(listener) }()
	f.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		x.Shutdown(ctx)
		<-x.served
	})
	return x
}

// seed adds a leaf, alone and below an intermediate, in each manner.
func (x *fuzzedCerts) seed(f *testing.F, leaf, intermediate pki.Options) {
	leaf.Key, intermediate.Key = x.key, x.issuer
	below, err := x.ca.Intermediate(lasting(intermediate))
	if err != nil {
		f.Fatal(err)
	}
	for _, issuer := range []*pki.Authority{x.ca, below} {
		certificate, err := issuer.Issue(lasting(leaf))
		if err != nil {
			f.Fatal(err)
		}
		second := []byte(nil)
		if issuer == below {
			second = below.Cert.Raw
		}
		for _, manner := range []byte{0, speaksTLS12, signedAgain, signedAgain | issuerToo, signedAgain | issuerToo | bySecond} {
			f.Add(certificate.Certificate[0], second, manner)
		}
	}
}

// FuzzClientCertificate presents whatever bytes as certificates, and proves to
// hold the key of the seeds' leaf. The application is told SUCCESS only when crypto/x509
// and our own judgement of what was presented both say so, and exactly then.
func FuzzClientCertificate(f *testing.F) {
	x := startFuzzedCerts(f)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	named := pki.Options{DNSNames: []string{"a.example"}, IPs: []net.IP{net.IPv4(10, 0, 0, 1)}, Emails: []string{"x@a.example"}}
	past := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, leaf := range []pki.Options{
		{}, named, {RawSubject: pki.EmptyName()}, {Version1: true}, {NoKU: true, NoEKU: true, NoKeyIDs: true}, {CA: true},
		{Subject: pkix.Name{CommonName: "a\x00b\r\nVERIFIED: SUCCESS", Organization: []string{"\u202e\x7f"}}},
		{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, {EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}, {KU: x509.KeyUsageCertSign},
		{ExtraExtensions: critical}, {NotBefore: past, NotAfter: past.AddDate(1, 0, 0)}, {Serial: big.NewInt(0)}, {Serial: big.NewInt(-1)},
	} {
		x.seed(f, leaf, pki.Options{})
	}
	x.seed(f, named, pki.Options{PermittedDNS: []string{"a.example"}, ExcludedDNS: []string{"b.example"}, MaxPathLen: new(int)})
	x.seed(f, pki.Options{}, pki.Options{NoBC: true})
	f.Fuzz(func(t *testing.T, leaf, second []byte, manner byte) {
		if len(leaf)+len(second) > 200<<10 {
			return
		}
		x.present(t, x.chain(leaf, second, manner), manner)
		x.readsWell(t)
		x.logs.TakeAll()
		if head, err := x.ask(t, nil, 0); err != nil || told(head) != toldAs("NONE", "") {
			t.Errorf("of the next client the application was told %s (%v)", told(head), err)
		}
	})
}

// chain is what the client presents.
func (x *fuzzedCerts) chain(leaf, second []byte, manner byte) [][]byte {
	ca := x.ca.Key.(ed25519.PrivateKey)
	if manner&issuerToo != 0 {
		second = signed(second, ca)
	}
	switch {
	case manner&signedAgain == 0:
	case manner&bySecond != 0:
		leaf = signed(leaf, x.issuer)
	default:
		leaf = signed(leaf, ca)
	}
	if len(second) == 0 {
		return [][]byte{leaf}
	}
	return [][]byte{leaf, second}
}

// signed replaces the signature of what has the outer form of a certificate.
func signed(der []byte, key ed25519.PrivateKey) []byte {
	var parts struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return der
	}
	signature := ed25519.Sign(key, parts.TBS.FullBytes)
	parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	again, err := asn1.Marshal(parts)
	if err != nil {
		return der
	}
	return again
}

// present makes one request as the owner of the chain, and compares what the
// application is told with what it must be told.
func (x *fuzzedCerts) present(t *testing.T, chain [][]byte, manner byte) {
	t.Helper()
	head, failure := x.ask(t, chain, manner)
	parsed, err := pki.Chain(tls.Certificate{Certificate: chain})
	ours := err == nil && x.key.Public().(ed25519.PublicKey).Equal(crypto.PublicKey(parsed[0].PublicKey))
	switch {
	case failure == nil && !ours:
		t.Fatalf("a handshake succeeded with a certificate that is not the client's (%v):\n%s", err, head)
	case failure != nil && ours && !slices.ContainsFunc(parsed, tooLargeForTLS):
		t.Fatalf("the handshake failed: %v", failure)
	case failure != nil:
		return
	}
	verdict := x.store.Current().Verify(parsed, time.Now())
	dn := ""
	if verdict.Status == trust.Success {
		dn = subjectDN(parsed[0])
	}
	if head == "" { // a page: what is to be told cannot be
		if verdict.Status != trust.Success {
			t.Errorf("%s was not told", verdict.Text())
		}
		return
	}
	if got, want := told(head), toldAs(verdict.Text(), dn); got != want {
		t.Errorf("the application was told %s, want %s", got, want)
	}
	if verdict.Status == trust.Success {
		x.confirm(t, parsed)
	}
}

// tooLargeForTLS is what crypto/tls refuses in any certificate that it is sent.
func tooLargeForTLS(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > 8192
}

// confirm asks crypto/x509, which knows nothing of our rules.
func (x *fuzzedCerts) confirm(t *testing.T, parsed []*x509.Certificate) {
	t.Helper()
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	options.Roots.AddCert(x.ca.Cert)
	for _, c := range parsed[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := parsed[0].Verify(options); err != nil {
		t.Errorf("SUCCESS, but crypto/x509 says: %v", err)
	}
}

// ask makes one request and returns the head that the application got, if any,
// or why the handshake came to nothing.
func (x *fuzzedCerts) ask(t *testing.T, chain [][]byte, manner byte) (string, error) {
	t.Helper()
	socket, err := net.Dial("unix", x.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_ = socket.SetDeadline(time.Now().Add(hang))
	config := clientConfig(nil)
	if chain != nil {
		config = clientConfig(&tls.Certificate{Certificate: chain, PrivateKey: x.key})
	}
	if manner&speaksTLS12 != 0 {
		config.MaxVersion = tls.VersionTLS12
	}
	conn := tls.Client(socket, config)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	switch {
	case isTimeout(err):
		t.Fatalf("the connection hangs after %q", answer)
	case bytes.HasPrefix(answer, []byte("HTTP/1.1 200")):
		return x.backend.seen(t), nil
	case len(answer) > 0:
		x.backend.sawNothing(t)
		return "", nil
	case err == nil:
		err = io.EOF
	}
	x.backend.sawNothing(t)
	return "", err
}
