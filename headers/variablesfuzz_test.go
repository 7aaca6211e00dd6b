package headers

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzVariables holds that whatever a client's names, its certificate and its hello say, each variable is an error or stays on its
// line, and that the lists are read back exactly.
func FuzzVariables(f *testing.F) {
	names := tlv(tagSequence, generalName(sanDNS, "a,b")+generalName(sanDNS, " c%2C")+generalName(sanURI, "spiffe://a/b")+
		generalName(sanEmail, "\"x\"@y\r\n")+generalName(sanIP, "\x7f\x00\x00\x01")+generalName(sanIP, "\x20\x01"+strings.Repeat("\x00", 14)))
	f.Add(manyKinds(), []byte(names), "example.com", "h2")
	f.Add(name(attr(oidCN, 12, " a,b\r\nDN: CN=admin"), attr(oidCN, tagBMPString, "\x20\x2e\x00,")), []byte("\x30\x00"), "a\r\nVERIFIED: SUCCESS", "\r\n")
	f.Add(name(attr(oidCN, tagUniversalString, "\x00\x01\xf6\x00")+attr(oidCN, tagTeletexString, "\xff ")), []byte{}, "\x00", " ")
	f.Add([]byte("\x30\x82\x00\x00"), []byte(tlv(tagSequence, tlv(0x89, "a"))), "", "")
	f.Fuzz(func(t *testing.T, subject, names []byte, sni, alpn string) {
		leaf := &x509.Certificate{
			Raw: names, RawSubject: subject, RawIssuer: subject, RawSubjectPublicKeyInfo: subject,
			SerialNumber: new(big.Int).SetBytes(subject),
			NotAfter:     time.Unix(int64(len(subject))*86400, 0),
			Extensions:   []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names}},
		}
		facts := client(leaf, leaf)
		facts.Verify, facts.Reason, facts.Now = sni, alpn, time.Unix(0, 0)
		facts.TLS = &tls.ConnectionState{ServerName: sni, NegotiatedProtocol: alpn}
		for i := range variables {
			checkVariable(t, &variables[i], &facts)
		}
	})
}

func checkVariable(t *testing.T, v *variable, f *Facts) {
	out, err := v.value([]byte("x"), f)
	if err != nil {
		if string(out) != "x" {
			t.Fatalf("%s: error %v with the value %q", v.name, err, out)
		}
		return
	}
	value := string(out[1:])
	utf8Form := strings.HasSuffix(v.name, "_utf8")
	for _, r := range value {
		if utf8Form && !unicode.IsPrint(r) || !utf8Form && (r < ' ' || r > '~') {
			t.Fatalf("%s: %q holds %q", v.name, value, r)
		}
	}
	if !utf8.ValidString(value) {
		t.Fatalf("%s: %q is not UTF-8", v.name, value)
	}
	var want []string
	switch v.name {
	case "ssl_client_cn":
		want = commonNames(t, f.leaf().RawSubject)
	case "ssl_client_san_dns":
		want = alternativeNames(t, f.leaf(), sanDNS)
	case "ssl_client_san_uri":
		want = alternativeNames(t, f.leaf(), sanURI)
	case "ssl_client_san_email":
		want = alternativeNames(t, f.leaf(), sanEmail)
	case "ssl_client_san_ip":
		want = alternativeNames(t, f.leaf(), sanIP)
	default:
		return
	}
	if value != strings.TrimSpace(value) {
		t.Fatalf("%s: %q has space at an end", v.name, value)
	}
	got := splitList(t, value)
	if v.name == "ssl_client_san_ip" {
		for i, text := range got {
			address, err := netip.ParseAddr(text)
			if err != nil {
				t.Fatalf("%q of %q is no address: %v", text, value, err)
			}
			got[i] = string(address.AsSlice())
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %q is read as %q, want %q", v.name, value, got, want)
	}
}

// alternativeNames reads the extension with encoding/asn1. Empty names are no members of the list.
func alternativeNames(t *testing.T, c *x509.Certificate, kind int) []string {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(c.Extensions[0].Value, &names); err != nil || len(rest) > 0 {
		t.Fatalf("encoding/asn1 does not read %x: %v", c.Extensions[0].Value, err)
	}
	var found []string
	for _, n := range names {
		if n.Class == asn1.ClassContextSpecific && n.Tag == kind && len(n.Bytes) > 0 {
			found = append(found, string(n.Bytes))
		}
	}
	return found
}

// commonNames reads the name with encoding/asn1 and converts its texts by their definitions.
func commonNames(t *testing.T, rawName []byte) []string {
	if len(rawName) == 0 {
		return nil
	}
	var rdns []asn1.RawValue
	if _, err := asn1.Unmarshal(rawName, &rdns); err != nil {
		t.Fatalf("encoding/asn1 does not read %x: %v", rawName, err)
	}
	var found []string
	for _, rdn := range rdns {
		for rest := rdn.Bytes; len(rest) > 0; {
			var member, oid, value asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &member); err != nil {
				t.Fatalf("encoding/asn1 does not read a member: %v", err)
			}
			after, err := asn1.Unmarshal(member.Bytes, &oid)
			if err == nil {
				_, err = asn1.Unmarshal(after, &value)
			}
			if err != nil {
				t.Fatalf("encoding/asn1 does not read an attribute: %v", err)
			}
			if text := converted(value); string(oid.Bytes) == oidCN && text != "" {
				found = append(found, text)
			}
		}
	}
	return found
}

func converted(v asn1.RawValue) string {
	var runes []rune
	switch v.Tag {
	case asn1.TagUTF8String:
		return string(v.Bytes)
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, asn1.TagT61String:
		for _, b := range v.Bytes {
			runes = append(runes, rune(b))
		}
	case asn1.TagBMPString:
		for i := 0; i < len(v.Bytes); i += 2 {
			runes = append(runes, rune(binary.BigEndian.Uint16(v.Bytes[i:])))
		}
	case 28: // UniversalString
		for i := 0; i < len(v.Bytes); i += 4 {
			runes = append(runes, rune(binary.BigEndian.Uint32(v.Bytes[i:])))
		}
	}
	return string(runes)
}
