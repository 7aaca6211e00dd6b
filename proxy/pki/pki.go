// Package pki mints throwaway certificate authorities and certificates for the
// demo and the tests, good ones and every kind of bad one.
//
// It decides nothing about trust: package trust does. What crypto/x509 would
// not make (X.509 v1, SHA-1 and MD5 signatures, missing or contradictory
// extensions, issuers that are no CA) is made all the same, because all of it
// has to be refused by somebody.
//
// It refuses only what cannot be encoded. Nothing here is fit for a real
// authority: no profile is enforced, keys are not protected, serials are
// random and forgotten.
//
// Start with NewRoot, then Authority.Issue; Options tells what can be varied.
// encode.go holds the extensions and the TBSCertificate, sign.go the
// signature, crl.go revocation lists, pem.go the files.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Authority is a certificate with the key that signs in its name. It need not
// be a CA: AuthorityOf lets any leaf sign.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Options describes one certificate. The zero value gives a good one; each
// field departs from it in one respect.
type Options struct {
	// Subject of the certificate. Empty: CN=client for leaves, CN=Test Root
	// and CN=Test Intermediate for CAs.
	Subject pkix.Name
	// RawSubject is the DER of the subject and wins over Subject; EmptyName
	// gives a certificate without a subject.
	RawSubject []byte
	// Serial number; nil: 127 random bits. Zero and negative are encoded as given.
	Serial *big.Int
	// NotBefore and NotAfter, to the second. Zero: an hour ago, and a day
	// (leaves) or a year (CAs) from now.
	NotBefore, NotAfter time.Time
	// RawValidity is the DER of the Validity and wins over the two times.
	RawValidity []byte
	// Key of the subject; nil: a new ECDSA P-256 key.
	Key crypto.Signer

	// Subject alternative names; none: no such extension.
	DNSNames []string
	IPs      []net.IP
	Emails   []string
	URIs     []*url.URL

	// CA asks Issue and SelfSigned for basicConstraints CA:TRUE. NewRoot and
	// Intermediate set it themselves; NoBC leaves the extension out.
	CA   bool
	NoBC bool
	// MaxPathLen is basicConstraints' pathLenConstraint; nil: none.
	MaxPathLen *int

	// KU is the key usage; zero: digitalSignature for leaves, keyCertSign and
	// cRLSign for CAs. NoKU leaves the extension out.
	KU   x509.KeyUsage
	NoKU bool
	// EKU and UnknownEKU are the extended key usages; both empty: clientAuth
	// for leaves, no extension for CAs. NoEKU leaves the extension out.
	EKU        []x509.ExtKeyUsage
	UnknownEKU []asn1.ObjectIdentifier
	NoEKU      bool

	// NoKeyIDs leaves subjectKeyIdentifier and authorityKeyIdentifier out.
	NoKeyIDs bool
	// PermittedDNS and ExcludedDNS are name constraints (critical).
	PermittedDNS, ExcludedDNS []string
	// ExtraExtensions are appended; one replaces the extension of the same
	// OID that the other fields would have made.
	ExtraExtensions []pkix.Extension
	// SignatureAlgorithm; zero: SHA-256 (or the curve's own size) with the
	// signer's kind of key. SHA-1 and MD5 are signed as asked.
	SignatureAlgorithm x509.SignatureAlgorithm
	// Version1 makes an X.509 v1 certificate, which has no extensions: what
	// `openssl x509 -req` makes when it is given no extension file.
	Version1 bool
}

// EmptyName returns the RawSubject of a certificate without a subject.
func EmptyName() []byte { return []byte{0x30, 0x00} }

// NewRoot makes a self-signed CA.
func NewRoot(o Options) (*Authority, error) {
	o.CA = true
	o.defaultName("Test Root")
	return newAuthority(nil, o)
}

// Intermediate makes a CA that a has signed.
func (a *Authority) Intermediate(o Options) (*Authority, error) {
	o.CA = true
	o.defaultName("Test Intermediate")
	return newAuthority(a, o)
}

// Issue makes a leaf that a has signed, with its key. The chain holds the leaf
// alone; With adds what else the client is to present.
// Leaf is nil when crypto/x509 cannot parse what was asked for.
func (a *Authority) Issue(o Options) (tls.Certificate, error) {
	o.defaultName("client")
	return newLeaf(a, o)
}

// SelfSigned makes a leaf that is its own issuer.
func SelfSigned(o Options) (tls.Certificate, error) {
	o.defaultName("client")
	return newLeaf(nil, o)
}

// AuthorityOf lets a leaf sign, CA or not.
func AuthorityOf(leaf tls.Certificate) (*Authority, error) {
	key, ok := leaf.PrivateKey.(crypto.Signer)
	if !ok || leaf.Leaf == nil {
		return nil, fmt.Errorf("a certificate without a parsed leaf or a signing key cannot issue")
	}
	return &Authority{Cert: leaf.Leaf, Key: key}, nil
}

// With returns leaf with further certificates presented after it.
func With(leaf tls.Certificate, more ...*x509.Certificate) tls.Certificate {
	chain := append([][]byte(nil), leaf.Certificate...)
	for _, c := range more {
		chain = append(chain, c.Raw)
	}
	leaf.Certificate = chain
	return leaf
}

// Chain parses all certificates that cert presents, leaf first.
func Chain(cert tls.Certificate) ([]*x509.Certificate, error) {
	chain := make([]*x509.Certificate, 0, len(cert.Certificate))
	for i, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", i, err)
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// CorruptSignature returns leaf with one bit of its own signature flipped.
func CorruptSignature(leaf tls.Certificate) (tls.Certificate, error) {
	der := append([]byte(nil), leaf.Certificate[0]...)
	der[len(der)-1] ^= 1 // the signature is the last element of the DER
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("parsing the corrupted certificate: %w", err)
	}
	leaf.Certificate = append([][]byte{der}, leaf.Certificate[1:]...)
	leaf.Leaf = parsed
	return leaf, nil
}

func newAuthority(issuer *Authority, o Options) (*Authority, error) {
	cert, err := newLeaf(issuer, o)
	if err != nil {
		return nil, err
	}
	if cert.Leaf == nil {
		_, err := x509.ParseCertificate(cert.Certificate[0])
		return nil, fmt.Errorf("parsing the new CA certificate: %w", err)
	}
	return AuthorityOf(cert)
}

// newLeaf makes any certificate; a nil issuer means self-signed.
func newLeaf(issuer *Authority, o Options) (tls.Certificate, error) {
	if err := o.complete(); err != nil {
		return tls.Certificate{}, err
	}
	der, err := build(issuer, o)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making certificate %q: %w", o.Subject.CommonName, err)
	}
	out := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: o.Key}
	if parsed, err := x509.ParseCertificate(der); err == nil {
		out.Leaf = parsed
	}
	return out, nil
}

func (o *Options) defaultName(cn string) {
	if len(o.Subject.ToRDNSequence()) == 0 {
		o.Subject = pkix.Name{CommonName: cn}
	}
}

// complete fills in what the zero value promises.
func (o *Options) complete() error {
	now := time.Now().Truncate(time.Second)
	if o.NotBefore.IsZero() {
		o.NotBefore = now.Add(-time.Hour)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = now.Add(24 * time.Hour)
		if o.CA {
			o.NotAfter = now.AddDate(1, 0, 0)
		}
	}
	if o.Serial == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		if err != nil {
			return fmt.Errorf("drawing a serial number: %w", err)
		}
		o.Serial = serial
	}
	if o.Key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("generating a key: %w", err)
		}
		o.Key = key
	}
	if o.KU == 0 {
		o.KU = x509.KeyUsageDigitalSignature
		if o.CA {
			o.KU = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		}
	}
	if len(o.EKU) == 0 && len(o.UnknownEKU) == 0 && !o.CA {
		o.EKU = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	return nil
}
