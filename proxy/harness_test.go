package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"mtls-sidecar/proxy/pki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang is how long a test waits for an event that must come. It is no
// measurement: a machine under load may take most of it.
const hang = 60 * time.Second

// authority is the CA of one test run, its server certificate and a good
// client's.
type authority struct {
	ca             *pki.Authority
	server, client tls.Certificate
}

var testAuthority = sync.OnceValues(func() (*authority, error) {
	ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Relay Test CA"}})
	if err != nil {
		return nil, err
	}
	server, err := ca.Issue(pki.Options{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return nil, err
	}
	client, err := ca.Issue(pki.Options{Subject: pkix.Name{CommonName: "client", Organization: []string{"Acme"}}})
	return &authority{ca, server, client}, err
})

func testCA(t testing.TB) *authority {
	t.Helper()
	a, err := testAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// issue makes a client certificate of the test CA.
func issue(t testing.TB, o pki.Options) *tls.Certificate {
	t.Helper()
	certificate, err := testCA(t).ca.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	return &certificate
}

// issueBelow makes a client certificate of an intermediate of the test CA, to be
// presented with it.
func issueBelow(t testing.TB) (leaf tls.Certificate, intermediate *x509.Certificate) {
	t.Helper()
	ca, err := testCA(t).ca.Intermediate(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err = ca.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return pki.With(leaf, ca.Cert), ca.Cert
}

// sidecar is a running server in front of an address.
type sidecar struct {
	*Server
	addr   string
	logs   *observer.ObservedLogs
	served chan error
}

// startSidecar runs one with the test CA and the entries given, until the test
// ends.
func startSidecar(t testing.TB, upstream string, entries ...string) *sidecar {
	t.Helper()
	s := newSidecar(t, upstream, entries...)
	s.start(t)
	return s
}

// newSidecar makes one that start starts, for tests that change it before.
func newSidecar(t testing.TB, upstream string, entries ...string) *sidecar {
	t.Helper()
	classified(t)
	a := testCA(t)
	// Not t.TempDir, whose path has the test's name in it: a comma there would
	// end a list's element.
	folder, err := os.MkdirTemp("", "sidecar-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	write := func(name string, text []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := pki.KeyPEM(a.server.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	entries, hurry := inAHurry(t, entries)
	config, err := Environment(append([]string{
		"MTLS_LISTEN_ADDR=127.0.0.1:0",
		"MTLS_UPSTREAM_URL=" + upstream,
		"MTLS_UPSTREAM_EXPOSED=ignore", // the kernel's table is long while tests run
		"MTLS_CERT_FILE=" + write("server.crt", pki.CertPEM(a.server.Leaf)),
		"MTLS_KEY_FILE=" + write("server.key", key),
		"MTLS_CLIENT_CA_FILE=" + write("ca.crt", pki.CertPEM(a.ca.Cert)),
	}, entries...))
	if err != nil {
		t.Fatal(err)
	}
	hurry(config)
	material, err := Load(config)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	server, err := NewServer(config, material, zap.New(frozen{core}))
	if err != nil {
		t.Fatal(err)
	}
	return &sidecar{Server: server, logs: logs, served: make(chan error, 1)}
}

// inAHurry lets tests set intervals that no operator may.
func inAHurry(t testing.TB, entries []string) (rest []string, apply func(*Config)) {
	t.Helper()
	intervals := map[string]time.Duration{}
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		if name != "MTLS_RELOAD_INTERVAL" && name != "MTLS_CRL_REFRESH" {
			rest = append(rest, entry)
			continue
		}
		interval, err := time.ParseDuration(value)
		if err != nil {
			t.Fatal(err)
		}
		intervals[name] = interval
	}
	return rest, func(c *Config) {
		if d := intervals["MTLS_RELOAD_INTERVAL"]; d > 0 {
			c.ReloadInterval.Duration = d
		}
		if d := intervals["MTLS_CRL_REFRESH"]; d > 0 {
			c.CRLRefresh.Duration = d
		}
	}
}

func (s *sidecar) start(t testing.TB) {
	t.Helper()
	starting, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	if err := s.Start(starting); err != nil {
		t.Fatal(err)
	}
	listener, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	go func() { s.served <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// client is a raw TLS client: what it sends is what it was given.
type client struct {
	*tls.Conn
	r    *bufio.Reader
	t    testing.TB
	tail *recordTail // what came in, before it was decrypted
	h2   *h2client   // nil: the connection speaks HTTP/1.1
}

// Write sends bytes of HTTP/1.1, as such or as the HTTP/2 that says the same.
func (c *client) Write(p []byte) (int, error) {
	if c.h2 != nil {
		return c.h2.Write(p)
	}
	return c.Conn.Write(p)
}

// dial connects with a certificate or without (nil).
func (s *sidecar) dial(t testing.TB, certificate *tls.Certificate) *client {
	t.Helper()
	return s.dialWith(t, clientConfig(certificate))
}

func (s *sidecar) dialWith(t testing.TB, config *tls.Config) *client {
	t.Helper()
	c, err := s.reach(t, config, nil)
	if err != nil {
		t.Fatalf("connecting to the sidecar: %v", err)
	}
	return c
}

// reach connects from an address (nil: any), in the mode of the test.
func (s *sidecar) reach(t testing.TB, config *tls.Config, from net.Addr) (*client, error) {
	t.Helper()
	config = s.arranged(t, config)
	dialer := &net.Dialer{Timeout: hang, LocalAddr: from}
	socket, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(hang))
	tail := &recordTail{Conn: socket}
	conn := tls.Client(tail, config)
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{Conn: conn, r: bufio.NewReader(conn), t: t, tail: tail}
	return c.carried(), nil
}

// clientConfig presents the certificate whatever CAs the server names.
func clientConfig(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config
}

func (c *client) send(parts ...string) {
	c.t.Helper()
	if !c.endsConnections() { // there is nothing behind a request
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == smuggled })
	}
	if _, err := io.WriteString(c, strings.Join(parts, "")); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// answer reads one answer with net/http, body and all.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	answer, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading the answer's head: %v", err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatalf("reading the answer's body: %v", err)
	}
	if c.h2 != nil && answer.StatusCode >= 200 {
		answer.Close = c.h2.settled() || answer.Close
	}
	return answer, string(body)
}

// rest reads to the end and returns what came and how it ended: nil for a
// clean TLS end, io.ErrUnexpectedEOF for one without close_notify.
func (c *client) rest() (string, error) {
	if c.h2 != nil {
		return c.h2.rest(c.r, c.r.Buffered)
	}
	body, err := io.ReadAll(c.r)
	if err == nil && !c.tail.ended() {
		err = io.ErrUnexpectedEOF
	}
	return string(body), err
}

// backend is an application made of raw bytes: for each request it hands the
// head and body as they arrived to a function that answers on the socket.
type backend struct {
	url      string
	listener net.Listener
	requests chan string // every head, as it arrived
	conns    sync.WaitGroup
}

// exchangeFunc answers one request. It returns false to close the connection.
type exchangeFunc func(conn net.Conn, r *bufio.Reader, head string) bool

func startBackend(t testing.TB, serve exchangeFunc) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startBackendOn(t, listener, serve)
}

func startBackendOn(t testing.TB, listener net.Listener, serve exchangeFunc) *backend {
	b := &backend{url: "http://" + listener.Addr().String(), listener: listener, requests: make(chan string, 4096)}
	ctx, cancel := context.WithCancel(context.Background())
	b.conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() { b.serve(ctx, conn, serve) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		b.conns.Wait()
	})
	return b
}

func (b *backend) serve(ctx context.Context, conn net.Conn, serve exchangeFunc) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		var head bytes.Buffer
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" {
				break
			}
		}
		b.requests <- head.String()
		if !serve(conn, r, head.String()) {
			return
		}
	}
}

// seen is the next head that the backend got.
func (b *backend) seen(t testing.TB) string {
	t.Helper()
	select {
	case head := <-b.requests:
		return head
	case <-time.After(hang):
		t.Fatal("the application saw no request")
		return ""
	}
}

// sawNothing fails when a request arrived. Call it after the answer is there.
func (b *backend) sawNothing(t testing.TB) {
	t.Helper()
	select {
	case head := <-b.requests:
		t.Errorf("the application saw a request that it must not see:\n%s", head)
	default:
	}
}

// answering answers every request, whose body must be empty, with fixed bytes.
func answering(answer string) exchangeFunc {
	return func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, err := io.WriteString(conn, answer)
		return err == nil
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// lines are the field lines of a head, without its first line.
func lines(head string) []string {
	all := strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")
	return all[1:]
}

// values are the values of a field in a head, its name compared exactly.
func values(head, name string) []string {
	var found []string
	for _, line := range lines(head) {
		if n, v, _ := strings.Cut(line, ": "); n == name {
			found = append(found, v)
		}
	}
	return found
}

// waitFor waits until a condition holds that another goroutine brings about.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(hang)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// logged returns the logged lines with a message.
func (s *sidecar) logged(message string) []observer.LoggedEntry {
	return s.logs.FilterMessage(message).All()
}

// absent skips a test that needs what this system has not, but fails it with
// TEST_REQUIRE=1.
func absent(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("TEST_REQUIRE") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
