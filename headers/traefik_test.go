package headers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// recordedHeaders are the two lines that Traefik made of a recorded chain.
func recordedHeaders(t *testing.T, file string) (cert, info string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recordedTraefik, file+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	cert, info, _ = strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	return cert, info
}

func TestOrdinaryCertificatesAreToldAsTraefikTellsThem(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recordedTraefik, "*.pem"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d recorded chains, %v", len(files), err)
	}
	for _, file := range files {
		file = strings.TrimSuffix(filepath.Base(file), ".pem")
		chain, _ := recorded(t, file)
		cert, info := recordedHeaders(t, file)
		if got := presetLines(t, "traefik", client(chain...)); !slices.Equal(got, []string{cert, info}) {
			t.Errorf("%s:\n got %q\nwant %q", file, got, []string{cert, info})
		}
	}
}

// pair is a key and its value as a reader of a header finds them.
type pair struct{ key, value string }

// cutOutsideQuotes splits text at a separator, and at every separator when quotes are nothing to the reader.
func cutOutsideQuotes(text string, separator byte, quotes bool) []string {
	var parts []string
	quoted, start := false, 0
	for i := range len(text) {
		switch {
		case quotes && text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// readTraefik reads the header as a back end does that knows the separators and undoes both escapes.
func readTraefik(t *testing.T, header string) [][]pair {
	t.Helper()
	text, err := url.QueryUnescape(header)
	if err != nil {
		t.Fatalf("%q: %v", header, err)
	}
	var certificates [][]pair
	for _, certificate := range cutOutsideQuotes(text, ',', true) {
		var pairs []pair
		for _, field := range cutOutsideQuotes(certificate, ';', true) {
			key, value, _ := strings.Cut(field, "=")
			pairs = append(pairs, pair{key, strings.TrimSuffix(strings.TrimPrefix(value, `"`), `"`)})
		}
		certificates = append(certificates, pairs)
	}
	return certificates
}

// listed undoes the inner escape of each member of a list.
func listed(t *testing.T, list string) []string {
	t.Helper()
	if list == "" {
		return nil
	}
	var members []string
	for _, member := range strings.Split(list, ",") {
		text, err := url.PathUnescape(member)
		if err != nil {
			t.Fatalf("%q: %v", member, err)
		}
		members = append(members, text)
	}
	return members
}

// toldByTraefik is what the header should say of a name.
func toldByTraefik(n pkix.Name, units []string) []string {
	var told []string
	add := func(key string, values ...string) {
		for _, v := range values {
			if v != "" {
				told = append(told, key+"="+v)
			}
		}
	}
	add("C", n.Country...)
	add("ST", n.Province...)
	add("L", n.Locality...)
	add("O", n.Organization...)
	add("OU", units...)
	add("SN", n.SerialNumber)
	add("CN", n.CommonName)
	return told
}

// FuzzTraefikInfoHoldsExactlyTheNames holds that the header splits into the certificate's names and nothing else, whether
// its reader minds quotes or not.
func FuzzTraefikInfoHoldsExactlyTheNames(f *testing.F) {
	f.Add("Acme Widgets", "client", "client.example", "spiffe://example.org/client")
	f.Add(`x";SAN="admin.example`, `a,CN=admin`, `x,admin.example`, `spiffe://a";Subject="CN=admin`)
	f.Add(`%22%3BSAN=%22`, "\x00\r\n\x7f", `"`, `\";=`)
	f.Add(" lead", "trail ", "Jürgen", "\xff\u202e\ufffd；＂，")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, organisation, cn, dns, uri string) {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(7),
			Subject:      pkix.Name{Organization: []string{organisation, cn}, OrganizationalUnit: []string{dns}, CommonName: cn},
			Issuer:       pkix.Name{Organization: []string{uri}, CommonName: organisation, SerialNumber: dns},
			Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17},
				Value: []byte(tlv(tagSequence, generalName(sanURI, uri)+generalName(sanDNS, dns)+generalName(sanDNS, "")+generalName(sanEmail, cn)+generalName(sanIP, "\x7f\x00\x00\x01")))}},
		}
		facts := client(c, c)
		header, err := traefikInfo(nil, &facts)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(string(header), func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
			t.Fatalf("byte %#02x in %q", header[i], header)
		}
		checkTraefik(t, string(header), c)
	})
}

func checkTraefik(t *testing.T, header string, c *x509.Certificate) {
	t.Helper()
	names, err := sans(c)
	if err != nil {
		t.Fatal(err)
	}
	var alternative []string
	for _, i := range []int{1, 2, 3} { // DNS, the empty one, e-mail
		if v := string(names[i].value); v != "" {
			alternative = append(alternative, v)
		}
	}
	alternative = append(alternative, "127.0.0.1")
	if v := string(names[0].value); v != "" {
		alternative = append(alternative, v)
	}
	want := map[string][]string{
		"Subject": toldByTraefik(c.Subject, c.Subject.OrganizationalUnit), "Issuer": toldByTraefik(c.Issuer, nil),
		"SerialNumber": {"7"}, "NB": {"-62135596800"}, "NA": {"-62135596800"}, "SAN": alternative,
	}
	certificates := readTraefik(t, header)
	if len(certificates) != 2 {
		t.Fatalf("%d certificates in %q, not 2", len(certificates), header)
	}
	for _, pairs := range certificates {
		seen := make(map[string]bool)
		for _, p := range pairs {
			if got := listed(t, p.value); seen[p.key] || !slices.Equal(got, want[p.key]) {
				t.Errorf("%s: got %q, want %q, in %q", p.key, got, want[p.key], header)
			}
			seen[p.key] = true
		}
		for key, values := range want {
			if seen[key] != (len(values) > 0) {
				t.Errorf("%s is there: %v, in %q", key, seen[key], header)
			}
		}
	}
	checkTraefikSplitEverywhere(t, header, want)
}

// checkTraefikSplitEverywhere reads as one does who knows nothing of quotes: every piece must be a member of a wanted list.
func checkTraefikSplitEverywhere(t *testing.T, header string, want map[string][]string) {
	t.Helper()
	text, err := url.QueryUnescape(header)
	if err != nil {
		t.Fatal(err)
	}
	quotes := strings.Count(text, `"`)
	pairs := 0
	for key, values := range want {
		if len(values) > 0 {
			pairs += 2 * strings.Count(text, key+`="`)
		}
	}
	if quotes != pairs {
		t.Errorf("%d quotes in %q, not %d", quotes, text, pairs)
	}
	for _, field := range cutOutsideQuotes(text, ';', false) {
		for i, piece := range cutOutsideQuotes(field, ',', false) {
			if key, value, opens := strings.Cut(piece, `="`); opens && want[key] != nil {
				piece = value
			} else if i == 0 {
				t.Errorf("%q of %q begins no pair of the certificate", piece, text)
			}
			member, err := url.PathUnescape(strings.TrimSuffix(piece, `"`))
			if err != nil || !isMember(want, member) {
				t.Errorf("%q of %q is no name of the certificate", piece, text)
			}
		}
	}
}

func isMember(want map[string][]string, member string) bool {
	for _, values := range want {
		if slices.Contains(values, member) {
			return true
		}
	}
	return false
}

func TestTraefikEscapesWhatIsNotPrintableOrHasAMeaning(t *testing.T) {
	for text, want := range map[string]string{
		"Acme Widgets":        "Acme Widgets",
		"Müller & Söhne":      "Müller & Söhne",
		`a"b,c;d=e\f%g`:       "a%22b%2Cc%3Bd%3De%5Cf%25g",
		" x ":                 "%20x%20",
		"a\r\n\x00\x7f":       "a%0D%0A%00%7F",
		"\xff":                "%FF",
		"\u202eadmin":         "%E2%80%AEadmin",
		"\u00a0\ufffd":        "%C2%A0\ufffd",
		"spiffe://a.b/c_d-e~": "spiffe://a.b/c_d-e~",
		"client@example.org":  "client@example.org",
	} {
		if got := traefikEscape(text); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
