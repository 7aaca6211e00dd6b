package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDrainSaysWhyItCouldNotBegin(t *testing.T) {
	t.Parallel()
	good, _ := mintedFiles(t)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	other := func(answers string) string {
		return listens(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, answers)
			_, _ = io.Copy(io.Discard, conn) // until the client has had enough
		})
	}
	nobody := fmt.Sprintf("127.0.0.1:%d", freeBase(t))
	dir := shortDir(t)
	for _, test := range []struct {
		name, admin string
		code        int
		stderr      []string
	}{
		{"without an admin port", "off", 2, []string{"MTLS_ADMIN_ADDR", "off", "SIGTERM"}},
		{"with an address that is none", "localhost", 2, []string{"MTLS_ADMIN_ADDR", "localhost"}},
		{"with nobody there", nobody, 1, []string{"MTLS_ADMIN_ADDR", nobody, "refused"}},
		{"with no socket there", "unix://" + filepath.Join(dir, "none.sock"), 1, []string{"MTLS_ADMIN_ADDR", "none.sock", "no such file"}},
		{"with another web server there", strings.TrimPrefix(web.URL, "http://"), 1, []string{"MTLS_ADMIN_ADDR", "404"}},
		{"with another protocol there", other("220 mail.example ESMTP\r\n"), 1, []string{"MTLS_ADMIN_ADDR"}},
		{"with one there that says nothing", other(""), 1, []string{"MTLS_ADMIN_ADDR"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, good.with(settings{"MTLS_ADMIN_ADDR": test.admin}), "drain")
			if got.code != test.code || got.stdout != "" {
				t.Errorf("exit code: got %d, want %d; standard output %q", got.code, test.code, got.stdout)
			}
			for _, want := range append(test.stderr, "mtls-sidecar: ") {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("standard error does not name %q:\n%s", want, got.stderr)
				}
			}
		})
	}
}

// shortDir is a folder whose path leaves room for a socket's name (unix(7): 107 bytes).
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollout-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// onSocket is the same question over a unix socket.
func onSocket(path, url string) (status int, err error) {
	client := &http.Client{Timeout: hang, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", path)
	}}}
	answer, err := client.Get("http://localhost" + url)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

func TestDrainWorksOverAUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(shortDir(t), "admin.sock")
	s, _ := mintedFiles(t)
	s = s.with(settings{"MTLS_ADMIN_ADDR": "unix://" + socket})
	car := startSidecar(t, s)
	if status, err := onSocket(socket, "/readyz"); err != nil || status != 200 {
		t.Errorf("/readyz: got %d (%v), want 200", status, err)
	}
	for range 2 {
		if got := runCommand(t, s, "drain"); got.code != 0 || got.stderr != "" {
			t.Errorf("drain: got %+v, want exit code 0", got)
		}
	}
	if status, err := onSocket(socket, "/drained"); err != nil || status != 200 {
		t.Errorf("/drained: got %d (%v), want 200", status, err)
	}
	if err := nobodyListensOn(car.addr); err != nil {
		t.Error(err)
	}
	if code := car.stop(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind (%v)", err)
	}
}

// startWaiting starts a sidecar whose start takes until a list is there, which never is.
func startWaiting(t *testing.T) (p *process, s settings, addr, admin string) {
	t.Helper()
	base := freeBase(t)
	addr, admin = fmt.Sprintf("127.0.0.1:%d", base), fmt.Sprintf("127.0.0.1:%d", base+1)
	b := newBureau(t)
	s = b.checkable(settings{"MTLS_CRL": startLists(t).url, "MTLS_CRL_REFRESH": "1h", "MTLS_DRAIN_DELAY": "1h", "MTLS_DRAIN_TIMEOUT": "1h",
		"MTLS_LISTEN_ADDR": addr, "MTLS_ADMIN_ADDR": admin})
	p = start(t, "mtls-sidecar", sidecarCommand(t, s))
	t.Cleanup(p.kill)
	p.expect(t, `"msg":"a revocation list could not be fetched`)
	for path, want := range map[string]int{"/livez": 200, "/startupz": 503, "/readyz": 503} {
		if status, said, err := probe("http://" + admin + path); err != nil || status != want {
			t.Errorf("%s during the start: got %d %q (%v), want %d", path, status, said, err, want)
		}
	}
	return p, s, addr, admin
}

func TestSIGTERMAndSIGINTDuringTheStartEndItAtOnce(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p, _, _, _ := startWaiting(t)
			p.signal(t, sig)
			if code := p.wait(t); code != 0 {
				t.Errorf("exit code: got %d, want 0", code)
			}
		})
	}
}

// TestADrainDuringTheStartIsOverAtOnce, since nobody has been let in. The application's hook may
// ask before or after that.
func TestADrainDuringTheStartIsOverAtOnce(t *testing.T) {
	t.Parallel()
	p, s, addr, admin := startWaiting(t)
	if got := runCommand(t, s, "drain"); got.code != 0 || got.stderr != "" {
		t.Errorf("drain: got %+v, want exit code 0", got)
	}
	if status, said, err := probe("http://" + admin + "/drained"); err != nil || status != 200 {
		t.Errorf("/drained: got %d %q (%v), want 200", status, said, err)
	}
	if err := nobodyListensOn(addr); err != nil {
		t.Error(err)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}
