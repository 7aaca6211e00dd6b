package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func oidDER(t testing.TB, arcs ...int) []byte {
	t.Helper()
	der, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	return must(t, der, err)
}

// algorithmDER is an AlgorithmIdentifier.
func algorithmDER(t testing.TB, parameters []byte, arcs ...int) []byte {
	t.Helper()
	return asDER(0x30, oidDER(t, arcs...), parameters)
}

// pssDER is RSASSA-PSS over 2.16.840.1.101.3.4.2.digest, with the mask's likewise.
func pssDER(t testing.TB, digest, mask, salt int) []byte {
	t.Helper()
	hash := func(n int) []byte { return algorithmDER(t, []byte{5, 0}, 2, 16, 840, 1, 101, 3, 4, 2, n) }
	length, err := asn1.Marshal(salt)
	must(t, length, err)
	mgf := algorithmDER(t, hash(mask), 1, 2, 840, 113549, 1, 1, 8)
	return algorithmDER(t, asDER(0x30, asDER(0xa0, hash(digest)), asDER(0xa1, mgf), asDER(0xa2, length)), 1, 2, 840, 113549, 1, 1, 10)
}

type signatureCase struct {
	name      string
	key       crypto.Signer
	algorithm []byte
	options   crypto.SignerOpts
}

func signatureCases(t testing.TB) []signatureCase {
	t.Helper()
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		return must(t, key, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(t, ed, err)
	rsa2048 := rsaKey(t, 2048)
	null := []byte{5, 0}
	rsaOID := func(n int, parameters []byte) []byte { return algorithmDER(t, parameters, 1, 2, 840, 113549, 1, 1, n) }
	ecOID := func(n int) []byte { return algorithmDER(t, nil, 1, 2, 840, 10045, 4, 3, n) }
	return []signatureCase{
		{"RSA SHA-256", rsa2048, rsaOID(11, null), crypto.SHA256},
		{"RSA SHA-384", rsa2048, rsaOID(12, null), crypto.SHA384},
		{"RSA SHA-512", rsa2048, rsaOID(13, null), crypto.SHA512},
		{"RSA without the NULL", rsa2048, rsaOID(11, nil), crypto.SHA256},
		{"PSS SHA-256", rsa2048, pssDER(t, 1, 1, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}},
		{"PSS SHA-384", rsa2048, pssDER(t, 2, 2, 48), &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: 48}},
		{"PSS SHA-512", rsa2048, pssDER(t, 3, 3, 64), &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: 64}},
		{"PSS with the longest salt", rsa2048, pssDER(t, 1, 1, 222), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 222}},
		{"ECDSA P-256", ec(elliptic.P256()), ecOID(2), crypto.SHA256},
		{"ECDSA P-384", ec(elliptic.P384()), ecOID(3), crypto.SHA384},
		{"ECDSA P-521", ec(elliptic.P521()), ecOID(4), crypto.SHA512},
		{"Ed25519", ed, algorithmDER(t, nil, 1, 3, 101, 112), crypto.Hash(0)},
	}
}

func TestAListIsSignedByTheHolderOfTheKeyAlone(t *testing.T) {
	w := newWorld(t)
	for _, c := range signatureCases(t) {
		t.Run(c.name, func(t *testing.T) {
			issuer := w.ca(pki.Options{Key: c.key})
			raw := goodRawCRL(issuer)
			raw.algorithm = c.algorithm
			der := raw.signed(t, c.key, c.options)
			list := oneCRL(t, bytes.Clone(der))
			for _, other := range signatureCases(t) { // with the same name
				if list.signedBy(newCertificate(w.ca(pki.Options{Key: other.key}).Cert)) {
					t.Errorf("another's %s key is taken for the signer's", other.name)
				}
			}
			if list.verified() {
				t.Errorf("verified by nobody")
			}
			if !list.signedBy(newCertificate(issuer.Cert)) || !list.verified() {
				t.Errorf("the signer is not known again")
			}
			lists, err := ParseCRLs([]byte(crlPEM(der) + crlPEM(der))) // what is signed survives decoding in place
			for _, list := range must(t, lists, err) {
				if !list.signedBy(newCertificate(issuer.Cert)) {
					t.Errorf("the signer is not known again in PEM")
				}
			}
			at := bytes.Index(der, []byte("260101000000Z")) // a revocation date, inside what is signed
			der[at+1]++
			if oneCRL(t, der).signedBy(newCertificate(issuer.Cert)) {
				t.Errorf("what was changed after signing is still taken for signed")
			}
		})
	}
}

func TestAProvedSignatureIsNotComputedAgainNorForgotten(t *testing.T) {
	w := newWorld(t)
	list := oneCRL(t, goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256))
	signer, namesake := newCertificate(w.root.Cert), newCertificate(w.ca(pki.Options{}).Cert)
	if !list.signedBy(signer) {
		t.Fatalf("the signer is not known")
	}
	list.signature.value = nil // computing again would fail
	for range 2 {
		if !list.signedBy(signer) {
			t.Errorf("computed again")
		}
		if list.signedBy(namesake) {
			t.Errorf("another key of the same name profits from what was proved")
		}
	}
	if n := testing.AllocsPerRun(10, func() { list.signedBy(signer) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestManyMayAskAtOnceWhoSigned(t *testing.T) {
	w := newWorld(t)
	list := oneCRL(t, goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256))
	signer, namesake := newCertificate(w.root.Cert), newCertificate(w.ca(pki.Options{}).Cert)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if !list.signedBy(signer) || list.signedBy(namesake) || !list.verified() || !list.Revokes(big.NewInt(5)) {
				t.Errorf("the answer is another when many ask")
			}
		})
	}
	all.Wait()
}

// powerOf3 is an RSA key of 8241 bits that nobody need search primes for: the
// order of its group is known. Its signatures are good ones.
func powerOf3(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	three := big.NewInt(3)
	order := new(big.Int).Exp(three, big.NewInt(5198), nil)
	modulus := new(big.Int).Mul(order, three)
	order.Mul(order, big.NewInt(2))
	d := new(big.Int).ModInverse(big.NewInt(65537), order)
	if d == nil || modulus.BitLen() <= maxRSABits {
		t.Fatalf("no such key of %d bits", modulus.BitLen())
	}
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: modulus, E: 65537}, D: d}
}

func TestARSAKeyOver8192BitsIsComputedWithOnlyIfTrusted(t *testing.T) {
	w := newWorld(t)
	key := powerOf3(t)
	raw := goodRawCRL(w.root)
	raw.algorithm = algorithmDER(t, []byte{5, 0}, 1, 2, 840, 113549, 1, 1, 11)
	// PKCS #1 v1.5 (RFC 8017 §9.2) by hand; a multiple of three has no root.
	encoded := new(big.Int)
	for salt := byte(1); salt < 100; salt++ {
		raw.entries = [][]byte{rawEntry([]byte{salt})}
		sum := sha256.Sum256(raw.tbs())
		tail := append([]byte("\x00\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), sum[:]...)
		block := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, key.Size()-2-len(tail))...)
		encoded.SetBytes(append(block, tail...))
		if new(big.Int).Mod(encoded, big.NewInt(3)).Sign() != 0 {
			break
		}
	}
	signature := new(big.Int).Exp(encoded, key.D, key.N).FillBytes(make([]byte, key.Size()))
	issuer := &certificate{Certificate: &x509.Certificate{PublicKey: &key.PublicKey, RawSubjectPublicKeyInfo: []byte("its DER")}}
	list := oneCRL(t, raw.sealed(signature))
	if list.signedBy(issuer) {
		t.Errorf("computed with a stranger's key")
	}
	issuer.trusted = true
	if !list.signedBy(issuer) {
		t.Errorf("not computed with a trusted key")
	}
}

func TestSignaturesThatWillNotDoAreRefused(t *testing.T) {
	w := newWorld(t)
	null := []byte{5, 0}
	pss := []int{1, 2, 840, 113549, 1, 1, 10}
	sha1DER := algorithmDER(t, null, 1, 3, 14, 3, 2, 26)
	for name, c := range map[string]struct {
		algorithm []byte
		want      string
	}{
		"MD5":                          {algorithmDER(t, null, 1, 2, 840, 113549, 1, 1, 4), "MD5"},
		"MD2":                          {algorithmDER(t, null, 1, 2, 840, 113549, 1, 1, 2), "MD2"},
		"RSA SHA-1":                    {algorithmDER(t, null, 1, 2, 840, 113549, 1, 1, 5), "SHA-1"},
		"RSA SHA-1 by ISO":             {algorithmDER(t, null, 1, 3, 14, 3, 2, 29), "SHA-1"},
		"ECDSA SHA-1":                  {algorithmDER(t, nil, 1, 2, 840, 10045, 4, 1), "SHA-1"},
		"DSA SHA-1":                    {algorithmDER(t, nil, 1, 2, 840, 10040, 4, 3), "SHA-1"},
		"PSS by default":               {algorithmDER(t, asDER(0x30), pss...), "SHA-1"},
		"PSS SHA-1":                    {algorithmDER(t, asDER(0x30, asDER(0xa0, sha1DER)), pss...), "SHA-1"},
		"PSS, the mask SHA-1":          {algorithmDER(t, asDER(0x30, asDER(0xa0, algorithmDER(t, null, 2, 16, 840, 1, 101, 3, 4, 2, 1))), pss...), "SHA-1"},
		"PSS, two digests":             {pssDER(t, 1, 2, 32), "not supported"},
		"PSS, no salt":                 {pssDER(t, 1, 1, 0), "not supported"},
		"PSS, SHA-224":                 {pssDER(t, 4, 4, 28), "not supported"},
		"PSS, no parameters":           {algorithmDER(t, nil, pss...), "malformed"},
		"PSS, NULL":                    {algorithmDER(t, null, pss...), "malformed"},
		"PSS, a field twice":           {algorithmDER(t, asDER(0x30, asDER(0xa2, []byte{2, 1, 32}), asDER(0xa2, []byte{2, 1, 32})), pss...), "malformed"},
		"SHA-224":                      {algorithmDER(t, null, 1, 2, 840, 113549, 1, 1, 14), "1.2.840.113549.1.1.14 is not supported"},
		"Ed448":                        {algorithmDER(t, nil, 1, 3, 101, 113), "1.3.101.113 is not supported"},
		"RSA with an OID":              {algorithmDER(t, oidDER(t, 1, 2, 3), 1, 2, 840, 113549, 1, 1, 11), "parameters"},
		"three parts":                  {algorithmDER(t, []byte{5, 0, 5, 0}, 1, 2, 840, 113549, 1, 1, 11), "malformed"},
		"no identifier":                {asDER(0x30, null), "malformed"},
		"an empty one":                 {asDER(0x30), "malformed"},
		"bytes that are no DER":        {asDER(0x30, oidDER(t, 1, 3, 101, 112), []byte{5}), "malformed"},
		"PSS, a digest of no SEQUENCE": {algorithmDER(t, asDER(0x30, asDER(0xa0, null)), pss...), "malformed or not supported"},
		"PSS, a digest with an OID": {algorithmDER(t, asDER(0x30, asDER(0xa0,
			algorithmDER(t, oidDER(t, 1, 2, 3), 2, 16, 840, 1, 101, 3, 4, 2, 1))), pss...), "malformed or not supported"},
		"PSS, another mask": {algorithmDER(t, asDER(0x30, asDER(0xa1, algorithmDER(t, sha1DER, 1, 2, 3))), pss...), "malformed or not supported"},
		"PSS, a long salt":  {algorithmDER(t, asDER(0x30, asDER(0xa2, []byte{2, 3, 1, 0, 0})), pss...), "malformed or not supported"},
		"PSS, a trailer":    {algorithmDER(t, asDER(0x30, asDER(0xa3, []byte{2, 1, 2})), pss...), "malformed or not supported"},
		"no arcs":           {asDER(0x30, []byte{6, 1, 0x80}), "(unreadable) is not supported"},
	} {
		raw := goodRawCRL(w.root)
		raw.algorithm = c.algorithm
		wantFault(t, name, raw.sealed([]byte("signature")), c.want)
	}
}
