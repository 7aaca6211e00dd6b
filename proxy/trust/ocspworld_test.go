package trust

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// ocspHang is how long a test waits for what must come.
const ocspHang = 60 * time.Second

// ocspWorld is a world with a client's certificate that names a responder.
type ocspWorld struct {
	*world
	client  *x509.Certificate // issued by inter
	believe Verdict           // on client, inter, root
}

func newOCSPWorld(t *testing.T) *ocspWorld {
	t.Helper()
	w := &ocspWorld{world: newWorld(t)}
	w.client = w.leaf(w.inter, pki.Options{})
	w.believe = w.chain(w.client, w.inter.Cert)
	return w
}

// chain is the verdict on a chain, believed as yet.
func (w *ocspWorld) chain(presented ...*x509.Certificate) Verdict {
	w.t.Helper()
	v := NewSnapshot(certs(w.root), strict()).Verify(presented, w.now)
	if v.Status != Success {
		w.t.Fatalf("without OCSP the chain is %q", v.Text())
	}
	return v
}

// question is the client's.
func (w *ocspWorld) question() *ocspQuestion {
	w.t.Helper()
	q, err := newOCSPQuestion(ocspLink{w.client, w.inter.Cert})
	return must(w.t, q, err)
}

// ocspResponder is an HTTP responder that says what it is told to.
type ocspResponder struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // methods and paths
	bodies [][]byte
	answer func(r *http.Request) (status int, kind string, body []byte)
}

// responder starts one that answers every question with what answer returns.
func (w *ocspWorld) responder(answer func() []byte) *ocspResponder {
	return startOCSPResponder(w.t, func(*http.Request) (int, string, []byte) {
		return http.StatusOK, "application/ocsp-response", answer()
	})
}

func startOCSPResponder(t *testing.T, answer func(*http.Request) (int, string, []byte)) *ocspResponder {
	t.Helper()
	r := &ocspResponder{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		r.mu.Lock()
		r.asked = append(r.asked, request.Method+" "+request.RequestURI)
		r.bodies = append(r.bodies, body)
		answer := r.answer
		r.mu.Unlock()
		status, kind, text := answer(request)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}))
	t.Cleanup(r.Close)
	return r
}

// questions are the requests that arrived until now.
func (r *ocspResponder) questions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// alarms takes the place of the timers of an OCSP.
type alarms struct {
	mu   sync.Mutex
	list []*ocspAlarm
	set  chan time.Duration // each that was set
}

type ocspAlarm struct {
	after   time.Duration
	ring    func()
	stopped bool
}

func (a *alarms) after(d time.Duration, f func()) func() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	alarm := &ocspAlarm{after: d, ring: f}
	a.list = append(a.list, alarm)
	a.set <- d
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		alarm.stopped = true
		return true
	}
}

// ring lets the last alarm go off, unless it was stopped.
func (a *alarms) ring(t *testing.T) time.Duration {
	t.Helper()
	a.mu.Lock()
	if len(a.list) == 0 {
		a.mu.Unlock()
		t.Fatalf("no alarm was set")
	}
	last := a.list[len(a.list)-1]
	stopped := last.stopped
	a.mu.Unlock()
	if stopped {
		t.Fatalf("the last alarm was stopped")
	}
	last.ring()
	return last.after
}

// start makes an OCSP with hand-rung alarms; its reports are sent to the channel.
func (w *ocspWorld) start(o OCSPOptions) (*OCSP, *alarms, <-chan OCSPReport) {
	w.t.Helper()
	reports := make(chan OCSPReport, 64)
	o.Report = func(r OCSPReport) { reports <- r }
	if o.Timeout == 0 {
		o.Timeout = ocspHang
	}
	ocsp, clock := NewOCSP(o), &alarms{set: make(chan time.Duration, 64)}
	ocsp.after = clock.after
	w.t.Cleanup(ocsp.Close)
	return ocsp, clock, reports
}

// await takes what must come.
func await[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(ocspHang):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// leafAgain is the client's certificate in another object.
func (w *ocspWorld) leafAgain() *x509.Certificate {
	c, err := x509.ParseCertificate(w.client.Raw)
	if err != nil {
		w.t.Error(err)
	}
	return c
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	return must(t, u, err)
}
