package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"mtls-sidecar/proxy/pki"
)

// hierarchySeed makes every run mint the same hierarchies to the byte.
const hierarchySeed = 4

// hierarchyTime is the moment at which all hierarchies are judged. It is fixed, so that a failure
// can be repeated with the PEM that it prints.
var hierarchyTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// mint makes hierarchies. Few keys serve all certificates: what is compared is how chains are judged, and
// keys are what takes time to make.
type mint struct {
	t                         *testing.T
	root, issuer, leaf, other crypto.Signer
	rsa2048, rsa1024          crypto.Signer
	p224, p384, p521, ed      crypto.Signer
	serial                    int64
	stranger                  *pki.Authority
	making                    string // for messages
}

func newMint(t *testing.T) *mint {
	t.Helper()
	cryptotest.SetGlobalRandom(t, hierarchySeed)
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		return must(t, key, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	m := &mint{
		t: t, root: curve(elliptic.P256()), issuer: curve(elliptic.P256()), leaf: curve(elliptic.P256()), other: curve(elliptic.P256()),
		rsa2048: rsaKey(t, 2048), rsa1024: rsaKey(t, 1024),
		p224: curve(elliptic.P224()), p384: curve(elliptic.P384()), p521: curve(elliptic.P521()), ed: must(t, ed, err),
	}
	m.stranger = m.sign(nil, m.ca("Stranger", m.other))
	return m
}

// draft is a hierarchy before it is minted: a good one, until alterations make it worse.
type draft struct {
	*mint
	line  []draftCert // root, intermediates, leaf: each signed by the one before
	depth int         // of the policy
	late  []func(*hierarchy)
}

// draftCert is what pki makes, and what it does not offer.
type draftCert struct {
	pki.Options
	digest  crypto.Hash            // of the signature above; zero: the usual one for the issuer's key
	forge   func(a *pki.Authority) // changes the issuer, a copy, before it signs: its name, key identifier or key
	corrupt bool
}

// hierarchy is what one client presents to one snapshot.
type hierarchy struct {
	row
	alterations []string         // their names
	line        []*pki.Authority // as in the draft
}

// draft returns a root, one intermediate and a leaf that are believed.
func (m *mint) draft() *draft {
	return &draft{mint: m, depth: anyDepth, line: []draftCert{
		m.ca("Root", m.root), m.ca("Issuer", m.issuer), m.cert("client", m.leaf),
	}}
}

func (m *mint) cert(cn string, key crypto.Signer) draftCert {
	m.serial++
	return draftCert{Options: pki.Options{
		Subject: pkix.Name{CommonName: cn}, Key: key, Serial: big.NewInt(1000 + m.serial),
		NotBefore: hierarchyTime.Add(-24 * time.Hour), NotAfter: hierarchyTime.Add(24 * time.Hour),
	}}
}

func (m *mint) ca(cn string, key crypto.Signer) draftCert {
	c := m.cert(cn, key)
	c.CA = true
	return c
}

func (d *draft) root() *draftCert   { return &d.line[0] }
func (d *draft) issuer() *draftCert { return &d.line[len(d.line)-2] } // the leaf's
func (d *draft) leaf() *draftCert   { return &d.line[len(d.line)-1] }

// insert puts further CAs between the leaf and its issuer.
func (d *draft) insert(cas ...draftCert) {
	d.line = slices.Insert(d.line, len(d.line)-1, cas...)
}

// later changes files rather than certificates: it is called when these are minted.
func (d *draft) later(f func(*hierarchy)) { d.late = append(d.late, f) }

// extend adds an extension, or replaces the one of its kind.
func (c *draftCert) extend(id asn1.ObjectIdentifier, critical bool, value ...byte) {
	c.ExtraExtensions = slices.DeleteFunc(slices.Clone(c.ExtraExtensions), func(e pkix.Extension) bool { return e.Id.Equal(id) })
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
}

// make mints the certificates. The operator trusts the root, the client sends all but that.
func (d *draft) make(name string, alterations ...string) *hierarchy {
	d.t.Helper()
	h := &hierarchy{row: row{name: name, depth: d.depth}, alterations: alterations}
	var issuer *pki.Authority
	for _, c := range d.line {
		issuer = d.sign(issuer, c)
		h.line = append(h.line, issuer)
	}
	h.cas = certs(h.line[0])
	for _, a := range slices.Backward(h.line[1:]) {
		h.presented = append(h.presented, a.Cert)
	}
	for _, f := range d.late {
		f(h)
	}
	return h
}

// sign makes one certificate; a nil issuer means self-signed.
func (m *mint) sign(issuer *pki.Authority, c draftCert) *pki.Authority {
	m.t.Helper()
	signer := c.Key
	if issuer != nil {
		if c.forge != nil {
			cert := *issuer.Cert
			issuer = &pki.Authority{Cert: &cert, Key: issuer.Key}
			c.forge(issuer)
		}
		signer = issuer.Key
	}
	c.SignatureAlgorithm = algorithmOf(signer, c.digest)
	issue := pki.SelfSigned
	if issuer != nil {
		issue = issuer.Issue
	}
	made, err := issue(c.Options)
	if err == nil && c.corrupt {
		made, err = pki.CorruptSignature(made)
	}
	if err != nil || made.Leaf == nil {
		m.t.Fatalf("%s: making %q: %v, parsed: %v; what crypto/x509 does not parse does not belong here", m.making, c.Subject.CommonName, err, made.Leaf != nil)
	}
	return &pki.Authority{Cert: made.Leaf, Key: c.Key}
}

// algorithmOf is zero, the usual one, where there is no such signature.
func algorithmOf(key crypto.Signer, digest crypto.Hash) x509.SignatureAlgorithm {
	switch key.(type) {
	case *rsa.PrivateKey:
		return map[crypto.Hash]x509.SignatureAlgorithm{crypto.MD5: x509.MD5WithRSA, crypto.SHA1: x509.SHA1WithRSA,
			crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}[digest]
	case *ecdsa.PrivateKey:
		return map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA1: x509.ECDSAWithSHA1,
			crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}[digest]
	}
	return 0
}

// send puts certificates after the leaf, before what is sent already.
func (h *hierarchy) send(list ...*x509.Certificate) {
	h.presented = slices.Insert(h.presented, 1, list...)
}

// withhold takes c out of what is sent.
func (h *hierarchy) withhold(c *x509.Certificate) { h.presented = withoutCert(h.presented, c) }

// distrust takes c out of the CA file.
func (h *hierarchy) distrust(c *x509.Certificate) { h.cas = withoutCert(h.cas, c) }

func (h *hierarchy) trust(list ...*x509.Certificate) { h.cas = append(h.cas, list...) }

func withoutCert(list []*x509.Certificate, c *x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(list), func(x *x509.Certificate) bool { return bytes.Equal(x.Raw, c.Raw) })
}
