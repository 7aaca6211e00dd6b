package trust

import (
	"crypto/x509"
	"testing"
)

// The rows follow OpenSSL's nc_dns, nc_email, nc_uri and nc_ip.
func TestNamesWithinSubtrees(t *testing.T) {
	const loopback, mask = "\x7f\x00\x00\x00", "\xff\x00\x00\x00"
	for _, c := range []struct {
		kind       byte
		name, base string
		inside, ok bool
	}{
		{nameDNS, "example.com", "example.com", true, true},
		{nameDNS, "a.b.EXAMPLE.com", "example.com", true, true},
		{nameDNS, "badexample.com", "example.com", false, true},
		{nameDNS, "com", "example.com", false, true},
		{nameDNS, "a.example.com", ".example.com", true, true},
		{nameDNS, "example.com", ".example.com", false, true},
		{nameDNS, "anything", "", true, true},
		{nameDNS, "a.example.com.", "example.com", false, true},
		{nameEmail, "x@example.com", "example.com", true, true},
		{nameEmail, "x@a.example.com", "example.com", false, true},
		{nameEmail, "x@a.example.com", ".example.com", true, true},
		{nameEmail, "x@example.com", ".example.com", false, true},
		{nameEmail, "x@EXAMPLE.com", "x@example.com", true, true},
		{nameEmail, "X@example.com", "x@example.com", false, true},
		{nameEmail, "x@example.com", "@example.com", true, true},
		{nameEmail, "x", "example.com", false, false},
		{nameEmail, "\x00@example.com", "x@example.com", false, false},
		{nameEmail, "x@example.com@evil.org", "example.com", false, true},
		{nameURI, "https://example.com/x", "example.com", true, true},
		{nameURI, "https://example.com:8443/x", "EXAMPLE.com", true, true},
		{nameURI, "https://a.example.com", ".example.com", true, true},
		{nameURI, "https://a.example.com", "example.com", false, true},
		{nameURI, "urn:example.com", "example.com", false, false},
		{nameURI, "https:///x", "example.com", false, false},
		{nameURI, "example.com", "example.com", false, false},
		{nameIP, "\x7f\x00\x00\x01", loopback + mask, true, true},
		{nameIP, "\x7e\x00\x00\x01", loopback + mask, false, true},
		{nameIP, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01", loopback + mask, false, true},
		{nameIP, "\x7f", loopback + mask, false, false},
		{nameIP, "\x7f\x00\x00\x01", loopback, false, false},
		{nameRegisteredID, "x", "x", false, false},
	} {
		inside, ok := within(subtree{c.kind, []byte(c.name)}, []byte(c.base))
		if inside != c.inside || ok != c.ok {
			t.Errorf("kind %d, %q within %q: %v %v, want %v %v", c.kind, c.name, c.base, inside, ok, c.inside, c.ok)
		}
	}
}

// The rows follow OpenSSL's cn2dnsid.
func TestCommonNamesThatLookLikeHosts(t *testing.T) {
	for name, want := range map[string]bool{
		"a.example": true, "A_1.b-c.example": true, "localhost": false, "": false, "a b.example": false,
		".example": false, "example.": false, "a..b": false, "-a.b": false, "a-.b": false, "a.-b": false,
		"*.example": false, "a.b/c": false, "10.0.0.1": true,
	} {
		if got := looksLikeHost([]byte(name)); got != want {
			t.Errorf("%q looks like a host: %v, want %v", name, got, want)
		}
	}
}

func TestPermittedAndExcludedTogether(t *testing.T) {
	n := &nameConstraints{
		permitted: []subtree{{nameDNS, []byte("a.example")}, {nameDNS, []byte("b.example")}},
		excluded:  []subtree{{nameDNS, []byte("x.b.example")}},
	}
	for name, want := range map[string]Reason{
		"a.example": 0, "c.b.example": 0, "c.example": OutsidePermitted, "y.x.b.example": InsideExcluded,
	} {
		if got := n.judge(subtree{nameDNS, []byte(name)}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := n.judge(subtree{nameEmail, []byte("x@c.example")}); got != 0 {
		t.Errorf("a kind of name without constraints: %v", got)
	}
}

func TestConstraintsThatAreNotSupported(t *testing.T) {
	for what, c := range map[string]struct {
		tree []byte
		want Reason
	}{
		"a host":                 {[]byte{0x82, 1, 'a'}, 0},
		"a host, with a minimum": {[]byte{0x82, 1, 'a', 0x80, 1, 1}, ConstraintMinMax},
		"a registered ID":        {[]byte{0x88, 1, 0x2a}, UnsupportedConstraint},
	} {
		tree := append([]byte{0x30, byte(len(c.tree))}, c.tree...)
		list := append([]byte{0xa0, byte(len(tree))}, tree...)
		n, ok := parseNameConstraints(append([]byte{0x30, byte(len(list))}, list...))
		if !ok || n.fault != c.want {
			t.Errorf("%s: %v, well-formed %v; want %v", what, n.fault, ok, c.want)
		}
	}
}

// RFC 9598: an internationalised address must not slip past e-mail constraints.
func TestInternationalisedAddressesAreSubjectToEMailConstraints(t *testing.T) {
	mailbox := append(append([]byte{0xa0, 15, 6, 8}, oidSMTPUTF8Mailbox...), 0xa0, 3, 0x0c, 1, 'x')
	c := &certificate{Certificate: &x509.Certificate{RawSubject: []byte{0x30, 0}}, subjectAltNames: mailbox}
	for kind, want := range map[byte]Reason{nameEmail: UnsupportedName, nameDNS: 0} {
		n := &nameConstraints{permitted: []subtree{{kind, []byte("a.example")}}}
		if got := n.check(c, true); got != want {
			t.Errorf("constraints of kind %d: %v, want %v", kind, got, want)
		}
	}
}
