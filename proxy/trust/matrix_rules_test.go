package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func (w *world) strengthRows() []row {
	rsaRoot := w.ca(pki.Options{Key: rsaKey(w.t, 2048)})
	weakRoot := w.ca(pki.Options{Key: rsaKey(w.t, 1024)})
	sha1Inter := w.sub(rsaRoot, pki.Options{SignatureAlgorithm: x509.SHA1WithRSA})
	sha1Root := w.ca(pki.Options{Key: rsaKey(w.t, 2048), SignatureAlgorithm: x509.SHA1WithRSA})
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(w.t, p224, err)
	under := func(name string, want Reason, root *pki.Authority, presented ...any) row {
		return row{name: name, cas: certs(root), presented: certs(presented...), depth: anyDepth, want: want}
	}
	return []row{
		w.plain("RSA-1024 leaf", WeakKey, w.leaf(w.root, pki.Options{Key: weakRoot.Key})),
		w.plain("RSA-2048 leaf", 0, w.leaf(w.root, pki.Options{Key: rsaRoot.Key})),
		w.plain("P-224 leaf", 0, w.leaf(w.root, pki.Options{Key: p224})),
		under("RSA-1024 root", WeakCAKey, weakRoot, w.leaf(weakRoot, pki.Options{})),
		under("RSA-2048 root", 0, rsaRoot, w.leaf(rsaRoot, pki.Options{})),
		under("SHA-1 signed leaf", WeakDigest, rsaRoot, w.leaf(rsaRoot, pki.Options{SignatureAlgorithm: x509.SHA1WithRSA})),
		under("MD5 signed leaf", WeakDigest, rsaRoot, w.leaf(rsaRoot, pki.Options{SignatureAlgorithm: x509.MD5WithRSA})),
		under("SHA-1 signed intermediate", WeakDigest, rsaRoot, w.leaf(sha1Inter, pki.Options{}), sha1Inter),
		under("SHA-1 signed root", 0, sha1Root, w.leaf(sha1Root, pki.Options{})),
	}
}

func (w *world) constraintRows() []row {
	permits := w.ca(pki.Options{PermittedDNS: oidDNS})
	excludes := w.ca(pki.Options{ExcludedDNS: oidDNS})
	email := w.ca(pki.Options{ExtraExtensions: []pkix.Extension{constraint(0, 1, "example.com", true)}})
	directory := w.ca(pki.Options{ExtraExtensions: []pkix.Extension{constraint(0, 4, string(pki.EmptyName()), false)}})
	subject := func(cn string) pki.Options { return pki.Options{Subject: pkix.Name{CommonName: cn}} }
	inSubject := func(address string, tag int) pki.Options {
		return pki.Options{Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{
			Type:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1},
			Value: asn1.RawValue{Tag: tag, Bytes: []byte(address)}}}}}
	}
	under := func(name string, want Reason, root *pki.Authority, o pki.Options) row {
		return row{name: name, cas: certs(root), presented: certs(w.leaf(root, o)), depth: anyDepth, want: want}
	}
	return []row{
		under("SAN within the permitted subtree", 0, permits, pki.Options{DNSNames: []string{"a.example.com"}}),
		under("SAN outside the permitted subtree", OutsidePermitted, permits, pki.Options{DNSNames: []string{"a.example.org"}}),
		under("CN as a host outside the permitted subtree", OutsidePermitted, permits, subject("a.example.org")),
		under("CN as a host within the permitted subtree", 0, permits, subject("a.example.com")),
		under("CN that is no host name", 0, permits, subject("just a client")),
		under("CN outside, but a DNS name within", 0, permits, pki.Options{Subject: pkix.Name{CommonName: "a.example.org"}, DNSNames: oidDNS}),
		under("SAN within the excluded subtree", InsideExcluded, excludes, pki.Options{DNSNames: []string{"a.example.com"}}),
		under("CN as a host within the excluded subtree", InsideExcluded, excludes, subject("a.example.com")),
		under("e-mail address of the subject outside", OutsidePermitted, email, inSubject("x@example.org", asn1.TagIA5String)),
		under("e-mail address of the subject within", 0, email, inSubject("x@example.com", asn1.TagIA5String)),
		under("e-mail address of the subject not in ASCII", UnsupportedName, email, inSubject("x@example.com", asn1.TagUTF8String)),
		under("directory name constraints", UnsupportedConstraint, directory, pki.Options{}).stricterThanNginx(),
	}
}

// constraint makes a nameConstraints extension of one subtree; list 0 permits, 1 excludes.
func constraint(list byte, kind int, base string, critical bool) pkix.Extension {
	name := append([]byte{0x80 | byte(kind), byte(len(base))}, base...)
	if kind == 4 {
		name[0] |= 0x20
	}
	tree := append([]byte{0x30, byte(len(name))}, name...)
	trees := append([]byte{0xa0 | list, byte(len(tree))}, tree...)
	return pkix.Extension{Id: oidNameConstraints, Critical: critical, Value: append([]byte{0x30, byte(len(trees))}, trees...)}
}

func (w *world) twinRows() []row {
	twin := pki.Options{Subject: pkix.Name{CommonName: "Twin"}, NoKeyIDs: true}
	one, two := w.ca(twin), w.ca(twin)
	leaf := w.leaf(two, pki.Options{NoKeyIDs: true})
	twin.NoKeyIDs = false
	idOne, idTwo := w.ca(twin), w.ca(twin)
	twin.Key = rsaKey(w.t, 2048)
	rsaTwin := w.ca(twin)
	loud, soft := w.ca(pki.Options{RawSubject: name(w.t, text(asn1.TagUTF8String, "ACME  CA"))}), w.ca(pki.Options{RawSubject: name(w.t, text(asn1.TagUTF8String, "Acme CA"))})
	bySoft := w.leaf(soft, pki.Options{NoKeyIDs: true})
	// The extension names another certificate of the CA's name than the one that signed.
	other := w.sub(w.root, pki.Options{Subject: w.root.Cert.Subject, Serial: big.NewInt(77)})
	pointing := func(serial byte, issuer []byte) *x509.Certificate {
		names := append([]byte{0xa4, byte(len(issuer))}, issuer...)
		body := append(append([]byte{0xa1, byte(len(names))}, names...), 0x82, 1, serial)
		return w.leaf(w.root, pki.Options{ExtraExtensions: []pkix.Extension{{Id: oidAuthorityKeyID, Value: append([]byte{0x30, byte(len(body))}, body...)}}})
	}
	respelt := &pki.Authority{Cert: loud.Cert, Key: soft.Key}
	renewed := w.ca(pki.Options{RawSubject: soft.Cert.RawSubject, Key: soft.Key, NotBefore: w.now.Add(-9 * time.Hour), NotAfter: w.now.Add(-time.Hour)})
	return []row{
		{name: "two CAs of one name without key identifiers, the wrong one first", cas: certs(one, two), presented: certs(leaf), depth: anyDepth, want: BadSignature},
		{name: "two CAs of one name without key identifiers, the right one first", cas: certs(two, one), presented: certs(leaf), depth: anyDepth},
		{name: "two CAs of one name told apart by key identifier", cas: certs(idOne, idTwo), presented: certs(w.leaf(idTwo, pki.Options{})), depth: anyDepth},
		{name: "two CAs of one name told apart by kind of key", cas: certs(rsaTwin, one), presented: certs(w.leaf(one, pki.Options{NoKeyIDs: true})), depth: anyDepth},
		{name: "an expired CA before its renewal", cas: certs(renewed, soft), presented: certs(w.leaf(soft, pki.Options{})), depth: anyDepth},
		{name: "a CA whose name differs in spelling only comes first", cas: certs(loud, soft), presented: certs(bySoft), depth: anyDepth, want: BadSignature},
		w.plain("signed by another CA of the name than the key identifier says", BadSignature, pointing(77, w.root.Cert.RawSubject), other),
		w.plain("key identifier with another serial", UnknownCA, pointing(78, w.root.Cert.RawSubject)).firstly(20),
		w.plain("key identifier with the CA's issuer misnamed", UnknownCA, pointing(77, w.stranger.Cert.RawSubject), other).firstly(20),
		{name: "issuer spelt differently from the CA", cas: certs(soft), presented: certs(w.leaf(respelt, pki.Options{NoKeyIDs: true})), depth: anyDepth, want: NameMismatch, stricter: true},
	}
}

func (w *world) overlookedRows() []row {
	extra := func(id asn1.ObjectIdentifier, critical bool, value ...byte) *x509.Certificate {
		return w.leaf(w.root, pki.Options{ExtraExtensions: []pkix.Extension{{Id: id, Critical: critical, Value: value}}})
	}
	// proxyCertInfo with the policy id-ppl-inheritAll (RFC 3820 §3.8)
	proxy := []byte{0x30, 12, 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 21, 1}
	reasonsOnly := []byte{0x30, 6, 0x30, 4, 0x81, 2, 7, 0x80}
	explicitPolicy := []byte{0x30, 3, 0x80, 1, 0}
	asn := []byte{0x30, 9, 0xa0, 7, 0x30, 5, 2, 3, 1, 0, 1}
	return []row{
		w.plain("proxy certificate with alternative names", UnknownCA, w.leaf(w.root, pki.Options{DNSNames: oidDNS,
			ExtraExtensions: []pkix.Extension{{Id: oidProxyCertInfo, Value: proxy}}})).firstly(20),
		w.plain("proxy certificate, not critical", ProxyCertificate, extra(oidProxyCertInfo, false, proxy...)).firstly(40),
		w.plain("CRL distribution point of reasons only", UnknownCA, extra(oidCRLDistribution, false, reasonsOnly...)).firstly(20),
		w.plain("explicit policy required", Rejected, extra(asn1.ObjectIdentifier{2, 5, 29, 36}, true, explicitPolicy...)).stricterThanNginx(),
		w.plain("RFC 3779 resources that the CA has not", Rejected, extra(oidAutonomousIDs, false, asn...)).firstly(46),
	}
}

func (w *world) severalFaultsRows() []row {
	hour := time.Hour
	past := pki.Options{NotBefore: w.now.Add(-2 * hour), NotAfter: w.now.Add(-hour)}
	expired := func(o pki.Options) pki.Options { o.NotBefore, o.NotAfter = past.NotBefore, past.NotAfter; return o }
	wrong := pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	weak := pki.Options{Key: rsaKey(w.t, 1024)}
	weakAndWrong := weak
	weakAndWrong.EKU = wrong.EKU
	corrupt, err := pki.CorruptSignature(w.keyed(w.root, past))
	must(w.t, corrupt, err)
	permits := w.ca(pki.Options{PermittedDNS: oidDNS})
	return []row{
		w.plain("unknown CA and expired", Expired, w.leaf(w.stranger, past)).firstly(20),
		w.plain("self-signed and expired", Expired, w.leaf(nil, past)).firstly(18),
		w.plain("wrong purpose and expired", Expired, w.leaf(w.root, expired(wrong))).firstly(26),
		w.plain("weak key and wrong purpose", WrongPurpose, w.leaf(w.root, weakAndWrong)).firstly(66),
		w.plain("bad signature and expired", Expired, corrupt.Leaf).firstly(7),
		w.plain("unknown CA and weak key", UnknownCA, w.leaf(w.stranger, weak)).firstly(66),
		w.plain("unknown CA, its root sent, and weak key", WeakKey, w.leaf(w.stranger, weak), w.stranger).firstly(66),
		{name: "expired and outside the permitted subtree", cas: certs(permits), presented: certs(w.leaf(permits, expired(pki.Options{DNSNames: []string{"a.org"}}))),
			depth: anyDepth, want: OutsidePermitted, first: 10},
		w.plain("valid never: it ends before it begins", Expired, w.leaf(w.root, pki.Options{NotBefore: w.now.Add(hour), NotAfter: w.now.Add(-hour)})).firstly(9),
	}
}

func TestAKeyOfAKindThatCannotSignIsRefused(t *testing.T) {
	w := newWorld(t)
	leaf := *w.leaf(w.root, pki.Options{})
	leaf.PublicKey, leaf.PublicKeyAlgorithm = nil, x509.UnknownPublicKeyAlgorithm // an Ed448 key, for instance
	v := NewSnapshot(certs(w.root), strict()).Verify([]*x509.Certificate{&leaf}, w.now)
	if v.Status != Failed || v.Reason != Rejected {
		t.Errorf("a certificate with an unknown key is %q, want it rejected", v.Text())
	}
}
