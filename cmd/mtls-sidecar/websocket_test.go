package main_test

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// needWS skips the test where the WebSocket library is not installed.
func needWS(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(backends(t), "node_modules", "ws")); err != nil {
		missing(t, "ws is not installed: run npm ci in testdata/backends")
	}
}

// clientFiles writes client.key, client.crt and ca.crt for a program that wants
// files.
func clientFiles(t *testing.T, s settings, certificate tls.Certificate) string {
	t.Helper()
	folder := t.TempDir()
	key, err := pki.KeyPEM(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(s["MTLS_CLIENT_CA_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"client.key": key, "client.crt": pki.ChainPEM(certificate), "ca.crt": ca} {
		write(t, filepath.Join(folder, name), string(text))
	}
	return folder
}

func TestWebSocketsOfARealLibraryWorkThroughTheProgram(t *testing.T) {
	needWS(t)
	app := startBackend(t, "websocket")
	s, certificate := mintedFiles(t)
	car := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": app.upstream()}))
	folder := clientFiles(t, s, certificate)
	cmd := exec.Command(need(t, "node"), filepath.Join(backends(t), "websocket-client.js"), "wss"+strings.TrimPrefix(car.url(""), "https"), folder)
	client := start(t, "websocket-client.js", cmd)
	if code := client.wait(t); code != 0 {
		t.Fatalf("the client failed:\n%s", client.tail(40))
	}
	for _, step := range []string{"messages", "closing", "many"} {
		client.expect(t, `"step":"`+step+`"`)
	}
	// Every handshake carried the identity; every end arrived as it was meant.
	for _, end := range []string{
		`"url":"/messages","closed":1000,"reason":"done"`,
		`"url":"/closed-by-server","closed":4001`,
		`"url":"/closed-by-client","closed":4002,"reason":"enough"`,
		`"url":"/torn","closed":1006`,
	} {
		app.expect(t, end)
	}
	handshakes := map[string]int{}
	for range 2 + 3 + 40 {
		saw := app.next(t)
		for saw.RawHeaders == nil { // an end
			saw = app.next(t)
		}
		handshakes[saw.URL]++
		saw.identity(t, "SUCCESS", "CN=client")
		if got := saw.values("connection"); !slices.Equal(got, []string{"Upgrade"}) {
			t.Errorf("%s: Connection is %q", saw.URL, got)
		}
	}
	if handshakes["/many"] != 40 || handshakes["/messages"] != 2 {
		t.Errorf("the application saw the handshakes %v", handshakes)
	}
}
