package headers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

func TestAlternativeNamesAreListedByKindInTheirOrder(t *testing.T) {
	leaf := crafted{extensions: generalNames(
		generalName(sanDNS, "b.example"), generalName(sanURI, "https://x/?q=a%20b"), generalName(sanEmail, "a@b.example"),
		generalName(sanIP, "\x0a\x00\x00\x01"), generalName(sanDNS, "a.example"),
		generalName(sanIP, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
		generalName(sanIP, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04"),
		generalName(8, "\x2a\x03"),                                       // registeredID
		tlv(0xa0, tlv(tagObjectID, oidUnknown)+tlv(0xa0, tlv(12, "u"))),  // otherName
		tlv(0xa4, string(name(attr(oidCN, tagUTF8String, "directory")))), // directoryName
		generalName(sanURI, "spiffe://a/b"), generalName(sanEmail, "c@d.example"),
	)}.parse(t)
	for variable, want := range map[string]string{
		"ssl_client_san_dns":   "b.example,a.example",
		"ssl_client_san_uri":   "https://x/?q=a%2520b,spiffe://a/b",
		"ssl_client_san_email": "a@b.example,c@d.example",
		"ssl_client_san_ip":    "10.0.0.1,2001:db8::1,::ffff:1.2.3.4",
	} {
		if got := valueOf(t, variable, client(leaf)); got != want {
			t.Errorf("%s: got %q, want %q", variable, got, want)
		}
	}
}

func TestAnAlternativeNameCannotForgeAnother(t *testing.T) {
	leaf := crafted{extensions: generalNames(
		generalName(sanDNS, "a.example,admin.example"), generalName(sanDNS, "%2C"), generalName(sanDNS, ""), generalName(sanDNS, " x\r\nDN: CN=admin"),
		generalName(sanURI, "spiffe://a;Hash=1,spiffe://b/admin"), generalName(sanURI, `x:"\`),
		generalName(sanEmail, `"a,b"@c.example`),
	)}.parse(t)
	for variable, want := range map[string]string{
		"ssl_client_san_dns":   "a.example%2Cadmin.example,%252C,%20x%0D%0ADN: CN=admin",
		"ssl_client_san_uri":   "spiffe://a%3BHash=1%2Cspiffe://b/admin,x:%22%5C",
		"ssl_client_san_email": "%22a%2Cb%22@c.example",
		"ssl_client_san_ip":    "",
	} {
		if got := valueOf(t, variable, client(leaf)); got != want {
			t.Errorf("%s: got %q, want %q", variable, got, want)
		}
	}
}

// Go's url.URL.String would write these in other words: that is why the extension is read again.
func TestURIsAreToldAsTheyStand(t *testing.T) {
	for _, uri := range []string{"HTTPS://Example.COM/a", "http://x/a?", "http://x/%7euser", "urn:Ab:c#", "x:/%2f%2F"} {
		leaf := crafted{extensions: generalNames(generalName(sanURI, uri))}.parse(t)
		names, err := sans(leaf)
		if err != nil || len(names) != 1 || string(names[0].value) != uri {
			t.Errorf("got %q, %v; want %q", names, err, uri)
		}
	}
}

func TestNoAlternativeNamesAreNoError(t *testing.T) {
	for what, c := range map[string]crafted{
		"no extensions": {},
		"no extension":  {extensions: extension(oidKeyUsage, "\x03\x02\x07\x80")},
		"no names":      {extensions: generalNames()},
	} {
		if names, err := sans(c.parse(t)); err != nil || len(names) != 0 {
			t.Errorf("%s: got %q, %v", what, names, err)
		}
	}
}

func TestWhatIsNoAlternativeNameIsAnError(t *testing.T) {
	oid := asn1.ObjectIdentifier{2, 5, 29, 17}
	for what, value := range map[string]string{
		"empty":                    "",
		"not a sequence":           tlv(tagSet, ""),
		"truncated":                "\x30\x05\x82",
		"data after it":            "\x30\x00\x00",
		"name cut short":           tlv(tagSequence, "\x82\x05a"),
		"indefinite length":        tlv(tagSequence, "\x82\x80a\x00\x00"),
		"universal tag":            tlv(tagSequence, tlv(tagIA5String, "a")),
		"application tag":          tlv(tagSequence, tlv(0x42, "a")),
		"constructed dNSName":      tlv(tagSequence, tlv(0xa2, "a")),
		"unknown kind":             tlv(tagSequence, tlv(0x89, "a")),
		"address of 5 bytes":       tlv(tagSequence, generalName(sanIP, "12345")),
		"address of no bytes":      tlv(tagSequence, generalName(sanIP, "")),
		"address and mask":         tlv(tagSequence, generalName(sanIP, "\x0a\x00\x00\x00\xff\x00\x00\x00")),
		"a good name, then a fake": tlv(tagSequence, generalName(sanDNS, "a")+tlv(0x8a, "b")),
	} {
		c := &x509.Certificate{Extensions: []pkix.Extension{{Id: oid, Value: []byte(value)}}}
		if names, err := sans(c); err == nil || names != nil {
			t.Errorf("%s: got %q, %v; want an error and no names", what, names, err)
		}
		if got, err := appendSANs([]byte("x"), c, sanDNS); err == nil || string(got) != "x" {
			t.Errorf("%s: got %q, %v; want an error and nothing appended", what, got, err)
		}
	}
	if _, err := sans(&x509.Certificate{Extensions: []pkix.Extension{{Id: oid}}}); err == nil {
		t.Error("an extension without a value is no error")
	}
	twice := pkix.Extension{Id: oid, Value: []byte(tlv(tagSequence, generalName(sanDNS, "a")))}
	if _, err := sans(&x509.Certificate{Extensions: []pkix.Extension{twice, twice}}); err == nil {
		t.Error("two extensions are no error")
	}
}
