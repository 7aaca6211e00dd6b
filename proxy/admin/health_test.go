package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
)

func TestHealthSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	closed, open := make(chan struct{}), make(chan struct{})
	close(closed)
	never := func(context.Context) error { t.Error("the application was asked"); return nil }
	down := func(context.Context) error { return errors.New("127.0.0.1:8080 refuses connections") }
	for name, c := range map[string]struct {
		options  Options
		startupz int
		readyz   int
		why      string
	}{
		"Up":          {Options{Draining: open}, 200, 200, "ready"},
		"Not started": {Options{Started: func() error { return errNotYet }, Ready: never}, 503, 503, "not ready: certificate not there:; no such file\n"},
		"Draining":    {Options{Draining: closed, Ready: never}, 200, 503, "not ready: draining\n"},
		"App down":    {Options{Draining: open, Ready: down}, 200, 503, "refuses connections"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.options)
			s.get(t, "/livez").expect(t, 200, "alive\n")
			s.get(t, "/startupz").expect(t, c.startupz, "started")
			ready := s.get(t, "/readyz")
			ready.expect(t, c.readyz, c.why)
			if strings.Count(ready.body, "\n") != 1 {
				t.Errorf("got %q, want one line", ready.body)
			}
		})
	}
}

// everything has all endpoints.
func everything() Options {
	return Options{
		Level:   zap.NewAtomicLevel(),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "mtls_draining 0\n") }),
		Drain:   func() bool { return true },
		Drained: make(chan struct{}),
		Status:  calm,
		Paths:   []string{"/healthz"},
		Probe:   func(context.Context, string, string) (*http.Response, error) { return nil, errors.New("not now") },
	}
}

func TestEveryPathKnowsItsMethodsAndNoBodies(t *testing.T) {
	t.Parallel()
	s := start(t, everything())
	for path, methods := range map[string]string{
		"/": "GET, HEAD", "/status.json": "GET, HEAD", "/livez": "GET, HEAD", "/startupz": "GET, HEAD", "/readyz": "GET, HEAD", "/metrics": "GET, HEAD",
		"/drained": "GET, HEAD", "/upstream/healthz": "GET, HEAD", "/drain": "POST", "/log-level": "GET, HEAD, PUT",
	} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"} {
			if strings.Contains(methods, method) {
				continue
			}
			answer := s.request(t, method, path, "")
			answer.expect(t, http.StatusMethodNotAllowed, "this path is for "+methods)
			if allow := answer.header.Get("Allow"); allow != methods {
				t.Errorf("%s: Allow %q, want %q", path, allow, methods)
			}
		}
		if path == "/log-level" {
			continue
		}
		method, _, _ := strings.Cut(methods, ",")
		s.request(t, method, path, "x").expect(t, http.StatusBadRequest, "takes no body")
	}
	for _, path := range []string{"/livez/", "//livez", "/LIVEZ", "/%6civez", "/./livez", "/x/../livez", "/metrics/x", "/drain/", "/upstream", "/upstream/", "/favicon.ico", "/debug/pprof/"} {
		s.get(t, path).expect(t, http.StatusNotFound, "there are /livez, /startupz, /readyz, /drained, /metrics, /upstream/healthz, /, /status.json, /log-level, /drain\n")
	}
	s.get(t, "/metrics").expect(t, 200, "mtls_draining 0")
	s.get(t, "/upstream/ready").expect(t, http.StatusNotFound, "that MTLS_ADMIN_UPSTREAM_PATHS lists")
	s.get(t, "/livez?verbose").expect(t, 200, "alive")
}

func TestWhatIsNotGivenIsNotThere(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Paths: []string{"/healthz"}})
	for _, path := range []string{"/", "/status.json", "/log-level", "/drain", "/drained", "/metrics", "/upstream/healthz"} {
		s.get(t, path).expect(t, http.StatusNotFound, "there are /livez, /startupz, /readyz\n")
	}
}

func TestHEADIsAnsweredAsGETWithoutTheBodyAndNothingIsStored(t *testing.T) {
	t.Parallel()
	options := everything()
	over := make(chan struct{})
	close(over)
	options.Drained = over
	options.Probe = answering(200, "text/plain", "fine")
	s := start(t, options)
	for _, path := range []string{"/", "/status.json", "/log-level", "/livez", "/startupz", "/readyz", "/drained", "/metrics", "/upstream/healthz", "/nothing"} {
		get, head := s.get(t, path), s.request(t, http.MethodHead, path, "")
		if head.status != get.status || head.body != "" {
			t.Errorf("HEAD %s: got %d with %d bytes, want %d with none", path, head.status, len(head.body), get.status)
		}
		if path != "/metrics" && head.header.Get("Content-Length") != fmt.Sprint(len(get.body)) {
			t.Errorf("HEAD %s: Content-Length %q, want %d", path, head.header.Get("Content-Length"), len(get.body))
		}
		for _, answer := range []got{get, head} {
			if answer.header.Get("Cache-Control") != "no-store" || answer.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v, want no-store and nosniff", path, answer.header)
			}
		}
	}
}

func TestAPanicEndsOneAnswerAndIsLogged(t *testing.T) {
	t.Parallel()
	log, seen := observed(zap.DebugLevel)
	var begin atomic.Bool
	s := start(t, Options{Log: log, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if begin.Load() {
			fmt.Fprint(w, "mtls_half")
		}
		panic("broken <here>")
	})})
	s.get(t, "/metrics").expect(t, http.StatusInternalServerError, "this answer failed; the log says why")
	begin.Store(true)
	if answer, err := plain.Get(s.url + "/metrics"); err == nil {
		answer.Body.Close()
		t.Errorf("an answer that had begun came as a whole one: %v", answer)
	}
	s.get(t, "/livez").expect(t, 200, "alive")
	if entries := seen.FilterMessageSnippet("failed to answer").All(); len(entries) != 2 || entries[0].ContextMap()["error.message"] != "broken <here>" {
		t.Errorf("logged %v, want both faults", seen.All())
	}
}
