package trust

import (
	"encoding/asn1"
	"testing"
)

// name makes a DER Name of single-valued RDNs, all common names.
func name(t testing.TB, values ...asn1.RawValue) []byte {
	t.Helper()
	return rdns(t, func() (sets [][]asn1.RawValue) {
		for _, v := range values {
			sets = append(sets, []asn1.RawValue{v})
		}
		return sets
	}()...)
}

func rdns(t testing.TB, sets ...[]asn1.RawValue) []byte {
	t.Helper()
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type attributeSET []attribute
	var list []attributeSET
	for _, values := range sets {
		var set attributeSET
		for _, v := range values {
			set = append(set, attribute{asn1.ObjectIdentifier{2, 5, 4, 3}, v})
		}
		list = append(list, set)
	}
	der, err := asn1.Marshal(list)
	return must(t, der, err)
}

func text(tag int, s string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(s)} }

// Which names are the same is OpenSSL's X509_NAME_cmp to decide.
func TestNamesAreComparedAsOpenSSLDoes(t *testing.T) {
	const utf8, printable, t61, ia5, visible, universal, bmp, octets = 12, 19, 20, 22, 26, 28, 30, 4
	reference := name(t, text(utf8, "Acme CA"))
	for _, c := range []struct {
		what string
		a, b []byte
		same bool
	}{
		{"another string type", reference, name(t, text(printable, "Acme CA")), true},
		{"case", reference, name(t, text(printable, "ACME ca")), true},
		{"spaces between", reference, name(t, text(printable, "Acme   CA")), true},
		{"a tab between", reference, name(t, text(utf8, "Acme\tCA")), true},
		{"spaces around", reference, name(t, text(ia5, "  Acme CA ")), true},
		{"visible string", reference, name(t, text(visible, "Acme CA")), true},
		{"BMP string", reference, name(t, text(bmp, "\x00A\x00c\x00m\x00e\x00 \x00C\x00A")), true},
		{"universal string", name(t, text(utf8, "A")), name(t, text(universal, "\x00\x00\x00a")), true},
		{"T61 is Latin-1", name(t, text(utf8, "é")), name(t, text(t61, "\xe9")), true},
		{"case beyond ASCII counts", name(t, text(utf8, "É")), name(t, text(utf8, "é")), false},
		{"no space between", reference, name(t, text(printable, "AcmeCA")), false},
		{"one more letter", reference, name(t, text(printable, "Acme CAs")), false},
		{"another order of RDNs", name(t, text(utf8, "a"), text(utf8, "b")), name(t, text(utf8, "b"), text(utf8, "a")), false},
		{"two RDNs and one of two", name(t, text(utf8, "a"), text(utf8, "b")), rdns(t, []asn1.RawValue{text(utf8, "a"), text(utf8, "b")}), false},
		{"an RDN of two in another order", rdns(t, []asn1.RawValue{text(utf8, "B"), text(utf8, "a")}), rdns(t, []asn1.RawValue{text(utf8, "A"), text(utf8, "b")}), true},
		{"an octet string is not text", name(t, text(octets, "a")), name(t, text(octets, "A")), false},
		{"an octet string beside text", name(t, text(octets, "a")), name(t, text(utf8, "a")), false},
		{"one value that reads like two", name(t, text(utf8, "a"), text(utf8, "b")), name(t, text(utf8, "ab")), false},
		{"empty names", []byte{0x30, 0}, []byte{0x30, 0}, true},
		{"empty and not", []byte{0x30, 0}, reference, false},
	} {
		if got := canonicalName(c.a) == canonicalName(c.b); got != c.same {
			t.Errorf("%s: the same is %v, want %v", c.what, got, c.same)
		}
	}
}

func TestANameThatCannotBeReadStandsForItself(t *testing.T) {
	a, b := []byte{0x30, 5, 1}, []byte{0x30, 5, 2}
	if canonicalName(a) == canonicalName(b) || canonicalName(a) != canonicalName(a[:3:3]) {
		t.Errorf("malformed names are confused")
	}
}
