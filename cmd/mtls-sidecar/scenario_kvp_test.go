package main_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Mutual TLS between Node programs: a key-value API in Express, where one
// self-signed certificate is the server's and the clients' authority at once.

const kvpCertificates = `
openssl req -x509 -newkey rsa:4096 -keyout serverKey.pem -out serverCert.pem -nodes -days 365 -subj /CN=localhost
openssl req -newkey rsa:4096 -keyout clientKey.pem -out clientCsr.pem -nodes -subj /CN=Client
openssl x509 -req -in clientCsr.pem -CA serverCert.pem -CAkey serverKey.pem -out clientCert.pem -set_serial 01 -days 365
`

// step is one request to the API and what must come back.
type step struct {
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Body   map[string]any `json:"body,omitempty"`
	status int
	value  string // in the answer's JSON, where there is one
}

// kvpSteps walks the whole API with one key.
func kvpSteps(key string) []step {
	pair := func(value string) map[string]any { return map[string]any{"key": key, "value": value} }
	return []step{
		{"POST", "/kvp", pair("one"), 201, "one"},
		{"POST", "/kvp", pair("two"), 400, ""},
		{"POST", "/kvp", map[string]any{"key": key + "-without-value"}, 400, ""},
		{"GET", "/kvp/" + key, nil, 200, "one"},
		{"PUT", "/kvp", pair("three"), 200, "three"},
		{"GET", "/kvp/" + key, nil, 200, "three"},
		{"DELETE", "/kvp/" + key, nil, 204, ""},
		{"GET", "/kvp/" + key, nil, 404, ""},
	}
}

// check compares one answer with what the step expects.
func (s step) check(t *testing.T, status int, body string) {
	t.Helper()
	if status != s.status {
		t.Errorf("%s %s %v: got status %d, body %q, want %d", s.Method, s.Path, s.Body, status, body, s.status)
	}
	if s.value == "" {
		return
	}
	var answer struct{ Value string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Value != s.value {
		t.Errorf("%s %s: got body %q (%v), want the value %q", s.Method, s.Path, body, err, s.value)
	}
}

// kvp is the API, the folder with the certificates, and the sidecar before it.
type kvp struct {
	app *backend
	dir string
	car *sidecar
}

func TestKeyValueAPIBehindOneSelfSignedCertificate(t *testing.T) {
	t.Parallel()
	k := kvp{app: startBackend(t, "kvp"), dir: t.TempDir()}
	commands(t, k.dir, kvpCertificates)
	k.car = startSidecar(t, settings{
		"MTLS_UPSTREAM_URL":   k.app.upstream(),
		"MTLS_CERT_FILE":      filepath.Join(k.dir, "serverCert.pem"),
		"MTLS_KEY_FILE":       filepath.Join(k.dir, "serverKey.pem"),
		"MTLS_CLIENT_CA_FILE": filepath.Join(k.dir, "serverCert.pem"),
		"MTLS_VERIFY_CLIENT":  "on",
	})
	t.Run("Curl", k.byCurl)
	t.Run("NodesAgent", k.byNode)
	t.Run("WithoutACertificate", k.anonymous)
}

func (k kvp) byCurl(t *testing.T) {
	for _, s := range kvpSteps("by-curl") {
		args := []string{"--cacert", "serverCert.pem", "--key", "clientKey.pem", "--cert", "clientCert.pem", "-X", s.Method, k.car.url(s.Path)}
		if s.Body != nil {
			args = append(args, "-H", "Content-Type: application/json", "-d", marshal(t, s.Body))
		}
		got := curl(t, k.dir, args...)
		if got.exit != 0 {
			t.Fatalf("%s %s: curl's exit %d: %s", s.Method, s.Path, got.exit, got.stderr)
		}
		s.check(t, got.status, got.body)
		k.app.next(t).identity(t, "SUCCESS", "CN=Client")
	}
}

func (k kvp) byNode(t *testing.T) {
	steps := kvpSteps("by-node")
	cmd := exec.Command(need(t, "node"), filepath.Join(backends(t), "client.js"), k.car.url(""), k.dir)
	cmd.Stdin = strings.NewReader(marshal(t, steps))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("client.js: %v\n%s", err, stderr.Bytes())
	}
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(answers) != len(steps) {
		t.Fatalf("client.js got %d answers to %d requests:\n%s", len(answers), len(steps), out)
	}
	for i, s := range steps {
		var got struct {
			Status int
			Body   string
		}
		if err := json.Unmarshal([]byte(answers[i]), &got); err != nil {
			t.Fatalf("client.js wrote %q: %v", answers[i], err)
		}
		s.check(t, got.Status, got.Body)
		k.app.next(t).identity(t, "SUCCESS", "CN=Client")
	}
}

// anonymous: the client says who it is in headers, and is not believed.
func (k kvp) anonymous(t *testing.T) {
	got := curl(t, k.dir, "--cacert", "serverCert.pem", k.car.url("/kvp/any"), "-H", "VERIFIED: SUCCESS", "-H", "DN: CN=Client")
	if got.exit != 0 || got.status != 400 {
		t.Errorf("got status %d (curl's exit %d, %s), want 400", got.status, got.exit, got.stderr)
	}
	if told := k.app.count(); told != k.app.read {
		t.Errorf("the application was told of it:\n%s", k.app.tail(1))
	}
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
