package proxy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// hostile is what a client presents to do harm, and what must come of it:
// what the application is told, or the reason on the page, or in the log when
// the handshake fails.
type hostile struct {
	name             string
	certificate      tls.Certificate
	dn, page, failed string
}

func hostileClients(t testing.TB) []hostile {
	t.Helper()
	ca := testCA(t).ca
	fast := anyKey(t, elliptic.P256()) // for all whose key does not matter
	cn := func(name string) pki.Options { return pki.Options{Subject: pkix.Name{CommonName: name}, Key: fast} }
	leaf := func(change func(*pki.Options)) tls.Certificate {
		o := cn("client")
		change(&o)
		return *issue(t, o)
	}
	below := func(issuer *pki.Authority, o pki.Options) *pki.Authority {
		a, err := issuer.Intermediate(o)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	issuedBy := func(issuer *pki.Authority, o pki.Options) tls.Certificate {
		certificate, err := issuer.Issue(o)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	good := leaf(func(*pki.Options) {})
	many := make([]*x509.Certificate, 500)
	for i := range many {
		many[i] = ca.Cert
	}
	deep, chain := ca, []*x509.Certificate(nil)
	for i := range 31 {
		deep = below(deep, cn(fmt.Sprintf("Level %d", i)))
		chain = append([]*x509.Certificate{deep.Cert}, chain...)
	}
	shallow := len(chain) - 14 // with leaf and root the most that a path may have
	first, second := below(ca, cn("First")), below(ca, cn("Second"))
	firstBySecond, secondByFirst := below(second, cn("First")), below(first, cn("Second"))
	var crossed []*x509.Certificate
	for range 15 { // each of the one name has signed each of the other
		crossed = append(crossed, below(second, cn("First")).Cert, below(first, cn("Second")).Cert)
	}
	constrained := func(n int) *pki.Authority {
		o := cn("Constrained")
		o.ExcludedDNS = names(n, "x")
		return below(ca, o)
	}
	stuffed, slim := constrained(4000), constrained(400)
	slow := below(ca, pki.Options{Subject: pkix.Name{CommonName: "Slow"}, Key: forger{&rsa.PublicKey{N: oddNumber(8192), E: 1<<31 - 1}}})
	dated := time.Now().Add(-time.Hour)
	return []hostile{
		{"5,000 names", leaf(func(o *pki.Options) { o.DNSNames = names(5000, "a") }), "CN=client", "", ""},
		{"NUL in the name", *issue(t, cn("admin\x00.evil")), `CN=admin\00.evil`, "", ""},
		{"lines in the name", *issue(t, cn("a\r\nVERIFIED: SUCCESS\r\n\r\nGET / HTTP/1.1")), `CN=a\0D\0AVERIFIED: SUCCESS\0D\0A\0D\0AGET / HTTP/1.1`, "", ""},
		{"lines in the name of a stranger", selfSigned(t, cn("a\n\x1b[31mb\x7f\u009b\u202e")), "", "self_signed", ""},
		{"NUL and lines in alternative names", leaf(func(o *pki.Options) { o.DNSNames = []string{"a\x00b.example", "a\r\nDN: CN=root"} }), "CN=client", "", ""},
		{"a name of 100 KiB", leaf(func(o *pki.Options) { o.Subject.OrganizationalUnit = names(5000, "unit of a large organisation") }), "", "identity_too_large", ""},
		{"1,000 extensions", leaf(func(o *pki.Options) { o.ExtraExtensions = extensions(1000, 1) }), "CN=client", "", ""},
		{"1,000 extensions of one kind", leaf(func(o *pki.Options) { o.ExtraExtensions = extensions(1000, 0) }), "", "", "certificate_unparsable"},
		{"a giant serial number", leaf(func(o *pki.Options) { o.Serial = oddNumber(8000) }), "CN=client", "", ""},
		{"a giant serial number on an expired one", leaf(func(o *pki.Options) {
			o.Serial, o.NotBefore, o.NotAfter = oddNumber(8000), dated.AddDate(-1, 0, 0), dated
		}), "", "expired", ""},
		{"a large RSA exponent", leaf(func(o *pki.Options) { o.Key = forger{&rsa.PublicKey{N: oddNumber(2048), E: 1<<62 + 1}} }), "", "", "certificate_not_proved"},
		{"a giant RSA exponent", withRSA(t, good, oddNumber(2048), oddNumber(8000)), "", "", "certificate_unparsable"},
		{"a giant RSA modulus", withRSA(t, good, oddNumber(1<<20), big.NewInt(65537)), "", "", "certificate_key_too_large"},
		{"the slowest RSA key in a CA", pki.With(issuedBy(slow, cn("client")), slow.Cert), "", "bad_signature", ""},
		{"a path of the greatest length", pki.With(issuedBy(&pki.Authority{Cert: chain[shallow], Key: fast}, cn("client")), chain[shallow:]...), "CN=client", "", ""},
		{"a deep chain", pki.With(issuedBy(deep, cn("client")), chain...), "", "unknown_issuer", ""},
		{"more than a client may send", pki.With(good, many[:32]...), "", "chain_too_long", ""},
		{"500 certificates", pki.With(good, many...), "", "chain_too_long", ""},
		{"CAs that signed each other", pki.With(issuedBy(firstBySecond, cn("client")), firstBySecond.Cert, secondByFirst.Cert), "", "unknown_issuer", ""},
		{"30 CAs that signed each other", pki.With(issuedBy(firstBySecond, cn("client")), crossed...), "", "unknown_issuer", ""},
		{"4,000 constraints on 4,000 names", pki.With(issuedBy(stuffed, pki.Options{Key: fast, DNSNames: names(4000, "a")}), stuffed.Cert), "", "rejected", ""},
		{"400 constraints on 400 names", pki.With(issuedBy(slim, pki.Options{Key: fast, DNSNames: names(400, "a")}), slim.Cert), "CN=client", "", ""},
	}
}

func selfSigned(t testing.TB, o pki.Options) tls.Certificate {
	t.Helper()
	certificate, err := pki.SelfSigned(o)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func names(n int, label string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d.example", label, i)
	}
	return list
}

// extensions are private ones; step zero gives all the same identifier.
func extensions(n, step int) []pkix.Extension {
	list := make([]pkix.Extension, n)
	for i := range list {
		list[i] = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1 + i*step}, Value: []byte{5, 0}}
	}
	return list
}

// oddNumber is one of this many bits, which nobody can factor.
func oddNumber(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.SetBit(n, 0, 1)
}

// withRSA puts another key into a certificate, which no longer matches its signature.
func withRSA(t testing.TB, certificate tls.Certificate, n, e *big.Int) tls.Certificate {
	t.Helper()
	var parts struct {
		TBS struct {
			Version                                      int `asn1:"explicit,default:0,tag:0"`
			Serial, Algorithm, Issuer, Validity, Subject asn1.RawValue
			Key                                          struct {
				Algorithm pkix.AlgorithmIdentifier
				Key       asn1.BitString
			}
			Extensions asn1.RawValue `asn1:"explicit,optional,tag:3"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(certificate.Certificate[0], &parts); err != nil {
		t.Fatal(err)
	}
	key, err := asn1.Marshal(struct{ N, E *big.Int }{n, e})
	if err != nil {
		t.Fatal(err)
	}
	parts.TBS.Key.Algorithm = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}
	parts.TBS.Key.Key = asn1.BitString{Bytes: key, BitLength: 8 * len(key)}
	der, err := asn1.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: certificate.PrivateKey}
}

// forger has a public key without its private one, and signs all the same.
type forger struct{ public crypto.PublicKey }

func (f forger) Public() crypto.PublicKey { return f.public }

func (forger) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 64), nil
}

// anyKey is a key that a client holds and no certificate here has.
func anyKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// patched replaces a hexadecimal sequence, which must be there.
func patched(t testing.TB, raw []byte, from, to string) []byte {
	t.Helper()
	old, with := unhex(t, from), unhex(t, to)
	if !bytes.Contains(raw, old) {
		t.Fatalf("%s is not there", from)
	}
	return bytes.ReplaceAll(raw, old, with)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
