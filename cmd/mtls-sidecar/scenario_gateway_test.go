package main_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
)

// An API gateway that lets nobody in without a certificate: Express Gateway's
// tutorial, with the sidecar as the gateway and an Express service behind it.

const gatewayCertificates = `
openssl genrsa -out rootCA.key 2048
openssl req -x509 -new -nodes -key rootCA.key -sha256 -days 1024 -out rootCA.pem -subj /C=US/O=Acme/CN=Acme-Root
openssl genrsa -out server.key 2048
openssl req -new -key server.key -out server.csr -subj /C=US/O=Acme/CN=localhost
openssl x509 -req -days 365 -in server.csr -CA rootCA.pem -CAkey rootCA.key -set_serial 01 -out server.crt
openssl genrsa -out client.key 2048
openssl req -new -key client.key -out client.csr -subj /C=US/O=Acme/CN=client
openssl x509 -req -days 365 -in client.csr -CA rootCA.pem -CAkey rootCA.key -set_serial 01 -out client.crt
openssl req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -out stranger.crt -days 365 -subj /CN=stranger
`

const gatewayDN = "CN=client,O=Acme,C=US"

// gateway is the service, and the folder with the certificates.
type gateway struct {
	app *backend
	dir string
}

func TestGatewayThatRequiresACertificate(t *testing.T) {
	t.Parallel()
	g := gateway{startBackend(t, "users"), t.TempDir()}
	commands(t, g.dir, gatewayCertificates)
	t.Run("RefusesInTheHandshake", g.alert)
	t.Run("RefusesWithAPage", g.page)
	t.Run("RelaysBodiesWhole", g.bodies)
}

// start runs the sidecar as the gateway.
func (g gateway) start(t *testing.T, more settings) *sidecar {
	t.Helper()
	return startSidecar(t, settings{
		"MTLS_UPSTREAM_URL":   g.app.upstream(),
		"MTLS_CERT_FILE":      filepath.Join(g.dir, "server.crt"),
		"MTLS_KEY_FILE":       filepath.Join(g.dir, "server.key"),
		"MTLS_CLIENT_CA_FILE": filepath.Join(g.dir, "rootCA.pem"),
		"MTLS_VERIFY_CLIENT":  "on",
	}.with(more))
}

// curl asks for /users with a certificate, "" being none.
func (g gateway) curl(t *testing.T, car *sidecar, cert string, args ...string) curlAnswer {
	t.Helper()
	if cert != "" {
		args = append(args, "--key", cert+".key", "--cert", cert+".crt")
	}
	return curl(t, g.dir, append(args, "-k", car.url("/users"))...)
}

// passed checks an answer to the believed client. What the application saw
// next is this request: those refused before it never got there.
func (g gateway) passed(t *testing.T, got curlAnswer) {
	t.Helper()
	if got.exit != 0 || got.status != 200 {
		t.Fatalf("with the certificate: got status %d (curl's exit %d, %s), want 200", got.status, got.exit, got.stderr)
	}
	g.app.next(t).identity(t, "SUCCESS", gatewayDN)
}

func (g gateway) alert(t *testing.T) {
	car := g.start(t, settings{"MTLS_REJECT_WITH": "alert"})
	for _, version := range []string{"1.2", "1.3"} {
		for _, cert := range []string{"", "stranger"} {
			// In TLS 1.3 the client's handshake is over before the server has
			// looked at the certificate, so that curl calls it a failed read (56), or a
			// failed write (55) of what HTTP/2 begins with.
			got := g.curl(t, car, cert, "--tls-max", version)
			if got.exit != 35 && got.exit != 55 && got.exit != 56 || got.status != 0 {
				t.Errorf("TLS %s, certificate %q: curl's exit %d, status %d (%s), want exit 35, 55 or 56", version, cert, got.exit, got.status, got.stderr)
			}
		}
		g.passed(t, g.curl(t, car, "client", "--tls-max", version))
	}
}

func (g gateway) page(t *testing.T) {
	car := g.start(t, nil)
	for cert, want := range map[string]string{"": "sent none", "stranger": "self-signed certificate"} {
		got := g.curl(t, car, cert)
		if got.exit != 0 || got.status != 400 || !strings.Contains(got.body, want) {
			t.Errorf("certificate %q: got status %d (curl's exit %d), body %q, want 400 and %q", cert, got.status, got.exit, got.body, want)
		}
	}
	g.passed(t, g.curl(t, car, "client"))
}

func (g gateway) bodies(t *testing.T) {
	car := g.start(t, nil)
	body := make([]byte, 700_001)
	_, _ = rand.Read(body) // never fails
	write(t, filepath.Join(g.dir, "body"), string(body))
	sum := sha256.Sum256(body)
	for name, args := range map[string][]string{
		"with a length": nil,
		"in chunks":     {"-H", "Transfer-Encoding: chunked"},
	} {
		args = append(args, "-X", "PUT", "--data-binary", "@body", "-H", "Expect:")
		got := g.curl(t, car, "client", args...)
		if got.status != 200 {
			t.Fatalf("%s: got status %d (curl's exit %d, %s), want 200", name, got.status, got.exit, got.stderr)
		}
		saw := g.app.next(t)
		saw.identity(t, "SUCCESS", gatewayDN)
		if saw.BodyBytes != len(body) || saw.BodySHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: the application read %d bytes, hash %s, want %d, %x", name, saw.BodyBytes, saw.BodySHA256, len(body), sum)
		}
	}
}
