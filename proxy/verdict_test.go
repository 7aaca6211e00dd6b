package proxy

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// clientCertificate is a row of the matrix: what a client presents, and what
// nginx says of it.
type clientCertificate struct {
	name        string
	certificate *tls.Certificate // nil: none
	verify      string           // $ssl_client_verify
	dn          string           // with SUCCESS alone
	reason      string           // the word on the page
}

// unknownCA reports whether nginx's optional_no_ca lets the row through: codes
// 18, 19, 20, 21 and 27 (ngx_ssl_verify_error_optional).
func (c clientCertificate) unknownCA() bool {
	return slices.Contains([]string{
		"FAILED:self-signed certificate",
		"FAILED:self-signed certificate in certificate chain",
		"FAILED:unable to get local issuer certificate",
		"FAILED:unable to verify the first certificate",
	}, c.verify)
}

var weakRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

// clientCertificates are the kinds of clients; the texts are OpenSSL 3.0's.
func clientCertificates(t testing.TB) []clientCertificate {
	t.Helper()
	must := func(certificate tls.Certificate, err error) *tls.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return &certificate
	}
	authorityFor := func(a *pki.Authority, err error) *pki.Authority {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	weak, err := weakRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	ca := testCA(t).ca
	stranger := authorityFor(pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Stranger CA"}}))
	intermediate := authorityFor(ca.Intermediate(pki.Options{}))
	unknown := must(stranger.Issue(pki.Options{}))
	withRoot := pki.With(*unknown, stranger.Cert)
	below := must(intermediate.Issue(pki.Options{Subject: pkix.Name{CommonName: "below"}}))
	withChain := pki.With(*below, intermediate.Cert)
	long, past, future := time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	ekus := func(usage ...x509.ExtKeyUsage) []x509.ExtKeyUsage { return usage }
	return []clientCertificate{
		{"nothing", nil, "NONE", "", "no_certificate"},
		{"good", &testCA(t).client, "SUCCESS", "CN=client,O=Acme", ""},
		{"empty subject", issue(t, pki.Options{RawSubject: pki.EmptyName()}), "SUCCESS", "", ""},
		{"no extended key usage", issue(t, pki.Options{NoEKU: true}), "SUCCESS", "CN=client", ""},
		{"with its intermediate", &withChain, "SUCCESS", "CN=below", ""},
		{"without its intermediate", below, "FAILED:unable to verify the first certificate", "", "unknown_ca"},
		{"expired", issue(t, pki.Options{NotBefore: long, NotAfter: past}), "FAILED:certificate has expired", "", "expired"},
		{"not yet valid", issue(t, pki.Options{NotBefore: future}), "FAILED:certificate is not yet valid", "", "not_yet_valid"},
		{"unknown CA", unknown, "FAILED:unable to verify the first certificate", "", "unknown_ca"},
		{"unknown CA and its root", &withRoot, "FAILED:self-signed certificate in certificate chain", "", "untrusted_root"},
		{"unknown CA and expired", must(stranger.Issue(pki.Options{NotBefore: long, NotAfter: past})),
			"FAILED:certificate has expired", "", "expired"},
		{"self-signed", must(pki.SelfSigned(pki.Options{})), "FAILED:self-signed certificate", "", "self_signed"},
		{"bad signature", must(pki.CorruptSignature(*issue(t, pki.Options{}))),
			"FAILED:certificate signature failure", "", "bad_signature"},
		{"for servers only", issue(t, pki.Options{EKU: ekus(x509.ExtKeyUsageServerAuth)}),
			"FAILED:unsuitable certificate purpose", "", "wrong_purpose"},
		{"for any purpose", issue(t, pki.Options{EKU: ekus(x509.ExtKeyUsageAny)}),
			"FAILED:unsuitable certificate purpose", "", "wrong_purpose"},
		{"for encipherment only", issue(t, pki.Options{KU: x509.KeyUsageKeyEncipherment}),
			"FAILED:unsuitable certificate purpose", "", "wrong_purpose"},
		{"critical extension", issue(t, pki.Options{ExtraExtensions: critical}),
			"FAILED:unhandled critical extension", "", "critical_extension"},
		{"1024-bit RSA key", issue(t, pki.Options{Key: crypto.Signer(weak)}), "FAILED:EE certificate key too weak", "", "weak_key"},
	}
}

// expectation is what must come of a request.
type expectation struct {
	status   int
	verified string // at the application; empty: it sees nothing
	dn       string
}

// nginxSays is nginx's decision (ngx_http_process_request: 495, 496), and for
// MTLS_INVALID_CERT the two ways round its 400.
func nginxSays(c clientCertificate, mode VerifyClient, invalid InvalidCert) expectation {
	page := expectation{status: 400}
	switch {
	case mode == VerifyOff:
		return expectation{200, "NONE", ""}
	case c.certificate == nil && mode == VerifyOn:
		return page
	case c.verify == "NONE" || c.verify == "SUCCESS":
		return expectation{200, c.verify, c.dn}
	case mode == VerifyOptionalNoCA && c.unknownCA():
		return expectation{200, c.verify, ""}
	case invalid == InvalidFailed:
		return expectation{200, c.verify, ""}
	case invalid == InvalidNone:
		return expectation{200, "NONE", ""}
	default:
		return page
	}
}

var tlsVersions = []struct {
	name    string
	version uint16
}{{"TLS 1.2", tls.VersionTLS12}, {"TLS 1.3", tls.VersionTLS13}}

// clientOf speaks one TLS version only.
func clientOf(version uint16, certificate *tls.Certificate) *tls.Config {
	config := clientConfig(certificate)
	config.MinVersion, config.MaxVersion = version, version
	return config
}

const getRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// told is what the application was told in a head: VERIFIED and DN, each copy.
func told(head string) string {
	return fmt.Sprintf("VERIFIED %q DN %q", values(head, "VERIFIED"), values(head, "DN"))
}

func toldAs(verified, dn string) string {
	if dn == "" {
		return fmt.Sprintf("VERIFIED %q DN %q", []string{verified}, []string(nil))
	}
	return fmt.Sprintf("VERIFIED %q DN %q", []string{verified}, []string{dn})
}

// asks makes one request on the connection and compares what comes of it.
func (c *client) asks(b *backend, want expectation) string {
	c.t.Helper()
	c.send(getRequest)
	answer, body := c.answer("GET")
	if answer.StatusCode != want.status {
		c.t.Errorf("status: got %d, want %d", answer.StatusCode, want.status)
	}
	if want.verified == "" {
		b.sawNothing(c.t)
		return body
	}
	if answer.StatusCode == 200 {
		if got, want := told(b.seen(c.t)), toldAs(want.verified, want.dn); got != want {
			c.t.Errorf("the application was told %s, want %s", got, want)
		}
	}
	return body
}

func TestEveryModeTellsWhatNginxTells(t *testing.T) {
	clients := clientCertificates(t)
	for _, setting := range []struct {
		mode    VerifyClient
		invalid InvalidCert
	}{
		{VerifyOptional, InvalidReject}, {VerifyOptional, InvalidFailed}, {VerifyOptional, InvalidNone},
		{VerifyOn, InvalidReject}, {VerifyOptionalNoCA, InvalidReject}, {VerifyOff, InvalidReject},
	} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT="+string(setting.mode), "MTLS_INVALID_CERT="+string(setting.invalid))
		for _, version := range tlsVersions {
			for _, c := range clients {
				t.Run(fmt.Sprintf("%s/%s/%s/%s", setting.mode, setting.invalid, version.name, c.name), func(t *testing.T) {
					want := nginxSays(c, setting.mode, setting.invalid)
					body := s.dialWith(t, clientOf(version.version, c.certificate)).asks(app, want)
					if want.status == 400 && !strings.Contains(body, "<code>"+c.reason+"</code>") {
						t.Errorf("the page does not name the reason %s:\n%s", c.reason, body)
					}
				})
			}
		}
	}
}

func TestASmallerKeyIsAllowedWhereTheOperatorSaysSo(t *testing.T) {
	weak, err := weakRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MIN_RSA_BITS=1024")
	s.dial(t, issue(t, pki.Options{Key: weak})).asks(app, expectation{200, "SUCCESS", "CN=client"})
}

func TestDepthCountsIntermediatesAsNginxDoes(t *testing.T) {
	first, err := testCA(t).ca.Intermediate(pki.Options{Subject: pkix.Name{CommonName: "first"}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.Intermediate(pki.Options{Subject: pkix.Name{CommonName: "second"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := second.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf = pki.With(leaf, second.Cert, first.Cert)
	app := startBackend(t, answering(okAnswer))
	for _, test := range []struct {
		depth string
		want  expectation
	}{
		{"none", expectation{200, "SUCCESS", "CN=client"}},
		{"2", expectation{200, "SUCCESS", "CN=client"}},
		{"1", expectation{200, "FAILED:unable to get local issuer certificate", ""}}, // never 22: nginx keeps the last error
		{"0", expectation{200, "FAILED:unable to get local issuer certificate", ""}},
	} {
		t.Run(test.depth, func(t *testing.T) {
			s := startSidecar(t, app.url, "MTLS_VERIFY_DEPTH="+test.depth, "MTLS_INVALID_CERT=failed")
			s.dial(t, &leaf).asks(app, test.want)
		})
	}
}
