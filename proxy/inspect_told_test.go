package proxy

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// TestAnInspectionShowsTheConfiguredHeadersAndRoutes: what differs for a real
// request is said in a note.
func TestAnInspectionShowsTheConfiguredHeadersAndRoutes(t *testing.T) {
	stranger, err := pki.SelfSigned(pki.Options{Subject: pkix.Name{CommonName: "stranger"}})
	if err != nil {
		t.Fatal(err)
	}
	const connection = "what MTLS_HEADERS tells of the connection stands here by its name ($ssl_protocol)"
	const require = "where MTLS_ROUTES says require, the answer is 403"
	const off = "where MTLS_ROUTES says off, the application is told NONE"
	for _, c := range []struct {
		settings string
		client   *tls.Certificate
		lines    string
		notes    []string // of the three above, those to be there
	}{
		{"", &testCA(t).client, "VERIFIED: SUCCESS\r\nDN: CN=client,O=Acme\r\n", nil},
		{"MTLS_HEADERS=ingress-nginx,X-P=$ssl_protocol MTLS_ROUTES=/a=require,/=optional", &testCA(t).client, "", []string{connection}},
		{"MTLS_HEADERS=X-Who=$ssl_client_s_dn MTLS_ROUTES=/a=off,/=require MTLS_INVALID_CERT=failed", &stranger, "X-Who: CN=stranger\r\n", []string{require, off}},
		{"MTLS_HEADERS=tomcat MTLS_ROUTES=/a=off,/=optional", &testCA(t).client, "", []string{connection, off}},
		{"MTLS_HEADERS=rfc9440 MTLS_ROUTES=/a=require,/=optional MTLS_INVALID_CERT=none", &stranger, "", []string{require}},
	} {
		f := newInspection(t).judge(c.client, append([]string{"MTLS_CRL="}, strings.Fields(c.settings)...)...)
		if c.lines != "" && f.Lines != c.lines {
			t.Errorf("%s: the lines are %q, want %q", c.settings, f.Lines, c.lines)
		}
		if warned := slices.ContainsFunc(newInspection(t).inspector(strings.Fields(c.settings)...).Warnings, func(w string) bool { return strings.HasPrefix(w, "MTLS_HEADERS sends X-Who") }); warned != strings.Contains(c.settings, "X-Who") {
			t.Errorf("%s: warned of an identity without its verdict: %t", c.settings, warned)
		}
		for _, note := range []string{connection, require, off} {
			if got, want := slices.Contains(f.Notes, note), slices.Contains(c.notes, note); got != want {
				t.Errorf("%s: note %q: %t, want %t", c.settings, note, got, want)
			}
		}
	}
}
