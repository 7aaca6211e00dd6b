package main_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// The certificates that dialects are compared with are the same in every run, to the byte: what a peer said of them
// can then be stored and asked again. Their keys are made from their names and are worth nothing.

// dialectMint is a mint of certificates that stay the same.
type dialectMint struct {
	*mint
}

// steady fills in whatever would otherwise be random or depend on the day.
func steady(name string, o pki.Options) pki.Options {
	sum := sha256.Sum256([]byte(name))
	if o.Key == nil {
		o.Key = steadyKey(elliptic.P256(), name)
	}
	if o.Serial == nil {
		o.Serial = new(big.Int).SetBytes(append([]byte{0x4d}, sum[:12]...))
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = moment("2020-01-01T00:00:00Z")
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = moment("2049-12-31T23:59:59Z")
	}
	return o
}

// steadyRoot signs with Ed25519, whose signatures hold nothing random (RFC 8032 section 5.1.6).
func steadyRoot(m *mint, name string, o pki.Options) *pki.Authority {
	m.t.Helper()
	o.Key = ed25519.NewKeyFromSeed(digest(name))
	if o.RawSubject == nil {
		o.Subject = named(name)
	}
	return m.stranger(steady(name, o))
}

func newDialectMint(t *testing.T) *dialectMint {
	m := &dialectMint{&mint{t: t}}
	m.good = m.believed("Dialect Root", pki.Options{})
	return m
}

// believed makes a root that is in the CA file.
func (m *dialectMint) believed(name string, o pki.Options) *pki.Authority {
	m.t.Helper()
	a := steadyRoot(m.mint, name, o)
	m.cas = append(m.cas, a.Cert)
	return a
}

// between makes an intermediate that a has signed.
func (m *dialectMint) between(a *pki.Authority, name string, o pki.Options) *pki.Authority {
	m.t.Helper()
	o.Key = ed25519.NewKeyFromSeed(digest(name))
	o.Subject = named(name)
	return m.under(a, steady(name, o))
}

// client adds a row with a leaf of the good root; its subject is CN=client unless o says otherwise.
func (m *dialectMint) client(name string, o pki.Options) {
	m.t.Helper()
	m.issue(name, m.good, steady(name, o))
}

func digest(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// steadyKey makes an ECDSA key from a name.
func steadyKey(curve elliptic.Curve, name string) crypto.Signer {
	raw := make([]byte, (curve.Params().BitSize+7)/8)
	copy(raw[len(raw)-32:], digest(name))
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		return nil // a digest that is no scalar of the curve; then the mint draws a key, and the record tells
	}
	return key
}

// steadyRSA makes an RSA key of 2048 bits from a name.
func steadyRSA(t *testing.T, name string) crypto.Signer {
	t.Helper()
	p, q, one := steadyPrime(name+" p"), steadyPrime(name+" q"), big.NewInt(1)
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), order),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}

// steadyPrime is the first prime from a number of 1024 bits on whose two highest are set.
func steadyPrime(name string) *big.Int {
	var raw []byte
	for i := range 4 {
		raw = append(raw, digest(fmt.Sprint(name, i))...)
	}
	raw[0] |= 0xc0
	raw[len(raw)-1] |= 1
	p, two := new(big.Int).SetBytes(raw), big.NewInt(2)
	for !p.ProbablyPrime(0) {
		p.Add(p, two)
	}
	return p
}

func moment(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err) // a slip in this file
	}
	return at
}
