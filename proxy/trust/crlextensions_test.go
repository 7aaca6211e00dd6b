package trust

import (
	"bytes"
	"crypto"
	"slices"
	"testing"
)

func TestListsThatAreNotForEverybodyAreRefused(t *testing.T) {
	w := newWorld(t)
	point := func(critical bool, fields ...[]byte) [][]byte {
		return [][]byte{rawExtension(extIssuingPoint, critical, asDER(0x30, fields...))}
	}
	yes := func(n byte) []byte { return []byte{0x80 | n, 1, 0xff} }
	uri := asDER(0xa0, asDER(0x86, []byte("http://a/")))
	for name, c := range map[string]struct {
		extensions [][]byte
		want       string
	}{
		"a delta list":                  {[][]byte{rawExtension(extDeltaCRL, true, []byte{2, 1, 1})}, "delta"},
		"a delta list, not critical":    {[][]byte{rawExtension(extDeltaCRL, false, []byte{2, 1, 1})}, "delta"},
		"an unknown critical extension": {[][]byte{rawExtension("\x2a\x03", true, nil)}, "critical extension 1.2.3 "},
		"a critical CRL number":         {[][]byte{rawExtension(extCRLNumber, true, []byte{2, 1, 1})}, "critical extension 2.5.29.20 "},
		"an indirect list":              {point(true, yes(4)), "indirect"},
		"an indirect one, not critical": {point(false, yes(4)), "indirect"},
		"attribute certificates only":   {point(true, yes(5)), "attribute"},
		"some reasons only":             {point(true, []byte{0x83, 2, 0, 0xff}), "some reasons"},
		"user and CA only":              {point(true, yes(1), yes(2)), "user certificates only and CA"},
		"a relative name":               {point(true, asDER(0xa0, asDER(0xa1, asDER(0x30, oidDER(t, 2, 5, 4, 3), []byte("\x0c\x01a"))))), "relative"},
		"a point of no name":            {point(true, asDER(0xa0)), "distribution point is malformed"},
		"a point of no names":           {point(true, asDER(0xa0, asDER(0xa0))), "distribution point is malformed"},
		"a point of two names":          {point(true, asDER(0xa0, uri, uri)), "distribution point is malformed"},
		"a flag of 1":                   {point(true, []byte{0x81, 1, 1}), "issuing distribution point is malformed"},
		"a flag of nothing":             {point(true, []byte{0x81, 0}), "issuing distribution point is malformed"},
		"a point of 4 KiB":              {point(true, asDER(0xa0, asDER(0xa0, asDER(0x86, make([]byte, 4096))))), "distribution point has 4100 bytes"},
		"fields in another order":       {point(true, yes(2), asDER(0xa0, uri)), "issuing distribution point is malformed"},
		"a field twice":                 {point(true, yes(1), yes(1)), "issuing distribution point is malformed"},
		"an unknown field":              {point(true, yes(6)), "issuing distribution point is malformed"},
		"bytes after it":                {[][]byte{rawExtension(extIssuingPoint, true, []byte{0x30, 0, 5, 0})}, "issuing distribution point is malformed"},
	} {
		raw := goodRawCRL(w.root)
		raw.extensions = c.extensions
		wantFault(t, name, raw.signed(t, w.root.Key, crypto.SHA256), c.want)
	}
	for name, c := range map[string]struct {
		extension []byte
		want      string
	}{
		"another issuer":            {rawExtension(extCertificateIssuer, true, asDER(0x30, asDER(0xa4, asDER(0x30)))), "indirect"},
		"another, not critical":     {rawExtension(extCertificateIssuer, false, asDER(0x30, asDER(0xa4, asDER(0x30)))), "indirect"},
		"a critical reason":         {rawExtension(extReasonCode, true, []byte{10, 1, 1}), "critical extension 2.5.29.21 "},
		"something critical":        {rawExtension("\x2a\x03", true, nil), "critical extension 1.2.3 "},
		"critical, and of old arcs": {rawExtension("\x69\x83\xb3\xd1\xd8\xf6\x9c\xe5\xa2\xdb\xc3\x01", true, nil), "critical extension 2.25."},
	} {
		raw := goodRawCRL(w.root)
		raw.entries = append(raw.entries, rawEntry([]byte{77}, c.extension))
		wantFault(t, "an entry with "+name, raw.signed(t, w.root.Key, crypto.SHA256), c.want)
		wantFault(t, "an entry with "+name, raw.signed(t, w.root.Key, crypto.SHA256), "entry 4")
	}
}

func TestTheScopeOfAListIsHeeded(t *testing.T) {
	w := newWorld(t)
	names := slices.Concat(asDER(0x86, []byte("http://a/")), asDER(0x86, []byte("http://b/")))
	point := asDER(0xa0, asDER(0xa0, names))
	for name, c := range map[string]struct {
		value []byte
		want  crlScope
	}{
		"none":                    {nil, crlScope{}},
		"users only, as step-ca":  {asDER(0x30, []byte{0x81, 1, 0xff}), crlScope{onlyUser: true}},
		"CAs only":                {asDER(0x30, []byte{0x82, 1, 0xff}), crlScope{onlyCA: true}},
		"a distribution point":    {asDER(0x30, point), crlScope{point: names}},
		"a point, for users only": {asDER(0x30, point, []byte{0x81, 1, 0xff}), crlScope{onlyUser: true, point: names}},
		"all FALSE, written out":  {asDER(0x30, []byte{0x81, 1, 0, 0x82, 1, 0, 0x84, 1, 0, 0x85, 1, 0}), crlScope{}},
	} {
		for _, critical := range []bool{true, false} {
			raw := goodRawCRL(w.root)
			if c.value != nil {
				raw.extensions = append(raw.extensions, rawExtension(extIssuingPoint, critical, c.value))
			}
			got := oneCRL(t, raw.signed(t, w.root.Key, crypto.SHA256)).scope
			if got.onlyUser != c.want.onlyUser || got.onlyCA != c.want.onlyCA || !bytes.Equal(got.point, c.want.point) || (got.point == nil) != (c.want.point == nil) {
				t.Errorf("%s, critical %v: %+v, want %+v", name, critical, got, c.want)
			}
		}
	}
}

// RFC 5280 allows seven; what is quadratic in their number needs an end.
func TestTooManyExtensionsAreRefused(t *testing.T) {
	w := newWorld(t)
	raw := goodRawCRL(w.root)
	raw.extensions = nil
	for n := byte(1); n <= 32; n++ {
		raw.extensions = append(raw.extensions, rawExtension(string([]byte{0x2a, n}), false, nil))
	}
	oneCRL(t, raw.signed(t, w.root.Key, crypto.SHA256))
	raw.extensions = append(raw.extensions, rawExtension("\x2a\x7f", false, nil))
	wantFault(t, "33 extensions", raw.signed(t, w.root.Key, crypto.SHA256), "more than 32")
}
