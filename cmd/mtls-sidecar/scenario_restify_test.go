package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two routes of a restify application, one protected, behind the sidecar as
// they stand behind nginx with ssl_verify_client optional.

// restifyAuthority makes the CA with a pass phrase on its key.
const restifyAuthority = `
openssl genrsa -des3 -passout file:pass -out ca.key 4096
openssl req -new -x509 -days 365 -key ca.key -passin file:pass -out ca.crt -subj /C=US/ST=California/O=Acme/CN=Acme-CA
`

// restifyPair makes a key with a pass phrase and a certificate of X.509 v1.
// Server and client share a serial number, as published.
const restifyPair = `
openssl genrsa -des3 -passout file:pass FORM -out NAME.key BITS
openssl req -new -key NAME.key -passin file:pass -out NAME.csr -subj /C=US/ST=California/O=Acme/CN=COMMON
openssl x509 -req -days 365 -in NAME.csr -CA ca.crt -CAkey ca.key -passin file:pass -set_serial 01 -out NAME.crt
`

const (
	restifyPass = "open sesame"
	restifyDN   = "CN=client,O=Acme,ST=California,C=US"
)

// restify is the application, and the folder with the certificates.
type restify struct {
	app *backend
	dir string
}

func TestRestifyWithAProtectedRoute(t *testing.T) {
	t.Parallel()
	r := restify{startBackend(t, "restify"), t.TempDir()}
	write(t, filepath.Join(r.dir, "pass"), restifyPass+"\n")
	commands(t, r.dir, restifyAuthority)
	for _, pair := range []struct{ name, common, bits, form string }{
		{"server", "localhost", "2048", ""},
		{"older", "localhost", "2048", "-traditional"},
		{"small", "localhost", "1024", ""},
		{"client", "client", "2048", ""},
		{"smallclient", "client", "1024", ""},
	} {
		fill := strings.NewReplacer("NAME", pair.name, "COMMON", pair.common, "BITS", pair.bits, "FORM", pair.form)
		commands(t, r.dir, fill.Replace(restifyPair))
	}
	t.Run("KeyEncryptedAsPKCS8", func(t *testing.T) {
		requireInFile(t, filepath.Join(r.dir, "server.key"), "BEGIN ENCRYPTED PRIVATE KEY")
		r.routes(t, "server")
	})
	t.Run("KeyEncryptedTheOlderWay", func(t *testing.T) {
		requireInFile(t, filepath.Join(r.dir, "older.key"), "DEK-Info: DES-EDE3-CBC")
		r.routes(t, "older")
	})
	t.Run("ClientsAddress", r.address)
	t.Run("ServersKeyOf1024BitsIsNamed", r.smallServer)
	t.Run("ClientsKeyOf1024BitsIsRefused", r.smallClient)
}

// settings point at the files of one server certificate.
func (r restify) settings(server string) settings {
	return settings{
		"MTLS_UPSTREAM_URL":        r.app.upstream(),
		"MTLS_CERT_FILE":           filepath.Join(r.dir, server+".crt"),
		"MTLS_KEY_FILE":            filepath.Join(r.dir, server+".key"),
		"MTLS_KEY_PASSPHRASE_FILE": filepath.Join(r.dir, "pass"),
		"MTLS_CLIENT_CA_FILE":      filepath.Join(r.dir, "ca.crt"),
	}
}

// presenting are curl's arguments for a client certificate.
func presenting(name string) []string {
	return []string{"--key", name + ".key", "--cert", name + ".crt", "--pass", restifyPass}
}

// routes is the published table of requests and answers, and more lies.
func (r restify) routes(t *testing.T, server string) {
	car := startSidecar(t, r.settings(server))
	spoof := []string{"-H", "VERIFIED: SUCCESS", "-H", "DN: CN=admin"}
	respelt := []string{"-H", "verified: SUCCESS", "-H", "Verified: SUCCESS", "-H", "dn: CN=admin", "-H", "Connection: close, VERIFIED, DN"}
	for _, row := range []struct {
		name         string
		path         string
		args         []string
		status       int
		verified, dn string
	}{
		{"the open route without a certificate", "/", nil, 200, "NONE", ""},
		{"the protected route without a certificate", "/protected-route", nil, 401, "NONE", ""},
		{"the protected route with one", "/protected-route", presenting("client"), 200, "SUCCESS", restifyDN},
		{"the open route with one", "/", presenting("client"), 200, "SUCCESS", restifyDN},
		{"a lie without a certificate", "/protected-route", spoof, 401, "NONE", ""},
		{"a lie in other spellings", "/protected-route", respelt, 401, "NONE", ""},
		{"a lie beside a certificate", "/protected-route", append(presenting("client"), spoof...), 200, "SUCCESS", restifyDN},
		{"TLS 1.2 without a certificate", "/protected-route", []string{"--tls-max", "1.2"}, 401, "NONE", ""},
		{"TLS 1.2 with one", "/protected-route", append(presenting("client"), "--tls-max", "1.2"), 200, "SUCCESS", restifyDN},
	} {
		got := curl(t, r.dir, append(row.args, "-k", car.url(row.path))...)
		if got.exit != 0 || got.status != row.status {
			t.Errorf("%s: got status %d (curl's exit %d, %s), want %d", row.name, got.status, got.exit, got.stderr, row.status)
			continue
		}
		r.app.next(t).identity(t, row.verified, row.dn)
	}
}

// address: X-Real-IP is set and X-Forwarded-For appended to, as nginx is told
// to in the same tutorial.
func (r restify) address(t *testing.T) {
	car := startSidecar(t, r.settings("server"))
	got := curl(t, r.dir, "-k", car.url("/"), "-H", "X-Forwarded-For: 10.9.8.7", "-H", "X-Real-IP: 10.9.8.7")
	if got.status != 200 {
		t.Fatalf("got status %d (curl's exit %d, %s), want 200", got.status, got.exit, got.stderr)
	}
	saw := r.app.next(t)
	for name, want := range map[string]string{
		"x-real-ip":       "127.0.0.1",
		"x-forwarded-for": "10.9.8.7, 127.0.0.1",
		"host":            strings.TrimPrefix(car.url(""), "https://"),
	} {
		if got := saw.values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want just %q", name, got, want)
		}
	}
}

// smallServer: refused or warned about, the file must be named and the size told.
func (r restify) smallServer(t *testing.T) {
	cmd := sidecarCommand(t, r.settings("small").with(settings{"MTLS_LISTEN_ADDR": "127.0.0.1:0"}))
	start(t, "mtls-sidecar", cmd).expect(t, "1024", filepath.Join(r.dir, "small."))
}

func (r restify) smallClient(t *testing.T) {
	car := startSidecar(t, r.settings("server"))
	// Distributions' OpenSSL refuses to load such a key even in the client; an
	// older client is what level 0 stands for.
	conf := filepath.Join(r.dir, "old-client.cnf")
	write(t, conf, "openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nCipherString=DEFAULT@SECLEVEL=0\n")
	got := curlWith(t, r.dir, []string{"OPENSSL_CONF=" + conf}, append(presenting("smallclient"), "-k", car.url("/"))...)
	if got.exit != 0 || got.status != 400 {
		t.Errorf("got status %d (curl's exit %d, %s), want 400", got.status, got.exit, got.stderr)
	}
	if want := "EE certificate key too weak"; !strings.Contains(got.body, want) {
		t.Errorf("the page does not say %q:\n%s", want, got.body)
	}
	car.expect(t, "EE certificate key too weak", "CN=client")
}

// requireInFile checks that a fixture is of the form that the test is about.
func requireInFile(t *testing.T, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), text) {
		t.Fatalf("%s does not contain %q", path, text)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
