package proxy

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func environment(t *testing.T, entries ...string) *Config {
	t.Helper()
	config, err := Environment(entries)
	if err != nil {
		t.Fatalf("Environment(%q): %v", entries, err)
	}
	return config
}

func configFaults(t *testing.T, entries ...string) []Fault {
	t.Helper()
	_, err := Environment(entries)
	var wrong *ConfigError
	if !errors.As(err, &wrong) {
		t.Fatalf("Environment(%q): got error %v, want a *ConfigError", entries, err)
	}
	return wrong.Faults
}

func TestNoVariableIsNeeded(t *testing.T) {
	c := environment(t)
	if c.ListenAddr != ":8443" || c.UpstreamURL.Address != "127.0.0.1:8080" || c.VerifyClient != VerifyOptional {
		t.Errorf("defaults: got %s, %s, %s", c.ListenAddr, c.UpstreamURL, c.VerifyClient)
	}
	if got := []string(c.CertFile); !slices.Equal(got, []string{"/etc/mtls/tls/tls.crt"}) {
		t.Errorf("MTLS_CERT_FILE: got %q", got)
	}
}

func TestEveryVariableTakesItsForm(t *testing.T) {
	c := environment(t,
		"MTLS_LISTEN_ADDR=[::1]:9443", "MTLS_UPSTREAM_URL=unix:///run/app.sock",
		"MTLS_CERT_FILE= a.crt , b.crt,,", "MTLS_KEY_FILE=a.key,b.key",
		"MTLS_VERIFY_DEPTH=3", "MTLS_MIN_TLS=1.3", "MTLS_MAX_HEADER_BYTES=64Ki",
		"MTLS_MAX_BODY_BYTES=10MiB", "MTLS_IDLE_TIMEOUT=1500ms", "MTLS_UPSTREAM_ALLOW_REMOTE=true",
		"MTLS_INVALID_CERT=failed", "MTLS_LOG_LEVEL=debug")
	if got := strings.Join(c.CertFile, "|"); got != "a.crt|b.crt" {
		t.Errorf("lists are trimmed and empty elements dropped: got %q", got)
	}
	if c.UpstreamURL != (UpstreamURL{Network: "unix", Address: "/run/app.sock"}) {
		t.Errorf("MTLS_UPSTREAM_URL: got %+v", c.UpstreamURL)
	}
	if c.VerifyDepth != 3 || c.MaxHeaderBytes != 64<<10 || c.MaxBodyBytes != 10<<20 || c.IdleTimeout.Duration != 1500*time.Millisecond {
		t.Errorf("got depth %d, header %d, body %d, idle %s", c.VerifyDepth, c.MaxHeaderBytes, c.MaxBodyBytes, c.IdleTimeout)
	}
	if environment(t, "MTLS_VERIFY_DEPTH=none").VerifyDepth != -1 {
		t.Error("MTLS_VERIFY_DEPTH=none must mean no limit")
	}
}

func TestAVariableThatIsEmptyCountsAsUnset(t *testing.T) {
	if c := environment(t, "MTLS_VERIFY_CLIENT=", "MTLS_NO_SUCH_THING="); c.VerifyClient != VerifyOptional {
		t.Errorf("got %q", c.VerifyClient)
	}
}

func TestBadValuesAreRefusedByVariable(t *testing.T) {
	for _, test := range []struct{ entry, problem string }{
		{"MTLS_LISTEN_ADDR=8443", "host:port"},
		{"MTLS_LISTEN_ADDR=example.org:8443", "host:port"},
		{"MTLS_UPSTREAM_URL=127.0.0.1:8080", "http://host:port"},
		{"MTLS_UPSTREAM_URL=https://127.0.0.1:8080", "http://host:port"},
		{"MTLS_UPSTREAM_URL=http://127.0.0.1:8080/path", "http://host:port"},
		{"MTLS_UPSTREAM_URL=http://user@127.0.0.1:8080", "http://host:port"},
		{"MTLS_UPSTREAM_URL=unix://run/app.sock", "unix:///path"},
		{"MTLS_UPSTREAM_URL=http://10.0.0.1:8080", "MTLS_UPSTREAM_ALLOW_REMOTE"},
		{"MTLS_UPSTREAM_URL=http://app.example:8080", "MTLS_UPSTREAM_ALLOW_REMOTE"},
		{"MTLS_UPSTREAM_ALLOW_REMOTE=yes", "true or false"},
		{"MTLS_VERIFY_CLIENT=require", "optional, on, optional_no_ca, off"},
		{"MTLS_VERIFY_CLIENT=On", "optional, on, optional_no_ca, off"},
		{"MTLS_INVALID_CERT=pass", "reject, failed, none"},
		{"MTLS_REJECT_WITH=reset", "page, alert"},
		{"MTLS_VERIFY_DEPTH=-1", "0 to 100"},
		{"MTLS_MIN_RSA_BITS=512", "1024 to 8192"},
		{"MTLS_MIN_TLS=1.1", "1.2 or 1.3"},
		{"MTLS_MAX_HEADER_BYTES=10", "1KiB to 1MiB"},
		{"MTLS_MAX_BODY_BYTES=10MB", "number of bytes"},
		{"MTLS_MAX_BODY_BYTES=9999999999GiB", "number of bytes"},
		{"MTLS_MAX_CONNECTIONS=many", "whole number"},
		{"MTLS_IDLE_TIMEOUT=60", "with its unit"},
		{"MTLS_IDLE_TIMEOUT=-1s", "with its unit"},
		{"MTLS_IDLE_TIMEOUT=0s", "longer than 0"},
		{"MTLS_FORWARDED_FOR=on", "append, replace, off"},
		{"MTLS_KEEP_HEADERS=VERIFIED", "VERIFIED"},
		{"MTLS_STRIP_HEADERS=Host", "Host"},
		{"MTLS_CERT_FILE=a.crt,b.crt", "one key for each certificate"},
		{"MTLS_CERT_FILE=,", "at least one"},
		{"MTLS_LOG_LEVEL=loud", "debug, info, warn, error"},
		{"MTLS_LOG_FORMAT=xml", "json, console"},
	} {
		found := configFaults(t, test.entry)
		name, _, _ := strings.Cut(test.entry, "=")
		if name == "MTLS_CERT_FILE" && strings.Contains(test.problem, "key") {
			name = "MTLS_KEY_FILE"
		}
		if len(found) != 1 || found[0].Variable != name || !strings.Contains(found[0].String(), test.problem) {
			t.Errorf("%s: got %v, want one fault of %s that says %q", test.entry, found, name, test.problem)
		}
	}
}

func TestSettingsThatWouldOpenTheDoorAreRefused(t *testing.T) {
	for _, mode := range []string{"on", "optional_no_ca", "off"} {
		for _, invalid := range []string{"failed", "none"} {
			found := configFaults(t, "MTLS_VERIFY_CLIENT="+mode, "MTLS_INVALID_CERT="+invalid)
			if len(found) != 1 || found[0].Variable != "MTLS_INVALID_CERT" {
				t.Errorf("%s with %s: got %v", mode, invalid, found)
			}
		}
	}
	found := configFaults(t, "MTLS_INVALID_CERT=none", "MTLS_REJECT_WITH=alert")
	if len(found) != 1 || found[0].Variable != "MTLS_INVALID_CERT" {
		t.Errorf("none with alert: got %v", found)
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	_, err := Environment([]string{"MTLS_VERIFY_CLENT=on", "MTLS_MIN_TLS=1.0", "MTLS_IDLE_TIMEOUT=soon", "HOME=/"})
	want := `the configuration cannot be used, 3 faults:
  MTLS_IDLE_TIMEOUT="soon" must be a time with its unit, such as 500ms, 10s or 5m
  MTLS_MIN_TLS="1.0" must be 1.2 or 1.3
  MTLS_VERIFY_CLENT is not a variable of this program; the nearest one is MTLS_VERIFY_CLIENT`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestWhatKubernetesInjectsForAServiceNamedMtlsIsIgnored(t *testing.T) {
	environment(t, "MTLS_PORT=tcp://10.0.0.1:8443", "MTLS_SERVICE_HOST=10.0.0.1", "MTLS_SERVICE_PORT=8443",
		"MTLS_SERVICE_PORT_HTTPS=8443", "MTLS_PORT_8443_TCP=tcp://10.0.0.1:8443", "MTLS_PORT_8443_TCP_PROTO=tcp",
		"MTLS_PORT_8443_TCP_PORT=8443", "MTLS_PORT_8443_TCP_ADDR=10.0.0.1", "MTLS_SIDECAR_SERVICE_HOST=10.0.0.1")
}

func TestAPortThatSomebodyMadeUpIsRefused(t *testing.T) {
	for _, entry := range []string{"MTLS_LISTEN_PORT=9443", "MTLS_UPSTREAM_PORT=3000", "MTLS_PORT=8443"} {
		if found := configFaults(t, entry); len(found) != 1 {
			t.Errorf("%s: got %v, want one fault", entry, found)
		}
	}
}

func TestFaultsOfFormDoNotHideTheOthers(t *testing.T) {
	found := configFaults(t, "MTLS_MIN_TLS=1.0", "MTLS_STRIP_HEADERS=Host", "MTLS_UPGRADE=h2c", "MTLS_UPSTREAM_URL=http://192.0.2.1:80")
	if len(found) != 4 {
		t.Errorf("got %v, want four faults", found)
	}
}

func TestNoVariableHasTheShapeOfAServiceLink(t *testing.T) {
	for _, v := range Variables() {
		if serviceLink.MatchString(v.Name) {
			t.Errorf("%s would be ignored where a Service has the fitting name", v.Name)
		}
	}
}

func TestTheReadmeListsEveryVariableWithItsDefault(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(MTLS_[A-Z0-9_]+)` \\| (`([^`]*)`|–) \\|")
	var inReadme []Variable
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		inReadme = append(inReadme, Variable{m[1], m[3]})
	}
	if got, want := inReadme, Variables(); !slices.Equal(got, want) {
		t.Errorf("the README's table lists\n%v\nand Config\n%v", got, want)
	}
}
