package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// settings name files that can be used; later entries win over them.
func settings(t *testing.T, entries ...string) *Config {
	t.Helper()
	return environment(t, append([]string{
		"MTLS_CERT_FILE=" + recorded("ec.crt"), "MTLS_KEY_FILE=" + recorded("ec-pkcs8.key"),
		"MTLS_CLIENT_CA_FILE=" + inFolder(t, "ca.crt", pki.CertPEM(testCA(t).ca.Cert)),
	}, entries...)...)
}

func TestLoadReportsAllFaultsAtOnce(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	_, err := Load(environment(t,
		"MTLS_CERT_FILE="+at("a.crt")+","+recorded("rsa.crt")+","+recorded("ec.crt"),
		"MTLS_KEY_FILE="+at("a.key")+","+recorded("ec-pkcs8.key")+","+at("c.key"),
		"MTLS_KEY_PASSPHRASE_FILE="+at("phrase"),
		"MTLS_CLIENT_CA_FILE="+at("ca1.crt")+","+at("ca2.crt"),
		"MTLS_CA_HINTS="+at("hints.crt"),
	))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{
		at("a.crt"), at("a.key"), "MTLS_CERT_FILE", recorded("ec-pkcs8.key"), at("c.key"), "MTLS_KEY_FILE",
		at("phrase"), "MTLS_KEY_PASSPHRASE_FILE", at("ca1.crt"), at("ca2.crt"), "MTLS_CLIENT_CA_FILE",
		at("hints.crt"), "MTLS_CA_HINTS",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.Contains(line, "MTLS_") {
			t.Errorf("a line without its variable: %s", line)
		}
	}
}

func TestAFaultyCAFileIsNamedWithItsVariable(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "garbage": "no certificate\n", "a key": string(mustRead(t, recorded("ec-pkcs8.key"))),
		"cut short": strings.TrimSuffix(string(pki.CertPEM(testCA(t).ca.Cert)), "-----END CERTIFICATE-----\n"),
	} {
		t.Run(name, func(t *testing.T) {
			path := inFolder(t, "ca.crt", []byte(text))
			_, err := Load(settings(t, "MTLS_CLIENT_CA_FILE="+path))
			wantFault(t, err, "MTLS_CLIENT_CA_FILE", path)
		})
	}
	missing := filepath.Join(t.TempDir(), "none.crt")
	_, err := Load(settings(t, "MTLS_CLIENT_CA_FILE="+missing))
	wantFault(t, err, "MTLS_CLIENT_CA_FILE", missing)
	_, err = Load(settings(t, "MTLS_CA_HINTS="+missing))
	wantFault(t, err, "MTLS_CA_HINTS", missing)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCAsAreNotReadWhereNoCertificateIsAskedFor(t *testing.T) {
	m, err := Load(settings(t, "MTLS_VERIFY_CLIENT=off", "MTLS_CLIENT_CA_FILE=/nonexistent/ca.crt"))
	if err != nil || len(m.CAs) != 0 || len(m.Hints) != 0 {
		t.Errorf("got %+v and %v", m, err)
	}
}

func TestCAsAreInFileOrder(t *testing.T) {
	first, second := caFile(t, "Zebra", "Aardvark"), caFile(t, "Middle")
	m, err := Load(settings(t, "MTLS_CLIENT_CA_FILE="+first+","+second))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ca := range m.CAs {
		names = append(names, ca.Subject.CommonName)
	}
	if !slices.Equal(names, []string{"Zebra", "Aardvark", "Middle"}) || len(m.Hints) != 3 || len(m.Warnings) != 0 {
		t.Errorf("got %q, %d hints, warnings %q", names, len(m.Hints), m.Warnings)
	}
}

func TestWhatWorksButShouldNotStayIsAWarning(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	expired, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Old CA"}, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past})
	if err != nil {
		t.Fatal(err)
	}
	good := testCA(t).ca.Cert
	for _, test := range []struct {
		name    string
		cas     []*x509.Certificate
		more    []byte
		warning string // empty: none
	}{
		{"good", []*x509.Certificate{good}, nil, ""},
		{"expired CA", []*x509.Certificate{good, expired.Cert}, nil, "Old CA"},
		{"no CA", []*x509.Certificate{good, testCA(t).client.Leaf}, nil, "not a CA"},
		{"a private key", []*x509.Certificate{good}, mustRead(t, recorded("ec-pkcs8.key")), "private key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := inFolder(t, "ca.crt", append(pki.CertPEM(test.cas...), test.more...))
			m, err := Load(settings(t, "MTLS_CLIENT_CA_FILE="+path))
			switch {
			case err != nil:
				t.Fatal(err)
			case test.warning == "" && len(m.Warnings) > 0:
				t.Errorf("warnings: got %q", m.Warnings)
			case test.warning != "" && (len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], test.warning) || !strings.Contains(m.Warnings[0], path)):
				t.Errorf("warnings: got %q, want one about %s", m.Warnings, test.warning)
			}
		})
	}
}

// A server certificate that clients will not take is the operator's most usual
// trouble; nginx starts with it, so it is no fault.
func TestAServerCertificateOutOfDateIsAWarning(t *testing.T) {
	for name, o := range map[string]pki.Options{
		"expired":       {NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().Add(-time.Hour)},
		"not yet valid": {NotBefore: time.Now().Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := issue(t, o)
			key, err := pki.KeyPEM(certificate.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			path := inFolder(t, "tls.pem", append(pki.ChainPEM(*certificate), key...))
			m, err := Load(settings(t, "MTLS_CERT_FILE="+path, "MTLS_KEY_FILE="+path))
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], path) || !strings.Contains(m.Warnings[0], "MTLS_CERT_FILE") {
				t.Errorf("warnings: got %q, want one that names MTLS_CERT_FILE and %s", m.Warnings, path)
			}
		})
	}
}
