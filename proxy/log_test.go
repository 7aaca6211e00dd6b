package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"crypto/x509/pkix"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mtls-sidecar/proxy/pki"
)

// noneLeftOut is for tests that have many refused for one reason: each has its line.
const noneLeftOut = "MTLS_ACCESS_LOG=all"

// logsNothingOf fails when any logged line has the text in it, in whatever field.
func (s *sidecar) logsNothingOf(t *testing.T, text string) {
	t.Helper()
	for _, entry := range s.logs.All() {
		if line := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(line, text) {
			t.Errorf("%q is in the log: %s", text, line)
		}
	}
}

// onlyRefusal waits for the line about a refusal and fails when there are more.
func (s *sidecar) onlyRefusal(t *testing.T, message string) map[string]any {
	t.Helper()
	waitFor(t, "the log line "+message, func() bool { return len(s.logged(message)) > 0 })
	if n := s.logs.FilterLevelExact(zapcore.InfoLevel).Len() - len(s.logged("listening")); n != 1 {
		t.Errorf("lines at info about one refusal: got %d, want 1: %v", n, s.logs.All())
	}
	return s.logged(message)[0].ContextMap()
}

func TestARefusalIsOneLineThatSaysWhoAndWhy(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	end := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	s.dial(t, issue(t, pki.Options{
		Subject:   pkix.Name{CommonName: "late, client", Organization: []string{"Acme"}},
		Serial:    big.NewInt(0xabc),
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end,
	})).asks(app, expectation{status: 400})
	got := s.onlyRefusal(t, "client certificate refused")
	for field, want := range map[string]any{
		"error.type":                "expired",
		"error.message":             "certificate has expired",
		"http.response.status_code": int64(400),
		"client.address":            "127.0.0.1",
		"tls.client.subject":        `CN=late\, client,O=Acme`, // the form that the application sees: most specific first
		"tls.client.issuer":         "CN=Relay Test CA",
		"tls.client.serial_number":  "0ABC", // openssl x509 -serial, nginx's $ssl_client_serial: two digits for each byte
		"tls.client.not_after":      end,
		"tls.resumed":               false,
	} {
		if got[field] != want {
			t.Errorf("%s: got %v, want %v", field, got[field], want)
		}
	}
}

func TestARefusalNamesTheCertificateAtFaultInTheChain(t *testing.T) {
	past := time.Now().Add(-time.Hour)
	intermediate, err := testCA(t).ca.Intermediate(pki.Options{
		Subject: pkix.Name{CommonName: "Old Intermediate"}, NotBefore: past.AddDate(-1, 0, 0), NotAfter: past})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := intermediate.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	leaf = pki.With(leaf, intermediate.Cert)
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	s.dial(t, &leaf).asks(app, expectation{status: 400})
	got := s.onlyRefusal(t, "client certificate refused")
	culprit, _ := got["culprit"].(map[string]any)
	if culprit["subject"] != "CN=Old Intermediate" || got["tls.client.subject"] != "CN=client" {
		t.Errorf("got culprit %v of subject %v", culprit["subject"], got["tls.client.subject"])
	}
}

func TestAMissingCertificateIsLoggedWithoutASubject(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_VERIFY_CLIENT=on")
	s.dial(t, nil).asks(app, expectation{status: 400})
	got := s.onlyRefusal(t, "client certificate refused")
	if got["error.type"] != "no_certificate" || got["client.address"] != "127.0.0.1" || got["http.response.status_code"] != int64(400) {
		t.Errorf("got %v", got)
	}
	if _, found := got["tls.client.subject"]; found {
		t.Errorf("a subject is logged of a client without certificate: %v", got)
	}
}

func TestAServedRequestIsNotLogged(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	s.dial(t, &testCA(t).client).asks(app, expectation{200, "SUCCESS", "CN=client,O=Acme"})
	for _, entry := range s.logs.All() {
		if entry.Message != "listening" {
			t.Errorf("logged: %s %v", entry.Message, entry.ContextMap())
		}
	}
}

// standardError returns what f writes there.
func standardError(t *testing.T, f func()) []byte {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	real := os.Stderr
	os.Stderr = w
	defer func() { os.Stderr = real }()
	f()
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheLogIsOneJSONObjectALineWithTheTimeInUTC(t *testing.T) {
	text := standardError(t, func() {
		logging := NewLogger(environment(t))
		defer logging.Close()
		log := logging.Logger
		for range 300 { // more of one message than zap's sampling would let through
			log.Info("hello", zap.String("who", "line\nbreak"), zap.Time("when", time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))))
		}
		log.Debug("not at this level")
	})
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if len(lines) != 300 {
		t.Fatalf("lines: got %d, want 300", len(lines))
	}
	var got struct{ Level, Time, Msg, Who, When, Caller, Stacktrace string }
	if err := json.Unmarshal(lines[0], &got); err != nil {
		t.Fatalf("%s: %v", lines[0], err)
	}
	if got.Level != "info" || got.Msg != "hello" || got.Who != "line\nbreak" || got.When != "2026-01-02T02:04:05Z" || got.Caller != "" {
		t.Errorf("got %s", lines[0])
	}
	at, err := time.Parse(time.RFC3339Nano, got.Time)
	if err != nil || !strings.HasSuffix(got.Time, "Z") || time.Since(at) > time.Hour {
		t.Errorf("time: got %q", got.Time)
	}
}

func TestTheLogLevelIsTheLeastThatIsWritten(t *testing.T) {
	for level, want := range map[string]string{
		"debug": "debug info warn error", "info": "info warn error", "warn": "warn error", "error": "error",
	} {
		text := standardError(t, func() {
			logging := NewLogger(environment(t, "MTLS_LOG_LEVEL="+level))
			defer logging.Close()
			log := logging.Logger
			log.Debug("said")
			log.Info("said")
			log.Warn("said")
			log.Error("said")
		})
		var levels []string
		for line := range bytes.Lines(text) {
			var entry struct{ Level string }
			if err := json.Unmarshal(line, &entry); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			levels = append(levels, entry.Level)
		}
		if got := strings.Join(levels, " "); got != want {
			t.Errorf("MTLS_LOG_LEVEL=%s: got %s, want %s", level, got, want)
		}
	}
}

func TestTheConsoleFormatIsForReaders(t *testing.T) {
	text := standardError(t, func() {
		logging := NewLogger(environment(t, "MTLS_LOG_FORMAT=console"))
		defer logging.Close()
		logging.Logger.Warn("careful", zap.Int("n", 7))
	})
	if json.Valid(text) || !bytes.Contains(text, []byte("careful")) || !bytes.Contains(text, []byte("warn")) ||
		bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("got %q", text)
	}
}
