package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTheAdminPortStandsInNobodysWay(t *testing.T) {
	for _, test := range []struct{ entries, fault, says string }{
		{"MTLS_ADMIN_ADDR=off", "", ""},
		{"MTLS_ADMIN_ADDR=unix:///run/admin.sock", "", ""},
		{"MTLS_ADMIN_ADDR=127.0.0.1:0 MTLS_LISTEN_ADDR=127.0.0.1:0", "", ""},
		{"MTLS_ADMIN_ADDR=127.0.0.1:8443 MTLS_LISTEN_ADDR=127.0.0.2:8443", "", ""},
		{"MTLS_ADMIN_ADDR=Off", "MTLS_ADMIN_ADDR", "or off"},
		{"MTLS_ADMIN_ADDR=9902", "MTLS_ADMIN_ADDR", "must be :port"},
		{"MTLS_ADMIN_ADDR=:8443", "MTLS_ADMIN_ADDR", "is MTLS_LISTEN_ADDR"},
		{"MTLS_ADMIN_ADDR=127.0.0.1:8443", "MTLS_ADMIN_ADDR", "is MTLS_LISTEN_ADDR"},
		{"MTLS_ADMIN_ADDR=[::]:8443 MTLS_LISTEN_ADDR=127.0.0.1:8443", "MTLS_ADMIN_ADDR", "is MTLS_LISTEN_ADDR"},
		{"MTLS_ADMIN_ADDR=unix:///run/./a.sock MTLS_LISTEN_ADDR=unix:///run/a.sock", "MTLS_ADMIN_ADDR", "is MTLS_LISTEN_ADDR"},
		{"MTLS_ADMIN_ADDR=:8080", "MTLS_ADMIN_ADDR", "is MTLS_UPSTREAM_URL"},
		{"MTLS_ADMIN_ADDR=unix:///run/a.sock MTLS_UPSTREAM_URL=unix:///run/a.sock", "MTLS_ADMIN_ADDR", "is MTLS_UPSTREAM_URL"},
		{"MTLS_ADMIN_ADDR=off MTLS_ADMIN_UPSTREAM_PATHS=/healthz", "MTLS_ADMIN_UPSTREAM_PATHS", "MTLS_ADMIN_ADDR is off"},
		{"MTLS_ADMIN_ADDR=off MTLS_READY_UPSTREAM=true", "MTLS_READY_UPSTREAM", "MTLS_ADMIN_ADDR is off"},
		{"MTLS_ADMIN_UPSTREAM_PATHS=/healthz,/a/b-1.x_~/", "", ""},
		{"MTLS_ADMIN_UPSTREAM_PATHS=healthz", "MTLS_ADMIN_UPSTREAM_PATHS", "slash"},
		{"MTLS_ADMIN_UPSTREAM_PATHS=/ok,/a?b", "MTLS_ADMIN_UPSTREAM_PATHS", "/a?b"},
		{"MTLS_ADMIN_UPSTREAM_PATHS=/%2e", "MTLS_ADMIN_UPSTREAM_PATHS", "/%2e"},
		{"MTLS_ADMIN_UPSTREAM_PATHS=/a/../b", "MTLS_ADMIN_UPSTREAM_PATHS", "/a/../b"},
		{"MTLS_ADMIN_UPSTREAM_PATHS=//a", "MTLS_ADMIN_UPSTREAM_PATHS", "//a"},
		{"MTLS_DRAIN_DELAY=0s", "", ""},
		{"MTLS_DRAIN_DELAY=-1s", "MTLS_DRAIN_DELAY", "a time with its unit"},
		{"MTLS_DRAIN_TIMEOUT=0s", "MTLS_DRAIN_TIMEOUT", "longer than 0"},
		{"MTLS_ACCESS_LOG=none", "MTLS_ACCESS_LOG", "all, errors, off"},
	} {
		_, err := Environment(strings.Fields(test.entries))
		switch {
		case test.fault == "" && err != nil:
			t.Errorf("%s: %v", test.entries, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), "\n  "+test.fault+"=") || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: got %v, want a fault of %s that says %q", test.entries, err, test.fault, test.says)
		}
	}
}

func TestTheAdminPortIsAskedWhereItCanBeReachedFromInside(t *testing.T) {
	for addr, want := range map[AdminAddr]string{
		":9902": "127.0.0.1:9902", "0.0.0.0:9902": "127.0.0.1:9902", "[::]:9902": "[::1]:9902",
		"10.1.2.3:9902": "10.1.2.3:9902", "localhost:1": "localhost:1", "[::1]:2": "[::1]:2",
	} {
		if network, got := addr.Dial(); network != "tcp" || got != want {
			t.Errorf("%s: got %s %s, want %s", addr, network, got, want)
		}
	}
	if network, path := AdminAddr("unix:///run/a.sock").Dial(); network != "unix" || path != "/run/a.sock" {
		t.Errorf("a socket: got %s %s", network, path)
	}
}

// A link-local address is none without its zone, and makes no URL with it.
func TestTheAdminPortIsAskedOnAnAddressWithAZone(t *testing.T) {
	linuxOnly(t) // which calls that interface lo
	listener, port := listening(t, "tcp6", "::1%lo")
	served := make(chan error, 1)
	go func() {
		served <- http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ready") }))
	}()
	defer func() { listener.Close(); <-served }()
	config := environment(t, "MTLS_ADMIN_ADDR=[::1%lo]:"+port)
	if said, err := AskReady(t.Context(), config); err != nil || said != "ready" {
		t.Errorf("got %q and %v, want the answer", said, err)
	}
}
