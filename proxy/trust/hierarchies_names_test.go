package trust

import (
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"mtls-sidecar/proxy/pki"
)

// hierarchyConstraint is a nameConstraints extension of one subtree.
type hierarchyConstraint struct {
	name string
	kind int
	base string
}

var hierarchyConstraints = []hierarchyConstraint{
	{"DNS example.com", nameDNS, "example.com"},
	{"DNS .example.com", nameDNS, ".example.com"},
	{"DNS EXAMPLE.com", nameDNS, "EXAMPLE.com"},
	{"DNS host.example.com", nameDNS, "host.example.com"},
	{"DNS com", nameDNS, "com"},
	{"DNS, all", nameDNS, ""},
	{"e-mail example.com", nameEmail, "example.com"},
	{"e-mail .example.com", nameEmail, ".example.com"},
	{"e-mail user@example.com", nameEmail, "user@example.com"},
	{"e-mail EXAMPLE.COM", nameEmail, "EXAMPLE.COM"},
	{"URI example.com", nameURI, "example.com"},
	{"URI .example.com", nameURI, ".example.com"},
	{"IP 10.0.0.0/8", nameIP, "\x0a\x00\x00\x00\xff\x00\x00\x00"},
	{"IP 10.0.0.1/32", nameIP, "\x0a\x00\x00\x01\xff\xff\xff\xff"},
	{"IP 0.0.0.0/0", nameIP, "\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"IP 2001:db8::/32", nameIP, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"IP ::/0", nameIP, string(make([]byte, 32))},
	{"directory, all", nameDirectory, "\x30\x00"},
	{"directory CN=client", nameDirectory, "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x13\x06client"},
	{"registered ID", nameRegisteredID, "\x2a\x03\x04"},
}

// hierarchyName gives a leaf names.
type hierarchyName struct {
	name string
	set  func(*draftCert)
}

func (m *mint) names() []hierarchyName {
	list := []hierarchyName{{"nothing but CN=client", func(*draftCert) {}}}
	add := func(name string, set func(*draftCert)) { list = append(list, hierarchyName{name, set}) }
	for _, kind := range []struct {
		name   string
		tag    byte
		values []string
	}{
		{"DNS", 0x80 | nameDNS, []string{"host.example.com", "example.com", "EXAMPLE.COM", "notexample.com", "a.b.example.com", "host.example.org",
			"*.example.com", "*.com", "*", "example.com.", ".example.com", "_srv.example.com", "host..example.com", "host example.com", "localhost", "com", "", "-"}},
		{"e-mail", 0x80 | nameEmail, []string{"user@example.com", "USER@example.com", "user@EXAMPLE.com", "user@host.example.com", "user@example.org",
			"other@example.com", "example.com", "@example.com", "user@", "a@b@example.com", `"a@b"@example.com`, "user@.example.com", "user@example.org@example.com"}},
		{"URI", 0x80 | nameURI, []string{"https://example.com/x", "https://example.com", "https://host.example.com:443/", "https://EXAMPLE.com/", "https://example.org/",
			"spiffe://example.com/workload", "urn:example:com", "https://10.0.0.1/", "https://[2001:db8::1]/", "https://user@example.com/",
			"https://example.com@example.org/", "https://example.com:x@example.org/", "https://example.org?example.com", "https:///x", "example.com"}},
		{"IP", 0x80 | nameIP, []string{"\x0a\x00\x00\x01", "\x0a\x00\x00\x02", "\xc0\x00\x02\x01", "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
			"\x20\x01\x0d\xb9\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x01"}},
		{"registered ID", 0x80 | nameRegisteredID, []string{"\x2a\x03\x04"}},
		{"directory", 0xa0 | nameDirectory, []string{"\x30\x00", "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x13\x06client"}},
		{"other name", 0xa0 | nameOther, []string{"\x06\x03\x2a\x03\x04\xa0\x02\x05\x00"}},
		{"SmtpUTF8Mailbox", 0xa0 | nameOther, []string{"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x09\xa0\x12\x0c\x10user@example.com"}},
	} {
		for _, value := range kind.values {
			printed := value
			if kind.tag&0x20 != 0 || kind.tag&0x1f > nameURI {
				printed = fmt.Sprintf("%x", value)
			}
			add(kind.name+" "+printed, func(c *draftCert) { c.extend(oidSubjectAltName, false, generalNames(kind.tag, value)...) })
		}
	}
	for _, cn := range []string{"host.example.com", "example.com", "host.example.org", "HOST.example.ORG", "*.example.org", "10.0.0.2", "localhost",
		"host.example.org.", "host example.org", "_host.example.org", "-host.example.org", "host-.example.org", "host..example.org", "user@example.org",
		"host.example.com\x00", "host.example.org\x00", "host.example.org\x00.example.com"} {
		add("CN "+strings.ReplaceAll(cn, "\x00", "<NUL>"), func(c *draftCert) { c.RawSubject = name(m.t, text(asn1.TagUTF8String, cn)) })
	}
	add("printable CN host.example.org", func(c *draftCert) { c.RawSubject = name(m.t, text(asn1.TagPrintableString, "host.example.org")) })
	add("BMP CN host.example.org", func(c *draftCert) { c.RawSubject = name(m.t, text(asn1.TagBMPString, wide("host.example.org"))) })
	cn := func(values ...string) func(*draftCert) {
		return func(c *draftCert) {
			var list []asn1.RawValue
			for _, v := range values {
				list = append(list, text(asn1.TagUTF8String, v))
			}
			c.RawSubject = name(m.t, list...)
		}
	}
	add("CN within, then CN outside", cn("host.example.com", "host.example.org"))
	add("CN outside, then CN within", cn("host.example.org", "host.example.com"))
	add("CN outside, DNS within", func(c *draftCert) { cn("host.example.org")(c); c.DNSNames = []string{"host.example.com"} })
	add("CN within, DNS outside", func(c *draftCert) { cn("host.example.com")(c); c.DNSNames = []string{"host.example.org"} })
	add("CN outside, e-mail within", func(c *draftCert) { cn("host.example.org")(c); c.Emails = []string{"user@example.com"} })
	add("CN outside, empty alternative names", func(c *draftCert) { cn("host.example.org")(c); c.extend(oidSubjectAltName, false, 0x30, 0) })
	add("DNS within and outside", func(c *draftCert) { c.DNSNames = []string{"host.example.com", "host.example.org"} })
	add("empty subject, DNS outside", func(c *draftCert) { c.RawSubject, c.DNSNames = pki.EmptyName(), []string{"host.example.org"} })
	for _, address := range []string{"user@example.com", "user@example.org", "user@EXAMPLE.COM", "user", ""} {
		add("e-mail "+address+" in the subject", func(c *draftCert) { c.RawSubject = subjectEmail(asn1.TagIA5String, address) })
		add("e-mail "+address+" in the subject, UTF-8", func(c *draftCert) { c.RawSubject = subjectEmail(asn1.TagUTF8String, address) })
	}
	return list
}

// constraintAlterations let the root or the issuer permit or exclude something.
func constraintAlterations() []alteration {
	var all []alteration
	for _, h := range hierarchyConstraints {
		for _, place := range hierarchyPlaces[:2] {
			for list, verb := range []string{"permits", "excludes"} {
				rule := "constraint of the " + place.name
				all = append(all,
					alteration{rule, rule + ": " + verb + " " + h.name, func(d *draft) { h.constrain(place.of(d), byte(list), true) }},
					alteration{rule, rule + ": " + verb + " " + h.name + ", not critical", func(d *draft) { h.constrain(place.of(d), byte(list), false) }})
			}
		}
	}
	return all
}

// constrain puts an extension with one subtree into c; list 0 permits, 1 excludes.
func (h hierarchyConstraint) constrain(c *draftCert, list byte, critical bool) {
	e := constraint(list, h.kind, h.base, critical)
	c.extend(e.Id, e.Critical, e.Value...)
}

// nameAlterations give names to the leaf or its issuer.
func (m *mint) nameAlterations() []alteration {
	var all []alteration
	for _, n := range m.names() {
		for _, place := range hierarchyPlaces[1:] {
			rule := "names of the " + place.name
			all = append(all, alteration{rule, rule + ": " + n.name, func(d *draft) { n.set(place.of(d)) }})
		}
	}
	return all
}

// subtreeAlterations are constraints of more than one subtree, on more than one CA, or with limits.
func (m *mint) subtreeAlterations() []alteration {
	const permits, excludes = 0xa0, 0xa1
	trees := func(list byte, bases ...string) []byte {
		var body []byte
		for _, base := range bases {
			body = append(body, shortTLV(tagSequence, shortTLV(0x80|nameDNS, []byte(base)))...)
		}
		return shortTLV(list, body)
	}
	of := func(parts ...[]byte) []byte { return shortTLV(tagSequence, slices.Concat(parts...)) }
	var all []alteration
	add := func(name string, apply func(root, issuer, leaf *draftCert)) {
		all = append(all, alteration{"subtrees", "subtrees: " + name, func(d *draft) { apply(d.root(), d.issuer(), d.leaf()) }})
	}
	set := func(c *draftCert, value []byte) { c.extend(oidNameConstraints, true, value...) }
	within, outside := []string{"host.example.com"}, []string{"host.example.org"}
	add("two are permitted, the name is in one", func(root, _, leaf *draftCert) {
		set(root, of(trees(permits, "example.org", "example.com")))
		leaf.DNSNames = within
	})
	add("two are permitted, one name is in neither", func(root, _, leaf *draftCert) {
		set(root, of(trees(permits, "example.net", "example.com")))
		leaf.DNSNames = append(outside, within...)
	})
	add("permitted, but a part is excluded", func(root, _, leaf *draftCert) {
		set(root, of(trees(permits, "example.com"), trees(excludes, "host.example.com")))
		leaf.DNSNames = within
	})
	add("permitted, another part is excluded", func(root, _, leaf *draftCert) {
		set(root, of(trees(permits, "example.com"), trees(excludes, "other.example.com")))
		leaf.DNSNames = within
	})
	add("the issuer permits more than the root", func(root, issuer, leaf *draftCert) {
		set(root, of(trees(permits, "example.com")))
		set(issuer, of(trees(permits, "com", "org")))
		leaf.DNSNames = outside
	})
	add("the issuer permits less than the root", func(root, issuer, leaf *draftCert) {
		set(root, of(trees(permits, "com", "org")))
		set(issuer, of(trees(permits, "example.com")))
		leaf.DNSNames = outside
	})
	add("both permit it", func(root, issuer, leaf *draftCert) {
		set(root, of(trees(permits, "com")))
		set(issuer, of(trees(permits, "example.com")))
		leaf.DNSNames = within
	})
	add("the issuer's own name is outside", func(root, issuer, leaf *draftCert) {
		set(root, of(trees(permits, "example.com")))
		issuer.DNSNames = outside
	})
	add("the issuer's common name is outside", func(root, issuer, leaf *draftCert) {
		set(root, of(trees(permits, "example.com")))
		issuer.Subject.CommonName = "host.example.org"
	})
	add("the root's own name is outside", func(root, _, leaf *draftCert) {
		set(root, of(trees(permits, "example.com")))
		root.DNSNames = outside
	})
	add("the leaf's own constraints do not bind it", func(_, _, leaf *draftCert) {
		set(leaf, of(trees(permits, "example.com")))
		leaf.DNSNames = outside
	})
	for name, limit := range map[string][]byte{"minimum 0": shortTLV(0x80, []byte{0}), "minimum 1": shortTLV(0x80, []byte{1}), "maximum 9": shortTLV(0x81, []byte{9})} {
		add(name, func(root, _, leaf *draftCert) {
			tree := shortTLV(tagSequence, append(shortTLV(0x80|nameDNS, []byte("example.com")), limit...))
			set(root, of(shortTLV(permits, tree)))
			leaf.DNSNames = within
		})
	}
	all = append(all, alteration{"subtrees", "subtrees: a self-issued CA's own name is outside", func(d *draft) {
		set(d.root(), of(trees(permits, "example.com")))
		renewed := d.ca(d.issuer().Subject.CommonName, d.p521)
		renewed.DNSNames = outside
		d.insert(renewed)
	}})
	return all
}

// shortTLV is one element of less than 128 bytes.
func shortTLV(tag byte, body []byte) []byte { return append([]byte{tag, byte(len(body))}, body...) }

// generalNames is a subjectAltName of one name.
func generalNames(tag byte, value string) []byte {
	return shortTLV(tagSequence, shortTLV(tag, []byte(value)))
}

// subjectEmail is a subject of one e-mail address (PKCS #9).
func subjectEmail(tag int, address string) []byte {
	attribute := slices.Concat(shortTLV(tagOID, oidEmailAddress), shortTLV(byte(tag), []byte(address)))
	return shortTLV(tagSequence, shortTLV(tagSet, shortTLV(tagSequence, attribute)))
}

// wide is ASCII as a BMPString has it.
func wide(s string) string {
	out := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		out = append(out, 0, s[i])
	}
	return string(out)
}
