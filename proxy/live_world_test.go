package proxy

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// pkiClient is who a client is.
type pkiClient struct {
	cn          string
	certificate *tls.Certificate
}

// doubt is why a client is not believed, in the words of the page and of OpenSSL.
type doubt struct{ reason, text string }

// liveWorld is a sidecar whose files, CAs and clock the test changes under its
// clients. The chain is client, inter, root; the file of CAs holds the root.
type liveWorld struct {
	*sidecar
	t           *testing.T
	app         *liveApp
	clock       *movedClock
	still       time.Time // where the clock stands still; zero: it goes
	folder      string
	root, inter *liveCA
	strangers   *liveCA // a root that is not trusted at first
	victim      *pkiClient
	other       *pkiClient // below the same CA
	outcast     *pkiClient // revoked before anything began
	responder   *httptest.Server
	questions   atomic.Int64 // that the responder got
	mute        atomic.Bool  // it answers nobody
	slow        atomic.Bool  // a question that comes now is answered after release
	release     chan struct{}
	hostile     atomic.Pointer[http.HandlerFunc] // answers in its place; nil: nobody does
	paths       int
	start       time.Time // of the hand-made sweeps
}

// liveSetting is what one world is like before its sidecar starts.
type liveSetting struct {
	books     func(*testing.T, *pki.Authority) registrar
	entries   []string
	arranged  func(w *liveWorld) // before the sidecar starts; nil: nothing is special
	withLists bool
	withOCSP  bool
	stranger  bool        // the victim's CA is not trusted
	issued    pki.Options // the victim's certificate
}

func newLiveWorld(t *testing.T, setting liveSetting) *liveWorld {
	t.Helper()
	w := &liveWorld{t: t, release: make(chan struct{}), clock: &movedClock{}, app: startLiveApp(t)}
	var err error
	if w.folder, err = os.MkdirTemp("", "live-test-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(w.folder) })
	root, err := pki.NewRoot(pki.Options{})
	w.root = newLiveCA(t, root, err, setting.books)
	inter, err := root.Intermediate(pki.Options{})
	w.inter = newLiveCA(t, inter, err, setting.books)
	strangers, err := pki.NewRoot(pki.Options{})
	w.strangers = newLiveCA(t, strangers, err, newGoRegistrar)

	w.victim = w.inter.issues("victim", setting.issued)
	if setting.stranger {
		w.victim = w.strangers.issues("victim", setting.issued)
	}
	w.other, w.outcast = w.inter.issues("other", pki.Options{}), w.inter.issues("outcast", pki.Options{})
	w.inter.marks(w.outcast.certificate.Leaf, revoked)
	for _, who := range []*pkiClient{w.victim, w.other, w.outcast} {
		if who.certificate.Leaf.Issuer.CommonName == inter.Cert.Subject.CommonName {
			*who.certificate = pki.With(*who.certificate, inter.Cert)
		}
	}
	w.trusts(w.root)
	entries := append([]string{"MTLS_CLIENT_CA_FILE=" + w.path("ca.crt"), "MTLS_SESSION_TIMEOUT=24h", "MTLS_RELOAD_INTERVAL=1h"}, setting.entries...)
	if setting.withLists {
		if err := os.Mkdir(w.path("crl"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.puts("crl/root.crl", w.root.publishes())
		w.puts("crl/inter.crl", w.inter.publishes())
		entries = append(entries, "MTLS_CRL="+w.path("crl"))
	}
	if setting.withOCSP {
		w.responder = httptest.NewServer(http.HandlerFunc(w.respond))
		t.Cleanup(w.responder.Close)
		entries = append(entries, "MTLS_OCSP=leaf", "MTLS_OCSP_RESPONDER="+w.responder.URL)
	}
	if setting.arranged != nil {
		setting.arranged(w)
	}
	w.sidecar = newSidecar(t, w.app.url, entries...)
	w.sidecar.clock = func() time.Time {
		if w.still.IsZero() {
			return w.clock.now()
		}
		return w.still.Add(time.Duration(w.clock.offset.Load()))
	}
	return w
}

// byHand starts the sidecar without the sweeper's ticker: the test sweeps, at the
// times it likes.
func (w *liveWorld) byHand() {
	w.t.Helper()
	w.keepers.Go(func() { w.poll(&reloader{server: w.Server, seen: w.belief.seen}) })
	listener, err := w.Listen()
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = listener.Addr().String()
	go func() { w.served <- w.Serve(listener) }()
	w.t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		w.Shutdown(now)
		if err := <-w.served; err != nil {
			w.t.Errorf("Serve: %v", err)
		}
	})
	w.start = time.Now()
}

// sweepAt sweeps as at a time after the world's start.
func (w *liveWorld) sweepAt(after time.Duration) { w.sweepOnce(w.start.Add(after)) }

func (w *liveWorld) path(name string) string { return filepath.Join(w.folder, name) }

// puts writes a file as most tools do: beside its place, then into it.
func (w *liveWorld) puts(name string, text []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.path("new"), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.path("new"), w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *liveWorld) removes(name string) {
	w.t.Helper()
	if err := os.Remove(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *liveWorld) trusts(roots ...*liveCA) {
	w.t.Helper()
	var text []byte
	for _, root := range roots {
		text = append(text, pki.CertPEM(root.Cert)...)
	}
	w.puts("ca.crt", text)
}

// reloads does what SIGHUP does.
func (w *liveWorld) reloads() {
	w.t.Helper()
	if err := w.Reload(); err != nil {
		w.t.Fatal(err)
	}
}

// respond is the responder of inter.
func (w *liveWorld) respond(answer http.ResponseWriter, r *http.Request) {
	if hostile := w.hostile.Load(); hostile != nil {
		(*hostile)(answer, r)
		return
	}
	slow := w.slow.Load()
	w.questions.Add(1)
	if slow {
		<-w.release
	}
	question, err := io.ReadAll(r.Body)
	if r.Method == http.MethodGet {
		question, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(r.URL.Path, "/"))
	}
	if err != nil || w.mute.Load() {
		answer.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	der, err := w.inter.answer(question)
	if err != nil {
		w.t.Errorf("answering an OCSP question: %v", err)
		return
	}
	answer.Header().Set("Content-Type", "application/ocsp-response")
	_, _ = answer.Write(der)
}

// next is a path that no request has had.
func (w *liveWorld) next(kind string) string {
	w.paths++
	return fmt.Sprintf("/%s/%d", kind, w.paths)
}

// hears is what has to come of a request by a client of that name, with what is
// doubted about it (nil: nothing), under the world's mode.
func (w *liveWorld) hears(cn string, d *doubt) expectation {
	noCA := d != nil && (d.reason == "unknown_issuer" || d.reason == "unknown_ca")
	switch {
	case cn == "":
		return expectation{200, "NONE", ""}
	case d == nil:
		return expectation{200, "SUCCESS", "CN=" + cn}
	case w.config.InvalidCert == InvalidFailed, w.config.VerifyClient == VerifyOptionalNoCA && noCA:
		return expectation{200, "FAILED:" + d.text, ""}
	case w.config.InvalidCert == InvalidNone:
		return expectation{200, "NONE", ""}
	default:
		return expectation{status: 400}
	}
}

// asks makes a request on a connection of a client's.
func (w *liveWorld) asks(c *client, cn string, d *doubt) {
	w.t.Helper()
	path := w.next("plain")
	c.send(get(path))
	w.hearsOf(c, path, w.hears(cn, d), d)
}

// hearsOf reads the answer to a request and compares what came of it.
func (w *liveWorld) hearsOf(c *client, path string, want expectation, d *doubt) {
	w.t.Helper()
	answer, body := c.answer("GET")
	head := w.app.head(path)
	switch {
	case answer.StatusCode != want.status:
		w.t.Errorf("%s: got status %d, want %d: %s", path, answer.StatusCode, want.status, body)
	case want.status == 200:
		if got, want := told(head), toldAs(want.verified, want.dn); got != want {
			w.t.Errorf("%s: the application was told %s, want %s", path, got, want)
		}
	default:
		if head != "" {
			w.t.Errorf("%s: refused, but the application has seen it:\n%s", path, head)
		}
		if !strings.Contains(body, "<code>"+d.reason+"</code>") || !strings.Contains(body, "("+d.text+")") {
			w.t.Errorf("%s: the page does not say %s (%s):\n%s", path, d.reason, d.text, body)
		}
		if rest, err := c.rest(); rest != "" || err != nil {
			w.t.Errorf("%s: after the page: %q and %v, want a clean end", path, rest, err)
		}
	}
}
