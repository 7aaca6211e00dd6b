package trust

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func crlPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func TestPEMFilesAreReadWhole(t *testing.T) {
	w := newWorld(t)
	first := goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256)
	other := goodRawCRL(w.inter)
	other.entries = nil
	for i := range 500 { // more than a buffer of base64
		other.entries = append(other.entries, rawEntry([]byte{1, byte(i >> 8), byte(i)}))
	}
	second := other.signed(t, w.inter.Key, crypto.SHA256)
	a, b, cert := crlPEM(first), crlPEM(second), string(pki.CertPEM(w.root.Cert))
	oneLine := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(a, "-----BEGIN X509 CRL-----\n"), "-----END X509 CRL-----\n"), "\n", "")
	for name, c := range map[string]struct {
		text string
		want [][]byte
	}{
		"one":                 {a, [][]byte{first}},
		"two":                 {a + b, [][]byte{first, second}},
		"two, reversed":       {b + a, [][]byte{second, first}},
		"without a last line": {a + strings.TrimSuffix(b, "\n"), [][]byte{first, second}},
		"CR LF":               {strings.ReplaceAll(a+b, "\n", "\r\n"), [][]byte{first, second}},
		"text around":         {"Certificate Revocation List (CRL):\n  Version 2\n" + a + "more\n\n" + b + "end", [][]byte{first, second}},
		"a byte order mark":   {"\ufeff" + a, [][]byte{first}},
		"blanks":              {strings.ReplaceAll(a, "\n", " \t\n\n"), [][]byte{first}},
		"one line":            {"-----BEGIN X509 CRL-----\n" + oneLine + "\n-----END X509 CRL-----\n", [][]byte{first}},
		"certificates beside": {cert + a + cert, [][]byte{first}},
		"a digit first":       {"0 lists\n" + a, [][]byte{first}},
	} {
		lists, err := ParseCRLs([]byte(c.text))
		if err != nil || len(lists) != len(c.want) {
			t.Errorf("%s: %d lists, %v", name, len(lists), err)
			continue
		}
		for i, der := range c.want {
			if want := oneCRL(t, bytes.Clone(der)); lists[i].Digest != want.Digest || lists[i].Entries() != want.Entries() {
				t.Errorf("%s: list %d is another", name, i+1)
			}
			if err := sameAsStandardLibrary(t, lists[i], der); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A BEGIN line inside a list in DER does not make it PEM.
func TestAListInDERMayHoldABeginLine(t *testing.T) {
	w := newWorld(t)
	raw := goodRawCRL(w.root)
	raw.extensions = append(raw.extensions, rawExtension("\x2a\x03", false, []byte("\n-----BEGIN X509 CRL-----\n")))
	if list := oneCRL(t, raw.signed(t, w.root.Key, crypto.SHA256)); !list.Revokes(big.NewInt(5)) {
		t.Errorf("the list is not read")
	}
}

func TestDamagedPEMFilesAreRefused(t *testing.T) {
	w := newWorld(t)
	der := goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256)
	a, cert := crlPEM(der), string(pki.CertPEM(w.root.Cert))
	key, err := pki.KeyPEM(w.root.Key)
	must(t, key, err)
	lines := strings.SplitAfter(a, "\n")
	without := func(n int) string { return strings.Join(lines[:n], "") + strings.Join(lines[n+1:], "") }
	body := strings.Join(lines[1:len(lines)-2], "")
	block := func(body string) string { return "-----BEGIN X509 CRL-----\n" + body + "-----END X509 CRL-----\n" }
	for name, c := range map[string]struct {
		text, want string
	}{
		"no END line":              {strings.Join(lines[:len(lines)-2], ""), "PEM block 1: damaged"},
		"no BEGIN line":            {without(0), "neither PEM nor DER"},
		"a line lost":              {without(2), "PEM block 1: "},
		"a character lost":         {strings.Replace(a, lines[2], lines[2][1:], 1), "PEM block 1: "},
		"another label at END":     {strings.Replace(a, "END X509 CRL", "END CRL", 1), "PEM block 1: damaged"},
		"END in the line":          {strings.Replace(a, "\n-----END", "-----END", 1), "PEM block 1: damaged"},
		"text behind END":          {strings.Replace(a, "END X509 CRL-----", "END X509 CRL-----x", 1), "PEM block 1: damaged"},
		"text behind BEGIN":        {strings.Replace(a, "BEGIN X509 CRL-----", "BEGIN X509 CRL-----x", 1), "PEM block 1: damaged"},
		"BEGIN cut short":          {"-----BEGIN X509 CRL", "PEM block 1: damaged"},
		"two without a line end":   {strings.TrimSuffix(a, "\n") + a, "PEM block 1: damaged"},
		"the second cut short":     {a + a[:len(a)/2], "PEM block 2: damaged"},
		"the first cut short":      {a[:len(a)/2] + "\n" + a, "PEM block 1: damaged"},
		"not base64":               {block("M%IB" + body), "not base64"},
		"a header":                 {block("Comment: 1\n\n" + body), "not base64"},
		"text after the padding":   {block("AA==\n" + body), "not base64"},
		"padded, a buffer further": {block(strings.Repeat("A", 4094) + "==" + body), "not base64"},
		"an open end":              {block("AAAAA\n"), "not base64"},
		"padding alone":            {block("====\n"), "not base64"},
		"nothing":                  {block(""), "PEM block 1: empty"},
		"two lists in a block":     {crlPEM(append(bytes.Clone(der), der...)), "bytes follow"},
		"a certificate":            {cert + cert, "certificates only"},
		"a key":                    {string(key), `"PRIVATE KEY", not a CRL`},
		"a key beside":             {a + string(key), `PEM block 2 is a "PRIVATE KEY"`},
		"a label of its own":       {strings.ReplaceAll(a, "X509 CRL", "CRL"), `"CRL", not a CRL`},
		"a damaged certificate":    {cert[:len(cert)/2] + "\n" + a, "PEM block 1: damaged"},
		"a certificate as a list":  {strings.ReplaceAll(cert, "CERTIFICATE", "X509 CRL"), "PEM block 1: "},
		"a fault in the second":    {a + crlPEM(der[:len(der)-1]), "PEM block 2: cut short"},
	} {
		wantFault(t, name, []byte(c.text), c.want)
	}
}

func TestAFileThatHasLostABeginLineIsNotReadAsOneListLess(t *testing.T) {
	w := newWorld(t)
	first := crlPEM(goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256))
	two := crlPEM(goodRawCRL(w.inter).signed(t, w.inter.Key, crypto.SHA256))
	for name, text := range map[string]string{
		"cut at its head":             first[5:],
		"the line is gone":            first[strings.Index(first, "\n")+1:],
		"a dash is gone":              first[1:],
		"a letter of it":              strings.Replace(first, "BEGIN", "BEG1N", 1),
		"another letter, and no tail": strings.Replace(first[:strings.Index(first, "-----END")], "BEGIN", "BEG1N", 1),
	} {
		for place, data := range map[string]string{"first": text + two, "last": two + text} {
			lists, err := ParseCRLs([]byte(data))
			if err == nil {
				t.Errorf("%s, the %s of two: %d lists and no error", name, place, len(lists))
			}
		}
	}
}
