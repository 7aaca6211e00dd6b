package main_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// What nginx cannot: a certificate that ceases to be believed while a connection
// is open is refused on that connection.

// revocable is a sidecar with an empty list.
func revocable(t *testing.T) (*front, *site) {
	t.Helper()
	s := startSite(t)
	v := newVault(t)
	v.issue("leaver", pki.Options{})
	v.revoke(t, 1)
	car := startSidecar(t, v.settings(s.addr).with(settings{"MTLS_CRL": v.path("ca.crl")}))
	return &front{process: car.process, vault: v, addr: car.addr}, s
}

// revoke publishes a list that names these certificates. It may be called by
// other goroutines than the test's.
func (v *vault) revoke(t *testing.T, number int64, names ...string) {
	t.Helper()
	var revoked []*x509.Certificate
	for _, name := range names {
		certificate, err := tls.LoadX509KeyPair(v.path(name+".crt"), v.path(name+".key"))
		if err != nil {
			t.Error(err)
			return
		}
		revoked = append(revoked, certificate.Leaf)
	}
	list, err := v.ca.CRL(number, revoked...)
	if err == nil {
		err = os.WriteFile(v.path("next.crl"), list, 0o600)
	}
	if err == nil {
		err = os.Rename(v.path("next.crl"), v.path("ca.crl"))
	}
	if err != nil {
		t.Error(err)
	}
}

// leaves revokes the leaver and waits until the sidecar knows, as revoke does for
// any goroutine.
func (f *front) leaves(t *testing.T) {
	t.Helper()
	f.revoke(t, 2, "leaver")
	if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Error(err)
	}
	(&sidecar{process: f.process}).awaits(t, `"msg":"reloaded"`, `"files":"revocation lists"`, `"entries":1`)
}

// cutShort waits for the end of an answer, which must not look like its proper end.
func cutShort(t *testing.T, lines *bufio.Reader) {
	t.Helper()
	if line, err := lines.ReadString('\n'); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a running stream: got %q (%v), want it cut", line, err)
	}
}

func TestARevokedClientIsRefusedOnItsOpenHTTP2Connection(t *testing.T) {
	t.Parallel()
	f, s := revocable(t)
	leaver, colleague := f.goClient(t, "leaver"), f.goClient(t, "client")
	running := bufio.NewReader(leaver.open(t, "/events?name=leaver").Body)
	staying := bufio.NewReader(colleague.open(t, "/events?name=colleague").Body)
	expectEvent(t, running, 0)
	expectEvent(t, staying, 0)
	if got := leaver.ask(t, "GET", "/", nil); got.StatusCode != 200 || got.saw() != saw("leaver") || !got.reused {
		t.Fatalf("while all is well: got %d, %q", got.StatusCode, got.saw())
	}
	f.leaves(t)

	got := leaver.ask(t, "GET", "/", nil)
	if got.StatusCode != 400 || !got.reused || !strings.Contains(string(got.body), "revoked") || got.saw() != "" {
		t.Errorf("on the open connection (%v): got %d %q, %q, want 400 and the reason", got.reused, got.StatusCode, got.body, got.saw())
	}
	cutShort(t, running)
	s.expect(t, "gone leaver")
	if got := leaver.ask(t, "GET", "/", nil); got.StatusCode != 400 || got.reused {
		t.Errorf("after that: got %d, on the old connection: %v, want 400 on a new one", got.StatusCode, got.reused)
	}
	// Whoever gets a new certificate is served again, without a new client.
	f.issue("returner", pki.Options{})
	renewed := f.certificate("returner")
	leaver.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &renewed, nil }
	if got := leaver.ask(t, "GET", "/", nil); got.StatusCode != 200 || got.saw() != saw("returner") {
		t.Errorf("with a new certificate: got %d, %q", got.StatusCode, got.saw())
	}

	if got := colleague.ask(t, "POST", "/event?name=colleague", nil); got.StatusCode != 204 || !got.reused || colleague.dialled.Load() != 1 {
		t.Errorf("the colleague: got %d, on connection %d", got.StatusCode, colleague.dialled.Load())
	}
	expectEvent(t, staying, 1)
}

func TestAStreamOfARevokedClientIsCutWithoutAnotherRequest(t *testing.T) {
	t.Parallel()
	f, s := revocable(t)
	c := f.goClient(t, "leaver")
	first, second := bufio.NewReader(c.open(t, "/events?name=one").Body), bufio.NewReader(c.open(t, "/events?name=two").Body)
	expectEvent(t, first, 0)
	expectEvent(t, second, 0)
	if c.dialled.Load() != 1 {
		t.Fatalf("there are %d connections, want 1", c.dialled.Load())
	}
	f.leaves(t)
	cutShort(t, first)
	cutShort(t, second)
	s.expect(t, "gone one")
	s.expect(t, "gone two")
}

func TestCurlIsRevokedBetweenTwoRequestsOfOneConnection(t *testing.T) {
	t.Parallel()
	needCurl(t)
	f, s := revocable(t)
	s.once("/last", func() { f.leaves(t) })
	var args []string
	for _, path := range []string{"/first", "/last", "/next", "/again"} {
		args = append(args, "-o", strings.TrimPrefix(path, "/"), f.url(path))
	}
	got, exit := f.curlAll(t, "leaver", args...)
	if exit != 0 || len(got) != 4 {
		t.Fatalf("got exit %d and %+v", exit, got)
	}
	for i, want := range []curlTransfer{{200, "2", 1, saw("leaver")}, {200, "2", 0, saw("leaver")}, {400, "2", 0, ""}, {400, "2", 1, ""}} {
		if got[i] != want {
			t.Errorf("request %d: got %+v, want %+v", i, got[i], want)
		}
	}
	for _, name := range []string{"next", "again"} {
		if page := f.curlBody(t, name); !strings.Contains(page, "revoked") {
			t.Errorf("/%s got %q", name, page)
		}
	}
}

func TestNodeIsRevokedOnItsOpenHTTP2Connection(t *testing.T) {
	t.Parallel()
	f, s := revocable(t)
	s.once("/last", func() { f.leaves(t) })
	p := nodeScript(t, "http2-lasting.mjs", "revoked", f.url(""), f.dir)
	if code := p.wait(t); code != 0 {
		t.Errorf("the client's exit: %d\n%s", code, p.tail(40))
	}
	s.expect(t, "gone node")
}

func TestACertificateExpiresOnItsOpenHTTP2Connection(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	f := startSidecarFront(t, s.addr, nil)
	f.issue("brief", pki.Options{NotAfter: time.Now().Add(3 * time.Second)})
	c := f.goClient(t, "brief")
	running := bufio.NewReader(c.open(t, "/events?name=brief").Body)
	expectEvent(t, running, 0)
	for {
		// A running stream ends a second later than the next request could be refused.
		got := c.ask(t, "GET", "/", nil)
		if got.StatusCode == 400 {
			if !got.reused || !strings.Contains(string(got.body), "expired") {
				t.Errorf("on the open connection (%v): got %q", got.reused, got.body)
			}
			break
		}
		if got.saw() != saw("brief") || got.StatusCode != 200 {
			t.Fatalf("before that: got %d, %q", got.StatusCode, got.saw())
		}
	}
	cutShort(t, running)
	s.expect(t, "gone brief")
}

// TestNoRunningStreamOutlivesTheCertificate asks for nothing after the expiry.
func TestNoRunningStreamOutlivesTheCertificate(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	f := startSidecarFront(t, s.addr, nil)
	f.issue("brief", pki.Options{NotAfter: time.Now().Add(3 * time.Second)})
	running := bufio.NewReader(f.goClient(t, "brief").open(t, "/events?name=brief").Body)
	expectEvent(t, running, 0)
	cutShort(t, running)
	s.expect(t, "gone brief")
}

// TestConnectionsOfAgeEndWithoutAFailedRequest: nginx's keepalive_time.
func TestConnectionsOfAgeEndWithoutAFailedRequest(t *testing.T) {
	eachFront(t, settings{"MTLS_MAX_CONNECTION_AGE": "50ms"}, func(t *testing.T, f *front, _ *site) {
		for _, protocol := range []string{"HTTP/2.0", "HTTP/1.1"} {
			c := f.goClient(t, "client")
			if protocol == "HTTP/1.1" {
				c.onlyHTTP1()
			}
			for c.dialled.Load() < 4 {
				got, err := c.try(c.request(t, "POST", "/echo", strings.NewReader("hello")))
				if err != nil || got.StatusCode != 200 || got.Proto != protocol || got.saw() != saw("client") || string(got.body) != "hello" {
					t.Fatalf("%s, connection %d: got %v %q (%v)", protocol, c.dialled.Load(), got.Response, got.body, err)
				}
			}
		}
	})
}

func TestARunningStreamOutlivesItsConnectionsAge(t *testing.T) {
	eachFront(t, settings{"MTLS_MAX_CONNECTION_AGE": "50ms"}, func(t *testing.T, f *front, s *site) {
		c := f.goClient(t, "client")
		running := bufio.NewReader(c.open(t, "/events?name=old").Body)
		expectEvent(t, running, 0)
		for c.dialled.Load() < 3 {
			if got := c.ask(t, "GET", "/", nil); got.StatusCode != 200 {
				t.Fatalf("got %d", got.StatusCode)
			}
		}
		for n := 1; n <= 5; n++ { // its connection was told to go away long since
			s.event("old")
			expectEvent(t, running, n)
		}
	})
}
