package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

func TestWhatIsPrintedCannotBreakALineOrSteerATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"CN=client,O=Acme":         "CN=client,O=Acme",
		"a\nVERIFIED: SUCCESS":     `a\nVERIFIED: SUCCESS`,
		"a\r\n\tb":                 `a\r\n\tb`,
		"a\x00b":                   `a\x00b`,
		"\x1b[2J\x1b]0;owned\x07":  `\x1b[2J\x1b]0;owned\a`,
		"\u202egnp.exe":            `\u202egnp.exe`,
		"\u2028\u0085":             `\u2028\u0085`,
		"Zürich 東京 …":              "Zürich 東京 …",
		"\xff\xfe":                 `\xff\xfe`,
		`C:\clients`:               `C:\clients`,
		"no\u00a0break\U000e0041":  `no\u00a0break\U000e0041`,
		"said \"so\" and 'so' too": "said \"so\" and 'so' too",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzWhatIsPrinted(f *testing.F) {
	for _, seed := range []string{"CN=client", "\x00\n\x1b[1m", "\xc3\x28", "\u202e", "東京"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Printable(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || unicode.IsControl(r) }) {
			t.Errorf("%q: got %q", text, got)
		}
		if again := Printable(got); again != got {
			t.Errorf("%q: printed again %q, want %q", text, again, got)
		}
	})
}

func TestDurationsAreRoundedForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 119 * time.Second: "119 seconds",
		2 * time.Minute: "2 minutes", 119 * time.Minute: "119 minutes", 2 * time.Hour: "2 hours",
		47*time.Hour + 59*time.Minute: "47 hours", 48 * time.Hour: "2 days", 400 * 24 * time.Hour: "400 days",
	} {
		if got := rounded(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestFreshnessTellsAgeAndEnd(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name        string
		from, until time.Time
		want        string
	}{
		{"current", now.Add(-3 * time.Hour), now.Add(5 * time.Hour), "of 2026-07-01T09:00:00Z (3 hours old, the next due in 5 hours)"},
		{"of another time zone", now.Add(-3 * time.Hour).In(time.FixedZone("", 3600)), now.Add(5 * time.Hour), "of 2026-07-01T09:00:00Z (3 hours old, the next due in 5 hours)"},
		{"without an end", now.Add(-time.Second), time.Time{}, "of 2026-07-01T11:59:59Z (1 second old, without an end)"},
		{"ended this instant", now.Add(-time.Hour), now, "of 2026-07-01T11:00:00Z, EXPIRED on 2026-07-01T12:00:00Z"},
		{"of the future", now.Add(time.Hour), now.Add(2 * time.Hour), "of 2026-07-01T13:00:00Z, which is in the future"},
	} {
		if got := freshness(c.from, c.until, now); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// list reads a revocation list of the test CA.
func list(t *testing.T, number int64, revoked ...*x509.Certificate) *trust.CRL {
	t.Helper()
	text, err := testCA(t).ca.CRL(number, revoked...)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := trust.ParseCRLs(text)
	if err != nil {
		t.Fatal(err)
	}
	return lists[0]
}

func TestAListIsDescribedByIssuerNumberSizeAndAge(t *testing.T) {
	leaf := issue(t, pki.Options{}).Leaf
	for _, c := range []struct {
		list *trust.CRL
		want string
	}{
		{list(t, 7), "of CN=Relay Test CA, number 7 with no entries, of "},
		{list(t, 8, leaf), "of CN=Relay Test CA, number 8 with 1 entry, of "},
		{list(t, 9, leaf, issue(t, pki.Options{}).Leaf), "of CN=Relay Test CA, number 9 with 2 entries, of "},
		{&trust.CRL{RawIssuer: pki.EmptyName()}, "of (no name), without a number with no entries, of "},
		{&trust.CRL{RawIssuer: []byte("\x1b\n")}, "of 1B0A, without a number"},
	} {
		got := DescribeCRL(c.list, time.Now())
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q…", got, c.want)
		}
	}
}

// TestEachUseOfAListIsTold: an operator must see whether a list is the one that counts.
func TestEachUseOfAListIsTold(t *testing.T) {
	now := time.Now()
	seen := map[string]trust.CRLUse{}
	for use := trust.CRLOtherKey; use <= trust.CRLSuperseded; use++ {
		for _, names := range []bool{false, true} {
			got := DescribeConsulted(trust.Consulted{List: list(t, 7), Use: use, Names: names}, now)
			if !strings.HasPrefix(got, "number 7 with no entries, of ") {
				t.Errorf("use %d: got %q", use, got)
			}
			refuses := names && use != trust.CRLSuperseded && use != trust.CRLUnproved && use != trust.CRLNotSigned
			if told := strings.Contains(got, "NAMES IT AS REVOKED"); told != refuses {
				t.Errorf("use %d, naming it %v: got %q", use, names, got)
			}
			if unused := strings.Contains(got, "not used") || strings.Contains(got, "superseded"); unused && use == trust.CRLCounts {
				t.Errorf("a list that counts: got %q", got)
			}
			if other, double := seen[got]; double && other != use {
				t.Errorf("uses %d and %d are told alike: %q", use, other, got)
			}
			seen[got] = use
		}
	}
	past := list(t, 7)
	if got := DescribeConsulted(trust.Consulted{List: past, Use: trust.CRLCounts}, past.NextUpdate); !strings.Contains(got, "EXPIRED") || !strings.Contains(got, "MTLS_CRL_GRACE") {
		t.Errorf("within the grace: got %q", got)
	}
}

func TestAnAnswerIsDescribedByStateResponderAndAge(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		report trust.OCSPReport
		want   string
	}{
		{trust.OCSPReport{URL: "http://ocsp.example/", Status: "good", ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)},
			"good from http://ocsp.example/, an answer of 2026-07-01T11:00:00Z (60 minutes old, the next due in 60 minutes)"},
		{trust.OCSPReport{URL: "http://ocsp.example/", Err: errors.New("it\nis off")}, `no answer from http://ocsp.example/: it\nis off`},
		{trust.OCSPReport{Err: errors.New("nobody to ask")}, "no answer: nobody to ask"},
	} {
		if got := DescribeOCSP(c.report, now); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// overlong is a subject whose attribute has bytes behind its value, which
// crypto/x509 overlooks. OpenSSL does not read such a name, and headers.DN neither.
func overlong(t *testing.T, text string) []byte {
	t.Helper()
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
		More  int
	}
	der, err := asn1.Marshal([]asn1.RawValue{})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := asn1.Marshal(attribute{asn1.ObjectIdentifier{2, 5, 4, 3}, text, 1})
	if err != nil {
		t.Fatal(err)
	}
	set := append([]byte{0x31, byte(len(inner))}, inner...)
	return append([]byte{der[0], byte(len(set))}, set...)
}

func TestHostileNamesAndNumbersAreToldOnOneLineAndCutShort(t *testing.T) {
	var long []string
	for range 40 {
		long = append(long, strings.Repeat("x", 60))
	}
	for name, c := range map[string]struct {
		options pki.Options
		want    string
	}{
		"a line break":                 {pki.Options{Subject: pkix.Name{CommonName: "a\r\nDN: CN=admin"}}, `CN=a\0D\0ADN: CN=admin`},
		"NUL and escape":               {pki.Options{Subject: pkix.Name{CommonName: "a\x00\x1b[2J"}}, `CN=a\00\1B[2J`},
		"no subject":                   {pki.Options{RawSubject: pki.EmptyName()}, "(no subject)"},
		"a name that cannot be told":   {pki.Options{RawSubject: overlong(t, "a\n\x1b[2J")}, `CN=a\n\x1b[2J`},
		"a name of thousands of bytes": {pki.Options{Subject: pkix.Name{OrganizationalUnit: long}}, "..."},
	} {
		got := Subject(issue(t, c.options).Leaf)
		if !strings.Contains(got, c.want) || len(got) > maxLoggedName+3 || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	many := issue(t, pki.Options{Serial: new(big.Int).Lsh(big.NewInt(1), 900)}).Leaf
	if got := Serial(many); len(got) > maxLoggedSerial+3 || !strings.HasPrefix(got, "10000") {
		t.Errorf("serial number: got %q", got)
	}
}
