package main_test

import (
	"crypto/tls"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// startKeepAlive runs the Node server that closes idle connections soon.
func startKeepAlive(t *testing.T, timeout time.Duration, manner string) *backend {
	t.Helper()
	cmd := exec.Command(need(t, "node"), filepath.Join(backends(t), "keepalive.js"), strconv.FormatInt(timeout.Milliseconds(), 10), manner)
	b := &backend{process: start(t, "keepalive.js", cmd)}
	b.port = b.next(t).Listening
	return b
}

// burst is a number of clients that ask all at once, then rest together: the
// connections to the application then rest as long as they do.
type burst struct {
	clients []*connection
	request string
}

func newBurst(t *testing.T, car *sidecar, certificate tls.Certificate, n int) *burst {
	t.Helper()
	b := &burst{}
	c := client{cert: &certificate, version: tls.VersionTLS13}
	for range n {
		conn, err := c.dial(car.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		b.clients = append(b.clients, conn)
	}
	return b
}

// ask makes one request on every connection and returns how many did not get
// the application's answer.
func (b *burst) ask(t *testing.T) (failed int) {
	t.Helper()
	var asking sync.WaitGroup
	var mu sync.Mutex
	for _, conn := range b.clients {
		asking.Go(func() {
			_ = conn.SetDeadline(time.Now().Add(hang))
			answer, body, err := conn.ask(b.request)
			if err == nil && answer.StatusCode == 200 && body == "ok" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failed++; failed < 4 {
				t.Logf("got %v %q (%v)", answer, body, err)
			}
		})
	}
	asking.Wait()
	return failed
}

func TestNodeClosingIdleConnectionsCostsNoRequest(t *testing.T) {
	const (
		limit    = 20 * time.Millisecond
		clients  = 64
		requests = 20_000
	)
	app := startKeepAlive(t, limit, "silent")
	s, certificate := mintedFiles(t)
	car := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": app.upstream(), "MTLS_UPSTREAM_IDLE_TIMEOUT": "1m"}))
	b := newBurst(t, car, certificate, clients)
	b.request = "GET /item HTTP/1.1\r\nHost: h\r\n\r\n"
	failed, made := 0, 0
	for round := 0; made < requests && failed == 0; round++ {
		failed += b.ask(t)
		made += clients
		// Around the limit, a little more and a little less from round to round.
		<-time.After(limit + time.Duration(round%13-9)*500*time.Microsecond)
	}
	if failed > 0 {
		t.Fatalf("%d of %d requests failed: the application had closed the connection", failed, made)
	}
	_, connections, err := b.clients[0].ask("GET /connections HTTP/1.1\r\nHost: h\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := strconv.Atoi(connections)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests over %d connections", made, opened)
	// Were none closed, or none kept, the test would have tested nothing.
	if opened < 2*clients || opened > made*9/10 {
		t.Errorf("%d requests were made over %d connections: the limit was not met", made, opened)
	}
}

// What must not be sent twice is not sent on a connection that Node is about to
// close, since Node says when.
func TestNodeAnnouncingItsLimitCostsNoPost(t *testing.T) {
	app := startKeepAlive(t, 2*time.Second, "announced")
	s, certificate := mintedFiles(t)
	car := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": app.upstream(), "MTLS_UPSTREAM_IDLE_TIMEOUT": "1m"}))
	b := newBurst(t, car, certificate, 50)
	b.request = "POST /item HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
	for _, rest := range []time.Duration{10, 990, 1010, 1990, 0} {
		if failed := b.ask(t); failed > 0 {
			t.Errorf("%d requests failed", failed)
		}
		<-time.After(rest * time.Millisecond)
	}
}
