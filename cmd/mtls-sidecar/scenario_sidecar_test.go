package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// sidecar is the program under test, running.
type sidecar struct {
	*process
	addr string // what it listens on, host:port
}

// settings are environment variables of the sidecar.
type settings map[string]string

// with returns s with the given variables set too.
func (s settings) with(more settings) settings {
	all := settings{}
	for name, value := range s {
		all[name] = value
	}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// sidecarCommand is the program with nothing of our own environment but what
// any process needs.
func sidecarCommand(t *testing.T, s settings, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	// A race in the program ends it with an exit code that fails the test; by
	// default it would also linger for a second at every exit.
	cmd.Env = []string{"GORACE=halt_on_error=1 atexit_sleep_ms=10"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	// Tests run side by side, so no port is fixed; and none waits for a drain's delay
	// unless it is what the test is about.
	for name, value := range (settings{"MTLS_ADMIN_ADDR": "off", "MTLS_DRAIN_DELAY": "0s"}).with(s) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// startSidecar runs the program on a port of its own choice and waits until it
// listens. When the test ends it must stop with exit code 0.
func startSidecar(t *testing.T, s settings) *sidecar {
	t.Helper()
	cmd := sidecarCommand(t, settings{"MTLS_LISTEN_ADDR": "127.0.0.1:0"}.with(s))
	p := start(t, "mtls-sidecar", cmd)
	t.Cleanup(func() {
		if code := p.stop(t); code != 0 {
			t.Errorf("exit code after SIGTERM: got %d, want 0\n%s", code, p.tail(20))
		}
	})
	var said struct{ Addr string }
	text := p.expect(t, `"msg":"listening"`)
	if err := json.Unmarshal([]byte(text), &said); err != nil || said.Addr == "" {
		t.Fatalf("the line that tells the address does not: %s (%v)", text, err)
	}
	return &sidecar{process: p, addr: said.Addr}
}

// url is where a client on this machine reaches the sidecar.
func (s *sidecar) url(path string) string {
	return "https://localhost:" + s.addr[strings.LastIndexByte(s.addr, ':')+1:] + path
}
