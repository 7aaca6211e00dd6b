package main_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mtls-sidecar/proxy/pki"
)

// bureau is a CA and its folder, in which certificates are inspected.
type bureau struct {
	t   *testing.T
	dir string
	ca  *pki.Authority
}

func newBureau(t *testing.T) bureau {
	t.Helper()
	ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Bureau CA"}})
	if err != nil {
		t.Fatal(err)
	}
	b := bureau{t, t.TempDir(), ca}
	b.write("ca.crt", pki.CertPEM(ca.Cert))
	return b
}

func (b bureau) write(name string, text []byte) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// client writes a certificate of the CA.
func (b bureau) client(name string, o pki.Options) (path string, leaf *x509.Certificate) {
	b.t.Helper()
	if o.Subject.CommonName == "" {
		o.Subject = pkix.Name{CommonName: name, Organization: []string{"Acme, Inc."}}
	}
	certificate, err := b.ca.Issue(o)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.write(name, pki.ChainPEM(certificate)), certificate.Leaf
}

// list writes a revocation list.
func (b bureau) list(name string, number int64, revoked ...*x509.Certificate) string {
	b.t.Helper()
	text, err := b.ca.CRL(number, revoked...)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.write(name, text)
}

// inspect runs the program with the CA as its only file: there is no certificate of a server.
func (b bureau) inspect(s settings, files ...string) commandResult {
	b.t.Helper()
	s = settings{"MTLS_CLIENT_CA_FILE": filepath.Join(b.dir, "ca.crt")}.with(s)
	return runCommand(b.t, s, append([]string{"inspect"}, files...)...)
}

// says checks the exit code and that standard output has these lines, in this order.
func (r commandResult) says(t *testing.T, code int, lines ...string) {
	t.Helper()
	rest := "\n" + r.stdout
	for _, line := range lines {
		_, after, found := strings.Cut(rest, "\n"+line)
		if !found {
			t.Errorf("no line %q, or not in this order, in\n%s", line, r.stdout)
			break
		}
		rest = after
		if strings.HasSuffix(line, "\n") {
			rest = "\n" + after
		}
	}
	if r.code != code {
		t.Errorf("exit code: got %d, want %d\n%s\n%s", r.code, code, r.stdout, r.stderr)
	}
}

func TestInspectToldSuccessExitsWithZero(t *testing.T) {
	b := newBureau(t)
	path, leaf := b.client("client.crt", pki.Options{})
	got := b.inspect(nil, path)
	got.says(t, 0, path+"\n", "  verdict   SUCCESS\n",
		`  chain     CN=client.crt,O=Acme\, Inc.`+"\n", "              0 days left (until "+leaf.NotAfter.UTC().Format(time.DateOnly)+"), of this file\n",
		"            CN=Bureau CA\n", "              364 days left (until ",
		`  header    VERIFIED: SUCCESS`+"\n"+`  header    DN: CN=client.crt,O=Acme\, Inc.`+"\n")
	if got.stderr != "" || !strings.Contains(got.stdout, "of MTLS_CLIENT_CA_FILE") {
		t.Errorf("standard error %q, standard output\n%s", got.stderr, got.stdout)
	}
}

func TestInspectTellsWhyNotAndWhatToDo(t *testing.T) {
	b := newBureau(t)
	expired, _ := b.client("expired.crt", pki.Options{NotBefore: time.Now().AddDate(0, 0, -9), NotAfter: time.Now().AddDate(0, 0, -1)})
	good, _ := b.client("good.crt", pki.Options{})
	leaver, leaf := b.client("leaver.crt", pki.Options{})
	list := b.list("ca.crl", 4, leaf)
	got := b.inspect(settings{"MTLS_CRL": list}, expired, good, leaver)
	got.says(t, 1,
		expired+"\n", "  verdict   FAILED:certificate has expired\n  reason    expired\n  remedy    The validity of the certificate, or of a CA above it, has ended.\n            Renew it and present the new one.\n",
		"              EXPIRED on ", "  answer    400 from the sidecar; the application does not see the request\n",
		good+"\n", "  verdict   SUCCESS\n", "              CRL number 4 with 1 entry, of ", "  until     ", "  header    VERIFIED: SUCCESS\n",
		leaver+"\n", "  verdict   FAILED:certificate revoked\n  reason    revoked\n", `  about     CN=leaver.crt,O=Acme\, Inc.`+"\n")
	if !strings.Contains(got.stdout, "NAMES IT AS REVOKED") {
		t.Errorf("no list is told to name the leaver:\n%s", got.stdout)
	}
	if want := "mtls-sidecar: not SUCCESS: " + expired + ", " + leaver + "\n"; got.stderr != want {
		t.Errorf("standard error: got %q, want %q", got.stderr, want)
	}
}

func TestInspectGoesByTheMode(t *testing.T) {
	b := newBureau(t)
	good, _ := b.client("good.crt", pki.Options{})
	expired, _ := b.client("expired.crt", pki.Options{NotBefore: time.Now().AddDate(0, 0, -9), NotAfter: time.Now().AddDate(0, 0, -1)})
	b.inspect(settings{"MTLS_INVALID_CERT": "failed"}, expired).says(t, 1, "  verdict   FAILED:certificate has expired\n", "  header    VERIFIED: FAILED:certificate has expired\n")
	b.inspect(settings{"MTLS_INVALID_CERT": "none"}, expired).says(t, 1, "  verdict   FAILED:certificate has expired\n", "  header    VERIFIED: NONE\n")
	b.inspect(settings{"MTLS_REJECT_WITH": "alert"}, expired).says(t, 1, "  answer    the TLS handshake fails (MTLS_REJECT_WITH=alert)\n")
	off := b.inspect(settings{"MTLS_VERIFY_CLIENT": "off", "MTLS_CLIENT_CA_FILE": "/nonexistent"}, good)
	off.says(t, 1, "  verdict   NONE\n", "  remedy    MTLS_VERIFY_CLIENT=off asks no client for a certificate", "  header    VERIFIED: NONE\n")
}

// TestInspectWithoutAllListsIsNoSuccess: what a list says that could not be had is not known.
func TestInspectWithoutAllListsIsNoSuccess(t *testing.T) {
	b := newBureau(t)
	path, leaf := b.client("client.crt", pki.Options{})
	list := b.list("ca.crl", 1)
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ca.crl" {
			http.NotFound(w, r)
			return
		}
		http.ServeFile(w, r, b.list("later.crl", 2, leaf))
	}))
	t.Cleanup(served.Close)
	available := settings{"MTLS_CRL_POLICY": "available"}
	b.inspect(available.with(settings{"MTLS_CRL": list}), path).says(t, 0, "  verdict   SUCCESS\n")
	b.inspect(available.with(settings{"MTLS_CRL": list + "," + served.URL + "/ca.crl"}), path).says(t, 1, "  verdict   FAILED:certificate revoked\n")
	got := b.inspect(available.with(settings{"MTLS_CRL": list + "," + served.URL + "/missing"}), path)
	got.says(t, 2, "  verdict   SUCCESS\n")
	if !strings.Contains(got.stderr, "MTLS_CRL: "+served.URL+"/missing: ") {
		t.Errorf("standard error: %q", got.stderr)
	}
}

func TestInspectRefusesWhatItCannotUseWithARemedy(t *testing.T) {
	b := newBureau(t)
	good, _ := b.client("good.crt", pki.Options{})
	key := b.write("client.key", []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	garbage := b.write("garbage.crl", []byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	for _, c := range []struct {
		name   string
		s      settings
		files  []string
		stderr []string
		stdout string
	}{
		{"no file", nil, nil, []string{"inspect needs the file of at least one client certificate", "usage:"}, ""},
		{"a missing file", nil, []string{filepath.Join(b.dir, "missing")}, []string{"missing: cannot be read", "name the file of a client's certificate"}, ""},
		{"a key", nil, []string{key}, []string{"client.key: holds a private key and no certificate; name the file"}, ""},
		{"a key before a certificate", nil, []string{key, good}, []string{"client.key: "}, "  verdict   SUCCESS\n"},
		{"a wrong variable", settings{"MTLS_VERIFY_CLIENT": "maybe"}, []string{good}, []string{"MTLS_VERIFY_CLIENT"}, ""},
		{"a missing CA and a damaged list", settings{"MTLS_CLIENT_CA_FILE": "/nonexistent", "MTLS_CRL": garbage}, []string{good},
			[]string{"MTLS_CLIENT_CA_FILE: /nonexistent: ", "MTLS_CRL: " + garbage + ": "}, ""},
	} {
		got := b.inspect(c.s, c.files...)
		if got.code != 2 || !strings.Contains(got.stdout, c.stdout) || c.stdout == "" && got.stdout != "" {
			t.Errorf("%s: exit code %d, standard output %q", c.name, got.code, got.stdout)
		}
		for _, want := range c.stderr {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%s: standard error does not say %q: %q", c.name, want, got.stderr)
			}
		}
	}
}

// TestInspectReadsStandardInput, as in: kubectl exec -i POD -- /mtls-sidecar inspect /dev/stdin
func TestInspectReadsStandardInput(t *testing.T) {
	if _, err := os.Stat("/dev/stdin"); err != nil {
		missing(t, "this system has no /dev/stdin: %v", err)
	}
	b := newBureau(t)
	path, _ := b.client("client.crt", pki.Options{})
	cmd := sidecarCommand(t, settings{"MTLS_CLIENT_CA_FILE": filepath.Join(b.dir, "ca.crt")}, "inspect", "/dev/stdin")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(string(text))
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "  verdict   SUCCESS\n") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// TestInspectCannotBeMadeToSayAnything by what stands in a certificate or a file's name.
func TestInspectCannotBeMadeToSayAnything(t *testing.T) {
	b := newBureau(t)
	lie := "x\n  verdict   SUCCESS\r\n\x1b[2J\x00\u202e"
	stranger, err := pki.SelfSigned(pki.Options{Subject: pkix.Name{CommonName: lie, Organization: []string{"\u009b2J"}}})
	if err != nil {
		t.Fatal(err)
	}
	path := b.write("a\nverdict SUCCESS\x1b[2J", pki.ChainPEM(stranger))
	past, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: lie}, NotBefore: days(-9), NotAfter: days(-1)})
	if err != nil {
		t.Fatal(err)
	}
	b.write("ca.crt", pki.CertPEM(b.ca.Cert, past.Cert)) // there is a warning about it
	believed, _ := b.client("believed.crt", pki.Options{Subject: pkix.Name{CommonName: lie}})
	got := b.inspect(nil, path, filepath.Join(b.dir, "missing\n\x1b[2J"), believed)
	if got.code != 2 || !strings.HasPrefix(got.stdout, "  warning   ") {
		t.Errorf("exit code: got %d\n%s", got.code, got.stdout)
	}
	for name, text := range map[string]string{"output": got.stdout, "error": got.stderr} {
		if !utf8.ValidString(text) || strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("standard %s: %q", name, text)
		}
	}
	if n := strings.Count(got.stdout, "\n  verdict   SUCCESS"); n != 1 {
		t.Errorf("%d verdicts of SUCCESS, want that of the second file alone:\n%s", n, got.stdout)
	}
}

// TestInspectFitsATerminal but for names, numbers and header lines, which are told whole.
func TestInspectFitsATerminal(t *testing.T) {
	b := newBureau(t)
	path, leaf := b.client("client.crt", pki.Options{})
	got := b.inspect(settings{"MTLS_CRL": b.list("ca.crl", 1, leaf), "MTLS_OCSP": "on"}, path)
	for line := range strings.Lines(got.stdout) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 && !strings.Contains(line, b.dir) {
			t.Errorf("%q has more than 80 columns", line)
		}
	}
	if !strings.Contains(got.stdout, "OCSP not asked: ") {
		t.Errorf("nothing is said of OCSP:\n%s", got.stdout)
	}
}

func TestInspectIsEndedByASignal(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	b := newBureau(t)
	path, _ := b.client("client.crt", pki.Options{})
	for _, s := range []settings{{"MTLS_CRL": "http://" + silent.Addr().String()}, {"MTLS_OCSP": "leaf", "MTLS_OCSP_RESPONDER": "http://" + silent.Addr().String(), "MTLS_OCSP_TIMEOUT": "1h"}} {
		p := start(t, "mtls-sidecar inspect", sidecarCommand(t, settings{"MTLS_CLIENT_CA_FILE": filepath.Join(b.dir, "ca.crt")}.with(s), "inspect", path))
		conn, err := silent.Accept() // it asks, and waits
		if err != nil {
			t.Fatal(err)
		}
		if code := p.stop(t); code != 1 {
			t.Errorf("%v: exit code %d, want 1", s, code)
		}
		conn.Close()
	}
}
