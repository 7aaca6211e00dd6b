package trust

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// wantFault expects data to be refused, in words that contain want.
func wantFault(t *testing.T, name string, data []byte, want string) {
	t.Helper()
	lists, err := ParseCRLs(data)
	var fault *CRLError
	switch {
	case err == nil || lists != nil:
		t.Errorf("%s: %d lists and error %v, want none and %q", name, len(lists), err, want)
	case !errors.As(err, &fault) || fault.Fault == "" || fault.Remedy == "":
		t.Errorf("%s: the error does not tell fault and remedy: %v", name, err)
	case !strings.Contains(fault.Fault, want):
		t.Errorf("%s: %q, want it to say %q", name, fault.Fault, want)
	}
}

func TestListsThatBreakTheSyntaxAreRefused(t *testing.T) {
	w := newWorld(t)
	utc := func(text string) []byte { return asDER(0x17, []byte(text)) }
	serial := func(n int) []byte { return rawEntry(append([]byte{1}, make([]byte, n-1)...)) }
	number := func(der ...byte) []byte { return rawExtension(extCRLNumber, false, der) }
	reason := func(der ...byte) []byte { return rawEntry([]byte{1}, rawExtension(extReasonCode, false, der)) }
	twice := rawExtension("\x2a\x03", false, nil)
	for name, c := range map[string]struct {
		change func(*rawCRL)
		want   string
	}{
		"bytes after the signature":       {func(l *rawCRL) { l.end = []byte{5, 0} }, "not a CRL"},
		"an element after the last field": {func(l *rawCRL) { l.tail = []byte{5, 0} }, "does not belong"},
		"a byte after the last field":     {func(l *rawCRL) { l.tail = []byte{0} }, "does not belong"},
		"two lists of extensions":         {func(l *rawCRL) { l.tail = asDER(0xa0, asDER(0x30)) }, "does not belong"},
		"the algorithms differ":           {func(l *rawCRL) { l.outer = algorithmDER(t, nil, 1, 2, 840, 10045, 4, 3, 3) }, "not the one that is used"},
		"version 1 written out":           {func(l *rawCRL) { l.version = []byte{2, 1, 0} }, "version"},
		"version 3":                       {func(l *rawCRL) { l.version = []byte{2, 1, 2} }, "version"},
		"a padded version":                {func(l *rawCRL) { l.version = []byte{2, 2, 0, 1} }, "version"},
		"version 1 with extensions":       {func(l *rawCRL) { l.version = nil }, "version 1"},
		"version 1, extensions inside": {func(l *rawCRL) {
			l.version, l.extensions, l.entries = nil, nil, [][]byte{reason(10, 1, 1)}
		}, "version 1"},
		"no issuer":                        {func(l *rawCRL) { l.issuer = nil }, "issuer is malformed"},
		"a malformed issuer":               {func(l *rawCRL) { l.issuer = asDER(0x30, []byte{5, 0}) }, "issuer is malformed"},
		"no thisUpdate":                    {func(l *rawCRL) { l.this, l.next = nil, nil }, "thisUpdate is missing"},
		"thisUpdate without seconds":       {func(l *rawCRL) { l.this = utc("2605060708Z") }, "thisUpdate"},
		"no nextUpdate":                    {func(l *rawCRL) { l.next = nil }, "no nextUpdate"},
		"nextUpdate of another zone":       {func(l *rawCRL) { l.next = utc("260605040302+0100") }, "nextUpdate is malformed"},
		"nextUpdate before thisUpdate":     {func(l *rawCRL) { l.next = utc("260506070808Z") }, "before"},
		"an entry that is no SEQUENCE":     {func(l *rawCRL) { l.entries = append(l.entries, []byte{5, 0}) }, "entry 4 is malformed"},
		"an entry cut short":               {func(l *rawCRL) { l.entries = append(l.entries, []byte{0x30, 3, 2}) }, "entry 4 is malformed"},
		"an entry of nothing":              {func(l *rawCRL) { l.entries = [][]byte{asDER(0x30)} }, "entry 1: the serial number"},
		"a serial of nothing":              {func(l *rawCRL) { l.entries = [][]byte{rawEntry(nil)} }, "serial number"},
		"a padded serial":                  {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{0, 5})} }, "serial number"},
		"a padded negative serial":         {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{0xff, 0x85})} }, "serial number"},
		"a serial of 65 bytes":             {func(l *rawCRL) { l.entries = [][]byte{serial(65)} }, "65 bytes"},
		"an entry without date":            {func(l *rawCRL) { l.entries = [][]byte{asDER(0x30, []byte{2, 1, 5})} }, "revocation date is missing"},
		"an entry of the 30th of February": {func(l *rawCRL) { l.entries = [][]byte{asDER(0x30, []byte{2, 1, 5}, utc("260230000000Z"))} }, "revocation date is malformed"},
		"an entry of four parts": {func(l *rawCRL) {
			l.entries = [][]byte{asDER(0x30, []byte{2, 1, 5}, utc("260203000000Z"), asDER(0x30), []byte{5, 0})}
		}, "something follows"},
		"an entry with a NULL": {func(l *rawCRL) {
			l.entries = [][]byte{asDER(0x30, []byte{2, 1, 5}, utc("260203000000Z"), []byte{5, 0})}
		}, "something follows"},
		"a reason that is a number":      {func(l *rawCRL) { l.entries = [][]byte{reason(2, 1, 1)} }, "entry 1: the reason"},
		"a reason of two bytes":          {func(l *rawCRL) { l.entries = [][]byte{reason(10, 2, 1, 1)} }, "the reason"},
		"a reason and more":              {func(l *rawCRL) { l.entries = [][]byte{reason(10, 1, 1, 5, 0)} }, "the reason"},
		"an extension of an entry twice": {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{1}, twice, twice)} }, "entry 1: the extension 1.2.3 is there twice"},
		"an extension twice":             {func(l *rawCRL) { l.extensions = append(l.extensions, twice, twice) }, "the extension 1.2.3 is there twice"},
		"extensions that are a SET":      {func(l *rawCRL) { l.extensions, l.tail = nil, asDER(0xa0, asDER(0x31)) }, "extensions are malformed"},
		"extensions cut short":           {func(l *rawCRL) { l.extensions = append(l.extensions, []byte{0x30}) }, "extensions are malformed"},
		"an extension without value":     {func(l *rawCRL) { l.extensions = [][]byte{asDER(0x30, oidDER(t, 1, 2, 3))} }, "extension is malformed"},
		"an extension of four parts": {func(l *rawCRL) {
			l.extensions = [][]byte{asDER(0x30, oidDER(t, 1, 2, 3), asDER(1, []byte{0}), asDER(4), []byte{5, 0})}
		}, "extension is malformed"},
		"a critical flag of 1":      {func(l *rawCRL) { l.extensions = [][]byte{asDER(0x30, oidDER(t, 1, 2, 3), []byte{1, 1, 1}, asDER(4))} }, "extension is malformed"},
		"an identifier with a zero": {func(l *rawCRL) { l.extensions = [][]byte{rawExtension("\x2a\x80\x01", false, nil)} }, "extension is malformed"},
		"an identifier cut short":   {func(l *rawCRL) { l.extensions = [][]byte{rawExtension("\x2a\x81", false, nil)} }, "extension is malformed"},
		"an identifier of nothing":  {func(l *rawCRL) { l.extensions = [][]byte{rawExtension("", false, nil)} }, "extension is malformed"},
		"a negative CRL number":     {func(l *rawCRL) { l.extensions = [][]byte{number(2, 1, 0xff)} }, "CRL number"},
		"a padded CRL number":       {func(l *rawCRL) { l.extensions = [][]byte{number(2, 2, 0, 1)} }, "CRL number"},
		"a CRL number and more":     {func(l *rawCRL) { l.extensions = [][]byte{number(2, 1, 1, 5, 0)} }, "CRL number"},
		"a CRL number of 65 bytes":  {func(l *rawCRL) { l.extensions = [][]byte{number(asDER(2, []byte{1}, make([]byte, 64))...)} }, "CRL number"},
		"an authority of other fields": {func(l *rawCRL) {
			l.extensions = [][]byte{rawExtension(extAuthorityKeyID, false, asDER(0x30, []byte{5, 0}))}
		}, "authority key identifier"},
	} {
		raw := goodRawCRL(w.root)
		c.change(&raw)
		wantFault(t, name, raw.signed(t, w.root.Key, crypto.SHA256), c.want)
	}
}

func TestListsOfUnusualButGoodFormAreRead(t *testing.T) {
	w := newWorld(t)
	generalized := func(text string) []byte { return asDER(0x18, []byte(text)) }
	for name, c := range map[string]struct {
		change  func(*rawCRL)
		entries int
	}{
		"as it is":                    {func(*rawCRL) {}, 3},
		"no entries":                  {func(l *rawCRL) { l.entries = nil }, 0},
		"an empty list of entries":    {func(l *rawCRL) { l.entries = [][]byte{} }, 0},
		"neither entries nor more":    {func(l *rawCRL) { l.entries, l.extensions = nil, nil }, 0},
		"version 1":                   {func(l *rawCRL) { l.version, l.extensions = nil, nil }, 3},
		"an empty list of extensions": {func(l *rawCRL) { l.extensions = [][]byte{} }, 3},
		"GeneralizedTime":             {func(l *rawCRL) { l.this, l.next = generalized("20260506070809Z"), generalized("20260605040302Z") }, 3},
		"one instant":                 {func(l *rawCRL) { l.next = l.this }, 3},
		"a serial of 64 bytes":        {func(l *rawCRL) { l.entries = [][]byte{rawEntry(append([]byte{1}, make([]byte, 63)...))} }, 1},
		"a serial of zero":            {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{0})} }, 1},
		"a negative serial":           {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{0x80})} }, 1},
		"the same serial twice":       {func(l *rawCRL) { l.entries = [][]byte{rawEntry([]byte{5}), rawEntry([]byte{5})} }, 2},
		"an entry with no extensions": {func(l *rawCRL) {
			l.entries = [][]byte{asDER(0x30, []byte{2, 1, 5}, asDER(0x17, []byte("260101000000Z")), asDER(0x30))}
		}, 1},
		"extensions nobody knows": {func(l *rawCRL) {
			l.extensions = append(l.extensions, rawExtension("\x2a\x03", false, []byte("anything")))
		}, 3},
		"not critical, written out": {func(l *rawCRL) { l.extensions = [][]byte{asDER(0x30, oidDER(t, 1, 2, 3), []byte{1, 1, 0}, asDER(4))} }, 3},
		"a critical authority":      {func(l *rawCRL) { l.extensions = [][]byte{rawExtension(extAuthorityKeyID, true, asDER(0x30))} }, 3},
		"where to find a delta":     {func(l *rawCRL) { l.extensions = append(l.extensions, rawExtension("\x55\x1d\x2e", false, asDER(0x30))) }, 3},
		"an entry known to be invalid": {func(l *rawCRL) {
			l.entries = [][]byte{rawEntry([]byte{5}, rawExtension("\x55\x1d\x18", false, generalized("20260101000000Z")))}
		}, 1},
	} {
		raw := goodRawCRL(w.root)
		c.change(&raw)
		list := oneCRL(t, raw.signed(t, w.root.Key, crypto.SHA256))
		if list.Entries() != c.entries {
			t.Errorf("%s: %d entries, want %d", name, list.Entries(), c.entries)
		}
		if !list.ThisUpdate.Equal(rawThis) {
			t.Errorf("%s: thisUpdate %v, want %v", name, list.ThisUpdate, rawThis)
		}
		if !list.signedBy(newCertificate(w.root.Cert)) {
			t.Errorf("%s: not signed", name)
		}
	}
}

func TestFilesThatHoldNoListAreRefused(t *testing.T) {
	w := newWorld(t)
	good := goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256)
	key, err := x509.MarshalPKCS8PrivateKey(w.root.Key)
	must(t, key, err)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing at all":     {nil, "empty"},
		"white space":        {[]byte(" \r\n\t"), "empty"},
		"a page":             {[]byte("<html>503</html>"), "neither PEM nor DER"},
		"base64 alone":       {[]byte("MIIB"), "neither PEM nor DER"},
		"a certificate":      {bytes.Clone(w.root.Cert.Raw), "a certificate, not a CRL"},
		"a key":              {key, "a private key, not a CRL"},
		"cut short":          {good[:len(good)-1], "cut short"},
		"its first byte":     {good[:1], "cut short"},
		"a byte too many":    {append(bytes.Clone(good), 0), "bytes follow"},
		"a line end":         {append(bytes.Clone(good), '\n'), "bytes follow"},
		"two lists":          {append(bytes.Clone(good), good...), "bytes follow"},
		"one of no parts":    {[]byte{0x30, 0}, "not a CRL"},
		"an indefinite one":  {append([]byte{0x30, 0x80}, good...), "cut short"},
		"no signature":       {asDER(0x30, goodRawCRL(w.root).tbs(), []byte(ecdsaSHA256), []byte{3, 1, 0}), "signature is malformed"},
		"bits of a byte":     {asDER(0x30, goodRawCRL(w.root).tbs(), []byte(ecdsaSHA256), []byte{3, 2, 1, 0x80}), "signature is malformed"},
		"an empty signature": {asDER(0x30, goodRawCRL(w.root).tbs(), []byte(ecdsaSHA256), []byte{3, 0}), "signature is malformed"},
	} {
		wantFault(t, name, c.data, c.want)
	}
}

// The instants are compared with time.Parse's, which is more lenient about the form.
func TestTimesAreReadInTheFormOfTheProfileAlone(t *testing.T) {
	for _, c := range []struct {
		tag    byte
		text   string
		layout string // empty: refused
	}{
		{tagUTCTime, "260506070809Z", "060102150405Z"},
		{tagUTCTime, "000229000000Z", "060102150405Z"},
		{tagUTCTime, "491231235959Z", "060102150405Z"},
		{tagUTCTime, "990101000000Z", "060102150405Z"},
		{tagGeneralTime, "20500101000000Z", "20060102150405Z"},
		{tagGeneralTime, "19500101000000Z", "20060102150405Z"},
		{tagGeneralTime, "99991231235959Z", "20060102150405Z"},
		{tagGeneralTime, "20000229120000Z", "20060102150405Z"},
		{tag: tagUTCTime, text: ""},
		{tag: tagUTCTime, text: "2605060708Z"},       // no seconds
		{tag: tagUTCTime, text: "260506070809"},      // no zone
		{tag: tagUTCTime, text: "260506070809+"},     // not Z
		{tag: tagUTCTime, text: "260506070809+0000"}, // nor so
		{tag: tagUTCTime, text: "260506070809z"},
		{tag: tagUTCTime, text: "26050607080xZ"},
		{tag: tagUTCTime, text: "/60506070809Z"},
		{tag: tagUTCTime, text: "2605060708:0Z"},
		{tag: tagUTCTime, text: "260006070809Z"},
		{tag: tagUTCTime, text: "261306070809Z"},
		{tag: tagUTCTime, text: "260500070809Z"},
		{tag: tagUTCTime, text: "260431070809Z"},
		{tag: tagUTCTime, text: "250229070809Z"},
		{tag: tagUTCTime, text: "260506240000Z"},
		{tag: tagUTCTime, text: "260506076009Z"},
		{tag: tagUTCTime, text: "260506070860Z"}, // leap seconds are not written
		{tag: tagUTCTime, text: "20260506070809Z"},
		{tag: tagGeneralTime, text: "260506070809Z"},
		{tag: tagGeneralTime, text: "20260506070809.1Z"},
		{tag: tagGeneralTime, text: "2026050607080.Z"},
		{tag: tagGeneralTime, text: "2026050607Z"},
		{tag: tagGeneralTime, text: "x0260506070809Z"},
		{tag: tagGeneralTime, text: "19000229000000Z"},
		{tag: tagPrintable, text: "260506070809Z"},
	} {
		got, ok := readTime(element{c.tag, []byte(c.text)})
		if ok != (c.layout != "") {
			t.Errorf("%q with tag %#x is taken for a time: %v", c.text, c.tag, ok)
		}
		if !ok {
			continue
		}
		want, err := time.Parse(c.layout, c.text)
		if must(t, want, err); !got.Equal(want) && !(c.tag == tagUTCTime && got.AddDate(100, 0, 0).Equal(want)) {
			t.Errorf("%q is %v, want %v", c.text, got, want)
		}
	}
	// RFC 5280 §4.1.2.5.1: 50 to 99 are of the last century; time.Parse begins it with 69.
	for text, year := range map[string]int{"490101000000Z": 2049, "500101000000Z": 1950, "690101000000Z": 1969, "000101000000Z": 2000} {
		if got, ok := readTime(element{tagUTCTime, []byte(text)}); !ok || got.Year() != year {
			t.Errorf("%q is in %d, want %d", text, got.Year(), year)
		}
	}
}

// crypto/x509 is an independent reader: what crypto/x509 writes and reads must
// have the same serials here.
func TestTheSerialsAreThoseThatTheStandardLibraryReads(t *testing.T) {
	w := newWorld(t)
	for _, count := range []int{0, 1, 2, 100, 3000} {
		template := &x509.RevocationList{Number: big.NewInt(int64(count)), ThisUpdate: w.now, NextUpdate: w.now.AddDate(30, 0, 0)}
		for i := range count {
			serial := new(big.Int).Exp(big.NewInt(int64(i+2)), big.NewInt(int64(i%14+1)), nil)
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: serial, RevocationTime: w.now, ReasonCode: i % 7})
		}
		der, err := x509.CreateRevocationList(nil, template, w.inter.Cert, w.inter.Key)
		must(t, der, err)
		list := oneCRL(t, bytes.Clone(der))
		sameAsStandardLibrary(t, list, der)
		if !list.signedBy(newCertificate(w.inter.Cert)) || list.Number.Int64() != int64(count) {
			t.Errorf("%d entries: signed %v, number %v", count, list.verified(), list.Number)
		}
	}
}

// sameAsStandardLibrary compares list with what crypto/x509 makes of its DER, and
// returns crypto/x509's refusal.
func sameAsStandardLibrary(t *testing.T, list *CRL, der []byte) error {
	t.Helper()
	want, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	if !list.ThisUpdate.Equal(want.ThisUpdate) || !list.NextUpdate.Equal(want.NextUpdate) {
		t.Errorf("from %v to %v, crypto/x509 from %v to %v", list.ThisUpdate, list.NextUpdate, want.ThisUpdate, want.NextUpdate)
	}
	if !bytes.Equal(list.RawIssuer, want.RawIssuer) || !bytes.Equal(list.authority.keyID, want.AuthorityKeyId) {
		t.Errorf("issuer %x by %x, crypto/x509 %x by %x", list.RawIssuer, list.authority.keyID, want.RawIssuer, want.AuthorityKeyId)
	}
	if (list.Number == nil) != (want.Number == nil) || list.Number != nil && list.Number.Cmp(want.Number) != 0 {
		t.Errorf("number %v, crypto/x509 %v", list.Number, want.Number)
	}
	if list.Entries() != len(want.RevokedCertificateEntries) {
		t.Errorf("%d entries, crypto/x509 %d", list.Entries(), len(want.RevokedCertificateEntries))
	}
	revoked := make(map[string]bool)
	for _, entry := range want.RevokedCertificateEntries {
		revoked[entry.SerialNumber.String()] = true
	}
	for _, entry := range want.RevokedCertificateEntries {
		for _, distance := range []int64{0, 1, -1, 256, -256} {
			serial := new(big.Int).Add(entry.SerialNumber, big.NewInt(distance))
			if got := list.Revokes(serial); got != revoked[serial.String()] {
				t.Errorf("serial %v is revoked: %v, crypto/x509 %v", serial, got, !got)
			}
		}
	}
	return nil
}

// A chain's issuer and its list's are the same by OpenSSL's comparison, not by bytes.
func TestTheIssuerIsComparedAsOpenSSLDoes(t *testing.T) {
	w := newWorld(t)
	upper := w.ca(pki.Options{RawSubject: asDER(0x30, asDER(0x31, asDER(0x30, oidDER(t, 2, 5, 4, 3), asDER(0x13, []byte("ACME  Root")))))})
	raw := goodRawCRL(upper)
	raw.issuer = asDER(0x30, asDER(0x31, asDER(0x30, oidDER(t, 2, 5, 4, 3), asDER(0x0c, []byte("acme root ")))))
	if list := oneCRL(t, raw.signed(t, upper.Key, crypto.SHA256)); list.issuer != newCertificate(upper.Cert).subject {
		t.Errorf("%q is not taken for %q", list.issuer, upper.Cert.Subject)
	}
}
