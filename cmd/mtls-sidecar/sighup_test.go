package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"strings"
	"syscall"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// hup tells a process to read its files again.
func (p *process) hup(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// said counts the lines so far that contain all of the texts.
func (p *process) said(texts ...string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
lines:
	for _, l := range p.lines {
		for _, text := range texts {
			if !strings.Contains(l.text, text) {
				continue lines
			}
		}
		count++
	}
	return count
}

// expectTimes waits until so many lines contain all of the texts.
func (p *process) expectTimes(t *testing.T, n int, texts ...string) {
	t.Helper()
	from := 0
	for range n {
		_, next, err := p.find(from, func(l line) bool {
			for _, text := range texts {
				if !strings.Contains(l.text, text) {
					return false
				}
			}
			return true
		})
		if err != nil {
			t.Fatalf("waiting for %s to say %q %d times: %v\n%s", p.name, texts, n, err, p.tail(60))
		}
		from = next
	}
}

// serverPair writes a server certificate of this name where the settings point.
func serverPair(t *testing.T, s settings, cn string) {
	t.Helper()
	certificate, err := pki.SelfSigned(pki.Options{Subject: pkix.Name{CommonName: cn}, DNSNames: []string{"localhost"}, EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.KeyPEM(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s["MTLS_CERT_FILE"], string(pki.ChainPEM(certificate)))
	write(t, s["MTLS_KEY_FILE"], string(key))
}

// shown is the name in the certificate that the server shows to a new connection.
func shown(t *testing.T, addr string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// patient has files read on SIGHUP alone.
var patient = settings{"MTLS_RELOAD_INTERVAL": "1h"}

func TestSIGHUPPutsTheFilesInForce(t *testing.T) {
	s, _ := mintedFiles(t)
	car := startSidecar(t, s.with(patient))
	serverPair(t, s, "renewed")
	if got := shown(t, car.addr); got != "the server" {
		t.Errorf("before SIGHUP: shows %q", got)
	}
	car.hup(t)
	car.expect(t, `"msg":"reloaded"`, `"files":"server certificate"`, "CN=renewed")
	if got := shown(t, car.addr); got != "renewed" {
		t.Errorf("after SIGHUP: shows %q", got)
	}
}

// TestSIGHUPTellsStandingFaultsAgain: whoever asks wants an answer, also when it is the last one.
func TestSIGHUPTellsStandingFaultsAgain(t *testing.T) {
	s, _ := mintedFiles(t)
	car := startSidecar(t, s.with(patient))
	sound, err := os.ReadFile(s["MTLS_CLIENT_CA_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	write(t, s["MTLS_CLIENT_CA_FILE"], "no certificate\n")
	for n := 1; n <= 3; n++ {
		car.hup(t)
		car.expectTimes(t, n, `"level":"error"`, `"msg":"reload failed`, "MTLS_CLIENT_CA_FILE", s["MTLS_CLIENT_CA_FILE"])
	}
	if got := shown(t, car.addr); got != "the server" {
		t.Errorf("while a file is damaged: shows %q", got)
	}
	write(t, s["MTLS_CLIENT_CA_FILE"], string(sound))
	car.hup(t)
	car.expect(t, `"msg":"mended"`, `"files":"client CAs"`)
	car.expect(t, `"msg":"reloaded"`, `"files":"client CAs"`)
	if n := car.said(`"msg":"reload failed`); n != 3 {
		t.Errorf("the fault was told %d times, want once for each SIGHUP", n)
	}
}

func TestAStormOfSIGHUPsDoesNoHarm(t *testing.T) {
	s, certificate := mintedFiles(t)
	app := startRecorder(t)
	car := startSidecar(t, s.with(patient).with(settings{"MTLS_UPSTREAM_URL": "http://" + app.addr}))
	conn, err := client{cert: &certificate, version: tls.VersionTLS13}.dial(car.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for n := range 200 {
		car.hup(t)
		if n%2 == 0 {
			serverPair(t, s, "in the storm") // so that some readings are of half a change
		}
		if answer, _, err := conn.ask(keepRequest); err != nil || answer.StatusCode != 200 {
			t.Fatalf("request %d on an open connection: %v, %v", n, answer, err)
		}
		if saw := app.take(); saw == nil || strings.Join(saw.values("verified"), " and ") != "SUCCESS" {
			t.Fatalf("request %d: the application saw %v", n, saw)
		}
	}
	serverPair(t, s, "after the storm")
	car.hup(t)
	car.expect(t, `"msg":"reloaded"`, "CN=after the storm")
	if got := shown(t, car.addr); got != "after the storm" {
		t.Errorf("after the storm: shows %q", got)
	}
}

// TestSIGHUPDuringTheDrainIsNoSecondSignalToStop: the request in flight finishes.
func TestSIGHUPDuringTheDrainIsNoSecondSignalToStop(t *testing.T) {
	p, app, answers := requestInFlight(t, patient.with(settings{"MTLS_DRAIN_TIMEOUT": "1h"}))
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.expect(t, `"msg":"stopping"`)
	for range 20 {
		p.hup(t)
	}
	p.finishes(t, app, answers)
}
