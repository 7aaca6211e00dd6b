package headers

import (
	"strings"
	"testing"
)

// The verdicts follow SPIFFE-ID §2 and X509-SVID §2 and §5.2; go-spiffe 2.9.0 gives the same, but for the lengths, which it does
// not look at.
func TestSPIFFEIDsAreToldFromOtherURIs(t *testing.T) {
	good := []string{
		"spiffe://example.org/ns/prod/sa/api",
		"spiffe://a/b",
		"spiffe://a.b-c_d.0/A-Z.a_z/0",
		"spiffe://1.2.3.4/x",
		"spiffe://td/...",
		"spiffe://td/.a",
		"spiffe://" + strings.Repeat("d", 255) + "/x",
		"spiffe://td/" + strings.Repeat("p", 2048-len("spiffe://td/")),
	}
	bad := []string{
		"", "spiffe", "spiffe:", "spiffe:/a/b", "spiffe://", "spiffe:///b", "https://a/b", "a/b", "//a/b", "xspiffe://a/b",
		"spiffe://a", "spiffe://a/", // signing authorities, not workloads
		"SPIFFE://a/b", "Spiffe://a/b", "spiffe://A/b", "spiffe://ä/b",
		"spiffe://a/b/", "spiffe://a//b", "spiffe://a/./b", "spiffe://a/b/..", "spiffe://a/.", "spiffe://a/../b",
		"spiffe://a/b?c", "spiffe://a/b#c", "spiffe://a?b", "spiffe://a#/b",
		"spiffe://u@a/b", "spiffe://a:80/b", "spiffe://[::1]/b", "spiffe://a%62/b", "spiffe://a/%62", "spiffe://a/b%2fc",
		"spiffe://a/b c", "spiffe://a/b;Hash=1", "spiffe://a/b,c", "spiffe://a/\x00", "spiffe://a/b\r\n", "spiffe://a/é", " spiffe://a/b",
		"spiffe://a/b~c", "spiffe://a/$b", "spiffe://a/b\\c",
		"spiffe://" + strings.Repeat("d", 256) + "/x",
		"spiffe://td/" + strings.Repeat("p", 2049-len("spiffe://td/")),
	}
	for _, id := range good {
		if !isWorkloadID([]byte(id)) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, uri := range bad {
		if isWorkloadID([]byte(uri)) {
			t.Errorf("%q is taken for a SPIFFE ID", uri)
		}
	}
}

func TestTheSPIFFEIDIsTheOnlyURIOfALeaf(t *testing.T) {
	id := generalName(sanURI, "spiffe://td/api")
	digitalSignature, certSign, crlSign := "\x03\x02\x07\x80", "\x03\x02\x02\x84", "\x03\x02\x01\x82"
	cases := []struct {
		what       string
		extensions string
		want       string
	}{
		{"alone", generalNames(id), "spiffe://td/api"},
		{"among other kinds", generalNames(generalName(sanDNS, "a"), id, generalName(sanDNS, "b")), "spiffe://td/api"},
		{"with digitalSignature", generalNames(id) + extension(oidKeyUsage, digitalSignature), "spiffe://td/api"},
		{"no names", "", ""},
		{"no URI", generalNames(generalName(sanDNS, "spiffe://td/api")), ""},
		{"another URI after it", generalNames(id, generalName(sanURI, "https://x")), ""},
		{"another URI before it", generalNames(generalName(sanURI, "https://x"), id), ""},
		{"twice", generalNames(id, id), ""},
		{"three times", generalNames(id, id, id), ""},
		{"an empty URI before it", generalNames(generalName(sanURI, ""), id), ""},
		{"not a SPIFFE ID", generalNames(generalName(sanURI, "spiffe://td")), ""},
		{"a CA", generalNames(id) + extension(oidConstraints, "\x30\x03\x01\x01\xff"), ""},
		{"signs certificates", generalNames(id) + extension(oidKeyUsage, certSign), ""},
		{"signs CRLs", generalNames(id) + extension(oidKeyUsage, crlSign), ""},
	}
	for _, c := range cases {
		leaf := crafted{extensions: c.extensions}.parse(t)
		if got := valueOf(t, "ssl_client_spiffe_id", client(leaf)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}
