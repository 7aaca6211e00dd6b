package main_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// oracleRows makes every certificate that nginx and the sidecar are asked about.
func oracleRows(t *testing.T) *mint {
	m := newMint(t)
	m.rows = append(m.rows, row{"nothing", nil})
	m.plainRows()
	m.subjectRows()
	m.dateRows()
	m.unknownRows()
	m.leafUsageRows()
	m.chainRows()
	m.issuerUsageRows()
	m.rootRows()
	m.constraintRows()
	m.strengthRows()
	m.oddRows()
	return m
}

func (m *mint) plainRows() {
	m.issue("clientAuth", m.good, pki.Options{})
	m.issue("no EKU", m.good, pki.Options{NoEKU: true})
	m.issue("X.509 v1", m.good, pki.Options{Version1: true})
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	m.issue("Ed25519 key", m.good, pki.Options{Key: key})
	m.issue("RSA key of 2048 bits", m.good, pki.Options{Key: m.rsaKey(2048)})
	m.add("unrelated certificate presented too", m.leaf(m.good, pki.Options{}), m.stranger(pki.Options{}).Cert)
}

func (m *mint) subjectRows() {
	m.issue("empty subject", m.good, pki.Options{RawSubject: pki.EmptyName()})
	m.issue("subject with several attributes", m.good, pki.Options{Subject: pkix.Name{
		Country: []string{"US"}, Province: []string{"São Paulo"}, Organization: []string{" lead,trail; "},
		OrganizationalUnit: []string{`#hash<a>"q"\b=c/d`, "one+two"}, CommonName: "multi", SerialNumber: "42",
	}})
	value := func(oid asn1.ObjectIdentifier, tag int, text string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid, Value: asn1.RawValue{Tag: tag, Bytes: []byte(text)}}
	}
	cn, uid := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	m.issue("subject with control bytes", m.good, pki.Options{RawSubject: m.rawName(
		value(uid, asn1.TagUTF8String, "u\r\nVERIFIED: SUCCESS"), value(cn, asn1.TagUTF8String, "nul\x00del\x7ftab\t"))})
	m.issue("subject in T61 and BMP strings", m.good, pki.Options{RawSubject: m.rawName(
		value(cn, asn1.TagT61String, "h\xc3\xa9"), value(uid, asn1.TagBMPString, "\x00h\x00\xe9\x20\xac"))})
	m.issue("subject with an unknown attribute", m.good, pki.Options{RawSubject: m.rawName(
		value(cn, asn1.TagPrintableString, "x"), value(asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6}, asn1.TagUTF8String, "custom"))})
}

func (m *mint) dateRows() {
	past, future := pki.Options{NotBefore: days(-9), NotAfter: days(-1)}, pki.Options{NotBefore: days(1), NotAfter: days(9)}
	m.issue("expired", m.good, past)
	m.issue("not yet valid", m.good, future)
	past.EKU = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	m.issue("expired and serverAuth only", m.good, past)
	m.issue("ends before it starts", m.good, pki.Options{NotBefore: days(-1), NotAfter: days(-9)})

	past.EKU, past.Subject = nil, named("Expired Intermediate")
	m.via("expired intermediate", m.under(m.good, past))
	past.Subject = named("Expired Root")
	m.issue("expired root", m.root(past), pki.Options{})
	future.Subject = named("Future Root")
	m.issue("root not yet valid", m.root(future), pki.Options{})
}

func (m *mint) unknownRows() {
	stranger := m.stranger(pki.Options{Subject: named("Stranger Root")})
	expired := pki.Options{NotBefore: days(-9), NotAfter: days(-1)}
	m.issue("unknown CA", stranger, pki.Options{})
	m.add("unknown CA with its root sent", m.leaf(stranger, pki.Options{}), stranger.Cert)
	m.issue("unknown CA and expired", stranger, expired)
	m.add("self-signed", m.selfSigned(pki.Options{Subject: named("self-signed")}))
	expired.Subject = named("self-signed and expired")
	m.add("self-signed and expired", m.selfSigned(expired))

	listed := m.selfSigned(pki.Options{Subject: named("self-signed and listed")})
	m.cas = append(m.cas, listed.Leaf)
	m.add("self-signed and in the CA file", listed)

	between := m.under(stranger, pki.Options{Subject: named("Intermediate of a stranger")})
	m.via("unknown CA with an intermediate sent", between)
	listedBetween := m.under(stranger, pki.Options{Subject: named("Listed intermediate")})
	m.cas = append(m.cas, listedBetween.Cert)
	m.issue("only an intermediate in the CA file", listedBetween, pki.Options{})

	impostor := m.stranger(pki.Options{Subject: named("Good Root")})
	m.issue("CA with a believed name and another key", impostor, pki.Options{})
	impostor = m.stranger(pki.Options{Subject: named("Good Root"), NoKeyIDs: true})
	m.issue("the same without key identifiers", impostor, pki.Options{NoKeyIDs: true})
}

func (m *mint) leafUsageRows() {
	eku := func(usages ...x509.ExtKeyUsage) pki.Options { return pki.Options{EKU: usages} }
	m.issue("EKU serverAuth only", m.good, eku(x509.ExtKeyUsageServerAuth))
	m.issue("EKU emailProtection only", m.good, eku(x509.ExtKeyUsageEmailProtection))
	m.issue("EKU anyExtendedKeyUsage only", m.good, eku(x509.ExtKeyUsageAny))
	m.issue("EKU anyExtendedKeyUsage and clientAuth", m.good, eku(x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth))
	m.issue("EKU unknown only", m.good, pki.Options{UnknownEKU: []asn1.ObjectIdentifier{{1, 2, 3, 4, 5}}})
	m.issue("KU keyEncipherment only", m.good, pki.Options{KU: x509.KeyUsageKeyEncipherment})
	m.issue("KU keyAgreement only", m.good, pki.Options{KU: x509.KeyUsageKeyAgreement})
	m.issue("KU absent", m.good, pki.Options{NoKU: true})
	m.issue("CA leaf with KU certSign and crlSign only", m.good, pki.Options{CA: true, KU: x509.KeyUsageCertSign | x509.KeyUsageCRLSign})
	m.issue("CA leaf without KU", m.good, pki.Options{CA: true, NoKU: true})
	// RFC-less, but OpenSSL honours it: bit 0 is SSL client, bit 1 SSL server.
	netscape := asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 1}
	for name, bits := range map[string]byte{"Netscape type server only": 0x40, "Netscape type client": 0x80} {
		m.issue(name, m.good, pki.Options{ExtraExtensions: []pkix.Extension{
			m.extension(netscape, false, asn1.BitString{Bytes: []byte{bits}, BitLength: 2})}})
	}
}

func (m *mint) chainRows() {
	one := m.under(m.good, pki.Options{Subject: named("Intermediate One")})
	two := m.under(one, pki.Options{Subject: named("Intermediate Two")})
	leaf := m.leaf(two, pki.Options{})
	m.via("one intermediate", one)
	m.issue("intermediate missing", one, pki.Options{})
	m.add("two intermediates", leaf, two.Cert, one.Cert)
	m.add("two intermediates in the wrong order", leaf, one.Cert, two.Cert)
	m.add("two intermediates and the root", leaf, two.Cert, one.Cert, m.good.Cert)
	m.add("upper intermediate missing", leaf, two.Cert)

	deep := []*x509.Certificate{}
	last := m.good
	for range 12 {
		last = m.under(last, pki.Options{Subject: named("Deep " + string(rune('A'+len(deep))))})
		deep = append([]*x509.Certificate{last.Cert}, deep...)
	}
	m.add("twelve intermediates", m.leaf(last, pki.Options{}), deep...)
}

func (m *mint) issuerUsageRows() {
	leaf := m.leaf(m.good, pki.Options{Subject: named("A leaf that signs")})
	notCA, err := pki.AuthorityOf(leaf)
	if err != nil {
		m.t.Fatal(err)
	}
	m.via("signed by a leaf", notCA)
	m.via("signed by a leaf with KU certSign", m.under(m.good, pki.Options{Subject: named("Not a CA"), NoBC: true}))
	m.via("intermediate without KU certSign", m.under(m.good, pki.Options{Subject: named("Cannot sign"), KU: x509.KeyUsageDigitalSignature}))
	m.via("intermediate for serverAuth", m.under(m.good, pki.Options{
		Subject: named("Servers only"), EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
	m.via("intermediate for anyExtendedKeyUsage", m.under(m.good, pki.Options{
		Subject: named("Any usage"), EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}))
	m.via("intermediate for clientAuth", m.under(m.good, pki.Options{
		Subject: named("Clients only"), EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
	m.via("intermediate of X.509 v1", m.under(m.good, pki.Options{Subject: named("Old intermediate"), Version1: true}))
}

func (m *mint) rootRows() {
	root := func(name string, o pki.Options) {
		o.Subject = named("Root: " + name)
		m.issue(name, m.root(o), pki.Options{})
	}
	root("root for serverAuth", pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	root("root for anyExtendedKeyUsage", pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	root("root of X.509 v1", pki.Options{Version1: true})
	root("root without basicConstraints but with KU certSign", pki.Options{NoBC: true})
	root("root without basicConstraints and KU", pki.Options{NoBC: true, NoKU: true})
	root("root with an unknown critical extension", pki.Options{ExtraExtensions: []pkix.Extension{m.unknownCritical()}})
	zero := 0
	root("root with path length 0", pki.Options{MaxPathLen: &zero})

	wrong := m.root(pki.Options{Subject: named("Twin Root"), NoKeyIDs: true})
	right := m.root(pki.Options{Subject: named("Twin Root"), NoKeyIDs: true})
	m.issue("first of two CAs with one name", wrong, pki.Options{NoKeyIDs: true})
	m.issue("second of two CAs with one name", right, pki.Options{NoKeyIDs: true})
	m.root(pki.Options{Subject: named("Identified Twin")})
	m.issue("second of two, told apart by key identifier", m.root(pki.Options{Subject: named("Identified Twin")}), pki.Options{})
}

func (m *mint) unknownCritical() pkix.Extension {
	return m.extension(asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7}, true, "x")
}

func (m *mint) strengthRows() {
	bad, err := pki.CorruptSignature(m.leaf(m.good, pki.Options{}))
	if err != nil {
		m.t.Fatal(err)
	}
	m.add("bad signature", bad)
	m.issue("RSA key of 1024 bits", m.good, pki.Options{Key: m.rsaKey(1024)})
	m.via("intermediate with an RSA key of 1024 bits", m.under(m.good, pki.Options{Subject: named("Weak intermediate"), Key: m.rsaKey(1024)}))
	m.issue("root with an RSA key of 1024 bits", m.root(pki.Options{Subject: named("Weak Root"), Key: m.rsaKey(1024)}), pki.Options{})
	strong := m.root(pki.Options{Subject: named("RSA Root"), Key: m.rsaKey(2048)})
	m.issue("RSA root", strong, pki.Options{})
	m.issue("signed with SHA-1", strong, pki.Options{SignatureAlgorithm: x509.SHA1WithRSA})
	m.issue("signed with MD5", strong, pki.Options{SignatureAlgorithm: x509.MD5WithRSA})
	m.issue("signed with ECDSA and SHA-1", m.good, pki.Options{SignatureAlgorithm: x509.ECDSAWithSHA1})
	m.via("intermediate signed with SHA-1", m.under(strong, pki.Options{Subject: named("SHA-1 intermediate"), SignatureAlgorithm: x509.SHA1WithRSA}))
	m.issue("root signed with SHA-1", m.root(pki.Options{
		Subject: named("SHA-1 Root"), Key: strong.Key, SignatureAlgorithm: x509.SHA1WithRSA}), pki.Options{})
}

func (m *mint) oddRows() {
	m.issue("serial number 0", m.good, pki.Options{Serial: big.NewInt(0)})
	m.issue("negative serial number", m.good, pki.Options{Serial: big.NewInt(-5)})
	m.issue("serial number of 32 bytes", m.good, pki.Options{Serial: new(big.Int).Lsh(big.NewInt(1), 255)})
	m.issue("unknown critical extension", m.good, pki.Options{ExtraExtensions: []pkix.Extension{m.unknownCritical()}})
	// RFC 3779 addresses: an empty list is enough for OpenSSL to know the extension.
	m.issue("critical IP address delegation", m.good, pki.Options{ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 7}, true, []int{})}})
	plain := m.extension(asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7}, false, "x")
	m.issue("unknown extension", m.good, pki.Options{ExtraExtensions: []pkix.Extension{plain}})
	m.issue("the same extension twice", m.good, pki.Options{ExtraExtensions: []pkix.Extension{plain, plain}})
	m.issue("key identifier of another issuer", m.good, pki.Options{ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{2, 5, 29, 35}, false, struct {
			ID []byte `asn1:"tag:0"`
		}{[]byte("another issuer's key")})}})
	m.issue("address of five bytes as alternative name", m.good, pki.Options{ExtraExtensions: []pkix.Extension{
		m.extension(asn1.ObjectIdentifier{2, 5, 29, 17}, false,
			[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: []byte{1, 2, 3, 4, 5}}})}})
}
