package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"
)

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newRoot(t *testing.T, o Options) *Authority {
	t.Helper()
	a, err := NewRoot(o)
	return must(t, a, err)
}

func issue(t *testing.T, a *Authority, o Options) tls.Certificate {
	t.Helper()
	c, err := a.Issue(o)
	return must(t, c, err)
}

// verify asks crypto/x509, which knows nothing of this package.
func verify(leaf *x509.Certificate, root *Authority, others ...*x509.Certificate) error {
	roots, inters := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root.Cert)
	for _, c := range others {
		inters.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: inters, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

func TestZeroOptionsGiveAGoodClientCertificate(t *testing.T) {
	root := newRoot(t, Options{})
	inter, err := root.Intermediate(Options{})
	must(t, inter, err)
	leaf := issue(t, inter, Options{}).Leaf
	if err := verify(leaf, root, inter.Cert); err != nil {
		t.Error(err)
	}
	if leaf.Subject.CommonName != "client" || leaf.IsCA || leaf.SerialNumber.Sign() <= 0 {
		t.Errorf("leaf %v, CA %v, serial %v", leaf.Subject, leaf.IsCA, leaf.SerialNumber)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		t.Errorf("usages %v and %v", leaf.KeyUsage, leaf.ExtKeyUsage)
	}
}

func TestEachOptionIsHeeded(t *testing.T) {
	root := newRoot(t, Options{MaxPathLen: new(1), PermittedDNS: []string{"a.example"}, ExcludedDNS: []string{"x.a.example"}})
	if c := root.Cert; c.MaxPathLen != 1 || !slices.Equal(c.PermittedDNSDomains, []string{"a.example"}) ||
		!slices.Equal(c.ExcludedDNSDomains, []string{"x.a.example"}) || !c.PermittedDNSDomainsCritical {
		t.Errorf("root: path length %d, permitted %v, excluded %v", c.MaxPathLen, c.PermittedDNSDomains, c.ExcludedDNSDomains)
	}
	from, to := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)
	uri, err := url.Parse("spiffe://a.example/x")
	must(t, uri, err)
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	c := issue(t, root, Options{
		Subject: pkix.Name{CommonName: "x"}, Serial: big.NewInt(7), NotBefore: from, NotAfter: to,
		DNSNames: []string{"a.example"}, IPs: []net.IP{net.IPv4(10, 0, 0, 1), net.IPv6loopback}, Emails: []string{"x@a.example"}, URIs: []*url.URL{uri},
		KU: x509.KeyUsageKeyAgreement | x509.KeyUsageDecipherOnly, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, UnknownEKU: []asn1.ObjectIdentifier{unknown},
		ExtraExtensions: []pkix.Extension{{Id: unknown, Critical: true, Value: []byte{5, 0}}},
	}).Leaf
	for what, ok := range map[string]bool{
		"subject":   c.Subject.CommonName == "x",
		"serial":    c.SerialNumber.Cmp(big.NewInt(7)) == 0,
		"validity":  c.NotBefore.Equal(from) && c.NotAfter.Equal(to),
		"names":     len(c.DNSNames) == 1 && len(c.IPAddresses) == 2 && len(c.IPAddresses[0]) == 4 && len(c.EmailAddresses) == 1 && c.URIs[0].String() == uri.String(),
		"key usage": c.KeyUsage == x509.KeyUsageKeyAgreement|x509.KeyUsageDecipherOnly,
		"purposes":  slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}) && len(c.UnknownExtKeyUsage) == 1,
		"extra":     len(c.UnhandledCriticalExtensions) == 1,
		"key ids":   string(c.AuthorityKeyId) == string(root.Cert.SubjectKeyId) && len(c.SubjectKeyId) == 20,
	} {
		if !ok {
			t.Errorf("the %s is not as asked", what)
		}
	}
}

func TestExtensionsCanBeLeftOutAndReplaced(t *testing.T) {
	root := newRoot(t, Options{})
	bare := issue(t, root, Options{NoKU: true, NoEKU: true, NoKeyIDs: true, RawSubject: EmptyName()}).Leaf
	if len(bare.Extensions) != 0 || len(bare.Subject.Names) != 0 {
		t.Errorf("%d extensions and subject %v, want none", len(bare.Extensions), bare.Subject)
	}
	v1 := issue(t, root, Options{Version1: true}).Leaf
	if v1.Version != 1 || len(v1.Extensions) != 0 || verify(v1, root) != nil {
		t.Errorf("version %d with %d extensions", v1.Version, len(v1.Extensions))
	}
	replaced := issue(t, root, Options{ExtraExtensions: []pkix.Extension{{Id: oidKeyUsage, Value: []byte{3, 2, 3, 8}}}}).Leaf
	if replaced.KeyUsage != x509.KeyUsageKeyAgreement {
		t.Errorf("the replaced key usage is %v", replaced.KeyUsage)
	}
	if noBC := newRoot(t, Options{NoBC: true}).Cert; noBC.BasicConstraintsValid {
		t.Errorf("basicConstraints are there")
	}
}

func TestEverySignatureAlgorithmVerifies(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, rsaKey, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, edKey, err)
	ecRoot, rsaRoot, edRoot := newRoot(t, Options{}), newRoot(t, Options{Key: rsaKey}), newRoot(t, Options{Key: edKey})
	for algorithm, root := range map[x509.SignatureAlgorithm]*Authority{
		x509.ECDSAWithSHA1: ecRoot, x509.ECDSAWithSHA256: ecRoot, x509.ECDSAWithSHA384: ecRoot, x509.ECDSAWithSHA512: ecRoot,
		x509.SHA1WithRSA: rsaRoot, x509.SHA256WithRSA: rsaRoot, x509.SHA384WithRSA: rsaRoot, x509.SHA512WithRSA: rsaRoot,
		x509.PureEd25519: edRoot,
	} {
		c := issue(t, root, Options{SignatureAlgorithm: algorithm}).Leaf
		if err := root.Cert.CheckSignature(algorithm, c.RawTBSCertificate, c.Signature); c.SignatureAlgorithm != algorithm || err != nil {
			t.Errorf("%v came out as %v: %v", algorithm, c.SignatureAlgorithm, err)
		}
	}
	// crypto/x509 does not verify MD5 at all; crypto/rsa does.
	md5 := issue(t, rsaRoot, Options{SignatureAlgorithm: x509.MD5WithRSA}).Leaf
	var insecure x509.InsecureAlgorithmError
	if err := rsaRoot.Cert.CheckSignature(md5.SignatureAlgorithm, md5.RawTBSCertificate, md5.Signature); !errors.As(err, &insecure) {
		t.Errorf("MD5: %v", err)
	}
	if _, err := ecRoot.Issue(Options{SignatureAlgorithm: x509.DSAWithSHA1}); err == nil {
		t.Errorf("DSA is not refused")
	}
}

func TestACorruptedSignatureDoesNotVerify(t *testing.T) {
	root := newRoot(t, Options{})
	good := issue(t, root, Options{})
	bad, err := CorruptSignature(good)
	must(t, bad, err)
	if err := verify(good.Leaf, root); err != nil {
		t.Errorf("corrupting a copy has changed the original: %v", err)
	}
	if string(bad.Leaf.RawTBSCertificate) != string(good.Leaf.RawTBSCertificate) || verify(bad.Leaf, root) == nil {
		t.Errorf("the corrupted certificate is not the same but for its signature")
	}
}

func TestALeafCanIssue(t *testing.T) {
	root := newRoot(t, Options{})
	issuer, err := AuthorityOf(issue(t, root, Options{}))
	must(t, issuer, err)
	c := issue(t, issuer, Options{}).Leaf
	if err := issuer.Cert.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
}

func TestACertificateThatGoCannotParseHasNoLeaf(t *testing.T) {
	root := newRoot(t, Options{})
	c := issue(t, root, Options{Serial: big.NewInt(-1)})
	if c.Leaf != nil || len(c.Certificate) != 1 {
		t.Errorf("a negative serial was parsed")
	}
	if _, err := AuthorityOf(c); err == nil {
		t.Errorf("it may issue")
	}
	if _, err := NewRoot(Options{Serial: big.NewInt(-1)}); err == nil {
		t.Errorf("it may be a root")
	}
}

func TestPEMRoundTrip(t *testing.T) {
	root := newRoot(t, Options{})
	leaf := With(issue(t, root, Options{}), root.Cert)
	key, err := KeyPEM(leaf.PrivateKey)
	must(t, key, err)
	pair, err := tls.X509KeyPair(ChainPEM(leaf), key)
	must(t, pair, err)
	if len(pair.Certificate) != 2 || string(pair.Certificate[1]) != string(root.Cert.Raw) {
		t.Errorf("the chain has %d certificates", len(pair.Certificate))
	}
	chain, err := Chain(leaf)
	if err != nil || len(chain) != 2 || !chain[1].Equal(root.Cert) {
		t.Errorf("the parsed chain has %d certificates: %v", len(chain), err)
	}
	block, rest := pem.Decode(CertPEM(root.Cert))
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Errorf("the PEM of one certificate is not one block")
	}
	if _, err := KeyPEM("no key"); err == nil {
		t.Errorf("a string is taken for a key")
	}
}
