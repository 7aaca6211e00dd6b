package proxy

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestTheApplicationIsToldWhatMTLSHeadersNames(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_INVALID_CERT=failed",
		`MTLS_HEADERS=ingress-nginx, X-Info="$ssl_client_verify / ${ssl_client_s_dn}" X-Only=$ssl_client_i_dn X-Protocol=$ssl_protocol:$ssl_session_reused`)
	stranger, err := pki.SelfSigned(pki.Options{Subject: pkix.Name{CommonName: "stranger"}})
	if err != nil {
		t.Fatal(err)
	}
	const failed = "FAILED:self-signed certificate"
	for _, c := range []struct {
		what                   string
		certificate            *tls.Certificate
		verify, dn, info, only []string
	}{
		{"no certificate", nil, []string{"NONE"}, nil, []string{"NONE / "}, nil},
		{"believed", &testCA(t).client, []string{"SUCCESS"}, []string{"CN=client,O=Acme"}, []string{"SUCCESS / CN=client,O=Acme"}, []string{"CN=Relay Test CA"}},
		{"not believed", &stranger, []string{failed}, nil, []string{failed + " / CN=stranger"}, []string{"CN=stranger"}},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := clientConfig(c.certificate)
			config.MinVersion, config.MaxVersion = version, version
			client := s.dialWith(t, config)
			client.send("GET / HTTP/1.1\r\nHost: a\r\nX_Info: mine\r\nx-only: mine\r\nX.Protocol: mine\r\nssl_client_subject_dn: CN=root\r\nVERIFIED: SUCCESS\r\n\r\n")
			client.answer("GET")
			head := app.seen(t)
			if strings.Contains(head, "mine") || strings.Contains(head, "root") || len(values(head, "VERIFIED")) > 0 {
				t.Errorf("%s: the client's own words reached the application:\n%s", c.what, head)
			}
			for name, want := range map[string][]string{
				"ssl-client-verify": c.verify, "ssl-client-subject-dn": c.dn, "X-Info": c.info, "X-Only": c.only,
				"X-Protocol": {strings.ReplaceAll(tls.VersionName(version), "TLS ", "TLSv") + map[bool]string{true: ":r", false: ":."}[client.ConnectionState().DidResume]},
			} {
				if got := values(head, name); !slices.Equal(trimmed(got), trimmed(want)) {
					t.Errorf("%s: %s is %q, want %q", c.what, name, got, want)
				}
			}
		}
	}
}

// TestTheFactsAreOfTheVerifiedPath: of a believed client the path to its root is
// told, whatever it presented besides; of another one our word and OpenSSL's number.
func TestTheFactsAreOfTheVerifiedPath(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_INVALID_CERT=failed", "MTLS_HEADERS=X-Chain=$ssl_client_chain X-Why=$ssl_client_verify_reason haproxy")
	leaf, intermediate := issueBelow(t)
	stranger, err := pki.SelfSigned(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	chained := pki.With(leaf, testCA(t).ca.Cert, stranger.Leaf)
	path := url.PathEscape(string(pki.CertPEM(leaf.Leaf, intermediate)))
	path = strings.NewReplacer("+", "%2B", "=", "%3D").Replace(path)
	for _, c := range []struct {
		client             *tls.Certificate
		chain, why, number []string
	}{
		{&chained, []string{path}, nil, []string{"0"}},
		{&stranger, nil, []string{"self_signed"}, []string{"18"}},
		{nil, nil, nil, nil},
	} {
		client := s.dial(t, c.client)
		client.send(getRequest)
		client.answer("GET")
		head := app.seen(t)
		for name, want := range map[string][]string{"X-Chain": c.chain, "X-Why": c.why, "X-SSL-Client-Verify": c.number} {
			if got := values(head, name); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

func trimmed(values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, strings.TrimSpace(v))
	}
	return out
}

func TestWhatMTLSHeadersSendsCannotBeKept(t *testing.T) {
	for settings, want := range map[string]string{
		"MTLS_HEADERS=X-Mine=$ssl_client_verify MTLS_KEEP_HEADERS=x_mine": `MTLS_KEEP_HEADERS="x_mine" is written by the sidecar`,
		"MTLS_KEEP_HEADERS=dn":                                                             `MTLS_KEEP_HEADERS="dn" is written by the sidecar`,
		"MTLS_HEADERS=xfcc MTLS_KEEP_HEADERS=VERIFIED":                                     "",
		"MTLS_HEADERS=nginx,nginx MTLS_KEEP_HEADERS=Cookie":                                `MTLS_HEADERS="nginx" is there twice`,
		"MTLS_MAX_IDENTITY_BYTES=256 MTLS_HEADERS=X=" + strings.Repeat("x", 300):           "without any certificate MTLS_HEADERS may take 305 bytes",
		"MTLS_MAX_IDENTITY_BYTES=256 MTLS_HEADERS=nginx,X=$ssl_server_name":                "without any certificate MTLS_HEADERS may take",
		"MTLS_MAX_IDENTITY_BYTES=256 MTLS_HEADERS=xfcc,nginx,X=" + strings.Repeat("x", 99): "",
	} {
		_, err := Environment(strings.Fields(settings))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", settings, err, want)
		}
	}
}

// TestAnIdentityWithoutItsVerdictIsWarnedOf: with FAILED an operator's own entries
// are filled, and a back end that looks at nothing else believes them.
func TestAnIdentityWithoutItsVerdictIsWarnedOf(t *testing.T) {
	for settings, want := range map[string]bool{
		"MTLS_HEADERS=X-User=$ssl_client_cn MTLS_INVALID_CERT=failed":                                 true,
		"MTLS_HEADERS=rfc9440,X-User=$ssl_client_cn MTLS_VERIFY_CLIENT=optional_no_ca":                true,
		"MTLS_HEADERS=X-User=$ssl_client_cn":                                                          false,
		"MTLS_HEADERS=X-User=$ssl_client_cn MTLS_INVALID_CERT=none":                                   false,
		"MTLS_HEADERS=nginx,X-User=$ssl_client_cn MTLS_INVALID_CERT=failed":                           false,
		"MTLS_HEADERS=X-User=$ssl_client_cn,X-Why=$ssl_client_verify_reason MTLS_INVALID_CERT=failed": false,
		"MTLS_HEADERS=haproxy,X-User=$ssl_client_cn MTLS_INVALID_CERT=failed":                         false,
		"MTLS_HEADERS=gcp,X-User=$ssl_client_cn MTLS_INVALID_CERT=failed":                             false,
		"MTLS_HEADERS=rfc9440,X-P=$ssl_protocol MTLS_INVALID_CERT=failed":                             false,
	} {
		config, err := Environment(strings.Fields(settings))
		if err != nil {
			t.Fatal(err)
		}
		warnings := config.warnings()
		if warned := len(warnings) == 1 && strings.Contains(warnings[0], "MTLS_HEADERS sends X-User of certificates that did not verify"); warned != want {
			t.Errorf("%s: warned of %q, want a warning: %t", settings, warnings, want)
		}
	}
}

// TestWhatIsSentIsNotGuessedOfAFaultyTemplate: no second fault follows from the first.
func TestWhatIsSentIsNotGuessedOfAFaultyTemplate(t *testing.T) {
	_, err := Environment([]string{"MTLS_HEADERS=xfcc X-A=$typo", "MTLS_KEEP_HEADERS=DN"})
	var faulty *ConfigError
	if !errors.As(err, &faulty) || len(faulty.Faults) != 1 || faulty.Faults[0].Variable != "MTLS_HEADERS" {
		t.Errorf("got %v, want one fault of MTLS_HEADERS", err)
	}
}

// TestAValueThatChangesWithTimeIsToldAnew: $ssl_client_v_remain counts down on
// a connection that stays open, and the verdict is not reached anew for more.
func TestAValueThatChangesWithTimeIsToldAnew(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s, clock := startWithClock(t, app.url, "MTLS_HEADERS=R=$ssl_client_v_remain nginx")
	certificate := issue(t, pki.Options{NotAfter: time.Now().Add(72*time.Hour + time.Minute)})
	c := s.dial(t, certificate)
	for _, step := range []struct {
		later time.Duration
		want  string
	}{{0, "3"}, {2 * time.Minute, "2"}, {3 * time.Minute, "2"}, {24*time.Hour + 2*time.Minute, "1"}, {48*time.Hour + 2*time.Minute, "0"}} {
		clock.set(step.later)
		c.send(getRequest)
		c.answer("GET")
		if got := values(app.seen(t), "R"); !slices.Equal(got, []string{step.want}) {
			t.Errorf("%s later: $ssl_client_v_remain is %q, want %q", step.later, got, step.want)
		}
	}
}

// TestNoCacheComparesWhatOnlyTheApplicationSees is RFC 9440's rule for
// Client-Cert, kept for every dialect.
func TestNoCacheComparesWhatOnlyTheApplicationSees(t *testing.T) {
	for _, c := range []struct{ headers, vary, want string }{
		{"nginx", "Accept-Encoding", "Accept-Encoding"},
		{"nginx", "*", "*"},
		{"nginx", "DN", "*"},
		{"nginx", "Accept, verified", "*"},
		{"nginx", "Accept ,\tDn, Origin", "*"},
		{"nginx", "Client-Cert", "Client-Cert"},
		{"nginx", "DNT", "DNT"},
		{"nginx", "x-real-ip", "*"},
		{"nginx", "X-Forwarded-For", "*"},
		{"nginx", "X-Forwarded-Proto", "X-Forwarded-Proto"},
		{"nginx", "", ""},
		{"rfc9440", "Client-Cert", "*"},
		{"rfc9440", "Origin, client-cert-chain", "*"},
		{"rfc9440", "DN", "DN"},
		{"X-Who=$ssl_client_s_dn", "x-who", "*"},
	} {
		app := startBackend(t, answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nvary: Origin\r\nVARY: %s\r\nContent-Length: 2\r\n\r\nok", c.vary)))
		s := startSidecar(t, app.url, "MTLS_HEADERS="+c.headers)
		client := s.dial(t, nil)
		client.send(getRequest)
		answer, _ := client.answer("GET")
		if got := answer.Header.Values("Vary"); !slices.Equal(got, []string{"Origin", c.want}) {
			t.Errorf("%s: Vary: %s became %q, want %q", c.headers, c.vary, got, c.want)
		}
	}
}

func TestALargeIdentityIsLoggedWithItsSizeAndTheVariable(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_IDENTITY_BYTES=512", "MTLS_HEADERS=ingress-nginx")
	c := s.dial(t, issue(t, pki.Options{}))
	c.send(getRequest)
	if answer, _ := c.answer("GET"); answer.StatusCode != 431 {
		t.Errorf("answered with %d, want 431", answer.StatusCode)
	}
	app.sawNothing(t)
	refusals := s.logged("client certificate refused")
	if len(refusals) != 1 {
		t.Fatalf("%d refusals in the log", len(refusals))
	}
	fields := refusals[0].ContextMap()
	if detail, _ := fields["error.message"].(string); fields["error.type"] != "identity_too_large" ||
		!strings.Contains(detail, "MTLS_MAX_IDENTITY_BYTES allows 512") || fields["tls.client.subject"] == nil {
		t.Errorf("the log says %v", fields)
	}
}
