package main_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// lists serves one revocation list, once it has it.
type lists struct {
	url   string
	text  atomic.Pointer[[]byte]
	asked chan struct{} // each time, before the answer
}

func startLists(t *testing.T) *lists {
	t.Helper()
	l := &lists{asked: make(chan struct{}, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.asked <- struct{}{}
		if text := l.text.Load(); text != nil {
			_, _ = w.Write(*text)
		} else {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	l.url = server.URL + "/ca.crl"
	return l
}

// waiting starts the program with a list that is not there yet, and returns when it has been
// asked for in vain, with the address that it will listen on.
func waiting(t *testing.T, s settings, l *lists) (*process, string) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	p := start(t, "mtls-sidecar", sidecarCommand(t, s.with(settings{"MTLS_CRL": l.url, "MTLS_LISTEN_ADDR": addr})))
	p.expect(t, `"msg":"a revocation list could not be fetched`, l.url, "503")
	return p, addr
}

// shut checks that nobody listens: a probe of the port has to wait as well.
func shut(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before there is a list: dialling gave %v, want a refusal", err)
	}
}

func TestServeWaitsWithThePortClosedForTheListOfAURL(t *testing.T) {
	t.Parallel()
	b, l, app := newBureau(t), startLists(t), startRecorder(t)
	p, addr := waiting(t, b.checkable(settings{"MTLS_UPSTREAM_URL": "http://" + app.addr}), l)
	shut(t, addr)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.expect(t, `"msg":"reloaded"`, `"files":"client CAs"`)
	shut(t, addr) // a reload is no list

	good, leaver := b.pair("good"), b.pair("leaver")
	text, err := b.ca.CRL(1, leaver.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	l.text.Store(&text)
	p.expect(t, `"msg":"revocation list fetched"`, l.url, `"entries":1`)
	p.expect(t, `"msg":"listening"`, addr)
	for _, c := range []struct {
		cert   tls.Certificate
		status int
	}{{good, 200}, {leaver, 400}} {
		if got, _ := look(t, client{cert: &c.cert, version: tls.VersionTLS13}, addr, app); got.status != c.status {
			t.Errorf("%v: got %v, want %d", c.cert.Leaf.Subject, got, c.status)
		}
	}
}

// pair is a client's certificate with its key.
func (b bureau) pair(cn string) tls.Certificate {
	b.t.Helper()
	certificate, err := b.ca.Issue(pki.Options{Subject: pkix.Name{CommonName: cn}})
	if err != nil {
		b.t.Fatal(err)
	}
	return certificate
}

func TestSIGTERMEndsTheWaitForAListAtOnce(t *testing.T) {
	t.Parallel()
	b := newBureau(t)
	hours := settings{"MTLS_DRAIN_TIMEOUT": "1h", "MTLS_CRL_REFRESH": "1h"}
	t.Run("BetweenTwoTries", func(t *testing.T) {
		p, addr := waiting(t, b.checkable(hours), startLists(t))
		if code := p.stop(t); code != 0 {
			t.Errorf("exit code: got %d, want 0", code)
		}
		shut(t, addr)
	})
	t.Run("DuringATry", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		p := start(t, "mtls-sidecar", sidecarCommand(t, b.checkable(hours).with(settings{"MTLS_CRL": "http://" + silent.Addr().String()})))
		conn, err := silent.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if code := p.stop(t); code != 0 {
			t.Errorf("exit code: got %d, want 0", code)
		}
	})
}

// TestAForgedListEndsServeLikeAnyOtherFileFault at the start, when there is nothing older to go by.
func TestAForgedListEndsServeLikeAnyOtherFileFault(t *testing.T) {
	b := newBureau(t)
	impostor, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Bureau CA"}})
	if err != nil {
		t.Fatal(err)
	}
	impostor.Cert.SubjectKeyId = b.ca.Cert.SubjectKeyId
	forged, err := impostor.CRL(1)
	if err != nil {
		t.Fatal(err)
	}
	got := runCommand(t, b.checkable(settings{"MTLS_CRL": b.write("ca.crl", forged)}))
	if got.code != 2 || !strings.Contains(got.stderr, "MTLS_CRL: "+filepath.Join(b.dir, "ca.crl")+": ") || !strings.Contains(got.stderr, "not signed by the CA") {
		t.Errorf("got %d\n%s", got.code, got.stderr)
	}
}
