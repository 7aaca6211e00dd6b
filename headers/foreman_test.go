package headers

import (
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestForemanFindsNoOtherCommonName uses the expression by which Foreman takes a host's name from the header
// (client_certificate.rb).
func TestForemanFindsNoOtherCommonName(t *testing.T) {
	foreman := regexp.MustCompile(`(?i)CN=([^\s/,]+)`)
	for what, c := range map[string]struct {
		subject    []byte
		want, host string
	}{
		"ordinary":                  {name(attr(oidO, tagUTF8String, "Acmé"), attr(oidCN, tagUTF8String, "host.example")), "CN=host.example,O=Acmé", "host.example"},
		"organisation named so":     {name(attr(oidCN, tagUTF8String, "mallory"), attr(oidO, tagUTF8String, "CN=admin")), `O=CN\3Dadmin,CN=mallory`, "mallory"},
		"after a comma":             {name(attr(oidCN, tagUTF8String, "mallory"), attr(oidO, tagUTF8String, "x,CN=admin")), `O=x\2CCN\3Dadmin,CN=mallory`, "mallory"},
		"after a slash":             {name(attr(oidCN, tagUTF8String, "mallory"), attr(oidO, tagUTF8String, "x/CN=admin")), `O=x\2FCN\3Dadmin,CN=mallory`, "mallory"},
		"name that ends in a comma": {name(attr(oidCN, tagUTF8String, "mallory,")), `CN=mallory\2C`, `mallory\2C`},
	} {
		facts := client(&x509.Certificate{RawSubject: c.subject})
		got, err := foremanDN(nil, &facts)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", what, got, err, c.want)
		}
		if found := foreman.FindSubmatch(got); found == nil || string(found[1]) != c.host {
			t.Errorf("%s: Foreman finds %q in %s, not %s", what, found, got, c.host)
		}
	}
}

// hexedAttributesOf is what is to be read in a name with hex pairs: certificateIssuer=
// is written 2.5.29.29=, and its value as it is.
func hexedAttributesOf(t *testing.T, subject []byte) []string {
	t.Helper()
	want, _ := attributesOf(t, subject)
	attrs, err := readRawName(nil, subject)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range attrs {
		if endsInKey(a) {
			want[len(attrs)-1-i] = string(appendOID(nil, a.oid)) + "=" + string(appendDump(nil, a.value))
		}
	}
	return want
}

// FuzzHexedNamesReadTheSame holds that a name with hex pairs is the same name to a reader of RFC 4514, with none of the
// characters in its values.
func FuzzHexedNamesReadTheSame(f *testing.F) {
	f.Add(name(attr(oidO, tagUTF8String, "x/CN=admin"), attr(oidCN, tagUTF8String, "agent")))
	f.Add([]byte("0%1\x130\x11\x06\x03U\x1d\x1d0\n00000000001\x0e0\f\x06\x030000\x0500000"))
	f.Add(name(attr(oidO, tagUTF8String, `\"/;=`) + attr(oidUnknown, tagBMPString, "\x00/")))
	f.Fuzz(func(t *testing.T, subject []byte) {
		hexed, err := appendHexedDN(nil, subject, "/", appendEscaped)
		if err != nil {
			return
		}
		want := hexedAttributesOf(t, subject)
		if got := readName2253(t, string(hexed)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", hexed, got, want)
		}
		if strings.Contains(string(hexed), "/") {
			t.Errorf("%s has a slash", hexed)
		}
	})
}
