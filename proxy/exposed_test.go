package proxy

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
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
			listener.Close() // at the sidecar's start it is not there to be seen
			s := startSidecar(t, "http://127.0.0.1:"+port, "MTLS_UPSTREAM_EXPOSED="+action)
			if listener, err := net.Listen("tcp4", "0.0.0.0:"+port); err != nil {
				t.Fatal(err)
			} else {
				app := startBackendOn(t, listener, answering(okAnswer))
				want := nobody
				if action == "refuse" {
					want = expectation{status: 502}
				}
				for range 2 {
					s.dial(t, nil).asks(app, want)
				}
			}
			s.exposure.looks.Wait()
			said := s.logged("the application is exposed")
			for _, entry := range said {
				if detail := fmt.Sprint(entry.ContextMap()["error.message"]); !strings.Contains(detail, "0.0.0.0:"+port) {
					t.Errorf("the warning does not name the address: %s", detail)
				}
			}
			warned := len(said)
			if expected := map[string]int{"warn": 1, "refuse": 1}[action]; warned != expected {
				t.Errorf("warnings: got %d, want %d", warned, expected)
			}
		})
	}
}

func TestAnApplicationThatHasMovedToLoopbackIsUsedAgain(t *testing.T) {
	linuxOnly(t)
	listener, port := listening(t, "tcp4", "0.0.0.0")
	s := startSidecar(t, "http://127.0.0.1:"+port, "MTLS_UPSTREAM_EXPOSED=refuse", "MTLS_RELOAD_INTERVAL=5ms")
	exposed := startBackendOn(t, listener, answering(okAnswer))
	s.dial(t, nil).asks(exposed, expectation{status: 502})
	listener.Close()
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	app := startBackendOn(t, listener, answering(okAnswer))
	s.looksAgain(t)
	s.dial(t, nil).asks(app, nobody)
}

// Nothing else would notice: the connection to the application has been looked at
// when it was made, and is kept.
func TestNoRequestPassesWhileTheApplicationIsExposed(t *testing.T) {
	linuxOnly(t)
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_UPSTREAM_EXPOSED=refuse", "MTLS_RELOAD_INTERVAL=5ms")
	s.dial(t, nil).asks(app, nobody)

	door := openDoor(t, app)
	s.looksAgain(t)
	s.dial(t, nil).asks(app, expectation{status: 502})
	s.dial(t, issue(t, pki.Options{})).asks(app, expectation{status: 502})

	door.Close()
	s.looksAgain(t)
	s.dial(t, nil).asks(app, nobody)
}

// Until the next look at the files may be long.
func TestRequestsPassAgainWithoutALookAtTheFiles(t *testing.T) {
	linuxOnly(t)
	app := startBackend(t, answering(okAnswer))
	door := openDoor(t, app)
	s := startSidecar(t, app.url, "MTLS_UPSTREAM_EXPOSED=refuse")
	s.dial(t, nil).asks(app, expectation{status: 502})
	door.Close()
	waitFor(t, "the look at the start counts no more", func() bool { return !s.exposure.last.Load().fresh() })
	s.dial(t, nil).asks(app, nobody)
}

func TestAnExposureIsToldWhenItBeginsAndWhenItEnds(t *testing.T) {
	linuxOnly(t)
	app := startBackend(t, answering(okAnswer))
	_, port, _ := net.SplitHostPort(app.listener.Addr().String())
	s := startSidecar(t, app.url, "MTLS_UPSTREAM_EXPOSED=warn", "MTLS_RELOAD_INTERVAL=5ms")
	if addresses, looked := s.Exposed(); len(addresses) > 0 || looked.IsZero() {
		t.Errorf("at the start: exposed on %q, looked at %s", addresses, looked)
	}

	door := openDoor(t, app)
	for range 3 {
		s.looksAgain(t)
	}
	if addresses, _ := s.Exposed(); !slices.Equal(addresses, []string{"[::]:" + port}) {
		t.Errorf("exposed on: got %q", addresses)
	}
	if got := s.Troubles(); len(got) != 1 || got[0].Name != "MTLS_UPSTREAM_EXPOSED" || !strings.Contains(got[0].Fault, "[::]:"+port) {
		t.Errorf("troubles: got %q", got)
	}

	door.Close()
	for range 3 {
		s.looksAgain(t)
	}
	if addresses, _ := s.Exposed(); len(addresses) > 0 {
		t.Errorf("exposed on %q, which is closed", addresses)
	}
	if got := s.Troubles(); len(got) > 0 {
		t.Errorf("troubles: got %q", got)
	}
	if begun, ended := len(s.logged("the application is exposed")), len(s.logged("mended")); begun != 1 || ended != 1 {
		t.Errorf("told %d times that it is exposed and %d times that it is not, want once each", begun, ended)
	}
}

func TestWhereThereIsNothingToLookAtNobodyHasLooked(t *testing.T) {
	linuxOnly(t)
	_, port := listening(t, "tcp4", "0.0.0.0")
	for _, entries := range [][]string{
		{"http://127.0.0.1:" + port, "MTLS_UPSTREAM_EXPOSED=ignore"},
		{"unix://" + filepath.Join(t.TempDir(), "app.sock"), "MTLS_UPSTREAM_EXPOSED=refuse"},
		{"http://192.0.2.1:" + port, "MTLS_UPSTREAM_EXPOSED=refuse", "MTLS_UPSTREAM_ALLOW_REMOTE=true"},
	} {
		s := startSidecar(t, entries[0], entries[1:]...)
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		if addresses, looked := s.Exposed(); len(addresses) > 0 || !looked.IsZero() {
			t.Errorf("%s: got %q, looked at %s", entries, addresses, looked)
		}
	}
}

// looksAgain waits until a look has begun and ended.
func (s *sidecar) looksAgain(t *testing.T) {
	t.Helper()
	for range 2 { // one may be going on that began before
		_, before := s.Exposed()
		waitFor(t, "a look", func() bool {
			_, looked := s.Exposed()
			return looked.After(before)
		})
	}
}

// openDoor listens on the application's port outside loopback too.
func openDoor(t *testing.T, app *backend) net.Listener {
	t.Helper()
	_, port, err := net.SplitHostPort(app.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	door, err := net.Listen("tcp6", "[::]:"+port) // IPv6 alone
	if err != nil {
		absent(t, "listening on [::]:%s: %v", port, err)
	}
	t.Cleanup(func() { door.Close() })
	return door
}
