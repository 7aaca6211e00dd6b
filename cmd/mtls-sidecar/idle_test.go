//go:build !race

package main_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The race detector's own memory would be measured, so this file is left out there.

// idleBudget is the resident memory that one idle mTLS connection may cost, in
// bytes, after a few small requests.
const idleBudget = 20 << 10

// heldConnections is how many are held open at once, where the system lets us.
const heldConnections = 5000

func TestFiveThousandIdleConnectionsStayWithinTheirMemory(t *testing.T) {
	n := descriptorsFor(t, heldConnections)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(app.Close)
	s, certificate := mintedFiles(t)
	p := startSidecar(t, s.with(settings{"MTLS_UPSTREAM_URL": app.URL, "MTLS_IDLE_TIMEOUT": "30m", "MTLS_HEADER_TIMEOUT": "8s"}))
	c := client{cert: &certificate, version: tls.VersionTLS13}

	var held sync.Map
	t.Cleanup(func() {
		held.Range(func(conn, _ any) bool {
			conn.(*connection).Close()
			return true
		})
	})
	hold := func(n int) {
		inParallel(t, n, func() error {
			conn, err := c.dial(p.addr)
			if err != nil {
				return err
			}
			held.Store(conn, true)
			for range 3 {
				if err := smallRequest(conn); err != nil {
					return err
				}
			}
			conn.in = nil // our own memory counts for nothing, but 5000 buffers are 20 MB
			return nil
		})
	}
	hold(20) // code is paged in, pools and tables are made
	before := statusBytes(t, p.process, "VmRSS")
	hold(n)
	each := 0
	settled := settles(func() bool {
		each = (statusBytes(t, p.process, "VmRSS") - before) / n
		return each <= idleBudget
	})
	t.Logf("%d connections: %d KiB before, %d bytes each", n, before>>10, each)
	if !settled {
		t.Errorf("an idle connection holds %d bytes of resident memory, want at most %d", each, idleBudget)
	}
	// They are still there, and so is the sidecar for somebody new.
	held.Range(func(conn, _ any) bool {
		conn.(*connection).in = bufio.NewReader(conn.(*connection).Conn)
		if err := smallRequest(conn.(*connection)); err != nil {
			t.Errorf("a connection that was held does not work: %v", err)
			return false
		}
		return true
	})
	if status, _, body := c.once(t, p.addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); status != 200 || body != "ok" {
		t.Errorf("a new client got %d %q", status, body)
	}
}

// settles waits until a condition holds that comes about by itself. How soon is
// not what is tested: what handshakes leave behind is collected when there is
// time for it.
func settles(holds func() bool) bool {
	guard := time.Now().Add(hang / 2)
	for !holds() {
		if time.Now().After(guard) {
			return false
		}
		<-time.After(100 * time.Millisecond)
	}
	return true
}

// smallRequest makes one request and checks its answer.
func smallRequest(conn *connection) error {
	answer, body, err := conn.ask("GET /items?id=7 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
	if err == nil && (answer.StatusCode != 200 || body != "ok") {
		err = fmt.Errorf("got %d %q", answer.StatusCode, body)
	}
	return err
}

// inParallel runs f n times, a few at a time, and fails with the first error.
func inParallel(t *testing.T, n int, f func() error) {
	t.Helper()
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	failed := make(chan error, 8)
	var workers sync.WaitGroup
	for range cap(failed) {
		workers.Go(func() {
			for range turns {
				if err := f(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	workers.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

// descriptorsFor raises this process's limit of open files and returns how many
// connections, at most n, it and the program may hold: the program inherits the
// hard limit and raises its own.
func descriptorsFor(t *testing.T, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const others = 500 // files, listeners, connections to the application
	if room := limit.Max - min(limit.Max, others); room < uint64(n) {
		t.Logf("this system allows %d open files: holding %d connections instead of %d", limit.Max, room, n)
		n = int(room)
	}
	if n < 100 {
		missing(t, "%d connections are too few to measure", n)
	}
	return n
}
