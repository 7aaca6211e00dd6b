package trust

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answerType is the content type of RFC 6960 §A.1.
const answerType = "application/ocsp-response"

func TestGETIsTriedFirstAndPOSTWhenNothingComesOfIt(t *testing.T) {
	w := newOCSPWorld(t)
	good := w.forge().der(t)
	old := w.forge()
	old.singles[0].this, old.singles[0].next = w.now.Add(-2*time.Hour), w.now.Add(-time.Hour)
	stale := old.der(t)
	tests := []struct {
		name   string
		status int
		kind   string
		body   []byte // of the answer to GET
		post   bool   // whether POST is tried
	}{
		{"GET answered", 200, answerType, good, false},
		{"GET answered with parameters", 200, answerType + "; charset=binary", good, false},
		{"not found", 404, answerType, good, true},
		{"not allowed", 405, "text/plain", nil, true},
		{"a redirect", 302, answerType, good, true},
		{"no content", 204, answerType, nil, true},
		{"another type", 200, "text/html", good, true},
		{"no type", 200, "", good, true},
		{"garbage", 200, answerType, []byte("<html>"), true},
		{"empty", 200, answerType, nil, true},
		{"stale, from a cache", 200, answerType, stale, true},
		{"an error of the protocol", 200, answerType, []byte{0x30, 3, 0x0a, 1, 1}, true},
		{"huge", 200, answerType, append(bytes.Clone(good), make([]byte, maxOCSPBody)...), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			responder := startOCSPResponder(t, func(r *http.Request) (int, string, []byte) {
				if r.Method == http.MethodGet {
					return test.status, test.kind, test.body
				}
				if kind := r.Header.Get("Content-Type"); kind != "application/ocsp-request" {
					t.Errorf("POST with content type %q", kind)
				}
				return 200, answerType, good
			})
			o, _, _ := w.start(OCSPOptions{Responder: responder.URL + "/ocsp/"})
			if got := o.Check(ocspCtx, w.believe, w.now); got.Status != Success {
				t.Errorf("got %q", got.Text())
			}
			asked := responder.questions()
			if len(asked) == 0 || !strings.HasPrefix(asked[0], "GET /ocsp/M") { // 0x30 begins a SEQUENCE
				t.Fatalf("asked %q", asked)
			}
			escaped, err := url.PathUnescape(strings.TrimPrefix(asked[0], "GET /ocsp/"))
			path := must(t, escaped, err)
			request, err := base64.StdEncoding.DecodeString(path)
			must(t, request, err)
			if want := w.question().request; !bytes.Equal(request, want) {
				t.Errorf("GET asks %x, want %x", request, want)
			}
			if posted := len(asked) == 2; posted != test.post || posted && asked[1] != "POST /ocsp/" {
				t.Errorf("asked %q, want POST: %v", asked, test.post)
			}
			if test.post && !bytes.Equal(responder.bodies[1], w.question().request) {
				t.Errorf("POST asks %x", responder.bodies[1])
			}
		})
	}
}

func TestAResponderThatAnswersWronglyIsAFailure(t *testing.T) {
	w := newOCSPWorld(t)
	good := w.forge().der(t)
	tests := []struct {
		name   string
		status int
		kind   string
		body   []byte
		want   string
	}{
		{"not found", 404, answerType, good, "status 404"},
		{"a redirect", 307, answerType, good, "status 307"},
		{"another type", 200, "text/html", good, `content type "text/html"`},
		{"huge", 200, answerType, append(bytes.Clone(good), make([]byte, maxOCSPBody)...), "65536 bytes"},
		{"cut short", 200, answerType, good[:len(good)-1], "malformed"},
		{"one byte more", 200, answerType, append(bytes.Clone(good), 0), "malformed"},
		{"unauthorized", 200, answerType, []byte{0x30, 3, 0x0a, 1, 6}, "unauthorized"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			responder := startOCSPResponder(t, func(*http.Request) (int, string, []byte) { return test.status, test.kind, test.body })
			o, _, reports := w.start(OCSPOptions{Responder: responder.URL})
			if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
				t.Errorf("got %q", got.Text())
			}
			r := await(t, reports, "the report")
			if r.Err == nil || !strings.Contains(r.Err.Error(), test.want) || !strings.Contains(r.Err.Error(), "; ") {
				t.Errorf("got error %v, want one with %q and a remedy", r.Err, test.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	w := newOCSPWorld(t)
	elsewhere := w.responder(func() []byte { return w.forge().der(t) })
	here := &http.Server{Handler: http.RedirectHandler(elsewhere.URL, http.StatusFound)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, listener, err)
	ended := make(chan error, 1)
	go func() { ended <- here.Serve(listener) }()
	o, _, _ := w.start(OCSPOptions{Responder: "http://" + listener.Addr().String()})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("got %q", got.Text())
	}
	if asked := elsewhere.questions(); len(asked) > 0 {
		t.Errorf("the redirect was followed: %q", asked)
	}
	if err := here.Close(); err != nil {
		t.Error(err)
	}
	await(t, ended, "the server's end")
}

func TestTheProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	proxy := startOCSPResponder(t, func(*http.Request) (int, string, []byte) { return 502, "", nil })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	f := newOCSPFetcher(OCSPOptions{})
	if transport, ok := f.client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Errorf("there is a proxy")
	}
}

func TestTheTimeoutBoundsAResponderThatDripsItsAnswer(t *testing.T) {
	w := newOCSPWorld(t)
	gone := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", answerType)
		rw.Header().Set("Content-Length", "1000")
		_, _ = rw.Write([]byte{0x30})
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
		close(gone)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, listener, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	o, _, reports := w.start(OCSPOptions{Responder: "http://" + listener.Addr().String(), Timeout: 200 * time.Millisecond})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("got %q", got.Text())
	}
	if r := await(t, reports, "the report"); !errors.Is(r.Err, context.DeadlineExceeded) {
		t.Errorf("got %v", r.Err)
	}
	await(t, gone, "the end of the connection") // and there was no POST, which would close it twice
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	await(t, ended, "the server's end")
}

func TestAResponderThatIsNotThereIsAFailure(t *testing.T) {
	w := newOCSPWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, listener, err)
	nobody := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	o, _, reports := w.start(OCSPOptions{Responder: nobody})
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("got %q", got.Text())
	}
	if r := await(t, reports, "the report"); r.Err == nil || !strings.Contains(r.Err.Error(), "cannot be reached") || strings.Contains(r.Err.Error(), "/M") {
		t.Errorf("got %v", r.Err)
	}
}
