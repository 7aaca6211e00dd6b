package main_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// row is one client certificate, or none, that peers are asked about.
type row struct {
	name string
	cert *tls.Certificate // nil: the client presents nothing
}

// mint makes certificates and gathers the CAs that are to be believed. All of
// them are in one file, so that one nginx and one sidecar serve every row; no
// two names are alike but where a row is about that.
type mint struct {
	t    *testing.T
	cas  []*x509.Certificate // the CA file, in order
	good *pki.Authority      // a root without any peculiarity
	rows []row
}

func newMint(t *testing.T) *mint {
	m := &mint{t: t}
	m.good = m.root(pki.Options{Subject: named("Good Root")})
	return m
}

func named(cn string) pkix.Name { return pkix.Name{CommonName: cn} }

// days is a moment that many days from now.
func days(n int) time.Time { return time.Now().AddDate(0, 0, n) }

// root makes a self-signed CA that is in the CA file.
func (m *mint) root(o pki.Options) *pki.Authority {
	m.t.Helper()
	a := m.stranger(o)
	m.cas = append(m.cas, a.Cert)
	return a
}

// stranger makes a self-signed CA that is not.
func (m *mint) stranger(o pki.Options) *pki.Authority {
	m.t.Helper()
	a, err := pki.NewRoot(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return a
}

// under makes an intermediate.
func (m *mint) under(a *pki.Authority, o pki.Options) *pki.Authority {
	m.t.Helper()
	sub, err := a.Intermediate(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return sub
}

func (m *mint) leaf(a *pki.Authority, o pki.Options) tls.Certificate {
	m.t.Helper()
	cert, err := a.Issue(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return cert
}

func (m *mint) selfSigned(o pki.Options) tls.Certificate {
	m.t.Helper()
	cert, err := pki.SelfSigned(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return cert
}

// add makes a row of a certificate and what is presented with it.
func (m *mint) add(name string, cert tls.Certificate, more ...*x509.Certificate) {
	cert = pki.With(cert, more...)
	m.rows = append(m.rows, row{name, &cert})
}

// issue adds a row with a leaf of a, and of a alone.
func (m *mint) issue(name string, a *pki.Authority, o pki.Options) {
	m.t.Helper()
	m.add(name, m.leaf(a, o))
}

// via adds a row with an ordinary leaf of the intermediate a, which is presented too.
func (m *mint) via(name string, a *pki.Authority) {
	m.t.Helper()
	m.add(name, m.leaf(a, pki.Options{}), a.Cert)
}

// rsaKey makes an RSA key; crypto/rsa makes no smaller ones than 1024 bits.
func (m *mint) rsaKey(bits int) crypto.Signer {
	m.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		m.t.Fatal(err)
	}
	return key
}

// extension makes one from any value that encoding/asn1 takes.
func (m *mint) extension(id asn1.ObjectIdentifier, critical bool, value any) pkix.Extension {
	m.t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		m.t.Fatal(err)
	}
	return pkix.Extension{Id: id, Critical: critical, Value: der}
}

// rawName makes a subject from attributes of any string type, one per RDN.
func (m *mint) rawName(attributes ...pkix.AttributeTypeAndValue) []byte {
	m.t.Helper()
	var name pkix.RDNSequence
	for _, a := range attributes {
		name = append(name, pkix.RelativeDistinguishedNameSET{a})
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		m.t.Fatal(err)
	}
	return der
}

// files writes the CA file and a server certificate to a new folder.
func (m *mint) files() string {
	m.t.Helper()
	dir := m.t.TempDir()
	server := m.leaf(m.stranger(pki.Options{Subject: named("Server Root")}), pki.Options{
		Subject:  named("localhost"),
		DNSNames: []string{"localhost"},
		EKU:      []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	key, err := pki.KeyPEM(server.PrivateKey)
	if err != nil {
		m.t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"ca.crt":     pki.CertPEM(m.cas...),
		"server.crt": pki.ChainPEM(server),
		"server.key": key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	return dir
}

// oracleSettings point the sidecar at the files that nginx has.
func oracleSettings(dir, application string, s setting) settings {
	return settings{
		"MTLS_CERT_FILE":      filepath.Join(dir, "server.crt"),
		"MTLS_KEY_FILE":       filepath.Join(dir, "server.key"),
		"MTLS_CLIENT_CA_FILE": filepath.Join(dir, "ca.crt"),
		"MTLS_UPSTREAM_URL":   "http://" + application,
		"MTLS_VERIFY_CLIENT":  s.verify,
		"MTLS_VERIFY_DEPTH":   s.depth,
	}
}
