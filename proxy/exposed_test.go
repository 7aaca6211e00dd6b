package proxy

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// linuxOnly skips where the kernel has no table of sockets.
func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		absent(t, "/proc/net/tcp is Linux's")
	}
}

// listening opens a port on an address and returns it with its port.
func listening(t *testing.T, network, address string) (net.Listener, string) {
	t.Helper()
	listener, err := net.Listen(network, net.JoinHostPort(address, "0"))
	if err != nil {
		absent(t, "listening on %s: %v", address, err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return listener, port
}

func TestAnApplicationThatListensOutsideLoopbackIsFound(t *testing.T) {
	linuxOnly(t)
	for _, test := range []struct {
		name, network, address string
		exposed                string // as the warning names it, before the port; empty: not exposed
	}{
		{"127.0.0.1", "tcp4", "127.0.0.1", ""},
		{"another loopback address", "tcp4", "127.1.2.3", ""},
		{"[::1]", "tcp6", "::1", ""},
		{"0.0.0.0", "tcp4", "0.0.0.0", "0.0.0.0:"},
		{"[::], both families", "tcp", "", "[::]:"},
		{"[::], IPv6 alone", "tcp6", "::", "[::]:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, port := listening(t, test.network, test.address)
			for _, action := range []string{"warn", "refuse", "ignore"} {
				warning, err := CheckExposed(environment(t, "MTLS_UPSTREAM_EXPOSED="+action, "MTLS_UPSTREAM_URL=http://127.0.0.1:"+port))
				var said string
				switch {
				case action == "refuse" && err != nil:
					said = err.Error()
				case action == "warn":
					said = warning
				}
				if (action != "refuse" && err != nil) || (action != "warn" && warning != "") {
					t.Errorf("%s: got warning %q, error %v", action, warning, err)
				}
				if want := test.exposed != "" && action != "ignore"; (said != "") != want {
					t.Errorf("%s: got %q", action, said)
				}
				if said != "" && (!strings.Contains(said, test.exposed+port) || !strings.Contains(said, "MTLS_UPSTREAM_EXPOSED")) {
					t.Errorf("%s: neither address nor variable are named: %s", action, said)
				}
			}
		})
	}
}

func TestOnlyTheApplicationsPortIsLookedAt(t *testing.T) {
	linuxOnly(t)
	_, exposed := listening(t, "tcp4", "0.0.0.0")
	listener, _ := listening(t, "tcp4", "127.0.0.1")
	warning, err := CheckExposed(environment(t, "MTLS_UPSTREAM_URL=http://"+listener.Addr().String()))
	if warning != "" || err != nil {
		t.Errorf("got %q and %v (port %s is another's)", warning, err, exposed)
	}
}

// A connection from the port is no listener on it.
func TestAnOpenConnectionIsNotTakenForAListener(t *testing.T) {
	linuxOnly(t)
	listener, port := listening(t, "tcp4", "0.0.0.0")
	conn, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	listener.Close()
	if warning, err := CheckExposed(environment(t, "MTLS_UPSTREAM_URL=http://127.0.0.1:"+port)); warning != "" || err != nil {
		t.Errorf("got %q and %v", warning, err)
	}
}

func TestUnixSocketsAndRemoteApplicationsAreNotLookedAt(t *testing.T) {
	linuxOnly(t)
	_, port := listening(t, "tcp4", "0.0.0.0")
	for _, entries := range [][]string{
		{"MTLS_UPSTREAM_URL=unix://" + filepath.Join(t.TempDir(), "app.sock")},
		{"MTLS_UPSTREAM_URL=http://192.0.2.1:" + port, "MTLS_UPSTREAM_ALLOW_REMOTE=true"},
	} {
		if warning, err := CheckExposed(environment(t, append(entries, "MTLS_UPSTREAM_EXPOSED=refuse")...)); warning != "" || err != nil {
			t.Errorf("%s: got %q and %v", entries, warning, err)
		}
	}
}

func TestAnExposedApplicationIsNoticedWithTheFirstRequest(t *testing.T) {
	linuxOnly(t)
	for _, action := range []string{"warn", "refuse", "ignore"} {
		t.Run(action, func(t *testing.T) {
			listener, port := listening(t, "tcp4", "0.0.0.0")
			app := startBackendOn(t, listener, answering(okAnswer))
			s := startSidecar(t, "http://127.0.0.1:"+port, "MTLS_UPSTREAM_EXPOSED="+action)
			want := nobody
			if action == "refuse" {
				want = expectation{status: 502}
			}
			for range 2 {
				s.dial(t, nil).asks(app, want)
			}
			s.exposure.looks.Wait()
			said := s.logged("the application is exposed")
			for _, entry := range said {
				if detail := fmt.Sprint(entry.ContextMap()["detail"]); !strings.Contains(detail, "0.0.0.0:"+port) {
					t.Errorf("the warning does not name the address: %s", detail)
				}
			}
			warned := len(said)
			if expected := map[string]int{"warn": 1}[action]; warned != expected {
				t.Errorf("warnings: got %d, want %d", warned, expected)
			}
		})
	}
}

func TestAnApplicationThatHasMovedToLoopbackIsUsedAgain(t *testing.T) {
	linuxOnly(t)
	listener, port := listening(t, "tcp4", "0.0.0.0")
	s := startSidecar(t, "http://127.0.0.1:"+port, "MTLS_UPSTREAM_EXPOSED=refuse")
	exposed := startBackendOn(t, listener, answering(okAnswer))
	s.dial(t, nil).asks(exposed, expectation{status: 502})
	listener.Close()
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	app := startBackendOn(t, listener, answering(okAnswer))
	s.dial(t, nil).asks(app, expectation{status: 502}) // as long as the last look counts
	s.exposure.mu.Lock()
	s.exposure.until = time.Time{}
	s.exposure.mu.Unlock()
	s.dial(t, nil).asks(app, nobody)
}

// The kernel writes each 32-bit word in the machine's order: proc_net_tcp.rst.
func TestTheKernelsAddressesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"0A01A8C0:FFFF":                         "192.168.1.10:65535",
		"00000000000000000000000000000000:1F90": "[::]:8080",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"0000000000000000FFFF00000100007F:1F90": "[::ffff:127.0.0.1]:8080",
		"B80D01200000000000000000010000AB:01BB": "[2001:db8::ab00:1]:443",
	} {
		if got, err := procAddress(text); err != nil || got.String() != want {
			t.Errorf("%s: got %s and %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007F:", "0100007F:10000", "0100007:1F90", "0100007G:1F90", "0100007F00:1F90"} {
		if got, err := procAddress(text); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

func TestATableOfSocketsIsReadWhateverElseIsInIt(t *testing.T) {
	table := inFolder(t, "tcp", []byte(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0A01A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0A01A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0B01A8C0:1F90 0A01A8C0:8888 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100 0 0 10 0
   4: 0C01A8C0:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100 0 0 10 0
   5: garbage       00000000:0000 0A
   6: short
`))
	if got := strings.Join(exposedIn(table, 8080), " "); got != "192.168.1.10:8080" {
		t.Errorf("got %q", got)
	}
	if got := exposedIn(filepath.Join(t.TempDir(), "none"), 8080); got != nil {
		t.Errorf("without a table: got %q", got)
	}
}
