package proxy

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// socketPath is a path that is short enough for a unix socket whatever the
// test's name.
func socketPath(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "socket-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "tls.sock")
}

// leave makes a socket's file that nobody listens on, as a process does that is killed.
func leave(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
}

func TestAUnixSocketIsOpenToEveryUserAndGoneAfterwards(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	path := socketPath(t)
	s := newSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+path)
	t.Run("served", func(t *testing.T) {
		s.start(t)
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Type() != fs.ModeSocket || info.Mode().Perm() != 0o666 { // nginx's
			t.Fatalf("got %v and %v, want a socket that all may use", info, err)
		}
		s.behind(t, "", clientConfig(issue(t, clientNamed("client")))).asks(app, believed)
		waitFor(t, "the line", func() bool { return len(s.logged("listening")) == 1 })
		if got := s.logged("listening")[0].ContextMap()["addr"]; got != "unix://"+path {
			t.Errorf("the log says that it listens on %v", got)
		}
	})
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after the end: got %v, want no file", err)
	}
}

func TestASocketThatNobodyListensOnIsReplaced(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	path := socketPath(t)
	leave(t, path)
	s := startSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+path)
	s.behind(t, "", clientConfig(nil)).asks(app, nobody)
}

// A rolling restart may start the next one before the last has gone.
func TestTheNextSidecarMayListenWhileTheLastOneFinishes(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	path := socketPath(t)
	first := startSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+path)
	c := first.behind(t, "", clientConfig(nil))
	c.asks(app, nobody)
	first.conns.drain()
	second := startSidecar(t, app.url, "MTLS_LISTEN_ADDR=unix://"+path)
	second.behind(t, "", clientConfig(nil)).asks(app, nobody)
}

func TestWhatStandsInTheWayIsLeftAloneAndNamed(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		says []string
	}{
		"a socket that is listened on": {func(t *testing.T, path string) {
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
		}, []string{"a process listens there", "stop it, or choose another path"}},
		"a socket for datagrams": {func(t *testing.T, path string) {
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
		}, []string{"choose another path"}},
		"a file": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"no socket", "remove it, or choose another path"}},
		"a folder": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"no socket", "remove it, or choose another path"}},
		"a link to a socket": {func(t *testing.T, path string) {
			leave(t, path+".real")
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}, []string{"no socket", "remove it, or choose another path"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			test.make(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			wantNoListener(t, "unix://"+path, test.says...)
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is not what it was: %v and %v", after, err)
			}
		})
	}
}

// wantNoListener fails unless the error names the variable, its value and a remedy.
func wantNoListener(t *testing.T, addr string, says ...string) {
	t.Helper()
	listener, err := newSidecar(t, "http://127.0.0.1:1", "MTLS_LISTEN_ADDR="+addr).Listen()
	if err == nil {
		listener.Close()
		t.Fatalf("%s: got a listener", addr)
	}
	for _, text := range append(says, `MTLS_LISTEN_ADDR="`+addr+`"`) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got %q, which does not say %q", addr, err, text)
		}
	}
}

func TestAnAddressThatIsNotToBeHadIsNamedWithARemedy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wantNoListener(t, taken.Addr().String(), "choose another port")
	wantNoListener(t, "192.0.2.1:0", "choose an address that this machine has") // RFC 5737
	wantNoListener(t, "unix:///no/such/folder/tls.sock", "create the folder")
	wantNoListener(t, "unix:///dev/null/tls.sock", "choose another path")
	if os.Getuid() != 0 {
		folder := filepath.Dir(socketPath(t))
		if err := os.Chmod(folder, 0o500); err != nil {
			t.Fatal(err)
		}
		wantNoListener(t, "unix://"+folder+"/tls.sock", "write to the folder")
	}
}

func TestTheFamiliesOfAListenerAreThoseOfItsAddress(t *testing.T) {
	if probe, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		absent(t, "no IPv6 loopback here: %v", err)
	} else {
		probe.Close()
	}
	for _, test := range []struct {
		addr   string
		v4, v6 bool
	}{
		{":0", true, true}, {"[::]:0", true, true}, {"0.0.0.0:0", true, false},
		{"127.0.0.1:0", true, false}, {"[::1]:0", false, true}, {"[::ffff:127.0.0.1]:0", true, false}, {"[::1%lo]:0", false, true},
	} {
		if test.addr == "[::1%lo]:0" {
			if _, err := net.InterfaceByName("lo"); err != nil {
				continue // it has another name on other systems
			}
		}
		app := startBackend(t, answering(okAnswer))
		s, port := startAlone(t, app, test.addr)
		for host, want := range map[string]bool{"127.0.0.1": test.v4, "::1": test.v6} {
			s.addr = net.JoinHostPort(host, port)
			if conn, err := net.DialTimeout("tcp", s.addr, hang); err == nil != want {
				t.Errorf("%s, by %s: got %v", test.addr, host, err)
				continue
			} else if !want {
				continue
			} else {
				conn.Close()
			}
			s.dial(t, nil).wantAddress(app, host)
		}
	}
}

// startAlone starts a sidecar on a port that nobody else listens on at either
// family's loopback: the kernel gives a port of one family that another program has
// of the other.
func startAlone(t *testing.T, app *backend, addr string) (s *sidecar, port string) {
	t.Helper()
	for range 10 {
		probe, err := net.Listen("tcp", ":0") // of both families
		if err != nil {
			t.Fatal(err)
		}
		_, port, err = net.SplitHostPort(probe.Addr().String())
		probe.Close()
		if err != nil {
			t.Fatal(err)
		}
		s = newSidecar(t, app.url, "MTLS_LISTEN_ADDR="+strings.TrimSuffix(addr, "0")+port)
		listener, err := s.Listen()
		if err != nil {
			continue // somebody was faster
		}
		listener.Close()
		s.start(t)
		return s, port
	}
	t.Fatal("no port is free")
	return nil, ""
}

// peerOf is a connection with a peer of the test's choice.
type peerOf struct {
	net.Conn
	addr net.Addr
}

func (p peerOf) RemoteAddr() net.Addr { return p.addr }

func TestAPeersAddressIsToldAsNginxTellsIt(t *testing.T) {
	for want, addr := range map[string]net.Addr{
		"192.0.2.1":   &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, // 16 bytes, as a listener of both families has it
		"192.0.2.2":   &net.TCPAddr{IP: net.IP{192, 0, 2, 2}, Port: 2},
		"2001:db8::1": &net.TCPAddr{IP: net.ParseIP("2001:DB8:0::1"), Port: 3},
		"fe80::1":     &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 4, Zone: "eth0"},
		"unix:":       &net.UnixAddr{Net: "unix"},
	} {
		if got := remoteIP(peerOf{addr: addr}); got != want {
			t.Errorf("%v: got %q, want %q", addr, got, want)
		}
	}
}
