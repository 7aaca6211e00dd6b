package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// chromium is a browser's home, with a client certificate that it presents
// without asking anybody.
type chromium struct {
	home string
	url  string
}

// newChromium puts a certificate of the vault and the CA into the store that
// Chromium on Linux has (NSS's, under HOME), and says for which site to use it:
// there is nobody to click. The policy AutoSelectCertificateForUrls would say the
// same for the whole machine; a profile's preference of that name says it for one.
func newChromium(t *testing.T, f *front, certificate string) chromium {
	t.Helper()
	need(t, "chromium")
	c := chromium{home: t.TempDir(), url: f.url("/")}
	database := filepath.Join(c.home, ".pki", "nssdb")
	profile := filepath.Join(c.home, "profile", "Default")
	for _, folder := range []string{database, profile} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	commands(t, f.dir, strings.NewReplacer("STORE", "sql:"+database, "NAME", certificate, "BUNDLE", filepath.Join(c.home, "bundle.p12")).Replace(`
openssl pkcs12 -export -in NAME.crt -inkey NAME.key -out BUNDLE -passout pass:secret -name NAME
certutil -N -d STORE --empty-password
pk12util -i BUNDLE -d STORE -W secret
certutil -A -d STORE -n authority -t C,, -i ca.crt
`))
	filter, err := json.Marshal(map[string]any{"pattern": strings.TrimSuffix(c.url, "/"), "filter": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	preferences, err := json.Marshal(map[string]any{"profile": map[string]any{"managed_auto_select_certificate_for_urls": []string{string(filter)}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(profile, "Preferences"), string(preferences))
	return c
}

// document is the page as it stands when it has loaded, with all that its scripts
// have done to it until then.
func (c chromium) document(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(need(t, "chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+filepath.Join(c.home, "profile"), "--timeout=50000", "--dump-dom", c.url)
	cmd.Env = append(os.Environ(), "HOME="+c.home)
	cmd.Dir = c.home
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.Bytes())
	}
	return string(out)
}

// element is the text of one.
func element(document, id string) string {
	text := regexp.MustCompile(`id="` + id + `">([^<]*)<`).FindStringSubmatch(document)
	if text == nil {
		return "nothing"
	}
	return text[1]
}

func TestChromiumUsesAPageOverHTTP2WithACertificate(t *testing.T) {
	t.Parallel()
	needWS(t)
	for name, startFront := range map[string]func(*testing.T, string, settings) *front{"Nginx": startNginxFront, "Sidecar": startSidecarFront} {
		t.Run(name, func(t *testing.T) {
			app := &backend{process: nodeScript(t, "browser.mjs")}
			app.port = app.next(t).Listening
			f := startFront(t, siteAddr(app), nil)
			document := newChromium(t, f, "client").document(t)
			for id, want := range map[string]string{
				"identity": "SUCCESS " + dn("client"),
				"page":     "h2",
				"upload":   "200 same SUCCESS " + dn("client") + " h2",
				"cookies":  "one=1; two=2",
				"many":     "60",
				"events":   "0,1,2,3,4",
				// A browser opens an HTTP/1.1 connection for this one, as long as
				// nobody announces extended CONNECT (RFC 8441 §3).
				"socket": "grüße",
				"closed": "1000 true",
			} {
				if got := element(document, id); got != want {
					t.Errorf("%s: the page shows %q, want %q", id, got, want)
				}
			}
			if t.Failed() {
				t.Log(document)
			}
			app.identities(t, "client")
		})
	}
}

// identities checks that whatever the browser asked for came with its identity,
// the WebSocket's handshake included.
func (b *backend) identities(t *testing.T, certificate string) {
	t.Helper()
	for {
		seen := b.next(t)
		if seen.URL != "/favicon.ico" { // which may come whenever it likes
			seen.identity(t, "SUCCESS", dn(certificate))
		}
		if seen.URL == "/socket" {
			if got := seen.values("upgrade"); len(got) != 1 || got[0] != "websocket" || seen.HTTPVersion != "1.1" {
				t.Errorf("the WebSocket's handshake came as HTTP/%s with Upgrade %q", seen.HTTPVersion, got)
			}
			return
		}
	}
}
