package proxy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// caFile writes CAs of these common names and returns the path.
func caFile(t *testing.T, names ...string) string {
	t.Helper()
	var cas []*x509.Certificate
	key := testCA(t).ca.Key // one for all: making keys takes longer than all the rest
	for _, name := range names {
		ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: name}, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		cas = append(cas, ca.Cert)
	}
	return inFolder(t, "cas.crt", pki.CertPEM(cas...))
}

// inFolder writes a file to a new folder.
func inFolder(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// offered are the common names of the CAs that the server names to clients.
func (s *sidecar) offered(t *testing.T, version uint16) (names []string, asked bool) {
	t.Helper()
	config := clientOf(version, nil)
	config.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		for _, raw := range request.AcceptableCAs {
			var name pkix.RDNSequence
			if _, err := asn1.Unmarshal(raw, &name); err != nil {
				return nil, err
			}
			var subject pkix.Name
			subject.FillFromRDNSequence(&name)
			names = append(names, subject.CommonName)
		}
		return &tls.Certificate{}, nil
	}
	s.dialWith(t, config)
	return names, asked
}

func TestTheCAsNamesAreOfferedInFileOrderEachOnce(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		first, second := caFile(t, "Zebra", "Aardvark", "Zebra"), caFile(t, "Aardvark", "Middle")
		for _, test := range []struct {
			entries []string
			names   []string
		}{
			{nil, []string{"Zebra", "Aardvark", "Middle"}},
			{[]string{"MTLS_CA_HINTS=off"}, nil},
			{[]string{"MTLS_CA_HINTS=" + caFile(t, "Only", "These", "Only")}, []string{"Only", "These"}},
			{[]string{"MTLS_VERIFY_CLIENT=on"}, []string{"Zebra", "Aardvark", "Middle"}},
			{[]string{"MTLS_VERIFY_CLIENT=optional_no_ca"}, []string{"Zebra", "Aardvark", "Middle"}},
			{[]string{"MTLS_REJECT_WITH=alert"}, []string{"Zebra", "Aardvark", "Middle"}},
		} {
			t.Run(strings.Join(test.entries, " "), func(t *testing.T) {
				s := startSidecar(t, "http://127.0.0.1:1", append(test.entries, "MTLS_CLIENT_CA_FILE="+first+","+second)...)
				names, asked := s.offered(t, version)
				if !asked || !slices.Equal(names, test.names) {
					t.Errorf("asked %t, offered %q; want %q", asked, names, test.names)
				}
			})
		}
	})
}

func TestNoCertificateIsAskedForWhereVerifyingIsOff(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := startSidecar(t, "http://127.0.0.1:1", "MTLS_VERIFY_CLIENT=off")
		if names, asked := s.offered(t, version); asked {
			t.Errorf("a certificate was asked for, of %q", names)
		}
	})
}

func TestTooManyCANamesAreLeftOutWithAWarning(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("%02d %s", i, strings.Repeat("n", 500)))
	}
	all, few := caFile(t, names...), caFile(t, names[:3]...)
	app := startBackend(t, answering(okAnswer))
	for _, test := range []struct {
		name, hints string
		offered     int
		warned      bool
	}{
		{"all", "on", 0, true}, {"a file with a few", few, 3, false}, {"off", "off", 0, false}, {"a file with too many", all, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSidecar(t, app.url, "MTLS_CLIENT_CA_FILE="+all, "MTLS_CA_HINTS="+test.hints)
			s.start(t)
			if names, asked := s.offered(t, tls.VersionTLS13); !asked || len(names) != test.offered {
				t.Errorf("asked %t, offered %d names, want %d", asked, len(names), test.offered)
			}
			material, err := Load(s.config)
			if err != nil {
				t.Fatal(err)
			}
			warned := slices.ContainsFunc(material.Warnings, func(w string) bool { return strings.Contains(w, "MTLS_CA_HINTS") })
			if warned != test.warned {
				t.Errorf("warnings: got %q", material.Warnings)
			}
			s.dial(t, nil).asks(app, nobody)
		})
	}
}

// serverPair writes a server certificate and its key of the test CA.
func serverPair(t *testing.T, key crypto.Signer) (certFile, keyFile string) {
	t.Helper()
	certificate := issue(t, pki.Options{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, Key: key,
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	text, err := pki.KeyPEM(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return inFolder(t, "tls.crt", pki.ChainPEM(*certificate)), inFolder(t, "tls.key", text)
}

func TestTheServersCertificateIsOneThatTheClientSupports(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert, rsaKeyFile := serverPair(t, rsaKey)
	ecCert, ecKeyFile := serverPair(t, nil)
	app := startBackend(t, answering(okAnswer))
	for _, order := range []string{"RSA first", "ECDSA first"} {
		certs, keys := []string{rsaCert, ecCert}, []string{rsaKeyFile, ecKeyFile}
		if order == "ECDSA first" {
			slices.Reverse(certs)
			slices.Reverse(keys)
		}
		s := startSidecar(t, app.url, "MTLS_CERT_FILE="+strings.Join(certs, ","), "MTLS_KEY_FILE="+strings.Join(keys, ","))
		for suite, wantECDSA := range map[uint16]bool{
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   false,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true,
		} {
			config := clientOf(tls.VersionTLS12, nil)
			config.CipherSuites = []uint16{suite}
			c := s.dialWith(t, config)
			_, isECDSA := c.ConnectionState().PeerCertificates[0].PublicKey.(*ecdsa.PublicKey)
			if isECDSA != wantECDSA {
				t.Errorf("%s, a client of %s: got ECDSA %t, want %t", order, tls.CipherSuiteName(suite), isECDSA, wantECDSA)
			}
			c.asks(app, nobody)
		}
		c := s.dialWith(t, clientOf(tls.VersionTLS13, nil))
		if _, isECDSA := c.ConnectionState().PeerCertificates[0].PublicKey.(*ecdsa.PublicKey); isECDSA != (order == "ECDSA first") {
			t.Errorf("%s, a client that takes both: got ECDSA %t", order, isECDSA)
		}
	}
}

func TestTheServersWholeChainIsSent(t *testing.T) {
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := intermediate.Issue(pki.Options{DNSNames: []string{"localhost"}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.KeyPEM(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	// One file for all of it, the key between the certificates.
	file := inFolder(t, "all.pem", slices.Concat(pki.CertPEM(leaf.Leaf), key, pki.CertPEM(intermediate.Cert)))
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_CERT_FILE="+file, "MTLS_KEY_FILE="+file)
	config := clientConfig(nil)
	config.InsecureSkipVerify = false
	config.RootCAs = x509.NewCertPool()
	config.RootCAs.AddCert(testCA(t).ca.Cert)
	if chain := s.dialWith(t, config).ConnectionState().PeerCertificates; len(chain) != 2 {
		t.Errorf("certificates sent: got %d, want 2", len(chain))
	}
}

// curl -0 offers http/1.0 alone, and nginx takes it.
func TestAClientThatOffersHTTP10AloneIsServed(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	config := clientConfig(nil)
	config.NextProtos = []string{"http/1.0"}
	c := startSidecar(t, app.url).dialWith(t, config)
	if got := c.ConnectionState().NegotiatedProtocol; got != "http/1.0" {
		t.Errorf("negotiated %q", got)
	}
	c.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n")
	if answer, body := c.answer("GET"); answer.StatusCode != 200 || body != "ok" {
		t.Errorf("got %d %q", answer.StatusCode, body)
	}
}
