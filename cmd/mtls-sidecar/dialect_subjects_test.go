package main_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"

	"mtls-sidecar/proxy/pki"
)

// attributes of subjects, by OpenSSL's short names.
var (
	oidCN     = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidC      = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidL      = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidST     = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidO      = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOU     = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidSerial = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidUID    = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	oidDC     = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	oidMail   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidOdd    = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6}
)

const (
	tagUniversal = 28
	tagUTF8      = asn1.TagUTF8String
	tagPrintable = asn1.TagPrintableString
)

// one is an attribute in a string type of choice.
func one(id asn1.ObjectIdentifier, tag int, text string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: id, Value: asn1.RawValue{Tag: tag, Bytes: []byte(text)}}
}

func cn(text string) pkix.AttributeTypeAndValue { return one(oidCN, tagUTF8, text) }

// rdn is one RDN of several attributes in the order given, sorted or not (DER would have them sorted).
type rdn []pkix.AttributeTypeAndValue

// subject encodes RDNs in any order of any values.
func (m *dialectMint) subject(rdns ...rdn) []byte {
	m.t.Helper()
	var all []byte
	for _, r := range rdns {
		var members []byte
		for _, a := range r {
			der, err := asn1.Marshal(a)
			if err != nil {
				m.t.Fatal(err)
			}
			members = append(members, der...)
		}
		all = append(all, m.wrap(asn1.TagSet, members)...)
	}
	return m.wrap(asn1.TagSequence, all)
}

func (m *dialectMint) wrap(tag int, content []byte) []byte {
	m.t.Helper()
	der, err := asn1.Marshal(asn1.RawValue{Tag: tag, IsCompound: true, Bytes: content})
	if err != nil {
		m.t.Fatal(err)
	}
	return der
}

// subjectIs adds a row whose subject has one attribute to an RDN.
func (m *dialectMint) subjectIs(name string, attributes ...pkix.AttributeTypeAndValue) {
	m.t.Helper()
	var rdns []rdn
	for _, a := range attributes {
		rdns = append(rdns, rdn{a})
	}
	m.client(name, pki.Options{RawSubject: m.subject(rdns...)})
}

func (m *dialectMint) ordinarySubjects() {
	m.client("client", pki.Options{})
	m.subjectIs("company", one(oidC, tagPrintable, "GB"), one(oidST, tagUTF8, "Greater London"), one(oidL, tagUTF8, "London"),
		one(oidO, tagUTF8, "Example Ltd"), one(oidOU, tagUTF8, "Payments"), cn("payments.example.org"), one(oidMail, asn1.TagIA5String, "ops@example.org"))
	m.subjectIs("DC and UID", one(oidDC, asn1.TagIA5String, "org"), one(oidDC, asn1.TagIA5String, "example"), one(oidUID, tagUTF8, "u1"), cn("Ann Example"))
	m.subjectIs("person", one(asn1.ObjectIdentifier{2, 5, 4, 4}, tagUTF8, "Example"), one(asn1.ObjectIdentifier{2, 5, 4, 42}, tagUTF8, "Ann"),
		one(asn1.ObjectIdentifier{2, 5, 4, 12}, tagUTF8, "Dr"), one(oidSerial, tagPrintable, "42"), one(asn1.ObjectIdentifier{2, 5, 4, 65}, tagUTF8, "annex"), cn("Ann"))
	m.subjectIs("two CNs", cn("first"), one(oidOU, tagUTF8, "between"), cn("second"))
	m.subjectIs("three OUs", one(oidOU, tagUTF8, "a"), one(oidOU, tagUTF8, "b"), one(oidOU, tagUTF8, "c"), cn("x"))
	m.client("empty subject", pki.Options{RawSubject: pki.EmptyName()})
	m.subjectIs("no CN", one(oidO, tagUTF8, "Example Ltd"))
	m.client("CN and UID in one RDN", pki.Options{RawSubject: m.subject(rdn{one(oidO, tagUTF8, "x")}, rdn{cn("multi"), one(oidUID, tagUTF8, "u1")})})
	m.client("three attributes in one RDN", pki.Options{RawSubject: m.subject(
		rdn{one(oidO, tagUTF8, "x"), one(oidOU, tagUTF8, "y"), cn("z")}, rdn{one(oidL, tagUTF8, "last")})})
	m.subjectIs("unknown attribute", cn("x"), one(oidOdd, tagUTF8, "custom"))
	m.subjectIs("unknown attribute in a BMP string", one(oidOdd, asn1.TagBMPString, "\x00h\x00\xe9"), cn("x"))
	m.subjectIs("jurisdiction and organizationIdentifier", one(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3}, tagPrintable, "GB"),
		one(asn1.ObjectIdentifier{2, 5, 4, 97}, tagUTF8, "PSDGB-FCA-123456"), cn("psd2.example"))
}

func (m *dialectMint) encodedSubjects() {
	m.subjectIs("accents in UTF-8", one(oidST, tagUTF8, "São Paulo"), cn("Dávid Ünïcode"))
	m.subjectIs("emoji and CJK", one(oidO, tagUTF8, "株式会社"), cn("x\U0001f600y"))
	m.subjectIs("bidirectional override", cn("user\u202egro.elpmaxe"), one(oidOU, tagUTF8, "zero\u200bwidth"))
	m.subjectIs("C1 controls", cn("next\u0085line\u009fend"))
	m.subjectIs("BMP string", one(oidCN, asn1.TagBMPString, "\x00h\x00\xe9\x20\xac"))
	m.subjectIs("T61 string", one(oidCN, asn1.TagT61String, "h\xc3\xa9"), one(oidO, asn1.TagT61String, "caf\xe9"))
	m.subjectIs("Universal string", one(oidCN, tagUniversal, "\x00\x00\x00h\x00\x01\xf6\x00"))
	m.subjectIs("Numeric string", one(oidSerial, asn1.TagNumericString, "0123 456"), cn("x"))
	m.subjectIs("Printable string with an underscore", one(oidCN, tagPrintable, "host_1"))
	m.subjectIs("accent first and last", cn("é in between é"))
}

func (m *dialectMint) hostileSubjects() {
	m.subjectIs("line feeds", cn("a\r\nVERIFIED: SUCCESS"), one(oidO, tagUTF8, "b\nX-Evil: 1"))
	m.subjectIs("other control bytes", cn("nul\x00del\x7ftab\tbell\x07"))
	m.subjectIs("CN is #", cn("#"))
	m.subjectIs("CN is a space", cn(" "))
	m.subjectIs("CN is two spaces", cn("  "))
	m.subjectIs("CN is empty", one(oidO, tagUTF8, "x"), cn(""))
	m.subjectIs("only an empty CN", cn(""))
	m.subjectIs("CN begins with #", cn("#hash #2"))
	m.subjectIs("spaces around", cn("  both ends  "))
	m.subjectIs("space at the end of the last", one(oidC, tagPrintable, "GB"), cn("tail "))
	m.subjectIs("commas and plus signs", one(oidO, tagUTF8, "Example, Inc."), cn("a+b=c,CN=admin"))
	m.subjectIs("quotes and backslashes", cn(`a"b\c<d>;e=f\`))
	m.subjectIs("slashes", one(oidO, tagUTF8, "x"), cn("a/CN=admin/O=root"))
	m.subjectIs("percent signs", cn("%0d%0aX: y%41%%"))
	m.subjectIs("backslash x", cn(`\xC3\xA9 and \C3\A9`))
	m.subjectIs("null in brackets", cn("(null)"))
	m.subjectIs("a thousand letters", cn(strings.Repeat("long ", 200)+"end"))
	var many []pkix.AttributeTypeAndValue
	for i := range 100 {
		many = append(many, one(oidOU, tagUTF8, fmt.Sprintf("unit %d", i)))
	}
	m.subjectIs("a hundred OUs", append(many, cn("deep"))...)
	m.subjectIs("mixed types", one(oidC, tagPrintable, "US"), one(oidST, tagUTF8, "São Paulo"), one(oidO, tagUTF8, " lead,trail; "),
		one(oidOU, tagUTF8, `#hash<a>"q"\b=c/d`), one(oidDC, asn1.TagIA5String, "example"), one(oidMail, asn1.TagIA5String, "a@b.c"), cn("x"))
}
