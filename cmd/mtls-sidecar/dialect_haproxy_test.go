package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startDialectHAProxy runs HAProxy with the certificates in dir before an application.
func startDialectHAProxy(t *testing.T, dir string) proxyServer {
	t.Helper()
	var both []byte
	for _, name := range []string{"server.crt", "server.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	if err := os.WriteFile(filepath.Join(dir, "both.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	application, path := startHeadApplication(t), need(t, "haproxy")
	for range 5 {
		addr, config := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0]), filepath.Join(dir, "haproxy.cfg")
		writeTemplate(t, dialectData("haproxy.cfg.tmpl"), config, map[string]string{"Dir": dir, "Addr": addr, "Application": application.addr})
		if start(t, "haproxy", exec.Command(path, "-db", "-f", config)).listens(addr) {
			return proxyServer{addr, application}
		}
	}
	t.Fatal("HAProxy did not start")
	return proxyServer{}
}
