package main_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pythonAnswer is what decode.py read out of the headers.
type pythonAnswer struct {
	Certificates map[string][]string // SHA-256 of the DER, by header
	Facts        map[string]string   // what the header should hold, by header
	Fault        string
	Headers      [][2]string
}

// portion is what of a chain a header carries.
type portion string

const (
	justLeaf   portion = "the leaf"
	wholeChain portion = "leaf and intermediates"
	aboveLeaf  portion = "the intermediates"
)

// of cuts the part out of what a client presents.
func (p portion) of(cert tls.Certificate) []string {
	list := []string{}
	for _, der := range cert.Certificate {
		list = append(list, fmt.Sprintf("%x", sha256.Sum256(der)))
	}
	switch p {
	case justLeaf:
		return list[:1]
	case aboveLeaf:
		return list[1:]
	default:
		return list
	}
}

// pythonReads are the headers of each preset that carry certificates.
var pythonReads = map[string]map[string]portion{
	"ingress-nginx":    {"ssl-client-cert": justLeaf},
	"xfcc":             {"X-Forwarded-Client-Cert": justLeaf},
	"rfc9440":          {"Client-Cert": justLeaf, "Client-Cert-Chain": aboveLeaf},
	"haproxy":          {"X-SSL-Client-DER": justLeaf},
	"traefik":          {"X-Forwarded-Tls-Client-Cert": wholeChain},
	"aws-alb":          {"X-Amzn-Mtls-Clientcert-Leaf": justLeaf, "X-Amzn-Mtls-Clientcert": wholeChain},
	"apache":           {"SSL_CLIENT_CERT": justLeaf},
	"tomcat":           {"ssl_client_cert": justLeaf},
	"puppet":           {"X-Client-Cert": justLeaf},
	"foreman":          {"SSL-CLIENT-CERT": justLeaf},
	"aspnet":           {"X-Client-Cert": justLeaf},
	"azure":            {"X-ARR-ClientCert": justLeaf},
	"gcp":              {"X-Client-Cert-Leaf": justLeaf, "X-Client-Cert-Chain": aboveLeaf},
	"cloudflare":       {"Cf-Client-Cert-Der-Base64": justLeaf},
	"keycloak-haproxy": {"Client-Cert": justLeaf, "Client-Cert-Chain": aboveLeaf},
}

// debianPython runs a program of ours with the packages of Debian's own Python.
func debianPython(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(need(t, "/usr/bin/python3"), args...)
	cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// modules skips the test, or fails it, where Debian's Python lacks one of them.
func modules(t *testing.T, names ...string) {
	t.Helper()
	if err := debianPython(t, "-c", "import "+strings.Join(names, ", ")).Run(); err != nil {
		missing(t, "/usr/bin/python3 lacks one of %s (Debian: python3-NAME)", names)
	}
}

// TestPythonReadsTheVeryCertificate has the cryptography package parse every form in which a
// certificate is sent, and say itself what the facts beside it should be.
func TestPythonReadsTheVeryCertificate(t *testing.T) {
	t.Parallel()
	modules(t, "cryptography")
	python, c := startConsumer(t, debianPython(t, consumerFile(t, "decode.py")), listening), newCrowd(t)
	for preset, parts := range pythonReads {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			car := c.car(t, python.port, preset)
			for name, cert := range map[string]*tls.Certificate{"plain": &c.plain, "chained": &c.chained, "nothing": nil, "stranger": &c.stranger} {
				a := askPython(t, car, preset, cert)
				if a.Fault != "" {
					t.Errorf("%s: %s\n%s", name, a.Fault, a.Headers)
				}
				want := map[string][]string{}
				if name == "plain" || name == "chained" {
					for header, p := range parts {
						if list := p.of(*cert); len(list) > 0 {
							want[header] = list
						}
					}
				}
				a.compare(t, name, want)
			}
		})
	}
}

func askPython(t *testing.T, car *sidecar, preset string, cert *tls.Certificate) pythonAnswer {
	t.Helper()
	status, body := car.ask(t, cert, "/"+preset)
	var a pythonAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("status %d, %v in %q\n%s", status, err, body, car.tail(20))
	}
	return a
}

// compare checks the certificates that were read and the facts beside them.
func (a pythonAnswer) compare(t *testing.T, client string, want map[string][]string) {
	t.Helper()
	if got, want := fmt.Sprint(a.Certificates), fmt.Sprint(want); got != want {
		t.Errorf("%s: read %s, want %s", client, got, want)
	}
	for header, fact := range a.Facts {
		i := slices.IndexFunc(a.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], header) })
		if i < 0 || a.Headers[i][1] != fact {
			t.Errorf("%s: the certificate says %s: %s, the application saw\n%s", client, header, fact, a.Headers)
		}
	}
}
