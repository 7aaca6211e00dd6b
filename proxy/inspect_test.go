package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// inspection is a folder with the test CA, in which files are judged.
type inspection struct {
	t      *testing.T
	folder string
}

func newInspection(t *testing.T) inspection {
	i := inspection{t, t.TempDir()}
	i.write("ca.crt", pki.CertPEM(testCA(t).ca.Cert))
	return i
}

func (i inspection) write(name string, text []byte) string {
	i.t.Helper()
	path := filepath.Join(i.folder, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return path
}

// present writes what a client would present.
func (i inspection) present(chain *tls.Certificate) string {
	i.t.Helper()
	return i.write("client.crt", pki.ChainPEM(*chain))
}

// inspector reads the configuration. There is no certificate of a server.
func (i inspection) inspector(entries ...string) *Inspector {
	i.t.Helper()
	config, err := Environment(append([]string{"MTLS_CERT_FILE=/nonexistent", "MTLS_KEY_FILE=/nonexistent",
		"MTLS_CLIENT_CA_FILE=" + filepath.Join(i.folder, "ca.crt")}, entries...))
	if err != nil {
		i.t.Fatal(err)
	}
	inspector, err := NewInspector(context.Background(), config)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(inspector.Close)
	return inspector
}

// judge is what is found about one client.
func (i inspection) judge(chain *tls.Certificate, entries ...string) *Finding {
	i.t.Helper()
	f, err := i.inspector(entries...).Inspect(context.Background(), i.present(chain))
	if err != nil {
		i.t.Fatal(err)
	}
	return f
}

const (
	told400 = "400 from the sidecar; the application does not see the request"
	success = "VERIFIED: SUCCESS\r\nDN: CN=client,O=Acme\r\n"
)

func TestAnInspectionTellsWhatTheApplicationAndTheClientWouldGet(t *testing.T) {
	good := testCA(t).client
	expired := *issue(t, pki.Options{NotBefore: time.Now().AddDate(0, 0, -9), NotAfter: time.Now().AddDate(0, 0, -1)})
	stranger, err := pki.SelfSigned(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wordy := *issue(t, pki.Options{Subject: pkix.Name{OrganizationalUnit: strings.Fields(strings.Repeat(strings.Repeat("x", 60)+" ", 6))}})
	for _, c := range []struct {
		name          string
		client        tls.Certificate
		settings      string
		success       bool
		verify        string
		reason        string
		lines, answer string
	}{
		{"good", good, "", true, "SUCCESS", "", success, ""},
		{"good", good, "MTLS_VERIFY_CLIENT=on", true, "SUCCESS", "", success, ""},
		{"good", good, "MTLS_VERIFY_CLIENT=on MTLS_REJECT_WITH=alert", true, "SUCCESS", "", success, ""},
		{"good", good, "MTLS_VERIFY_CLIENT=off", false, "NONE", "not_asked", "VERIFIED: NONE\r\n", ""},
		{"expired", expired, "", false, "FAILED:certificate has expired", "expired", "", told400},
		{"expired", expired, "MTLS_VERIFY_CLIENT=on", false, "FAILED:certificate has expired", "expired", "", told400},
		{"expired", expired, "MTLS_VERIFY_CLIENT=optional_no_ca", false, "FAILED:certificate has expired", "expired", "", told400},
		{"expired", expired, "MTLS_INVALID_CERT=failed", false, "FAILED:certificate has expired", "expired", "VERIFIED: FAILED:certificate has expired\r\n", ""},
		{"expired", expired, "MTLS_INVALID_CERT=none", false, "FAILED:certificate has expired", "expired", "VERIFIED: NONE\r\n", ""},
		{"expired", expired, "MTLS_REJECT_WITH=alert", false, "FAILED:certificate has expired", "expired", "", "the TLS handshake fails (MTLS_REJECT_WITH=alert)"},
		// A believed client gets the page whatever the mode.
		{"wordy", wordy, "MTLS_MAX_IDENTITY_BYTES=256 MTLS_REJECT_WITH=alert", false, "SUCCESS", "identity_too_large", "", strings.Replace(told400, "400", "431", 1)},
		{"self-signed", stranger, "", false, "FAILED:self-signed certificate", "self_signed", "", told400},
		{"self-signed", stranger, "MTLS_VERIFY_CLIENT=optional_no_ca", false, "FAILED:self-signed certificate", "self_signed", "VERIFIED: FAILED:self-signed certificate\r\n", ""},
		{"for servers", testCA(t).server, "", false, "FAILED:unsuitable certificate purpose", "wrong_purpose", "", told400},
	} {
		f := newInspection(t).judge(&c.client, strings.Fields(c.settings)...)
		if f.Success != c.success || f.Verify != c.verify || f.Reason != c.reason || f.Lines != c.lines || f.Answer != c.answer {
			t.Errorf("%s, %s: got %v %q %q %q %q, want %v %q %q %q %q", c.name, c.settings,
				f.Success, f.Verify, f.Reason, f.Lines, f.Answer, c.success, c.verify, c.reason, c.lines, c.answer)
		}
		if (f.Advice == "") != c.success {
			t.Errorf("%s, %s: the advice is %q", c.name, c.settings, f.Advice)
		}
	}
}

// TestAnInspectionFindsWhatTheSidecarDoes asks a running one as well.
func TestAnInspectionFindsWhatTheSidecarDoes(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	under, err := intermediate.Issue(pki.Options{Subject: pkix.Name{CommonName: "below"}})
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]tls.Certificate{
		"good": testCA(t).client, "for servers": testCA(t).server, "without its intermediate": under, "with it": pki.With(under, intermediate.Cert),
		"without a subject":            *issue(t, pki.Options{RawSubject: pki.EmptyName()}),
		"a name of a thousand bytes":   *issue(t, pki.Options{Subject: pkix.Name{OrganizationalUnit: strings.Split(strings.Repeat(strings.Repeat("x", 60)+" ", 20), " ")}}),
		"a name that cannot be told":   *issue(t, pki.Options{RawSubject: overlong(t, "x")}),
		"a name with a break in it":    *issue(t, pki.Options{Subject: pkix.Name{CommonName: "a\r\nDN: CN=admin"}}),
		"its own CA, presented by all": pki.With(testCA(t).client, testCA(t).ca.Cert),
	}
	for _, settings := range []string{"", "MTLS_INVALID_CERT=failed", "MTLS_INVALID_CERT=none", "MTLS_VERIFY_CLIENT=on", "MTLS_VERIFY_CLIENT=optional_no_ca", "MTLS_MAX_IDENTITY_BYTES=256"} {
		app := startBackend(t, answering(okAnswer))
		s := startSidecar(t, app.url, strings.Fields(settings)...)
		i := newInspection(t)
		for name, certificate := range clients {
			f := i.judge(&certificate, strings.Fields(settings)...)
			c := s.dial(t, &certificate)
			c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			answer, body := c.answer("GET")
			if f.Lines == "" {
				app.sawNothing(t)
				if !strings.HasPrefix(f.Answer, answer.Status[:3]+" ") || !strings.Contains(body, "<code>"+f.Reason+"</code>") {
					t.Errorf("%s, %s: found %q %q, the client got %s\n%s", name, settings, f.Answer, f.Reason, answer.Status, body)
				}
				continue
			}
			if answer.StatusCode != 200 {
				t.Errorf("%s, %s: found %q, the client got %s", name, settings, f.Lines, answer.Status)
				continue
			}
			saw := app.seen(t)
			identity := saw[strings.Index(saw, "VERIFIED: "):strings.Index(saw, "X-Real-IP: ")]
			if identity != f.Lines {
				t.Errorf("%s, %s: found %q, the application saw %q", name, settings, f.Lines, identity)
			}
		}
	}
}

// TestWhatTLSRefusesIsFoundWithoutAVerdict: those clients never get as far as one.
func TestWhatTLSRefusesIsFoundWithoutAVerdict(t *testing.T) {
	i := newInspection(t)
	inspector := i.inspector("MTLS_INVALID_CERT=failed")
	for _, bad := range badClients(t) {
		f, err := inspector.Inspect(context.Background(), i.present(&bad.certificate))
		switch {
		case bad.reason == "certificate_not_proved": // only the key's holder can tell
			if err != nil || !f.Success {
				t.Errorf("%s: got %+v, %v", bad.name, f, err)
			}
		case err != nil:
			if !strings.Contains(err.Error(), "does not parse") || bad.reason == "certificate_key_too_large" {
				t.Errorf("%s: %v", bad.name, err)
			}
		case f.Success || f.Verify != "" || f.Lines != "" || f.Reason != bad.reason || f.Answer != "the TLS handshake fails":
			t.Errorf("%s: got %+v, want the reason %s", bad.name, f, bad.reason)
		}
	}
	large := *issue(t, pki.Options{ExtraExtensions: []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Value: make([]byte, 260<<10)}}})
	if f := i.judge(&large); f.Success || f.Reason != "certificate_too_large" {
		t.Errorf("260 KiB: got %v %q", f.Success, f.Reason)
	}
}

func TestTheChainIsToldWithWhereItIsFrom(t *testing.T) {
	whole, intermediate := issueBelow(t)
	leaf := whole
	leaf.Certificate = whole.Certificate[:1]
	f := newInspection(t).judge(&whole)
	want := []struct {
		c       *x509.Certificate
		trusted bool
	}{{leaf.Leaf, false}, {intermediate, false}, {testCA(t).ca.Cert, true}}
	if len(f.Chain) != len(want) {
		t.Fatalf("got a chain of %d, want %d", len(f.Chain), len(want))
	}
	for n, link := range f.Chain {
		if !link.Certificate.Equal(want[n].c) || link.Trusted != want[n].trusted {
			t.Errorf("link %d: got %v, trusted %v", n, link.Certificate.Subject, link.Trusted)
		}
	}
	f = newInspection(t).judge(&leaf)
	if f.Success || f.Reason != "unknown_ca" || len(f.Chain) != 1 {
		t.Errorf("without the intermediate: got %v %q, a chain of %d", f.Success, f.Reason, len(f.Chain))
	}
	reversed := tls.Certificate{Certificate: [][]byte{intermediate.Raw, leaf.Certificate[0]}}
	if f = newInspection(t).judge(&reversed); !strings.Contains(strings.Join(f.Notes, "\n"), "put that first") {
		t.Errorf("in the wrong order: got the notes %q", f.Notes)
	}
}

func TestAnInspectionEndsWithItsContext(t *testing.T) {
	reached := make(chan struct{}, 2)
	held := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(held.Close)
	i := newInspection(t)
	config, err := Environment([]string{"MTLS_CLIENT_CA_FILE=" + filepath.Join(i.folder, "ca.crt"), "MTLS_CRL=" + held.URL})
	if err != nil {
		t.Fatal(err)
	}
	ending := func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-reached
			cancel()
		}()
		return ctx
	}
	if _, err := NewInspector(ending(), config); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a list: got %v", err)
	}
	inspector := i.inspector("MTLS_OCSP=leaf", "MTLS_OCSP_TIMEOUT=1h", "MTLS_OCSP_RESPONDER="+held.URL)
	if _, err := inspector.Inspect(ending(), i.present(&testCA(t).client)); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a responder: got %v", err)
	}
}
