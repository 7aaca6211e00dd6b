package main_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// commandResult is what became of one run of the program.
type commandResult struct {
	code           int
	stdout, stderr string
}

// runCommand runs the program to its end.
func runCommand(t *testing.T, s settings, args ...string) commandResult {
	t.Helper()
	cmd := sidecarCommand(t, s, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(hang, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	_ = cmd.Wait() // the exit code is read from ProcessState
	return commandResult{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mintedFiles are settings that can be used: a server certificate of 30 days
// for localhost, and a CA; client is a certificate of that CA.
func mintedFiles(t *testing.T) (s settings, client tls.Certificate) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Command CA", Organization: []string{"Acme, Inc."}}})
	must(err)
	server, err := ca.Issue(pki.Options{
		Subject: pkix.Name{CommonName: "the server"}, DNSNames: []string{"localhost", "app.example"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotAfter: time.Now().Add(30*24*time.Hour + time.Hour),
	})
	must(err)
	client, err = ca.Issue(pki.Options{})
	must(err)
	key, err := pki.KeyPEM(server.PrivateKey)
	must(err)
	folder := t.TempDir()
	s = settings{"MTLS_LISTEN_ADDR": "127.0.0.1:0", "MTLS_UPSTREAM_URL": "http://127.0.0.1:1"}
	for variable, text := range map[string][]byte{
		"MTLS_CERT_FILE": pki.ChainPEM(server), "MTLS_KEY_FILE": key, "MTLS_CLIENT_CA_FILE": pki.CertPEM(ca.Cert),
	} {
		s[variable] = filepath.Join(folder, variable)
		must(os.WriteFile(s[variable], text, 0o600))
	}
	return s, client
}

func TestTheExitCodeTellsConfigurationFromAccident(t *testing.T) {
	good, _ := mintedFiles(t)
	missing := filepath.Join(t.TempDir(), "missing")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	exposed, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer exposed.Close()
	_, port, _ := net.SplitHostPort(exposed.Addr().String())
	refuse := good.with(settings{"MTLS_UPSTREAM_URL": "http://127.0.0.1:" + port, "MTLS_UPSTREAM_EXPOSED": "refuse"})
	for _, test := range []struct {
		name   string
		s      settings
		args   []string
		code   int
		stderr []string
	}{
		{"an unknown command", good, []string{"frobnicate"}, 2, []string{"frobnicate", "usage:"}},
		{"an argument too many", good, []string{"check", "now"}, 2, []string{"check takes no argument", "now"}},
		{"an argument to serve", good, []string{"serve", "-v"}, 2, []string{"serve takes no argument", "-v"}},
		{"an unknown flag of demo", nil, []string{"demo", "-twice"}, 2, []string{"-once"}},
		{"a wrong value", good.with(settings{"MTLS_VERIFY_CLIENT": "maybe"}), nil, 2, []string{"MTLS_VERIFY_CLIENT", "maybe", "optional_no_ca"}},
		{"an unknown variable", good.with(settings{"MTLS_VERIFY_CLIENTS": "on"}), nil, 2, []string{"MTLS_VERIFY_CLIENTS", "MTLS_VERIFY_CLIENT"}},
		{"several at once", good.with(settings{"MTLS_MIN_TLS": "1.1", "MTLS_LOG_LEVEL": "loud"}), []string{"check"}, 2, []string{"MTLS_MIN_TLS", "MTLS_LOG_LEVEL"}},
		{"a missing certificate", good.with(settings{"MTLS_CERT_FILE": missing}), nil, 2, []string{"MTLS_CERT_FILE", missing}},
		{"a missing key", good.with(settings{"MTLS_KEY_FILE": missing}), []string{"serve"}, 2, []string{"MTLS_KEY_FILE", missing}},
		{"a missing CA", good.with(settings{"MTLS_CLIENT_CA_FILE": missing}), []string{"check"}, 2, []string{"MTLS_CLIENT_CA_FILE", missing}},
		{"nothing set and no files", nil, []string{"check"}, 2, []string{"MTLS_CERT_FILE", "MTLS_CLIENT_CA_FILE", "/etc/mtls"}},
		{"a taken address", good.with(settings{"MTLS_LISTEN_ADDR": taken.Addr().String()}), nil, 1, []string{"MTLS_LISTEN_ADDR", taken.Addr().String()}},
		{"an exposed application", refuse, nil, 2, []string{"MTLS_UPSTREAM_EXPOSED", "0.0.0.0:" + port}},
		{"an exposed application, checked", refuse, []string{"check"}, 2, []string{"MTLS_UPSTREAM_EXPOSED", "0.0.0.0:" + port}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := runCommand(t, test.s, test.args...)
			if got.code != test.code || got.stdout != "" {
				t.Errorf("exit code: got %d, want %d; standard output %q", got.code, test.code, got.stdout)
			}
			for _, want := range test.stderr {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("standard error does not name %q:\n%s", want, got.stderr)
				}
			}
		})
	}
}

func TestCheckPrintsWhatItFound(t *testing.T) {
	s, _ := mintedFiles(t)
	got := runCommand(t, s, "check")
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("exit code: got %d, standard error %q", got.code, got.stderr)
	}
	for _, want := range []string{
		"CN=the server", "localhost", "app.example", "127.0.0.1", "ECDSA", s["MTLS_CERT_FILE"],
		"30 days left (until " + time.Now().Add(30*24*time.Hour+time.Hour).UTC().Format(time.DateOnly) + ")",
		`O=Acme\, Inc.`, "CN=Command CA", "http://127.0.0.1:1", "optional", "can be used",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is not in\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "warning") {
		t.Errorf("a warning without cause:\n%s", got.stdout)
	}
}

func TestCheckPrintsWarnings(t *testing.T) {
	s, client := mintedFiles(t)
	file, err := os.OpenFile(s["MTLS_CLIENT_CA_FILE"], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(pki.ChainPEM(client))
	if closed := file.Close(); err != nil || closed != nil {
		t.Fatal(err, closed)
	}
	got := runCommand(t, s, "check")
	if got.code != 0 || !strings.Contains(got.stdout, "warning") || !strings.Contains(got.stdout, "not a CA") {
		t.Errorf("got %d and\n%s", got.code, got.stdout)
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, word := range []string{"version", "--version"} {
		if got := runCommand(t, nil, word); got.code != 0 || got.stderr != "" ||
			!strings.HasPrefix(got.stdout, "mtls-sidecar ") || !strings.Contains(got.stdout, "go1.") || strings.Count(got.stdout, "\n") != 1 {
			t.Errorf("%s: got %+v", word, got)
		}
	}
	for _, word := range []string{"help", "-h", "--help"} {
		got := runCommand(t, nil, word)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%s: got %+v", word, got)
		}
		for _, command := range []string{"serve", "check", "demo", "version", "help", "MTLS_"} {
			if !strings.Contains(got.stdout, command) {
				t.Errorf("%s does not name %s:\n%s", word, command, got.stdout)
			}
		}
	}
}

// heldBackend is an application that answers when it is told to.
type heldBackend struct {
	net.Listener
	arrived, release chan struct{}
}

func startHeldBackend(t *testing.T) *heldBackend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &heldBackend{listener, make(chan struct{}, 1), make(chan struct{})}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		b.arrived <- struct{}{}
		<-b.release
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
	}()
	return b
}

// requestInFlight starts the program before a held application and one request
// through it, and returns once the application has the request.
func requestInFlight(t *testing.T, more settings) (*process, *heldBackend, *bufio.Reader) {
	t.Helper()
	app := startHeldBackend(t)
	s, client := mintedFiles(t)
	p := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": "http://" + app.Addr().String()}).with(more))
	conn, err := tls.Dial("tcp", p.addr, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{client}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(hang))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-app.arrived:
	case <-time.After(hang):
		t.Fatal("the request did not reach the application")
	}
	return p.process, app, bufio.NewReader(conn)
}

// finishes lets the application answer, and waits until the program has passed the
// whole answer on and ended.
func (p *process) finishes(t *testing.T, app *heldBackend, answers *bufio.Reader) {
	t.Helper()
	close(app.release)
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	if body, err := io.ReadAll(answer.Body); answer.StatusCode != 200 || string(body) != "done" || err != nil {
		t.Errorf("got %d %q %v", answer.StatusCode, body, err)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code: got %d", code)
	}
	p.expect(t, `"msg":"stopped"`, `"connections_cut":0`)
}

func TestASignalLetsTheRequestInFlightFinish(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			p, app, answers := requestInFlight(t, nil)
			if err := p.cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			p.expect(t, `"msg":"stopping"`)
			p.finishes(t, app, answers)
		})
	}
}

func TestASecondSignalHurries(t *testing.T) {
	p, app, answers := requestInFlight(t, settings{"MTLS_DRAIN_TIMEOUT": "1h"})
	defer close(app.release)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM} {
		if err := p.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		p.expect(t, `"msg":"stopping"`)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code: got %d", code)
	}
	p.expect(t, `"msg":"stopped"`, `"connections_cut":1`)
	if rest, _ := io.ReadAll(answers); len(rest) > 0 { // how it ended depends on what was under way
		t.Errorf("the cut request was answered with %q", rest)
	}
}

func TestTheDrainTimeoutCutsWhatDoesNotFinish(t *testing.T) {
	p, app, _ := requestInFlight(t, settings{"MTLS_DRAIN_TIMEOUT": "100ms"})
	defer close(app.release)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code: got %d", code)
	}
	p.expect(t, `"msg":"stopped"`, `"connections_cut":1`)
}
