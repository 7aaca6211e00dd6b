package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"mtls-sidecar/proxy/pki"
)

// HTTP/2 as real clients speak it. Every expectation that is not about the
// sidecar alone is put to nginx, too, in front of the same application.

// vault makes certificates of one CA and keeps them in a folder, for clients that
// want files: ca.crt, server.crt, server.key, and NAME.crt with NAME.key.
type vault struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newVault(t *testing.T) *vault {
	t.Helper()
	ca, err := pki.NewRoot(pki.Options{Subject: named("HTTP/2 CA")})
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{t, t.TempDir(), ca}
	write(t, v.path("ca.crt"), string(pki.CertPEM(ca.Cert)))
	v.issue("server", pki.Options{
		DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	v.issue("client", pki.Options{})
	return v
}

func (v *vault) path(name string) string { return filepath.Join(v.dir, name) }

// issue makes and keeps the certificate CN=NAME,O=Acme.
func (v *vault) issue(name string, o pki.Options) tls.Certificate {
	v.t.Helper()
	return v.issueFrom(v.ca, name, o)
}

func (v *vault) issueFrom(ca *pki.Authority, name string, o pki.Options) tls.Certificate {
	v.t.Helper()
	o.Subject = pkix.Name{CommonName: name, Organization: []string{"Acme"}}
	certificate, err := ca.Issue(o)
	if err != nil {
		v.t.Fatal(err)
	}
	key, err := pki.KeyPEM(certificate.PrivateKey)
	if err != nil {
		v.t.Fatal(err)
	}
	write(v.t, v.path(name+".crt"), string(pki.ChainPEM(certificate)))
	write(v.t, v.path(name+".key"), string(key))
	return certificate
}

// certificate reads one back, as the clients that want files do.
func (v *vault) certificate(name string) tls.Certificate {
	v.t.Helper()
	certificate, err := tls.LoadX509KeyPair(v.path(name+".crt"), v.path(name+".key"))
	if err != nil {
		v.t.Fatal(err)
	}
	return certificate
}

// dn is how nginx and the sidecar tell the subject of such a certificate.
func dn(name string) string { return "CN=" + name + ",O=Acme" }

// settings are those of a sidecar before an application.
func (v *vault) settings(application string) settings {
	return settings{
		"MTLS_UPSTREAM_URL":    "http://" + application,
		"MTLS_CERT_FILE":       v.path("server.crt"),
		"MTLS_KEY_FILE":        v.path("server.key"),
		"MTLS_CLIENT_CA_FILE":  v.path("ca.crt"),
		"MTLS_RELOAD_INTERVAL": "1h", // so that nothing happens by itself
	}
}

// front is a server that clients reach the application through.
type front struct {
	*process
	*vault
	addr  string
	nginx bool // the reference; it cannot do all that the sidecar does
}

func (f *front) url(path string) string {
	return "https://localhost:" + f.addr[strings.LastIndexByte(f.addr, ':')+1:] + path
}

// eachFront runs a test against nginx and against the sidecar, each with an
// application and certificates of its own, and set up in the sidecar's words.
func eachFront(t *testing.T, more settings, test func(*testing.T, *front, *site)) {
	t.Parallel()
	t.Run("Nginx", func(t *testing.T) {
		t.Parallel()
		s := startSite(t)
		test(t, startNginxFront(t, s.addr, more), s)
	})
	t.Run("Sidecar", func(t *testing.T) {
		t.Parallel()
		s := startSite(t)
		test(t, startSidecarFront(t, s.addr, more), s)
	})
}

func startSidecarFront(t *testing.T, application string, more settings) *front {
	t.Helper()
	v := newVault(t)
	car := startSidecar(t, v.settings(application).with(more))
	return &front{process: car.process, vault: v, addr: car.addr}
}

// startNginxFront sets nginx up as the settings set up the sidecar; it knows
// those that the tests use.
func startNginxFront(t *testing.T, application string, more settings) *front {
	t.Helper()
	path := need(t, "nginx")
	page, err := template.ParseFiles(nginxData("http2.conf.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	words := settings{"MTLS_VERIFY_CLIENT": "optional", "MTLS_MAX_CONNECTION_AGE": "1h"}.with(more)
	v := newVault(t)
	for range 5 { // a port that was free a moment ago may be taken by now
		port := freePorts(t, 1)[0]
		file, err := os.Create(v.path("nginx.conf"))
		if err != nil {
			t.Fatal(err)
		}
		err = page.Execute(file, map[string]any{
			"Dir": v.dir, "Port": port, "Application": application, "HTTP2": words["MTLS_HTTP2"] != "false",
			"Verify": words["MTLS_VERIFY_CLIENT"], "Age": words["MTLS_MAX_CONNECTION_AGE"],
		})
		if closed := file.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		n := &nginx{addrs: map[string]string{"": "127.0.0.1:" + strconv.Itoa(port)}}
		p := start(t, "nginx", exec.Command(path, "-p", v.dir, "-c", v.path("nginx.conf")))
		if n.listens(p) {
			return &front{process: p, vault: v, addr: n.addrs[""], nginx: true}
		}
	}
	t.Fatal("nginx did not start")
	return nil
}
