package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// nginxSays is what nginx tells of every row. TLS 1.2 and 1.3, new sessions and resumed ones must agree on what is the
// certificate's.
func nginxSays(t *testing.T, m *dialectMint, dir string) record {
	t.Helper()
	return peerRecord(t, "nginx.txt", nginxVersion(), func() map[string]words {
		p := startDialectNginx(t, dir, []nginxListener{{Variables: certificateVariables}})[0]
		all, older := p.aboutAll(m, tls.VersionTLS13), p.aboutAll(m, tls.VersionTLS12)
		again, resumed := p.aboutResumed(m, tls.VersionTLS13)
		for name, row := range all {
			if !maps.Equal(row, again[name]) {
				t.Errorf("%s: nginx says %v, and %v when resumed (%v)", name, row, again[name], resumed[name])
			}
			delete(older[name], "X-Info") // holds $ssl_protocol
			without := maps.Clone(row)
			delete(without, "X-Info")
			if !maps.Equal(without, older[name]) {
				t.Errorf("%s: nginx says %v over TLS 1.3 and %v over 1.2", name, without, older[name])
			}
		}
		return all
	})
}

func haproxySays(t *testing.T, m *dialectMint, dir string) record {
	t.Helper()
	return peerRecord(t, "haproxy.txt", toolVersion("haproxy -vv", `HAProxy version (\d+\.\d+)(?s:.*)Running on OpenSSL version : (OpenSSL \d+\.\d+)`), func() map[string]words {
		return startDialectHAProxy(t, dir).aboutAll(m, tls.VersionTLS13)
	})
}

func apacheSays(t *testing.T, m *dialectMint, dir string) record {
	t.Helper()
	return peerRecord(t, "apache.txt", apacheVersion(), func() map[string]words {
		return startDialectApache(t, dir).aboutAll(m, tls.VersionTLS13)
	})
}

// sessionsSay is what nginx tells of every connection.
func sessionsSay(t *testing.T, dir string) record {
	t.Helper()
	return peerRecord(t, "sessions.txt", nginxVersion(), func() map[string]words {
		servers := startDialectNginx(t, dir, sessionListeners())
		all := map[string]words{}
		for _, s := range tlsSessions() {
			all[s.name] = s.over(t, servers[slices.Index(sessionServers(), s.server)])
		}
		return all
	})
}

// rsaServer adds a server certificate with an RSA key to the files in dir.
func rsaServer(t *testing.T, dir string) {
	t.Helper()
	m := newMint(t)
	cert := m.leaf(m.good, pki.Options{Subject: named("localhost"), DNSNames: []string{"localhost"}, Key: m.rsaKey(2048),
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	key, err := pki.KeyPEM(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"rsa.crt": pki.ChainPEM(cert), "rsa.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// apacheVersion takes the library's version from the program openssl, since Apache does not tell it.
func apacheVersion() string {
	server, library := toolVersion("apache2 -v", `Apache/(\d+\.\d+)`), toolVersion("openssl version", `OpenSSL (\d+\.\d+)`)
	if server == "" {
		return ""
	}
	return server + ", " + library
}

// toolVersion returns "haproxy 2.6, OpenSSL 3.0" or the like, and "" where there is no such program.
func toolVersion(command, pattern string) string {
	program, option, _ := strings.Cut(command, " ")
	path, err := lookup(program)
	if err != nil {
		return ""
	}
	out, err := exec.Command(path, option).CombinedOutput()
	found := regexp.MustCompile(pattern).FindStringSubmatch(string(out))
	if err != nil || found == nil {
		return ""
	}
	return program + " " + strings.Join(found[1:], ", ")
}

// TestDialectCertificatesAreTheRecordedOnes: the records are about the certificates that stand beside them, which package
// headers reads without a peer.
func TestDialectCertificatesAreTheRecordedOnes(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What each client presents, leaf first. Made by: go test ./cmd/mtls-sidecar -run Dialect -update\n")
	for _, r := range dialectRows(t).rows {
		b.WriteString("\n= " + r.name + "\n")
		if r.cert != nil {
			b.Write(pki.ChainPEM(*r.cert))
		}
	}
	file := dialectData("certificates.txt")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(stored) != b.String() {
		t.Errorf("%s holds other certificates than are minted here: ask the peers again with -update", file)
	}
}
