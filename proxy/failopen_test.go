package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// Doors that others left open by accident, each by the name it became known under.

// strangersFolder is where a child process finds what its system trusts.
const strangersFolder = "FAILOPEN_TEST_FOLDER"

// Caddy swallowed the error of a CA file that could not be read and went on
// without a pool, which crypto/x509 takes to mean the system's roots.
//
// The system's roots are read once in a process, so that this takes one of its own, to
// which the environment names a stranger's CA as the system's only one.
func TestCVE202627586AnUnusableCAFileNeverMeansTheSystemsRoots(t *testing.T) {
	if folder := os.Getenv(strangersFolder); folder != "" {
		distrustTheSystem(t, folder)
		return
	}
	stranger, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "System Root"}})
	works(t, err)
	client, err := stranger.Issue(pki.Options{})
	works(t, err)
	key, err := pki.KeyPEM(client.PrivateKey)
	works(t, err)
	folder := folderFor(t)
	works(t, os.Mkdir(filepath.Join(folder, "roots"), 0o700))
	put(t, filepath.Join(folder, "roots", "root.pem"), pki.CertPEM(stranger.Cert))
	put(t, filepath.Join(folder, "client.crt"), pki.ChainPEM(client))
	put(t, filepath.Join(folder, "client.key"), key)
	for name, environ := range map[string][]string{
		"SSL_CERT_FILE": {"SSL_CERT_FILE=" + filepath.Join(folder, "roots", "root.pem"), "SSL_CERT_DIR=/nonexistent"},
		"SSL_CERT_DIR":  {"SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=" + filepath.Join(folder, "roots")},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := os.Executable()
			works(t, err)
			child := exec.CommandContext(t.Context(), program, "-test.run=^TestCVE202627586AnUnusableCAFileNeverMeansTheSystemsRoots$", "-test.count=1", "-test.v")
			child.Env = append(os.Environ(), append(environ, strangersFolder+"="+folder)...)
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), theSystemIsDistrusted) {
				t.Errorf("the child process: %v\n%s", err, out)
			}
		})
	}
}

const theSystemIsDistrusted = "came to its end"

// distrustTheSystem runs where the system trusts the CA of the client in a folder.
func distrustTheSystem(t *testing.T, folder string) {
	stranger, err := tls.LoadX509KeyPair(filepath.Join(folder, "client.crt"), filepath.Join(folder, "client.key"))
	works(t, err)
	if _, err := stranger.Leaf.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Fatalf("the system does not trust the stranger's CA, so that this proves nothing: %v", err)
	}
	app := startTeller(t)
	for _, entry := range []string{"MTLS_INVALID_CERT=failed", "MTLS_VERIFY_CLIENT=optional_no_ca"} {
		if got := startSidecar(t, app.url, entry).verdict(t, &stranger); got != isUnknown {
			t.Errorf("%s: got %s, want %s", entry, got, isUnknown)
		}
	}
	for _, fault := range spoilings() {
		if fault.variable != "MTLS_CLIENT_CA_FILE" {
			continue
		}
		t.Run(fault.name, func(t *testing.T) {
			w := newReloadWorld(t)
			fault.spoil(&spoiler{w.reloadPKI, t, w.folder})
			for name, look := range map[string]func(){"poll": func() { w.look.look(false) }, "SIGHUP": func() { works(t, w.Reload()) }} {
				look()
				if got := w.verdict(t, &stranger); got != isUnknown {
					t.Errorf("%s: the stranger is told as %s, want %s", name, got, isUnknown)
				}
				if names, asked := w.offered(t, tls.VersionTLS13); !asked || strings.Contains(strings.Join(names, ","), "System") {
					t.Errorf("%s: asked %t, for certificates of %q", name, asked, names)
				}
			}
			config := environment(t, worldEntries(w.folder)...)
			if m, err := Load(config); err == nil {
				t.Errorf("at the start: no error, and the CAs are %v", m.CAs)
			}
		})
	}
	t.Log(theSystemIsDistrusted)
}

// Traefik served with empty options where the ones named did not exist or
// could not be used: mTLS was off. A word that is wrong, or nearly right, ends the program.
func TestCVE202246153AnOptionThatCannotBeUsedIsNotAnEmptyOne(t *testing.T) {
	for variable, values := range map[string][]string{
		"MTLS_VERIFY_CLIENT":    {"require", "On", "true", "optional ", " on", "optional-no-ca", "on,off", "no", "0"},
		"MTLS_INVALID_CERT":     {"fail", "NONE", "allow", "reject,none"},
		"MTLS_REJECT_WITH":      {"alerts", "Page", "404"},
		"MTLS_VERIFY_DEPTH":     {"-1", "all", "1.5", "101", "0x1"},
		"MTLS_MIN_RSA_BITS":     {"0", "512", "-2048", "2048bits"},
		"MTLS_MIN_TLS":          {"1.0", "1.1", "TLSv1.2", "0"},
		"MTLS_CRL":              {"ftp://ca.example/x.crl", "ldap://ca.example/", "http://", "file:///etc/mtls/x.crl", ","},
		"MTLS_CRL_POLICY":       {"none", "off", "Strict", "chain"},
		"MTLS_CRL_GRACE":        {"-1h", "1", "forever"},
		"MTLS_CRL_MAX_BYTES":    {"0", "-1", "2TiB"},
		"MTLS_OCSP":             {"true", "must", "Leaf", "chain"},
		"MTLS_OCSP_FAIL":        {"soft", "Reject", "ignore"},
		"MTLS_CLIENT_CA_FILE":   {",", " , "},
		"MTLS_TICKET_KEY_FILES": {","},
		"MTLS_SESSION_TIMEOUT":  {"0", "0s", "-5m", "300"},
		"MTLS_RELOAD_INTERVAL":  {"0", "0s", "-1s", "off"},
	} {
		for _, value := range values {
			found := configFaults(t, variable+"="+value)
			if len(found) != 1 || found[0].Variable != variable || found[0].Problem == "" {
				t.Errorf("%s=%q: got %v, want one fault of that variable", variable, value, found)
			}
		}
	}
}

// The same at run time: what cannot be used does not make the next connection
// one that is asked for no certificate, or judged by laxer rules.
func TestCVE202246153AFailedReloadLeavesTheModeAsItWas(t *testing.T) {
	p := newReloadPKI(t)
	app := startTeller(t)
	for _, entries := range [][]string{
		{"MTLS_VERIFY_CLIENT=on", "MTLS_INVALID_CERT=reject"},
		{"MTLS_VERIFY_CLIENT=on", "MTLS_INVALID_CERT=reject", "MTLS_REJECT_WITH=alert"},
	} {
		folder := folderFor(t)
		for name, text := range p.worldFiles() {
			put(t, filepath.Join(folder, name), text)
		}
		s := startSidecar(t, app.url, append(worldEntries(folder), entries...)...)
		for name := range p.worldFiles() {
			put(t, filepath.Join(folder, name), nil)
		}
		works(t, s.Reload())
		before := s.tls.Load()
		works(t, s.Reload())
		if s.tls.Load() != before || before.ClientAuth != clientAuth(s.config) || before.ClientAuth == tls.NoClientCert {
			t.Errorf("%q: asks for certificates as %v, want %v", entries, s.tls.Load().ClientAuth, clientAuth(s.config))
		}
		for name, certificate := range map[string]*tls.Certificate{"no certificate": nil, "an unknown one": p.clients[1], "a revoked one": p.revoked} {
			if got, status := answerOrAlert(t, s, certificate); status == 200 {
				t.Errorf("%q, %s: admitted as %s", entries, name, got)
			}
		}
		if got := s.verdict(t, p.clients[0]); got != "SUCCESS" {
			t.Errorf("%q, a good one: got %s", entries, got)
		}
	}
}

// answerOrAlert makes one request; status 0 stands for a failed handshake.
func answerOrAlert(t *testing.T, s *sidecar, certificate *tls.Certificate) (body string, status int) {
	t.Helper()
	conn, err := tls.Dial("tcp", s.addr, clientOf(tls.VersionTLS12, certificate))
	if err != nil {
		return err.Error(), 0
	}
	conn.Close()
	c := s.dialWith(t, clientOf(tls.VersionTLS12, certificate))
	c.send(getRequest)
	answer, body := c.answer("GET")
	return body, answer.StatusCode
}

// Traefik read a flag the wrong way round: verification was off where it was
// asked for. Here each word stands with what it must do, written down by hand.
func TestCVE202566491EveryModeWordDoesWhatItSays(t *testing.T) {
	p := newReloadPKI(t)
	app := startTeller(t)
	type outcome struct{ none, valid, unknown, revoked string }
	const refused = "400"
	for _, test := range []struct {
		mode, invalid string
		want          outcome
	}{
		{"optional", "reject", outcome{"NONE", "SUCCESS", refused, refused}},
		{"optional", "failed", outcome{"NONE", "SUCCESS", isUnknown, isRevoked}},
		{"optional", "none", outcome{"NONE", "SUCCESS", "NONE", "NONE"}},
		{"on", "reject", outcome{refused, "SUCCESS", refused, refused}},
		{"optional_no_ca", "reject", outcome{"NONE", "SUCCESS", isUnknown, refused}},
		{"off", "reject", outcome{"NONE", "NONE", "NONE", "NONE"}},
	} {
		t.Run(test.mode+"/"+test.invalid, func(t *testing.T) {
			folder := folderFor(t)
			for name, text := range p.worldFiles() {
				put(t, filepath.Join(folder, name), text)
			}
			entries := append(worldEntries(folder), "MTLS_VERIFY_CLIENT="+test.mode, "MTLS_INVALID_CERT="+test.invalid)
			if test.mode == "off" {
				entries = slices.DeleteFunc(entries, func(entry string) bool { return strings.HasPrefix(entry, "MTLS_CRL=") })
			}
			s := startSidecar(t, app.url, entries...)
			for _, when := range []string{"at the start", "after a reload", "after a failed reload"} {
				got := outcome{tellOf(t, s, nil), tellOf(t, s, p.clients[0]), tellOf(t, s, p.clients[1]), tellOf(t, s, p.revoked)}
				if got != test.want {
					t.Errorf("%s: got %+v, want %+v", when, got, test.want)
				}
				if when == "after a reload" {
					put(t, filepath.Join(folder, "ca.crt"), nil)
					put(t, filepath.Join(folder, "crl.pem"), nil)
				}
				works(t, s.Reload())
			}
		})
	}
}

// tellOf is what the application is told, or the page's status.
func tellOf(t *testing.T, s *sidecar, certificate *tls.Certificate) string {
	t.Helper()
	c := s.dial(t, certificate)
	defer c.Close()
	c.send(getRequest)
	answer, body := c.answer("GET")
	if answer.StatusCode != 200 {
		return fmt.Sprint(answer.StatusCode)
	}
	return body
}
