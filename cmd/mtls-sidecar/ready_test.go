package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// Docker takes 0 for healthy and 1 for unhealthy.
func TestTheReadyCommandTellsByItsExitCode(t *testing.T) {
	s, _ := mintedFiles(t)
	s["MTLS_ADMIN_ADDR"] = "unix://" + filepath.Join(t.TempDir(), "admin")
	expect := func(when string, code int, said string) {
		t.Helper()
		got := runCommand(t, settings{"MTLS_ADMIN_ADDR": s["MTLS_ADMIN_ADDR"]}, "ready")
		if got.code != code || !strings.Contains(got.stdout+got.stderr, said) {
			t.Errorf("%s: got %d and %q, want %d and %q", when, got.code, got.stdout+got.stderr, code, said)
		}
	}
	expect("before it runs", 1, "no sidecar answers there")
	t.Run("while it runs", func(t *testing.T) {
		startSidecar(t, s)
		expect("running", 0, "")
		if got := runCommand(t, settings{"MTLS_ADMIN_ADDR": s["MTLS_ADMIN_ADDR"]}, "drain"); got.code != 0 {
			t.Fatalf("drain: %d, %s", got.code, got.stderr)
		}
		expect("draining", 1, "not ready: draining\n") // and no guess that somebody else listens there
	})
	expect("after its end", 1, "no sidecar answers there")

	if got := runCommand(t, settings{"MTLS_ADMIN_ADDR": "off"}, "ready"); got.code == 0 || !strings.Contains(got.stderr, "MTLS_ADMIN_ADDR") {
		t.Errorf("without an admin port: got %d and %q", got.code, got.stderr)
	}
}
