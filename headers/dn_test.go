package headers

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// The wanted values below were printed by OpenSSL 3.0.19 (openssl x509 -nameopt RFC2253, X509_NAME_print_ex) and, for the first
// group, seen in $ssl_client_s_dn of nginx 1.22.1 on it.

func TestDNMatchesWhatNginxPrinted(t *testing.T) {
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"one of everything", name(
			attr(oidC, tagPrintableString, "US"),
			attr("\x55\x04\x08", tagUTF8String, "São Paulo"),
			attr(oidO, tagUTF8String, " lead,trail; "),
			attr(oidOU, tagUTF8String, `#hash<a>"q"\b=c/d`),
			attr(oidOU, tagUTF8String, "tab\tnl\nnul\x00del\x7f"),
			attr("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", tagIA5String, "example"),
			attr("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", tagIA5String, "a@b.c"),
			attr("\x55\x04\x05", tagPrintableString, "42"),
			attr(oidUnknown, tagUTF8String, "custom"),
			attr(oidCN, tagUTF8String, "multi")+attr("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", tagUTF8String, "u1"),
		), `UID=u1+CN=multi,1.2.3.4.5.6=#0C06637573746F6D,serialNumber=42,emailAddress=a@b.c,DC=example,` +
			`OU=tab\09nl\0Anul\00del\7F,OU=\#hash\<a\>\"q\"\\b=c/d,O=\ lead\,trail\;\ ,ST=S\C3\A3o Paulo,C=US`},
		{"BMP", name(attr(oidCN, tagBMPString, "\x00h\x00\xe9\x20\xac")), `CN=h\C3\A9\E2\82\AC`},
		{"T61 is Latin-1", name(attr(oidCN, tagTeletexString, "h\xc3\xa9")), `CN=h\C3\83\C2\A9`},
		{"emoji", name(attr(oidCN, tagUTF8String, "x😀y")), `CN=x\F0\9F\98\80y`},
		{"a lone hash", name(attr(oidCN, tagUTF8String, "#")), `CN=#`},
		{"a lone space", name(attr(oidCN, tagUTF8String, " ")), `CN=\ `},
		{"empty", name(), ""},
		{"absent", nil, ""},
	}
	for _, c := range cases {
		got, err := DN(c.der)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

func TestDNMatchesWhatOpenSSLPrinted(t *testing.T) {
	long := oidOf("\x2a", strings.Repeat("\x05", 38), "\x87\x68")
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"empty value", name(attr(oidCN, tagUTF8String, "")), "CN="},
		{"empty RDN", name(""), ""},
		{"empty RDNs between", name("", attr(oidCN, 12, "a"), "", attr(oidCN, 12, "b")+attr(oidCN, 12, "c")), "CN=c+CN=b,CN=a"},
		{"two hashes", name(attr(oidCN, 12, "##")), `CN=\##`},
		{"two spaces", name(attr(oidCN, 12, "  ")), `CN=\ \ `},
		{"three spaces", name(attr(oidCN, 12, "   ")), `CN=\  \ `},
		{"plus and quotes", name(attr(oidCN, 12, `a+"b"`)), `CN=a\+\"b\"`},
		{"lone backslash", name(attr(oidCN, 12, `\`)), `CN=\\`},
		{"wide space at the ends", name(attr(oidCN, tagBMPString, "\x00 \x00a\x00 ")), `CN=\ a\ `},
		{"universal", name(attr(oidCN, tagUniversalString, "\x00\x10\xff\xff")), `CN=\F4\8F\BF\BF`},
		{"BMP terminator", name(attr(oidCN, tagBMPString, "\x00\x00")), `CN=\00`},
		{"BMP noncharacter", name(attr(oidCN, tagBMPString, "\xff\xfe")), `CN=\EF\BF\BE`},
		{"bit string", name(attr(oidCN, tagBitString, "\x00ab")), "CN=#0303006162"},
		{"bit string with unused bits set", name(attr(oidUnknown, tagBitString, "\x03\xff\xff")), "1.2.3.4.5.6=#030303FFF8"},
		{"bit string with seven unused bits", name(attr(oidCN, tagBitString, "\x07\xff")), "CN=#03020780"},
		{"first character above ASCII", name(attr(oidCN, tagTeletexString, "\x80")), `CN=\C2\80`},
		{"unused bits of nothing", name(attr(oidCN, tagBitString, "\x03")), "CN=#030100"},
		{"sequence", name(attr(oidCN, tagSequence, "\x13\x02ab")), "CN=#300413026162"},
		{"unknown type with a wide value", name(attr(oidUnknown, tagBMPString, "\x00a")), "1.2.3.4.5.6=#1E020061"},
		{"2.999.3", name(attr("\x88\x37\x03", 12, "a")), "2.999.3=#0C0161"},
		{"2.47", name(attr("\x7f", 12, "a")), "2.47=#0C0161"},
		{"1.0", name(attr("\x28", 12, "a")), "1.0=#0C0161"},
		{"0.0", name(attr("\x00", 12, "a")), "0.0=#0C0161"},
		{"largest component", name(attr("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12, "a")), "1.2.9223372036854775807=#0C0161"},
		{"OID cut off at 79 characters", name(attr(long, 12, "a")), "1.2" + strings.Repeat(".5", 38) + "=#0C0161"},
		{"OID that is no attribute type", name(attr("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 12, "a")), "rsaEncryption=a"},
		{"OID with two objects", name(attr("\x2b", 12, "a")), "ORG=a"},
	}
	for _, c := range cases {
		got, err := DN(c.der)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

func oidOf(parts ...string) string { return strings.Join(parts, "") }

func TestDNRefusesWhatOpenSSLDoesNotRead(t *testing.T) {
	cases := map[string][]byte{
		"not a sequence":            []byte("\x31\x00"),
		"truncated":                 []byte("\x30\x05\x31"),
		"data after the name":       []byte("\x30\x00\x00"),
		"indefinite length":         []byte("\x30\x80\x00\x00"),
		"padded length":             []byte("\x30\x81\x02\x31\x00"),
		"padded length of 2 octets": []byte("\x30\x82\x00\x80" + strings.Repeat("\x31\x00", 64)),
		"length in four octets":     []byte("\x30\x84\x00\x00\x00\x00"),
		"length cut short":          []byte("\x30\x82\x01"),
		"RDN is no set":             []byte(tlv(tagSequence, tlv(tagSequence, ""))),
		"attribute is no sequence":  []byte(tlv(tagSequence, tlv(tagSet, tlv(tagSet, "")))),
		"no type":                   name(tlv(tagSequence, "")),
		"no value":                  name(tlv(tagSequence, tlv(tagObjectID, oidCN))),
		"data after the value":      name(tlv(tagSequence, tlv(tagObjectID, oidCN)+tlv(12, "a")+"\x05\x00")),
		"empty OID":                 name(attr("", 12, "a")),
		"unfinished OID":            name(attr("\x2a\x81", 12, "a")),
		"padded OID":                name(attr("\x2a\x80\x01", 12, "a")),
		"OID padded at the start":   name(attr("\x80\x01", 12, "a")),
		"OID component of 70 bits":  name(attr("\x2a"+strings.Repeat("\xff", 9)+"\x7f", 12, "a")),
		"tag above 30":              name(tlv(tagSequence, tlv(tagObjectID, oidCN)+"\x1f\x20\x00")),
		"context tag":               name(attr(oidCN, 0x80, "a")),
		"constructed string":        name(attr(oidCN, 0x2c, tlv(12, "a"))),
		"boolean":                   name(attr(oidCN, 1, "\xff")),
		"integer":                   name(attr(oidCN, 2, "\x01")),
		"visible string":            name(attr(oidCN, 26, "a")),
		"octet string":              name(attr(oidCN, 4, "a")),
		"UTF-8 cut short":           name(attr(oidCN, 12, "\xc3")),
		"UTF-8 overlong":            name(attr(oidCN, 12, "\xc0\x80")),
		"UTF-8 surrogate":           name(attr(oidCN, 12, "\xed\xa0\x80")),
		"UTF-8 above U+10FFFF":      name(attr(oidCN, 12, "\xf4\x90\x80\x80")),
		"bad UTF-8, unknown type":   name(attr(oidUnknown, 12, "\xff")),
		"BMP cut short":             name(attr(oidCN, tagBMPString, "\x00")),
		"BMP surrogate":             name(attr(oidCN, tagBMPString, "\xd8\x00")),
		"BMP surrogate, unknown":    name(attr(oidUnknown, tagBMPString, "\xdf\xff")),
		"universal cut short":       name(attr(oidCN, tagUniversalString, "\x00\x00\x00")),
		"universal above U+10FFFF":  name(attr(oidCN, tagUniversalString, "\x00\x11\x00\x00")),
		"universal surrogate":       name(attr(oidCN, tagUniversalString, "\x00\x00\xd8\x00")),
		"empty bit string":          name(attr(oidCN, tagBitString, "")),
		"nine unused bits":          name(attr(oidCN, tagBitString, "\x09a")),
	}
	for what, der := range cases {
		if got, err := DN(der); err == nil || got != "" {
			t.Errorf("%s: got %q, %v; want an error and nothing else", what, got, err)
		}
	}
}

func TestDNReadsValuesOfEveryLength(t *testing.T) {
	for _, n := range []int{0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000} {
		got, err := DN(name(attr(oidCN, tagUTF8String, strings.Repeat("x", n))))
		if want := "CN=" + strings.Repeat("x", n); err != nil || got != want {
			t.Errorf("%d bytes: got %d, %v", n, len(got)-len("CN="), err)
		}
	}
}

func TestDNReadsNamesWithManyAttributes(t *testing.T) {
	var rdns []string
	for range usualAttributes * 3 {
		rdns = append(rdns, attr(oidCN, tagUTF8String, "x"))
	}
	got, err := DN(name(rdns...))
	want := strings.TrimSuffix(strings.Repeat("CN=x,", usualAttributes*3), ",")
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// FuzzDN holds that whatever the bytes, the value stays on its line, and that encoding/asn1's reading of the name agrees on
// the number of attributes.
func FuzzDN(f *testing.F) {
	f.Add(name(attr(oidCN, 12, "a,b\r\nVERIFIED: SUCCESS")))
	f.Add(name(attr(oidCN, tagBMPString, "\x00a")+attr(oidUnknown, 12, "x"), attr(oidO, tagTeletexString, "\xff ")))
	f.Add(name(attr(oidCN, tagUniversalString, "\x00\x01\xf6\x00"), "", attr("\x88\x37\x03", tagBitString, "\x00a")))
	f.Add([]byte("\x30\x82\x00\x00"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := DN(der)
		if err != nil {
			if got != "" {
				t.Fatalf("error %v with the value %q", err, got)
			}
			return
		}
		for i := range len(got) {
			if got[i] < 0x20 || got[i] > 0x7e {
				t.Fatalf("byte %#02x in %q", got[i], got)
			}
		}
		if again, _ := DN(der); again != got {
			t.Fatalf("first %q, then %q", got, again)
		}
		if len(der) == 0 {
			return
		}
		var rdns []asn1.RawValue
		if _, err := asn1.Unmarshal(der, &rdns); err != nil {
			t.Fatalf("encoding/asn1 does not read %x: %v", der, err)
		}
		if want := countAttributes(t, rdns); unescapedParts(got) != want {
			t.Fatalf("%q has %d attributes, want %d", got, unescapedParts(got), want)
		}
	})
}

func countAttributes(t *testing.T, rdns []asn1.RawValue) (n int) {
	for _, rdn := range rdns {
		for rest := rdn.Bytes; len(rest) > 0; n++ {
			var member asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &member); err != nil {
				t.Fatalf("encoding/asn1 does not read a member: %v", err)
			}
		}
	}
	return n
}

// unescapedParts counts the attributes of an RFC 2253 string: separators that no backslash precedes, and one.
func unescapedParts(dn string) int {
	if dn == "" {
		return 0
	}
	n := 1
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',', '+':
			n++
		}
	}
	return n
}

func BenchmarkDN(b *testing.B) {
	der, err := asn1.Marshal(pkix.Name{Country: []string{"DE"}, Organization: []string{"Acme, Inc."}, CommonName: "client"}.ToRDNSequence())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DN(der); err != nil {
			b.Fatal(err)
		}
	}
}
