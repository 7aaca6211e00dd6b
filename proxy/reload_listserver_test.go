package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// listServer is a CA's web server. It answers as it is told to.
type listServer struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   []byte
	asked  int
}

func startListServer(t *testing.T, status int, body []byte) *listServer {
	t.Helper()
	l := &listServer{status: status, body: body}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *listServer) ServeHTTP(answer http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	answer.WriteHeader(l.status)
	_, _ = answer.Write(l.body)
}

func (l *listServer) answers(status int, body []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status, l.body = status, body
}

// count is how often it has been asked.
func (l *listServer) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// isAskedAgain waits until so many more answers have been taken in: the next question
// comes after the answer to the last has been.
func (l *listServer) isAskedAgain(t *testing.T, times int) {
	t.Helper()
	until := l.count() + times + 1
	waitFor(t, "the list's URL is asked again", func() bool { return l.count() >= until })
}

// urlWorld is a sidecar that has its lists from URLs, not started.
func urlWorld(t *testing.T, p *reloadPKI, urls string, entries ...string) *sidecar {
	t.Helper()
	ca := inFolder(t, "ca.crt", pki.CertPEM(p.cas[0].Cert))
	return newSidecar(t, startTeller(t).url, append([]string{"MTLS_CLIENT_CA_FILE=" + ca, "MTLS_CRL=" + urls,
		"MTLS_CRL_REFRESH=5ms", "MTLS_INVALID_CERT=failed", "MTLS_RELOAD_INTERVAL=1h"}, entries...)...)
}

// starting runs Start on a goroutine of its own and gives its result.
func (s *sidecar) starting(ctx context.Context) <-chan error {
	started := make(chan error, 1)
	go func() { started <- s.Start(ctx) }()
	return started
}

// shutsDown ends a sidecar that does not serve.
func (s *sidecar) shutsDown(t *testing.T) {
	t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	await(t, "the shutdown", shutDown(now, s))
}

func stillWaits(t *testing.T, what string, started <-chan error) {
	t.Helper()
	select {
	case err := <-started:
		t.Fatalf("%s: Start returned %v before there was a list", what, err)
	default:
	}
}
