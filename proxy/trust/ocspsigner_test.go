package trust

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestOnlyTheIssuersOwnResponderMaySignForIt(t *testing.T) {
	w := newOCSPWorld(t)
	signing := []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	name := pkix.Name{CommonName: "Responder"}
	tests := []struct {
		name   string
		issuer *pki.Authority
		o      pki.Options
		want   string // part of the error; empty: it may
	}{
		{"certified for it", w.inter, pki.Options{EKU: signing}, ""},
		{"and for more", w.inter, pki.Options{EKU: append(signing, x509.ExtKeyUsageClientAuth)}, ""},
		{"without a key usage", w.inter, pki.Options{EKU: signing, NoKU: true}, ""},
		{"with an RSA key", w.inter, pki.Options{EKU: signing, Key: rsaKey(t, 2048)}, ""},
		{"a client of the same CA", w.inter, pki.Options{}, "not for OCSP signing"},
		{"no extended key usage", w.inter, pki.Options{NoEKU: true}, "not for OCSP signing"},
		{"any extended key usage", w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}, "not for OCSP signing"},
		{"another key usage", w.inter, pki.Options{EKU: signing, KU: x509.KeyUsageKeyEncipherment}, "digitalSignature"},
		{"expired", w.inter, pki.Options{EKU: signing, NotAfter: w.now.Add(-time.Second)}, "out of date"},
		{"not begun", w.inter, pki.Options{EKU: signing, NotBefore: w.now.Add(time.Minute)}, "out of date"},
		{"certified by the root", w.root, pki.Options{EKU: signing}, "not certified"},
		{"certified by a stranger", w.stranger, pki.Options{EKU: signing}, "not certified"},
		{"certified by nobody", nil, pki.Options{EKU: signing}, "not certified"},
		{"certified with SHA-1", w.inter, pki.Options{EKU: signing, SignatureAlgorithm: x509.ECDSAWithSHA1}, "too weak"},
		{"a short RSA key", w.inter, pki.Options{EKU: signing, Key: rsaKey(t, 1024)}, "too short"},
		{"an unknown critical extension", w.inter, pki.Options{EKU: signing, ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}}, "form that is refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.o.Subject = name
			responder := w.authority(w.keyed(test.issuer, test.o))
			_, err := w.judged(w.forge().by(responder, responder.Cert).der(t))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestAStrangerWithTheIssuersNameIsNotTheIssuer(t *testing.T) {
	w := newOCSPWorld(t)
	double := w.ca(pki.Options{RawSubject: w.inter.Cert.RawSubject})
	if _, err := w.judged(w.forge().by(double, double.Cert).der(t)); err == nil {
		t.Errorf("an answer by the issuer's namesake is accepted")
	}
	responder := w.authority(w.keyed(double, pki.Options{NoKeyIDs: true, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))
	_, err := w.judged(w.forge().by(responder, responder.Cert).der(t))
	if err == nil || !strings.Contains(err.Error(), "not certified") {
		t.Errorf("a responder of the issuer's namesake: got error %v", err)
	}
}

func TestAResponderMayBeNamedByItsKey(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.authority(w.keyed(w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))
	bits := func(c *x509.Certificate) []byte {
		var info struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
		must(t, rest, err)
		sum := sha1.Sum(info.Key.Bytes)
		return sum[:]
	}
	direct := w.forge()
	direct.responder = ocspDER(0xa2, ocspDER(tagOctetString, bits(w.inter.Cert)))
	if _, err := w.judged(direct.der(t)); err != nil {
		t.Errorf("the issuer by its key: %v", err)
	}
	delegated := w.forge().by(responder, responder.Cert)
	delegated.responder = ocspDER(0xa2, ocspDER(tagOctetString, bits(responder.Cert)))
	if _, err := w.judged(delegated.der(t)); err != nil {
		t.Errorf("the responder by its key: %v", err)
	}
	delegated.responder = direct.responder
	if _, err := w.judged(delegated.der(t)); err == nil {
		t.Errorf("an answer that names the issuer's key is accepted from its responder's")
	}
	delegated.responder = ocspDER(0xa2, ocspDER(tagOctetString, bits(responder.Cert)), []byte{tagNull, 0})
	if _, err := w.judged(delegated.der(t)); err == nil {
		t.Errorf("an answer with bytes after the responder's key is accepted")
	}
}

func TestAnAnswerEndsWithItsSignersCertificate(t *testing.T) {
	w := newOCSPWorld(t)
	end := w.now.Add(2 * time.Minute)
	responder := w.authority(w.keyed(w.inter, pki.Options{NotAfter: end, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))
	answer, err := w.judged(w.forge().by(responder, responder.Cert).der(t))
	if must(t, answer, err); !answer.until.Equal(end) {
		t.Errorf("it counts until %v, want %v", answer.until, end)
	}
}

// Nobody makes a key of 9000 bits for a test: its modulus is any odd number of that size.
func TestNothingIsComputedWithAGiantKey(t *testing.T) {
	w := newOCSPWorld(t)
	giant := w.leaf(w.inter, pki.Options{Key: giantKey{rsaKey(t, 2048)}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	f := w.forge()
	f.enclosed, f.responder = []*x509.Certificate{giant}, ocspDER(0xa1, giant.RawSubject)
	_, err := w.judged(f.der(t))
	if err == nil || !strings.Contains(err.Error(), "form that is refused") {
		t.Errorf("got error %v", err)
	}
}

// giantKey has a public key that its private one does not fit.
type giantKey struct{ *rsa.PrivateKey }

func (giantKey) Public() crypto.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 8999)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}
