package trust

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func TestElementsThatAreNotDERAreRefused(t *testing.T) {
	for what, der := range map[string][]byte{
		"nothing":                {},
		"a tag alone":            {0x30},
		"cut short":              {0x30, 2, 0},
		"indefinite length":      {0x30, 0x80, 0, 0},
		"a long form not needed": {0x30, 0x81, 1, 0},
		"a length with a zero":   {0x30, 0x82, 0, 0x80},
		"a long length with one": {0x30, 0x84, 0, 0, 0, 1, 0},
		"a length of 2 GiB":      {0x30, 0x84, 0x80, 0, 0, 0, 0},
		"a length of 4 GiB":      {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0},
		"a length of five bytes": {0x30, 0x85, 1, 0, 0, 0, 0, 0},
		"no more than a length":  {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
		"a tag of two bytes":     {0x1f, 0x81, 1, 0},
	} {
		if _, _, ok := nextElement(der); ok {
			t.Errorf("%s is taken for an element", what)
		}
	}
}

func TestAnElementIsSplitFromTheRest(t *testing.T) {
	long := append([]byte{0x04, 0x81, 0x80}, make([]byte, 130)...)
	e, rest, ok := nextElement(long)
	if !ok || e.tag != tagOctetString || len(e.body) != 128 || len(rest) != 2 {
		t.Errorf("tag %#x, %d bytes, %d left, %v", e.tag, len(e.body), len(rest), ok)
	}
}

// A certificate revocation list can have more than the 16 MiB that three bytes tell.
func TestAnElementMayBeLargerThan16MiB(t *testing.T) {
	const size = 16<<20 + 5
	der := append([]byte{0x04, 0x84, 1, 0, 0, 5}, make([]byte, size+1)...)
	e, rest, ok := nextElement(der)
	if !ok || len(e.body) != size || len(rest) != 1 {
		t.Errorf("%d bytes, %d left, %v", len(e.body), len(rest), ok)
	}
	if _, _, ok := nextElement(der[:len(der)-2]); ok {
		t.Errorf("one that is cut short is taken for an element")
	}
}

// rebuilt returns leaf with its TBSCertificate or its outer SEQUENCE changed
// and not signed anew: only the form is looked at.
func rebuilt(t *testing.T, leaf *x509.Certificate, tail, tbsTail []byte) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.RawValue
	}
	if _, err := asn1.Unmarshal(leaf.Raw, &outer); err != nil {
		t.Fatal(err)
	}
	wrap := func(parts ...[]byte) []byte {
		var body []byte
		for _, p := range parts {
			body = append(body, p...)
		}
		der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
		return must(t, der, err)
	}
	tbs := wrap(outer.TBS.Bytes, tbsTail)
	der := wrap(tbs, outer.Algorithm.FullBytes, outer.Signature.FullBytes, tail)
	c, err := x509.ParseCertificate(der)
	return must(t, c, err)
}

// crypto/x509 parses all of these; OpenSSL parses none, or heeds what is added.
func TestWhatIsAddedToACertificateIsNotOverlooked(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.root, pki.Options{})
	v1 := w.leaf(w.root, pki.Options{Version1: true})
	if overlooked(leaf) || overlooked(v1) || overlooked(w.root.Cert) {
		t.Errorf("good certificates are refused for their form")
	}
	serverAuth := []byte{0xa3, 23, 0x30, 21, 0x30, 19, 6, 3, 0x55, 0x1d, 37, 4, 12, 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1}
	for what, c := range map[string]*x509.Certificate{
		"an element after the signature":      rebuilt(t, leaf, []byte{5, 0}, nil),
		"an element after the last field":     rebuilt(t, leaf, nil, []byte{5, 0}),
		"a second list of extensions":         rebuilt(t, leaf, nil, serverAuth),
		"extensions in a v1 certificate":      rebuilt(t, v1, nil, serverAuth),
		"a unique identifier in a v1 one":     rebuilt(t, v1, nil, []byte{0x82, 2, 0, 1}),
		"bytes that are no element":           rebuilt(t, leaf, nil, []byte{5}),
		"RFC 3779 resources":                  w.leaf(w.root, pki.Options{ExtraExtensions: []pkix.Extension{{Id: oidIPAddrBlocks, Value: []byte{0x30, 0}}}}),
		"an attribute of three parts in a DN": w.leaf(w.root, pki.Options{RawSubject: []byte{0x30, 13, 0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x13, 0, 5, 0}}),
	} {
		if !overlooked(c) {
			t.Errorf("%s is overlooked", what)
		}
	}
}

func TestMalformedExtensionsAreNotOverlooked(t *testing.T) {
	w := newWorld(t)
	extension := func(id asn1.ObjectIdentifier, value ...byte) *certificate {
		return newCertificate(w.leaf(w.root, pki.Options{ExtraExtensions: []pkix.Extension{{Id: id, Value: value}}}))
	}
	dns := []byte{0x82, 1, 'a'}
	for what, c := range map[string]struct {
		cert *certificate
		want bool
	}{
		"a DNS name":                        {extension(oidSubjectAltName, append([]byte{0x30, 3}, dns...)...), false},
		"a UPN":                             {extension(oidSubjectAltName, 0x30, 11, 0xa0, 9, 6, 2, 0x2a, 3, 0xa0, 3, 0x0c, 1, 'x'), false},
		"a directory name":                  {extension(oidSubjectAltName, 0x30, 4, 0xa4, 2, 0x30, 0), false},
		"a registered ID":                   {extension(oidSubjectAltName, 0x30, 4, 0x88, 2, 0x2a, 3), false},
		"a name of an unknown kind":         {extension(oidSubjectAltName, 0x30, 3, 0x8b, 1, 'a'), true},
		"an other name without value":       {extension(oidSubjectAltName, 0x30, 6, 0xa0, 4, 6, 2, 0x2a, 3), true},
		"a full distribution point":         {extension(oidCRLDistribution, 0x30, 9, 0x30, 7, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u'), false},
		"a distribution point by issuer":    {extension(oidCRLDistribution, 0x30, 8, 0x30, 6, 0xa2, 4, 0xa4, 2, 0x30, 0), false},
		"a distribution point of nothing":   {extension(oidCRLDistribution, 0x30, 2, 0x30, 0), true},
		"basic constraints":                 {extension(oidBasicConstraints, 0x30, 6, 1, 1, 0xff, 2, 1, 0), false},
		"basic constraints and more":        {extension(oidBasicConstraints, 0x30, 8, 1, 1, 0xff, 2, 1, 0, 5, 0), true},
		"a Netscape type of unused bits":    {extension(oidNetscapeCertType, 3, 2, 9, 0x80), true},
		"an authority key ID with no names": {extension(oidAuthorityKeyID, 0x30, 2, 0xa1, 0), true},
	} {
		if c.cert.malformed != c.want {
			t.Errorf("%s: malformed is %v, want %v", what, c.cert.malformed, c.want)
		}
	}
}

func TestFieldsOfACertificateAreWhatTheyShouldBe(t *testing.T) {
	const (
		serial    = "\x02\x01\x01"
		algorithm = "\x30\x02\x06\x00"
		issuer    = "\x30\x00"
		validity  = "\x30\x04\x17\x00\x17\x00"
		key       = "\x30\x06\x30\x02\x06\x00\x03\x00"
		entry     = "\x30\x04\x06\x00\x04\x00"
		v3        = "\xa0\x03\x02\x01\x02"
		lists     = "\xa3\x08\x30\x06" + entry
	)
	for what, c := range map[string]struct {
		tbs     string
		version int
		want    bool
	}{
		"version 1":                      {serial + algorithm + issuer + validity + issuer + key, 1, true},
		"version 3":                      {v3 + serial + algorithm + issuer + validity + issuer + key + lists, 3, true},
		"version 3, unique IDs":          {v3 + serial + algorithm + issuer + validity + issuer + key + "\x81\x00\x82\x00" + lists, 3, true},
		"version 2, a unique ID":         {serial + algorithm + issuer + validity + issuer + key + "\x81\x00", 2, true},
		"version 2, extensions":          {serial + algorithm + issuer + validity + issuer + key + lists, 2, false},
		"unique IDs after extensions":    {v3 + serial + algorithm + issuer + validity + issuer + key + lists + "\x81\x00", 3, false},
		"an algorithm of three parts":    {serial + "\x30\x06\x06\x00\x05\x00\x05\x00" + issuer + validity + issuer + key, 1, false},
		"a validity of three times":      {serial + algorithm + issuer + "\x30\x06\x17\x00\x17\x00\x17\x00" + issuer + key, 1, false},
		"a key of three parts":           {serial + algorithm + issuer + validity + issuer + "\x30\x08\x30\x02\x06\x00\x03\x00\x05\x00", 1, false},
		"a key's algorithm of three":     {serial + algorithm + issuer + validity + issuer + "\x30\x0a\x30\x06\x06\x00\x05\x00\x05\x00\x03\x00", 1, false},
		"an extension of another part":   {v3 + serial + algorithm + issuer + validity + issuer + key + "\xa3\x0a\x30\x08\x30\x06\x06\x00\x04\x00\x05\x00", 3, false},
		"something after the extensions": {v3 + serial + algorithm + issuer + validity + issuer + key + "\xa3\x0a\x30\x06" + entry + "\x05\x00", 3, false},
		"no key":                         {serial + algorithm + issuer + validity + issuer, 1, false},
	} {
		if got := knownFields([]byte(c.tbs), c.version); got != c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}
