package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mtls-sidecar/proxy/pki"
)

// patience bounds each wait for the program.
const patience = 60 * time.Second

// process is a running sidecar.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
	err    error // once it has ended
	admin  *http.Client
	took   time.Duration // from its start until it was ready
}

// environment are the settings of a sidecar with the defaults, but for where its files
// and ports are. The application is not there: nothing is asked of it.
func environment(folder string) ([]string, error) {
	ca, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Bench CA"}})
	if err != nil {
		return nil, err
	}
	server, err := ca.Issue(pki.Options{Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return nil, err
	}
	key, err := pki.KeyPEM(server.PrivateKey)
	if err != nil {
		return nil, err
	}
	environ := []string{"MTLS_LISTEN_ADDR=127.0.0.1:0", "MTLS_UPSTREAM_URL=http://127.0.0.1:1", "MTLS_ADMIN_ADDR=unix://" + adminSocket(folder)}
	for variable, text := range map[string][]byte{
		"MTLS_CERT_FILE": pki.ChainPEM(server), "MTLS_KEY_FILE": key, "MTLS_CLIENT_CA_FILE": pki.CertPEM(ca.Cert),
	} {
		path := filepath.Join(folder, variable)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, err
		}
		environ = append(environ, variable+"="+path)
	}
	return environ, nil
}

func adminSocket(folder string) string { return filepath.Join(folder, "admin.sock") }

// start runs the program and waits until it is ready, of which it tells as it would
// tell systemd: asking again and again would be work for it too.
func start(path, folder string, environ []string) (*process, error) {
	socket := filepath.Join(folder, "notify.sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	defer os.Remove(socket)
	defer manager.Close()
	_ = manager.SetReadDeadline(time.Now().Add(patience))
	p := &process{cmd: exec.Command(path), ended: make(chan struct{}), admin: adminClient(folder)}
	p.cmd.Env, p.cmd.Stderr = append(environ, "NOTIFY_SOCKET="+socket), &p.stderr
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
		_ = manager.SetReadDeadline(time.Now()) // nobody will tell any more
	}()
	if err := heardReady(manager); err != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
		return nil, fmt.Errorf("it is not ready: %w; it said:\n%s", err, p.stderr.Bytes())
	}
	err = p.awaitStartup()
	if p.took = time.Since(begin); err != nil {
		_, _ = p.stop()
		return nil, err
	}
	return p, nil
}

// awaitStartup waits until /startupz answers 200, which is due now.
func (p *process) awaitStartup() error {
	again := time.NewTicker(time.Millisecond / 5)
	defer again.Stop()
	for begin := time.Now(); ; <-again.C {
		if _, err := p.get("/startupz"); err == nil || time.Since(begin) > patience {
			return err
		}
	}
}

// heardReady waits for READY=1: sd_notify(3).
func heardReady(manager *net.UnixConn) error {
	buffer := make([]byte, 1<<12)
	for {
		n, err := manager.Read(buffer)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(buffer[:n])) {
			if strings.TrimSpace(line) == "READY=1" {
				return nil
			}
		}
	}
}

func adminClient(folder string) *http.Client {
	var dialer net.Dialer
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", adminSocket(folder))
		}}}
}

// get asks the admin port; an answer other than 200 is an error.
func (p *process) get(path string) ([]byte, error) {
	answer, err := p.admin.Get("http://localhost" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	return text, err
}

// goroutines is how many it has, as it tells Prometheus.
func (p *process) goroutines() (string, error) {
	text, err := p.get("/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if number, is := strings.CutPrefix(line, "go_goroutines "); is {
			return strings.TrimSpace(number), nil
		}
	}
	return "", errors.New("/metrics has no go_goroutines")
}

// stop ends the program without a drain's delay, and returns the processor time that
// its life took.
func (p *process) stop() (time.Duration, error) {
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return 0, err
	}
	guard := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer guard.Stop()
	<-p.ended
	if p.err != nil {
		return 0, fmt.Errorf("it did not end well: %w; it said:\n%s", p.err, p.stderr.Bytes())
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
}
