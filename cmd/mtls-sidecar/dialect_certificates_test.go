package main_test

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// dialectRows makes every certificate that the dialects are compared with.
func dialectRows(t *testing.T) *dialectMint {
	m := newDialectMint(t)
	m.rows = append(m.rows, row{"nothing", nil})
	m.ordinarySubjects()
	m.encodedSubjects()
	m.hostileSubjects()
	m.issuers()
	m.alternativeNames()
	m.serials()
	m.keys()
	m.chains()
	m.dates()
	m.failures()
	return m
}

func (m *dialectMint) issuers() {
	odd := m.believed("issuer in UTF-8", pki.Options{RawSubject: m.subject(
		rdn{one(oidC, tagPrintable, "BR")}, rdn{one(oidO, tagUTF8, "Autoridade São, Ltda.")}, rdn{cn("Raiz / 根")})})
	m.issue("issuer in UTF-8", odd, steady("issuer in UTF-8", pki.Options{}))
	odd = m.believed("issuer of mixed types", pki.Options{RawSubject: m.subject(
		rdn{one(oidO, asn1.TagT61String, "caf\xe9"), one(oidOU, asn1.TagBMPString, "\x20\xac")}, rdn{one(oidOdd, tagUTF8, "u")}, rdn{cn("# ")})})
	m.issue("issuer of mixed types", odd, steady("issuer of mixed types", pki.Options{}))
}

// san makes a subjectAltName of GeneralNames with implicit tags (RFC 5280 section 4.2.1.6).
func (m *dialectMint) san(names ...asn1.RawValue) pki.Options {
	m.t.Helper()
	for i := range names {
		names[i].Class = asn1.ClassContextSpecific
	}
	return pki.Options{ExtraExtensions: []pkix.Extension{m.extension(asn1.ObjectIdentifier{2, 5, 29, 17}, false, names)}}
}

func general(tag int, text string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(text)} }

func sanMail(s string) asn1.RawValue { return general(1, s) }
func sanDNS(s string) asn1.RawValue  { return general(2, s) }
func sanURI(s string) asn1.RawValue  { return general(6, s) }

func (m *dialectMint) alternativeNames() {
	var many []asn1.RawValue
	for i := range 200 {
		many = append(many, sanDNS(fmt.Sprintf("host-%d.example.org", i)))
	}
	v4, v6 := general(7, "\x0a\x00\x00\x01"), general(7, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01")
	m.client("200 DNS names", m.san(many...))
	m.client("SPIFFE ID", m.san(sanURI("spiffe://example.org/ns/default/sa/web")))
	m.client("URI that forges a key", m.san(sanURI("spiffe://a;Hash=0000;URI=spiffe://admin")))
	m.client("URI with commas", m.san(sanURI("https://a.example/x,URI=https://b.example/")))
	m.client("URI with quotes and percent signs", m.san(sanURI(`https://a.example/%22"%41%2c"`)))
	m.client("two URIs", m.san(sanURI("spiffe://example.org/a"), sanURI("spiffe://example.org/b")))
	m.client("e-mail names", m.san(sanMail("ann@example.org"), sanMail("bob@example.org")))
	m.client("hostile e-mail name", m.san(sanMail(`"a,b;c"@example.org`)))
	m.client("IP addresses", m.san(v4, v6, general(7, strings.Repeat("\x00", 10)+"\xff\xff\x0a\x00\x00\x02")))
	m.client("every kind of name", m.san(sanDNS("a.example.org"), sanMail("a@example.org"), v4, sanURI("spiffe://example.org/a"), sanDNS("b.example.org"), v6))
	m.client("wildcard and punycode", m.san(sanDNS("*.example.org"), sanDNS("xn--bcher-kva.example")))
	m.client("DNS name that forges a second", m.san(sanDNS("x,admin.example"), sanDNS(`y";DNS=admin.example`)))
	m.client("DNS name with spaces around", m.san(sanDNS(" a.example ")))
	upn := asn1.RawValue{Tag: 0, IsCompound: true, Bytes: m.userPrincipal("ann@corp.example")}
	m.client("other names", m.san(upn, general(8, "\x2a\x03\x04"), asn1.RawValue{Tag: 4, IsCompound: true, Bytes: m.subject(rdn{cn("directory")})}))
	o := m.san(sanDNS("only.example.org"))
	o.RawSubject = pki.EmptyName()
	m.client("empty subject with a DNS name", o)
}

// userPrincipal is the content of an otherName of Microsoft's type for logins.
func (m *dialectMint) userPrincipal(login string) []byte {
	m.t.Helper()
	id, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3})
	if err != nil {
		m.t.Fatal(err)
	}
	text, err := asn1.MarshalWithParams(login, "utf8,explicit,tag:0")
	if err != nil {
		m.t.Fatal(err)
	}
	return append(id, text...)
}

func (m *dialectMint) serials() {
	for _, hex := range []string{"0", "1", "7f", "80", "abc", "ff00ff", "7fffffffffffffffffffffffffffffffffffffff", "80000000000000000000000000000000000000ff"} {
		serial, ok := new(big.Int).SetString(hex, 16)
		if !ok {
			m.t.Fatalf("%q is no number", hex)
		}
		m.client("serial number 0x"+hex, pki.Options{Serial: serial})
	}
	// RFC 5280 section 4.1.2.2 allows 20; OpenSSL breaks the line after 35.
	m.client("serial number of 40 bytes", pki.Options{Serial: new(big.Int).SetBytes([]byte(strings.Repeat("serial..", 5)))})
}

func (m *dialectMint) keys() {
	m.client("RSA key", pki.Options{Key: steadyRSA(m.t, "RSA key")})
	m.client("P-384 key", pki.Options{Key: steadyKey(elliptic.P384(), "P-384 key")})
	m.client("P-521 key", pki.Options{Key: steadyKey(elliptic.P521(), "P-521 key")})
	m.client("Ed25519 key", pki.Options{Key: ed25519.NewKeyFromSeed(digest("Ed25519 key"))})
	m.client("X.509 v1", pki.Options{Version1: true})
}

func (m *dialectMint) chains() {
	first := m.between(m.good, "First intermediate", pki.Options{})
	second := m.between(first, "Second intermediate", pki.Options{})
	third := m.between(second, "Third intermediate", pki.Options{})
	m.add("one intermediate", m.leaf(first, steady("one intermediate", pki.Options{})), first.Cert)
	m.add("three intermediates", m.leaf(third, steady("three intermediates", pki.Options{})), third.Cert, second.Cert, first.Cert)
	m.add("three intermediates and the root", m.leaf(third, steady("with the root", pki.Options{})), third.Cert, second.Cert, first.Cert, m.good.Cert)
	m.add("three intermediates out of order", m.leaf(third, steady("out of order", pki.Options{})), first.Cert, third.Cert, second.Cert)
	unrelated := steadyRoot(m.mint, "Unrelated Root", pki.Options{})
	m.add("unrelated certificate sent too", m.leaf(m.good, steady("unrelated", pki.Options{})), unrelated.Cert)
	comment := m.extension(asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 13}, false, strings.Repeat("a large comment ", 128))
	large := pki.Options{ExtraExtensions: []pkix.Extension{comment}}
	big1 := m.between(m.good, "First large intermediate", large)
	big2 := m.between(big1, "Second large intermediate", large)
	m.add("large chain", m.leaf(big2, steady("large chain", large)), big2.Cert, big1.Cert)
}

func (m *dialectMint) dates() {
	until := func(name, before, after string) {
		m.client(name, pki.Options{NotBefore: moment(before), NotAfter: moment(after)})
	}
	until("last second of UTCTime", "2021-02-03T04:05:06Z", "2049-12-31T23:59:59Z")
	until("first second of GeneralizedTime", "2021-10-31T00:00:00Z", "2050-01-01T00:00:00Z")
	until("2099", "2020-06-30T23:59:59Z", "2099-07-08T09:10:11Z")
	until("year 9999", "2000-02-29T12:00:00Z", "9999-12-31T23:59:59Z")
	until("since 1950", "1950-01-01T00:00:00Z", "2050-09-09T09:09:09Z")
	until("since 1949", "1949-12-31T23:59:59Z", "2050-03-01T00:00:00Z")
}

func (m *dialectMint) failures() {
	stranger := steadyRoot(m.mint, "Stranger Root", pki.Options{})
	past := pki.Options{NotBefore: moment("2020-01-01T00:00:00Z"), NotAfter: moment("2021-02-03T04:05:06Z")}
	future := pki.Options{NotBefore: moment("2090-05-01T00:00:00Z"), NotAfter: moment("2099-12-31T23:59:59Z")}
	m.client("expired", past)
	m.client("not yet valid", future)
	m.issue("unknown CA", stranger, steady("unknown CA", pki.Options{}))
	m.add("unknown CA with its root sent", m.leaf(stranger, steady("unknown CA sent", pki.Options{})), stranger.Cert)
	between := m.between(stranger, "Intermediate of a stranger", pki.Options{})
	m.add("unknown CA with an intermediate sent", m.leaf(between, steady("unknown intermediate", pki.Options{})), between.Cert)
	m.issue("unknown CA and a hostile subject", stranger, steady("unknown and hostile", pki.Options{
		RawSubject: m.subject(rdn{one(oidO, tagUTF8, "São\r\nVERIFIED: SUCCESS")}, rdn{cn(" #admin, ")})}))
	m.issue("unknown CA and expired", stranger, steady("unknown and expired", past))
	m.issue("unknown CA, empty subject", stranger, steady("unknown and empty", pki.Options{RawSubject: pki.EmptyName()}))
	self := func(name string, o pki.Options) {
		o = steady(name, o)
		o.Key = ed25519.NewKeyFromSeed(digest(name)) // it signs too
		if o.RawSubject == nil {
			o.Subject = named(name)
		}
		m.add(name, m.selfSigned(o))
	}
	self("self-signed", pki.Options{})
	self("self-signed and expired", past)
	self("self-signed in UTF-8", pki.Options{RawSubject: m.subject(rdn{cn("Dávid")})})
	m.client("EKU serverAuth only", pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	bad, err := pki.CorruptSignature(m.leaf(m.good, steady("bad signature", pki.Options{})))
	if err != nil {
		m.t.Fatal(err)
	}
	m.add("bad signature", bad)
}
