package headers

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func allSuites() []*tls.CipherSuite {
	return append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
}

func TestEverySuiteHasOpenSSLsName(t *testing.T) {
	for _, suite := range allSuites() {
		if cipherNames[suite.ID] == "" {
			t.Errorf("%s has no name", suite.Name)
		}
	}
	if len(cipherNames) != len(allSuites()) {
		t.Errorf("%d names for %d suites", len(cipherNames), len(allSuites()))
	}
}

// TestSuiteNamesAgreeWithOpenSSL goes by the numbers. OpenSSL 3.0 is usually built without RC4 and 3DES.
func TestSuiteNamesAgreeWithOpenSSL(t *testing.T) {
	requireTool(t, "openssl")
	cmd := exec.CommandContext(t.Context(), "openssl", "ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for line := range strings.Lines(string(out)) {
		var high, low uint16
		var name string
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "0x%x,0x%x - %s", &high, &low, &name); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if ours, known := cipherNames[high<<8|low]; known {
			compared++
			if ours != name {
				t.Errorf("%#04x: got %q, want %q", high<<8|low, ours, name)
			}
		}
	}
	if compared < 19 {
		t.Errorf("compared %d names only", compared)
	}
}

func TestVersionsAndCurvesHaveOpenSSLsNames(t *testing.T) {
	for _, c := range []struct {
		state tls.ConnectionState
		want  string
	}{
		{tls.ConnectionState{Version: tls.VersionTLS12}, "TLSv1.2"},
		{tls.ConnectionState{Version: tls.VersionTLS13}, "TLSv1.3"},
		{tls.ConnectionState{CurveID: tls.CurveP256}, "prime256v1"},
		{tls.ConnectionState{CurveID: tls.CurveP384}, "secp384r1"},
		{tls.ConnectionState{CurveID: tls.CurveP521}, "secp521r1"},
		{tls.ConnectionState{CurveID: tls.X25519}, "X25519"},
		{tls.ConnectionState{CurveID: tls.X25519MLKEM768}, "X25519MLKEM768"},
		{tls.ConnectionState{CurveID: tls.SecP256r1MLKEM768}, "SecP256r1MLKEM768"},
		{tls.ConnectionState{CurveID: tls.SecP384r1MLKEM1024}, "SecP384r1MLKEM1024"},
		{tls.ConnectionState{CipherSuite: tls.TLS_AES_128_GCM_SHA256}, "TLS_AES_128_GCM_SHA256"},
	} {
		f := Facts{TLS: &c.state}
		if got := valueOf(t, "ssl_protocol", f) + valueOf(t, "ssl_curve", f) + valueOf(t, "ssl_cipher", f); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestProtocolOfALPNIsToldWhenVisible(t *testing.T) {
	for protocol, want := range map[string]string{
		"http/1.1": "http/1.1", "h2": "h2", "": "", "a b": "", "a\r\n": "", "\x0a\x0a": "", "é": "", " ": "", "\x7f": "",
	} {
		f := Facts{TLS: &tls.ConnectionState{NegotiatedProtocol: protocol}}
		if got := valueOf(t, "ssl_alpn_protocol", f); got != want {
			t.Errorf("%q: got %q, want %q", protocol, got, want)
		}
	}
}

// nginx 1.22.1 on OpenSSL 3.0.19 described such connections so: the group is remembered with a session, also for TLS 1.2,
// and RSA key exchange has none.
func TestConnectionsAreDescribedAsNginxDescribesThem(t *testing.T) {
	cases := []struct {
		what          string
		client        *tls.Config
		key           crypto.Signer
		full, resumed string
	}{
		{"TLS 1.3", &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"}}, ecKey(t),
			"TLSv1.3 X25519 . http/1.1 Foo.example", "TLSv1.3 X25519 r http/1.1 Foo.example"},
		{"TLS 1.3, P-384", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}, ecKey(t),
			"TLSv1.3 secp384r1 .  Foo.example", "TLSv1.3 secp384r1 r  Foo.example"},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP521}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}}, ecKey(t),
			"TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 secp521r1 .  Foo.example", "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 secp521r1 r  Foo.example"},
		{"TLS 1.2, RSA", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, rsaKey(t),
			"TLSv1.2 AES128-GCM-SHA256  .  Foo.example", "TLSv1.2 AES128-GCM-SHA256  r  Foo.example"},
	}
	for _, c := range cases {
		server := &tls.Config{Certificates: []tls.Certificate{serverCertificate(t, c.key)}, NextProtos: []string{"http/1.1"}, CipherSuites: c.client.CipherSuites}
		c.client.InsecureSkipVerify = true
		c.client.ServerName = "Foo.example"
		c.client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for _, want := range []string{c.full, c.resumed} {
			state := handshake(t, server, c.client)
			if state.Version == tls.VersionTLS13 { // whose suite depends on the machine
				state.CipherSuite = 0
			}
			f, got := Facts{TLS: &state}, ""
			for _, variable := range []string{"ssl_protocol", "ssl_cipher", "ssl_curve", "ssl_session_reused", "ssl_alpn_protocol", "ssl_server_name"} {
				if value := valueOf(t, variable, f); variable != "ssl_cipher" || value != "" {
					got += value + " "
				}
			}
			if got = strings.TrimSuffix(got, " "); got != want {
				t.Errorf("%s: got %q, want %q", c.what, got, want)
			}
		}
	}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serverCertificate(t *testing.T, key crypto.Signer) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(4e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake is the server's view of a connection, over which one byte has gone to the client: a ticket of TLS 1.3 comes before it.
func handshake(t *testing.T, server, client *tls.Config) tls.ConnectionState {
	t.Helper()
	near, far := net.Pipe()
	deadline := time.Now().Add(time.Minute)
	for _, c := range []net.Conn{near, far} {
		if err := c.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	received := make(chan error, 1)
	go func() {
		defer far.Close()
		_, err := bufio.NewReaderSize(tls.Client(far, client), 16).ReadByte()
		received <- err
	}()
	conn := tls.Server(near, server)
	defer near.Close()
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{'x'}); err != nil {
		t.Fatal(err)
	}
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState()
}
