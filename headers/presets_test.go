package headers

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const recordedTraefik = "../testdata/dialects/traefik"

// recorded reads a chain of testdata, with the text of each certificate as it stands in the file.
func recorded(t testing.TB, file string) (chain []*x509.Certificate, texts []string) {
	t.Helper()
	all, err := os.ReadFile(filepath.Join(recordedTraefik, file+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	for rest := all; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			return chain, texts
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		chain, texts = append(chain, c), append(texts, string(rest[:len(rest)-len(next)]))
		rest = next
	}
}

// body is the base64 of a PEM text: what stands between its armour.
func body(text string) string {
	text = strings.TrimPrefix(text, "-----BEGIN CERTIFICATE-----\n")
	text = strings.TrimSuffix(text, "-----END CERTIFICATE-----\n")
	return strings.ReplaceAll(text, "\n", "")
}

// nginxEscaped is NGX_ESCAPE_URI_COMPONENT by other means.
func nginxEscaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// presetLines are the lines of a preset, without their ends.
func presetLines(t *testing.T, preset string, f Facts) []string {
	t.Helper()
	tpl, err := ParseTemplate(preset)
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	all, _, err := tpl.Render(f)
	if err != nil {
		t.Fatalf("%s: %v", preset, err)
	}
	if len(all) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(all), "\r\n"), "\r\n")
}

func TestPresetsSendWhatTheirSourcesDocument(t *testing.T) {
	chain, texts := recorded(t, "chain")
	state := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	for _, p := range presets {
		golden, known := presetGoldens[p.name]
		if !known {
			t.Errorf("%s has no golden lines", p.name)
		}
		cases := []struct {
			what  string
			facts Facts
			want  []string
		}{
			{"SUCCESS", Facts{Verify: VerifySuccess, Chain: chain, TLS: state}, golden.success},
			{"NONE", Facts{Verify: VerifyNone, TLS: state}, golden.none},
			{"a certificate passed over", Facts{Verify: VerifyNone, Chain: chain, TLS: state, Reason: "expired", Code: 10}, golden.none},
			{"FAILED", Facts{Verify: "FAILED:certificate has expired", Chain: chain, TLS: state, Reason: "expired", Code: 10}, golden.failed},
		}
		for _, c := range cases {
			got, want := presetLines(t, p.name, c.facts), fill(t, c.want, texts)
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n got %q\nwant %q", p.name, c.what, got, want)
			}
		}
	}
	if len(presetGoldens) != len(presets) {
		t.Errorf("%d goldens for %d presets", len(presetGoldens), len(presets))
	}
}

func TestPresetsWithoutIntermediatesSendNoChain(t *testing.T) {
	chain, _ := recorded(t, "names")
	for preset, absent := range map[string]string{
		"rfc9440": "Client-Cert-Chain:", "keycloak-haproxy": "Client-Cert-Chain:", "gcp": "X-Client-Cert-Chain:",
	} {
		for _, line := range presetLines(t, preset, client(chain...)) {
			if strings.Contains(line, absent) {
				t.Errorf("%s sends %s for a certificate without intermediates: %q", preset, absent, line)
			}
		}
	}
}

func TestEveryPresetIsInTheTableOnceAndNamesItsSource(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range presets {
		if seen[p.name] || p.source == "" || len(p.entries) == 0 {
			t.Errorf("%s is there twice, or without a source or entries", p.name)
		}
		seen[p.name] = true
	}
	if presets[0].name != "nginx" {
		t.Errorf("the first preset is %s, not the default", presets[0].name)
	}
}

func TestClientsMaySendNoHeaderOfAnyPreset(t *testing.T) {
	s, err := NewStripper(StripOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range presets {
		tpl, err := ParseTemplate(p.name)
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		for _, n := range tpl.Names() {
			for _, spelling := range []string{n, strings.ToLower(n), strings.ReplaceAll(n, "-", "_"), strings.ReplaceAll(n, "_", "-"), strings.ReplaceAll(n, "-", ".")} {
				if !s.Drop([]byte(spelling)) || !s.DropTrailer([]byte(spelling)) {
					t.Errorf("%s: a client may send %s", p.name, spelling)
				}
			}
		}
	}
}

func TestDialectVariablesAreSortedUsedAndNamedAfterTheirDialects(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range presets {
		for _, entry := range p.entries {
			for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(entry, -1) {
				used[v[1]] = true
			}
		}
	}
	previous := ""
	for _, v := range dialectVariables {
		if v.name <= previous || !used[v.name] {
			t.Errorf("%s is out of order or in no preset", v.name)
		}
		previous = v.name
		if findVariable(v.name, false) != nil {
			t.Errorf("%s is open to operators", v.name)
		}
		if !slices.ContainsFunc(presets[:], func(p preset) bool { return strings.HasPrefix(v.name, strings.ReplaceAll(p.name, "-", "_")+"_") }) {
			t.Errorf("%s is not named after a preset", v.name)
		}
	}
}

// TestCertificatesInHeadersAreTheClients reads every form in which presets send a certificate with the library's own decoders.
func TestCertificatesInHeadersAreTheClients(t *testing.T) {
	chain, _ := recorded(t, "chain")
	fromPEM := func(value string) []byte {
		block, rest := pem.Decode([]byte(value))
		if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
			return nil
		}
		return block.Bytes
	}
	base := func(value string) []byte { der, _ := base64.StdEncoding.DecodeString(value); return der }
	escaped := func(value string) []byte { text, _ := url.QueryUnescape(value); return fromPEM(text) }
	spaces := func(value string) []byte {
		inner := strings.TrimSuffix(strings.TrimPrefix(value, "-----BEGIN CERTIFICATE-----"), "-----END CERTIFICATE-----")
		return fromPEM("-----BEGIN CERTIFICATE-----" + strings.ReplaceAll(inner, " ", "\n") + "-----END CERTIFICATE-----")
	}
	read := map[string]func(value string) []byte{
		"ssl-client-cert": escaped, "X-SSL-Client-DER": base, "SSL_CLIENT_CERT": spaces, "ssl_client_cert": spaces, "SSL-CLIENT-CERT": spaces,
		"X-ARR-ClientCert": base, "Cf-Client-Cert-Der-Base64": base, "X-Client-Cert-Leaf": func(v string) []byte { return base(strings.Trim(v, ":")) },
		"X-Amzn-Mtls-Clientcert-Leaf": func(v string) []byte { text, _ := url.PathUnescape(v); return fromPEM(text) },
		"puppet X-Client-Cert":        escaped, "aspnet X-Client-Cert": base, "keycloak-haproxy Client-Cert": base,
		"rfc9440 Client-Cert": func(v string) []byte { return base(strings.Trim(v, ":")) },
	}
	found := 0
	for _, p := range presets {
		for _, line := range presetLines(t, p.name, client(chain...)) {
			header, value, _ := strings.Cut(line, ": ")
			decode := read[header]
			if decode == nil {
				decode = read[p.name+" "+header]
			}
			if decode == nil {
				continue
			}
			found++
			if c, err := x509.ParseCertificate(decode(value)); err != nil || !c.Equal(chain[0]) {
				t.Errorf("%s: %s does not hold the client's certificate: %v", p.name, header, err)
			}
		}
	}
	if found != len(read) {
		t.Errorf("read %d headers, not %d", found, len(read))
	}
}
