package headers

import (
	"regexp"
	"strings"
	"testing"
)

// The wanted values were printed by OpenSSL 3.0.19 (openssl x509 -subject -nameopt compat, X509_NAME_oneline) and, for the first
// group, seen in $ssl_client_s_dn_legacy of nginx 1.22.1 on it.

// manyKinds has one of everything that is escaped in some form of a name.
func manyKinds() []byte {
	return name(
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
	)
}

func TestLegacyDNMatchesWhatNginxPrinted(t *testing.T) {
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"one of everything", manyKinds(), `/C=US/ST=S\xC3\xA3o Paulo/O= lead,trail; /OU=#hash<a>"q"\b=c\/d/OU=tab\x09nl\x0Anul\x00del\x7F/DC=example` +
			`/emailAddress=a@b.c/serialNumber=42/1.2.3.4.5.6=custom/CN=multi+UID=u1`},
		{"BMP", name(attr(oidCN, tagBMPString, "\x00h\x00\xe9")), `/CN=\x00h\x00\xE9`},
		{"empty", name(), ""},
		{"absent", nil, ""},
	}
	for _, c := range cases {
		got, err := appendLegacyDN([]byte("x"), c.der)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, "x"+c.want)
		}
	}
}

func TestLegacyDNMatchesWhatOpenSSLPrinted(t *testing.T) {
	cases := []struct {
		what string
		der  []byte
		want string
	}{
		{"plus and slash", name(attr(oidCN, 12, "a+b/c")), `/CN=a\+b\/c`},
		{"empty value", name(attr(oidCN, 12, "")), "/CN="},
		{"empty RDNs between", name("", attr(oidCN, 12, "a"), "", attr(oidCN, 12, "b")+attr(oidCN, 12, "c")), "/CN=a/CN=b+CN=c"},
		{"universal", name(attr(oidCN, tagUniversalString, "\x00\x00\x00a")), `/CN=\x00\x00\x00a`},
		{"bit string", name(attr(oidCN, tagBitString, "\x00ab")), "/CN=ab"},
		{"bit string with unused bits set", name(attr(oidCN, tagBitString, "\x03\xff\xff")), `/CN=\xFF\xF8`},
		{"bit string of nothing", name(attr(oidCN, tagBitString, "\x03")), "/CN="},
		{"sequence", name(attr(oidCN, tagSequence, "\x13\x02ab")), `/CN=0\x04\x13\x02ab`},
		{"type without text", name(attr(oidCN, 11, "ab")), "/CN=ab"},
		{"unknown type", name(attr("\x88\x37\x03", 12, "a")), "/2.999.3=a"},
	}
	for _, c := range cases {
		got, err := appendLegacyDN(nil, c.der)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

func TestFormsOfANameRefuseWhatIsNoName(t *testing.T) {
	bad := name(attr(oidCN, 12, "a"), attr(oidCN, 12, "\xff"))
	for form, write := range map[string]func(dst, rawName []byte) ([]byte, error){
		"RFC 2253": appendDN, "legacy": appendLegacyDN, "UTF-8": appendUTF8DN, "CN": appendCN,
	} {
		if got, err := write([]byte("x"), bad); err == nil || string(got) != "x" {
			t.Errorf("%s: got %q, %v; want an error and nothing appended", form, got, err)
		}
	}
}

// titled is where X509_NAME_print, which openssl verify uses, replaces the slash of X509_NAME_oneline.
var titled = regexp.MustCompile(`/([A-Z][A-Z]?=)`)

// TestLegacyDNAgreesWithOpenSSLOnHostileSubjects is the legacy form's TestDNAgreesWithOpenSSLOnHostileSubjects.
func TestLegacyDNAgreesWithOpenSSLOnHostileSubjects(t *testing.T) {
	requireTool(t, "openssl")
	subjects := hostileSubjects(t, 1500)
	dir := t.TempDir()
	writeCertificates(t, dir, subjects)
	printed := verifySubjects(t, dir, "compat", len(subjects))
	for i, subject := range subjects {
		want, read := printed[i]
		value, err := appendLegacyDN(nil, subject)
		got := titled.ReplaceAllString(strings.TrimPrefix(string(value), "/"), ", $1")
		switch {
		case !read && err == nil:
			t.Errorf("%x: got %q, openssl does not read it", subject, got)
		case read && (err != nil || got != want):
			t.Errorf("%x:\n got %q, %v\nwant %q", subject, got, err, want)
		}
	}
}
