package main_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nodeAnswer is what certificate.js read out of the headers.
type nodeAnswer struct {
	Chain []struct {
		DER, Subject, Names string
	}
	// Names are by the way of reading the pairs of a header that holds names.
	Names   map[string][]nodePair
	Fault   string
	Headers map[string]string
}

// nodePair is a key and its value, or several of them.
type nodePair [2]any

// nodeReader is a reader of certificate.js and the setting that it is for.
type nodeReader struct {
	name     string
	dialects string
	chain    bool // it gets intermediates too
}

var nodeReaders = []nodeReader{
	{"aws-alb", "aws-alb", false},
	{"aws-alb-passthrough", "aws-alb", true},
	{"cloudflare", "cloudflare", false},
	{"envoy", "xfcc", true},
	{"traefik", "traefik", true},
	{"rfc9440", "rfc9440", true},
	{"verified", "X-SSL-Client-Verify=$ssl_client_verify X-SSL-Client-Cert=$ssl_client_escaped_cert", false},
}

// startNode runs certificate.js.
func startNode(t *testing.T) consumer {
	t.Helper()
	if _, err := os.Stat(filepath.Join(backends(t), "node_modules", "structured-headers")); err != nil {
		missing(t, "structured-headers is not installed: run npm ci in testdata/backends")
	}
	return startConsumer(t, exec.Command(need(t, "node"), consumerFile(t, "certificate.js")), listening)
}

// read asks through the sidecar and returns what the reader made of it.
func (r nodeReader) read(t *testing.T, car *sidecar, cert *tls.Certificate, lies ...string) (status int, a nodeAnswer) {
	t.Helper()
	status, body := car.ask(t, cert, "/"+r.name, lies...)
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: status %d, %v in %q\n%s", r.name, status, err, body, car.tail(20))
	}
	return status, a
}

// believes checks that the reader saw this very certificate, and nothing else.
func (r nodeReader) believes(t *testing.T, status int, a nodeAnswer, cert tls.Certificate) {
	t.Helper()
	want := cert.Certificate[:1]
	if r.chain {
		want = cert.Certificate
	}
	if status != 200 || len(a.Chain) != len(want) {
		t.Errorf("%s: status %d and %d certificates (%s), want 200 and %d", r.name, status, len(a.Chain), a.Fault, len(want))
		return
	}
	for i, der := range want {
		if a.Chain[i].DER != base64.StdEncoding.EncodeToString(der) {
			t.Errorf("%s: certificate %d is another one: %s", r.name, i, a.Chain[i].Subject)
		}
	}
}

// denies checks that the reader saw no certificate, and not one header that
// could hold something of it.
func (r nodeReader) denies(t *testing.T, status int, a nodeAnswer) {
	t.Helper()
	if status != 401 || len(a.Chain) > 0 {
		t.Errorf("%s: status %d and %d certificates, want 401 and none", r.name, status, len(a.Chain))
	}
	for name := range a.Headers {
		if !ordinary(name) && name != "x-ssl-client-verify" {
			t.Errorf("%s: without a believed certificate the application saw %s: %s", r.name, name, a.Headers[name])
		}
	}
}

// forged are the lines that say what the application was told of somebody else.
func (a nodeAnswer) forged() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		if !ordinary(name) {
			lines = append(lines, name+": "+a.Headers[name], strings.ToUpper(name)+": "+a.Headers[name])
		}
	}
	return lines
}

// TestNodeReadsTheVeryCertificate is about libraries such as client-certificate-auth,
// whose presets read the same headers by the same rules.
func TestNodeReadsTheVeryCertificate(t *testing.T) {
	t.Parallel()
	node, c := startNode(t), newCrowd(t)
	for _, r := range nodeReaders {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			car := c.car(t, node.port, r.dialects)
			status, seen := r.read(t, car, &c.plain)
			r.believes(t, status, seen, c.plain)
			if len(seen.Chain) > 0 {
				got := seen.Chain[0]
				for _, want := range []string{"CN=plain", "O=Acme"} {
					if !strings.Contains(got.Subject, want) {
						t.Errorf("the subject is %q, want %s in it", got.Subject, want)
					}
				}
				for _, want := range []string{"DNS:plain.example", "URI:spiffe://example.org/ns/plain/sa/default"} {
					if !strings.Contains(got.Names, want) {
						t.Errorf("the names are %q, want %s among them", got.Names, want)
					}
				}
			}
			status, answer := r.read(t, car, &c.chained)
			r.believes(t, status, answer, c.chained)

			lies := seen.forged()
			if len(lies) == 0 {
				t.Fatal("the application saw no header of the dialect")
			}
			for _, forged := range [][]string{nil, lies} {
				status, answer = r.read(t, car, nil, forged...)
				r.denies(t, status, answer)
				status, answer = r.read(t, car, &c.chained, forged...)
				r.believes(t, status, answer, c.chained)
			}
			if r.name == "verified" {
				// An operator's own entries are filled on FAILED too; the verdict tells.
				lies = []string{"X-SSL-Client-Verify: SUCCESS"}
			}
			status, answer = r.read(t, car, &c.stranger, lies...)
			if r.name == "verified" {
				delete(answer.Headers, "x-ssl-client-cert")
			}
			r.denies(t, status, answer)
		})
	}
}
