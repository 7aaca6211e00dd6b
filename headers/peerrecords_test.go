package headers_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/headers"
)

// What nginx, HAProxy and Apache told an application about each of some hundred clients is stored in testdata/dialects;
// the tests of cmd/mtls-sidecar ask them again. Here the same is rendered from the certificates stored beside it.

// section is one client or connection of a record: header and value.
type section map[string]string

// peerRecord reads one file; its form stands in cmd/mtls-sidecar/dialect_record_test.go.
func peerRecord(t *testing.T, file string) (sections map[string]section, asked time.Time) {
	t.Helper()
	sections = map[string]section{}
	var s section
	for _, line := range recordLines(t, file) {
		if rest, ok := strings.CutPrefix(line, "# asked at: "); ok {
			at, err := time.Parse(time.RFC3339, rest)
			if err != nil {
				t.Fatal(err)
			}
			asked = at
		}
		if name, ok := strings.CutPrefix(line, "= "); ok {
			s = section{}
			sections[name] = s
			continue
		}
		header, value, found := strings.Cut(line, ": ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		if other, ok := strings.CutPrefix(value, "= "); ok {
			value = s[other]
		} else if strings.HasPrefix(value, `"`) {
			unquoted, err := strconv.Unquote(value)
			if err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
			value = unquoted
		}
		s[header] = value
	}
	if len(sections) < 60 || asked.IsZero() {
		t.Fatalf("%s holds %d sections", file, len(sections))
	}
	return sections, asked
}

func recordLines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "dialects", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// unreadable are the clients whose certificates crypto/x509 does not parse, so that their handshake ends before anything
// could be told: it has no UniversalString, and few characters in a PrintableString.
var unreadable = []string{"Universal string", "Printable string with an underscore"}

// recordedChains are the certificates that each client presented.
func recordedChains(t *testing.T) map[string][]*x509.Certificate {
	t.Helper()
	texts, name := map[string]string{}, ""
	for _, line := range recordLines(t, "certificates.txt") {
		if rest, ok := strings.CutPrefix(line, "= "); ok {
			name = rest
		} else if name != "" {
			texts[name] += line + "\n"
		}
	}
	chains := map[string][]*x509.Certificate{}
	for name, text := range texts {
		chains[name] = nil
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			if (err != nil) != slices.Contains(unreadable, name) {
				t.Fatalf("%s: parsing: %v", name, err)
			}
			chains[name] = append(chains[name], cert)
		}
	}
	return chains
}

// rendered is what the template sends, by header.
func rendered(t *testing.T, template string, f headers.Facts) section {
	t.Helper()
	parsed, err := headers.ParseTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	lines, _, err := parsed.Render(f)
	if err != nil {
		t.Errorf("rendering: %v", err)
	}
	s := section{}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(lines), "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		s[name] = value
	}
	return s
}

// asVariables is MTLS_HEADERS with an entry for every X-V-variable that the record has somewhere.
func asVariables(sections map[string]section) string {
	var entries []string
	for _, s := range sections {
		for header := range s {
			if name, ok := strings.CutPrefix(header, "X-V-"); ok {
				entries = append(entries, header+"=$"+name)
			}
		}
	}
	slices.Sort(entries)
	return strings.Join(slices.Compact(entries), " ")
}

// TestVariablesAreNginxsForEveryCertificate: verified or not, an operator's own entries hold what nginx has.
func TestVariablesAreNginxsForEveryCertificate(t *testing.T) {
	sections, asked := peerRecord(t, "nginx.txt")
	chains := recordedChains(t)
	template := asVariables(sections) + ` X-Info="$ssl_client_serial/$ssl_protocol, $ssl_client_verify"` +
		` ssl-client-verify=$ssl_client_verify ssl-client-subject-dn=$ssl_client_s_dn ssl-client-issuer-dn=${ssl_client_i_dn} ssl-client-cert=$ssl_client_escaped_cert X-Client-Cert=${ssl_client_escaped_cert}`
	for name, want := range sections {
		chain, known := chains[name]
		if !known {
			t.Errorf("%s: there is no such certificate", name)
		}
		if slices.Contains(unreadable, name) {
			continue
		}
		got := rendered(t, template, headers.Facts{Verify: want["X-V-ssl_client_verify"], Chain: chain, Now: asked,
			TLS: &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}})
		for header := range want {
			// A serial number above 35 bytes gets a backslash and a line feed in nginx, which no header can hold.
			if unbroken := strings.ReplaceAll(want[header], "\\\n", ""); got[header] != unbroken {
				t.Errorf("%s: %s: got %q, nginx says %q", name, header, got[header], want[header])
			}
		}
		for header := range got {
			if want[header] == "" {
				t.Errorf("%s: %s: got %q, nginx does not send it", name, header, got[header])
			}
		}
	}
}

// unsaid are the connections of which nginx tells something that we do not: a server name that is no host name (RFC 1123
// section 2.1, or an underscore) is left out, which for nginx 1.22 means that a client can write headers of its own.
var unsaid = map[string]string{
	"SNI with a space":        "X-V-ssl_server_name",
	"SNI with line feeds":     "X-V-ssl_server_name X-Evil",
	"SNI in UTF-8":            "X-V-ssl_server_name",
	"SNI with a slash":        "X-V-ssl_server_name",
	"SNI with a colon":        "X-V-ssl_server_name",
	"SNI with two dots":       "X-V-ssl_server_name",
	"SNI with a dot first":    "X-V-ssl_server_name",
	"SNI with a percent sign": "X-V-ssl_server_name",
	"SNI with quotes":         "X-V-ssl_server_name",
	"SNI with a long label":   "X-V-ssl_server_name",
}

// TestVariablesAreNginxsForEveryConnection renders from what the client saw of its connection to nginx.
func TestVariablesAreNginxsForEveryConnection(t *testing.T) {
	sections, asked := peerRecord(t, "sessions.txt")
	template := asVariables(sections)
	met := map[string]bool{}
	for name, want := range sections {
		if want["(not-forwarded)"] != "" {
			continue // nginx ends the handshake
		}
		number := func(header string) uint16 {
			n, err := strconv.ParseUint(want[header], 10, 16)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, header, err)
			}
			return uint16(n)
		}
		got := rendered(t, template, headers.Facts{Verify: headers.VerifyNone, Now: asked, TLS: &tls.ConnectionState{
			Version: number("(version)"), CipherSuite: number("(suite)"), CurveID: tls.CurveID(number("(curve)")),
			DidResume: want["(resumed)"] == "true", NegotiatedProtocol: want["(ALPN)"], ServerName: want["(SNI)"], HandshakeComplete: true}})
		for _, header := range slices.Sorted(maps.Keys(want)) {
			switch listed := slices.Contains(strings.Fields(unsaid[name]), header); {
			case !strings.HasPrefix(header, "X-V-") && header != "X-Evil":
			case listed && got[header] == "":
				met[name] = true
			case got[header] != want[header]:
				t.Errorf("%s: %s: got %q, nginx says %q", name, header, got[header], want[header])
			}
		}
		for header := range got {
			if want[header] == "" {
				t.Errorf("%s: %s: got %q, nginx does not send it", name, header, got[header])
			}
		}
	}
	for name := range unsaid {
		if !met[name] {
			t.Errorf("%s: listed as a difference, and there is none", name)
		}
	}
}

// ordinary are clients of whom every peer and every preset of its dialect say the same. For the others the differences
// stand in cmd/mtls-sidecar/dialect_differences_test.go, beside the test that asks the real peers.
var ordinary = []string{
	"client", "company", "DC and UID", "person", "three OUs", "no CN", "jurisdiction and organizationIdentifier", "CN begins with #", "null in brackets",
	"a thousand letters", "a hundred OUs", "200 DNS names", "SPIFFE ID", "every kind of name", "serial number 0x0", "serial number 0x80", "serial number 0xabc",
	"serial number 0x80000000000000000000000000000000000000ff", "RSA key", "P-384 key", "P-521 key", "Ed25519 key", "X.509 v1", "one intermediate",
	"three intermediates", "large chain", "2099", "first second of GeneralizedTime",
}

// TestPresetsSayWhatTheirPeersDoOfOrdinaryCertificates compares values without the spaces at their ends, which are not
// part of them (RFC 9110 section 5.5).
func TestPresetsSayWhatTheirPeersDoOfOrdinaryCertificates(t *testing.T) {
	chains := recordedChains(t)
	for preset, peer := range map[string]string{"ingress-nginx": "nginx.txt", "haproxy": "haproxy.txt", "keycloak-haproxy": "haproxy.txt",
		"apache": "apache.txt", "foreman": "apache.txt", "tomcat": "apache.txt"} {
		sections, asked := peerRecord(t, peer)
		parsed, err := headers.ParseTemplate(preset)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range ordinary {
			theirs := map[string]string{}
			for header, value := range sections[name] {
				theirs[strings.ToLower(header)] = strings.TrimSpace(value)
			}
			got := rendered(t, preset, headers.Facts{Verify: headers.VerifySuccess, Chain: chains[name], Now: asked,
				TLS: &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, HandshakeComplete: true}})
			for _, header := range parsed.Names() {
				if want := theirs[strings.ToLower(header)]; got[header] != want {
					t.Errorf("%s: %s: %s: got %q, %s says %q", preset, name, header, got[header], peer, want)
				}
			}
		}
	}
}
