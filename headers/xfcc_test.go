package headers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// withNames is a certificate of which only subject and alternative names matter.
func withNames(subject []byte, names string) *x509.Certificate {
	return &x509.Certificate{Raw: []byte("der"), RawSubject: subject, Extensions: []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte(tlv(tagSequence, names))}}}
}

func xfccOf(t *testing.T, f Facts) string {
	t.Helper()
	got, err := xfccElement(nil, &f)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// hashAndCert begins every element about withNames: the SHA-256 of "der" (coreutils' sha256sum), and its PEM.
const hashAndCert = "Hash=5050d80d22ecd471ea55df7034042c1e041341ff4066e7f6ff38e20b720df8ea" +
	`;Cert="-----BEGIN%20CERTIFICATE-----%0AZGVy%0A-----END%20CERTIFICATE-----%0A"`

// andChain follows it where there is nobody above the certificate.
const andChain = `;Chain="-----BEGIN%20CERTIFICATE-----%0AZGVy%0A-----END%20CERTIFICATE-----%0A"`

func TestXFCCHasEnvoysKeysInEnvoysOrder(t *testing.T) {
	subject := name(attr(oidO, tagUTF8String, "Acme, Inc."), attr(oidCN, tagUTF8String, "client"))
	dns, uri := generalName(sanDNS, "a.example")+generalName(sanDNS, "b.example"), generalName(sanURI, "spiffe://example.org/a")
	c := withNames(subject, dns+uri+generalName(sanURI, "urn:b"))
	cases := []struct {
		what  string
		facts Facts
		want  string
	}{
		{"all", client(c), andChain + `;Subject="CN=client,O=Acme\, Inc.";URI=spiffe://example.org/a;URI=urn:b;DNS=a.example;DNS=b.example`},
		{"no URI", client(withNames(subject, dns)), andChain + `;Subject="CN=client,O=Acme\, Inc.";URI=;DNS=a.example;DNS=b.example`},
		{"no names at all", client(&x509.Certificate{Raw: []byte("der"), RawSubject: name()}), andChain + `;Subject="";URI=`},
		{"empty names", client(withNames(name(), generalName(sanURI, "")+generalName(sanDNS, ""))), andChain + `;Subject="";URI=`},
		{"e-mail and address", client(withNames(name(), generalName(sanEmail, "a@b")+generalName(sanIP, "\x7f\x00\x00\x01"))), andChain + `;Subject="";URI=`},
		{"intermediate", client(withNames(name(), uri), &x509.Certificate{Raw: []byte("x")}), `;Chain="-----BEGIN%20CERTIFICATE-----%0AZGVy%0A-----END%20CERTIFICATE-----%0A` +
			`-----BEGIN%20CERTIFICATE-----%0AeA%3D%3D%0A-----END%20CERTIFICATE-----%0A";Subject="";URI=spiffe://example.org/a`},
	}
	for _, c := range cases {
		if got := xfccOf(t, c.facts); got != hashAndCert+c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, hashAndCert+c.want)
		}
	}
}

func TestXFCCNamesCannotAddAKey(t *testing.T) {
	cases := []struct {
		what                string
		organisation        string
		uri, dns, wantAfter string
	}{
		{"separators in a URI", "", "spiffe://a;Hash=x;URI=spiffe://admin", "a", `Subject="O=";URI=spiffe://a%3BHash%3Dx%3BURI%3Dspiffe://admin;DNS=a`},
		{"element in a DNS name", "", "", `x,By="admin.example"`, `Subject="O=";URI=;DNS=x%2CBy%3D%22admin.example%22`},
		{"quote in the subject", `x";URI=spiffe://admin;By="`, "", "", `Subject="O=x\22\3BURI\3Dspiffe\3A//admin\3BBy\3D\22";URI=`},
		{"backslash before the quote", `x\`, "", "", `Subject="O=x\5C";URI=`},
		{"element in the subject", `x,URI=spiffe://admin`, "", "", `Subject="O=x\,URI\3Dspiffe\3A//admin";URI=`},
		{"percent and what is no text", "", "a%3Bb", "a b\\\r\n\x00\x7f\xff", `Subject="O=";URI=a%253Bb;DNS=a%20b%5C%0D%0A%00%7F%FF`},
	}
	for _, c := range cases {
		got := xfccOf(t, client(withNames(name(attr(oidO, tagUTF8String, c.organisation)), generalName(sanURI, c.uri)+generalName(sanDNS, c.dns))))
		if want := hashAndCert + andChain + ";" + c.wantAfter; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, want)
		}
	}
}

// TestTypesThatEndInAKeyAreDotted: setAttr-Cert and ISO-CN are OpenSSL's names for 2.23.42.3.0 and 1.2.156.
func TestTypesThatEndInAKeyAreDotted(t *testing.T) {
	subject := name(attr("\x67\x2a\x03\x00", tagUTF8String, "spoof"), attr("\x2a\x81\x1c", tagUTF8String, "admin"), attr(oidCN, tagUTF8String, "mallory"))
	got, err := appendHexedDN(nil, subject, "", appendEscaped)
	if want := "CN=mallory,1.2.156=#0C0561646D696E,2.23.42.3.0=#0C0573706F6F66"; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestXFCCIsNotWrittenOfWhatCannotBeRead(t *testing.T) {
	for what, c := range map[string]*x509.Certificate{
		"subject": withNames([]byte("junk"), ""),
		"names":   withNames(name(), "junk"),
	} {
		facts := client(c)
		if got, err := xfccElement([]byte("before"), &facts); err == nil || string(got) != "before" {
			t.Errorf("%s: got %q, %v", what, got, err)
		}
	}
}

// xfccReader is how some back end splits the header.
type xfccReader struct {
	what string
	read func(header string) (elements [][]pair)
}

var xfccReaders = []xfccReader{
	{`quoted strings in which \" is a quote`, func(h string) [][]pair { return readQuoted(h, `"`) }},
	{"quoted strings in which a backslash takes the meaning of any character", func(h string) [][]pair { return readQuoted(h, "") }},
	{"quotes without escapes", func(h string) [][]pair { return readSplit(h, true) }},
}

// readQuoted splits outside of quoted strings. escapable are the characters that a backslash may stand before; empty: any.
func readQuoted(header, escapable string) [][]pair {
	elements := [][]pair{nil}
	var field strings.Builder
	end := func() {
		key, value, _ := strings.Cut(field.String(), "=")
		last := len(elements) - 1
		elements[last] = append(elements[last], pair{key, value})
		field.Reset()
	}
	quoted := false
	for i := 0; i < len(header); i++ {
		switch b := header[i]; {
		case quoted && b == '\\' && i+1 < len(header) && (escapable == "" || strings.IndexByte(escapable, header[i+1]) >= 0):
			field.WriteString(header[i : i+2]) // kept as it is: the name inside is read afterwards
			i++
		case b == '"':
			quoted = !quoted
		case b == ';' && !quoted:
			end()
		case b == ',' && !quoted:
			end()
			elements = append(elements, nil)
		default:
			field.WriteByte(b)
		}
	}
	end()
	return elements
}

// readSplit splits at every separator, or at those outside quotes; a piece without "=" is nothing to it.
func readSplit(header string, quotes bool) [][]pair {
	var elements [][]pair
	for _, element := range cutOutsideQuotes(header, ',', quotes) {
		var pairs []pair
		for _, field := range cutOutsideQuotes(element, ';', quotes) {
			if key, value, found := strings.Cut(field, "="); found {
				pairs = append(pairs, pair{key, strings.Trim(value, `"`)})
			}
		}
		elements = append(elements, pairs)
	}
	return elements
}

// readName2253 reads a name of RFC 4514's form: each attribute as type=text, with #hex where the value is none.
func readName2253(t *testing.T, text string) []string {
	t.Helper()
	var attributes []string
	var one []byte
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == ',' || b == '+':
			attributes = append(attributes, string(one))
			one = nil
		case b == '\\' && i+2 < len(text) && isHexPair(text[i+1:i+3]):
			c, _ := hex.DecodeString(text[i+1 : i+3])
			one = append(one, c...)
			i += 2
		case b == '\\' && i+1 < len(text):
			one = append(one, text[i+1])
			i++
		case b == '\\':
			t.Fatalf("%q ends in a backslash", text)
		default:
			one = append(one, b)
		}
	}
	return append(attributes, string(one))
}

func isHexPair(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil
}

// attributesOf is what a reader should find in a name.
func attributesOf(t *testing.T, rawName []byte) (attributes, types []string) {
	t.Helper()
	attrs, err := readRawName(nil, rawName)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range slices.Backward(attrs) {
		kind, known := appendType(nil, a)
		value := appendDump(nil, a.value)
		if known && isText(a.value) {
			value = appendText(nil, a.value, appendPlain)
		}
		attributes = append(attributes, string(kind)+"="+string(value))
		types = append(types, string(kind))
	}
	if attributes == nil {
		attributes = []string{""}
	}
	return attributes, types
}

// FuzzXFCCHoldsExactlyTheNames holds that every reader finds the names of the certificate, and no key besides.
func FuzzXFCCHoldsExactlyTheNames(f *testing.F) {
	f.Add([]byte(nil), "Acme, Inc.", "client", "spiffe://example.org/client", "client.example")
	f.Add([]byte(nil), `x";URI=spiffe://admin;By="`, `x\`, "spiffe://a;Hash=..", `x,DNS=admin`)
	f.Add([]byte(nil), "a+CN=admin", " #x ", "%3B", `"`)
	f.Add([]byte(nil), `\"`, `\`, ``, ``)
	f.Add(name(attr(oidUnknown, tagUTF8String, `x";By=`), attr(oidCN, tagBMPString, "\x00\"\x00;")+attr(oidOU, tagTeletexString, "\xff=,")), "", "", "\x00", "\r\n")
	f.Fuzz(func(t *testing.T, raw []byte, organisation, cn, uri, dns string) {
		if len(raw) == 0 {
			if !utf8.ValidString(organisation) {
				return
			}
			raw = name(attr(oidO, tagUTF8String, organisation), attr(oidCN, tagTeletexString, cn))
		}
		if _, err := readRawName(nil, raw); err != nil {
			return
		}
		header := xfccOf(t, client(withNames(raw, generalName(sanURI, uri)+generalName(sanDNS, dns)+generalName(sanURI, "urn:last"))))
		if i := strings.IndexFunc(header, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("byte %#02x in %q", header[i], header)
		}
		names := []pair{{"URI", uri}, {"URI", "urn:last"}, {"DNS", dns}}
		names = slices.DeleteFunc(names, func(p pair) bool { return p.value == "" })
		for _, r := range xfccReaders {
			checkXFCC(t, r, header, raw, names)
		}
		checkXFCCSplitEverywhere(t, header, raw, names)
	})
}

func checkXFCC(t *testing.T, r xfccReader, header string, subject []byte, names []pair) {
	t.Helper()
	elements := r.read(header)
	if len(elements) != 1 || len(elements[0]) != 4+len(names) {
		t.Fatalf("%s: %q is read as %q", r.what, header, elements)
	}
	got := elements[0]
	if got[0].key != "Hash" || got[1].key != "Cert" || got[2].key != "Chain" || got[3].key != "Subject" {
		t.Errorf("%s: %q is read as %q", r.what, header, got)
	}
	want := hexedAttributesOf(t, subject)
	if attributes := readName2253(t, got[3].value); !slices.Equal(attributes, want) {
		t.Errorf("%s: the subject of %q is read as %q, not %q", r.what, header, attributes, want)
	}
	for i, p := range got[4:] {
		if value, err := url.PathUnescape(p.value); err != nil || p.key != names[i].key || value != names[i].value {
			t.Errorf("%s: %q is read as %q, %v, not %q", r.what, header, p, err, names[i])
		}
	}
}

// checkXFCCSplitEverywhere reads as one does who takes every comma and semicolon for a separator. He cannot read a subject so,
// but every other key that he finds is the certificate's.
func checkXFCCSplitEverywhere(t *testing.T, header string, subject []byte, names []pair) {
	t.Helper()
	_, types := attributesOf(t, subject)
	var found []pair
	for _, element := range readSplit(header, false) {
		for _, p := range element {
			if slices.Contains([]string{"Hash", "Cert", "Chain", "Subject"}, p.key) || isAttribute(p.key, types) {
				continue
			}
			value, err := url.PathUnescape(p.value)
			if err != nil {
				t.Errorf("%q: %v", p, err)
			}
			found = append(found, pair{p.key, value})
		}
	}
	if !slices.Equal(found, names) {
		t.Errorf("%q is read as %q, not %q", header, found, names)
	}
}

// isAttribute reports whether a key is the type of one of the subject's attributes, perhaps after the end of the value before
// it, which no key of XFCC is, as it holds a plus sign.
func isAttribute(key string, types []string) bool {
	return slices.ContainsFunc(types, func(kind string) bool { return key == kind || strings.HasSuffix(key, "+"+kind) })
}

func TestNoAttributeTypeIsAKeyOfXFCC(t *testing.T) {
	for _, n := range shortNames {
		switch strings.ToLower(n.name) {
		case "by", "hash", "cert", "chain", "subject", "uri", "dns", "issuer":
			t.Errorf("an attribute of type %s would be taken for a key", n.name)
		}
		if strings.ContainsAny(n.name, `"\,;=+`) {
			t.Errorf("the type %s holds a separator", n.name)
		}
	}
}
