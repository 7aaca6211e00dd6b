package main_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A sidecar is stopped while clients are at work, as in every rolling restart.

// service passes each new connection on to the first replica that takes it, as
// what stands before the replicas does once one is gone.
type service struct {
	addr   string
	served [2]atomic.Int32 // connections of each replica
}

func startService(t *testing.T, replicas [2]string) *service {
	t.Helper()
	s := &service{}
	s.addr = balances(t, func(conn net.Conn) { s.pass(conn, replicas) })
	return s
}

// balances has each connection passed on, until the test ends, which waits for all
// of them. It returns the address.
func balances(t *testing.T, pass func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var passing sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		passing.Wait()
	})
	passing.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { pass(conn) })
		}
	})
	return listener.Addr().String()
}

// splice relays both ways, the way each ends included.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}

func (s *service) pass(conn net.Conn, replicas [2]string) {
	defer conn.Close()
	for i, replica := range replicas {
		to, err := net.Dial("tcp", replica)
		if err != nil {
			continue
		}
		defer to.Close()
		s.served[i].Add(1)
		splice(conn, to)
		return
	}
}

// rollout is a service of two replicas, of which the first is stopped while it
// answers /stop.
type rollout struct {
	*front // what clients reach
	*service
	leaving *sidecar
}

func startRollout(t *testing.T) rollout {
	t.Helper()
	s := startSite(t)
	v := newVault(t)
	leaving, staying := startSidecar(t, v.settings(s.addr)), startSidecar(t, v.settings(s.addr))
	before := startService(t, [2]string{leaving.addr, staying.addr})
	s.once("/stop", func() {
		if err := leaving.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		leaving.awaits(t, `"msg":"stopping"`)
		if !refusesConnections(leaving.addr) {
			t.Error("a replica that stops still takes connections")
		}
	})
	return rollout{&front{process: staying.process, vault: v, addr: before.addr}, before, leaving}
}

// refusesConnections waits until nothing listens any more.
func refusesConnections(addr string) bool {
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	guard := time.After(hang)
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return true
		}
		conn.Close()
		select {
		case <-retry.C:
		case <-guard:
			return false
		}
	}
}

// over checks that the first replica is gone without having cut anybody, and that
// the second took over.
func (r rollout) over(t *testing.T) {
	t.Helper()
	if code := r.leaving.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	r.leaving.expect(t, `"msg":"stopped"`, `"connections_cut":0`)
	if first, second := r.served[0].Load(), r.served[1].Load(); first < 1 || second < 1 {
		t.Errorf("the replicas had %d and %d connections, want some each", first, second)
	}
}

func TestGoSeesNoFailureWhenAReplicaStops(t *testing.T) {
	t.Parallel()
	r := startRollout(t)
	c := r.goClient(t, "client")
	c.ask(t, "GET", "/", nil)
	turns := make(chan int, 600)
	for n := range cap(turns) {
		turns <- n
	}
	close(turns)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range turns {
				path := "/"
				if n == 100 {
					path = "/stop"
				}
				request, _ := http.NewRequest("POST", c.base+path, strings.NewReader("x"))
				got, err := c.try(request)
				if err != nil {
					t.Errorf("request %d: %v", n, err)
				} else if got.StatusCode != 200 || string(got.body) != "hello" || got.saw() != saw("client") {
					t.Errorf("request %d: got %q, %q", n, got.body, got.saw())
				}
			}
		})
	}
	workers.Wait()
	r.over(t)
}

func TestNodeSeesNoFailureWhenAReplicaStops(t *testing.T) {
	t.Parallel()
	r := startRollout(t)
	p := nodeScript(t, "http2-lasting.mjs", "drained", r.url(""), r.dir)
	if code := p.wait(t); code != 0 {
		t.Errorf("the client's exit: %d\n%s", code, p.tail(40))
	}
	r.over(t)
}

// TestCurlSeesNoFailureWhenAReplicaStops has one request at a time: with -Z, curl 7.88
// fails a request now and then that meets GOAWAY, nginx's no less.
func TestCurlSeesNoFailureWhenAReplicaStops(t *testing.T) {
	t.Parallel()
	needCurl(t)
	r := startRollout(t)
	const each = "-[1-100]"
	got, exit := r.curlAll(t, "client", "-o", "/dev/null", r.url("/before"+each), "-o", "/dev/null", r.url("/stop"), "-o", "/dev/null", r.url("/after"+each))
	connects := 0
	for n, transfer := range got {
		connects += transfer.connects
		if transfer.status != 200 || transfer.version != "2" || transfer.saw != saw("client") {
			t.Errorf("request %d: got %+v", n, transfer)
		}
	}
	if exit != 0 || len(got) != 201 || connects != 2 {
		t.Errorf("got exit %d, %d answers on %d connections, want 0, 201 and 2", exit, len(got), connects)
	}
	r.over(t)
}

func TestStreamsInFlightFinishWhenTheSidecarStops(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	f := startSidecarFront(t, s.addr, settings{"MTLS_DRAIN_TIMEOUT": "1h"})
	c := f.goClient(t, "client")
	c.ask(t, "GET", "/", nil)
	slow := c.open(t, "/bytes?n=16777216") // more than net/http's window
	body, upload := io.Pipe()
	type outcome struct {
		answer goAnswer
		err    error
	}
	outcomes := make(chan outcome, 2)
	for _, request := range []*http.Request{c.request(t, "GET", "/wait?name=in+flight", nil), c.request(t, "POST", "/echo?upload", body)} {
		go func() {
			answer, err := c.try(request)
			outcomes <- outcome{answer, err}
		}()
	}
	if _, err := io.WriteString(upload, "before "); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "waiting in flight")
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.process.expect(t, `"msg":"stopping"`)
	if !refusesConnections(f.addr) {
		t.Error("a sidecar that stops still takes connections")
	}
	if _, err := io.WriteString(upload, "and after"); err != nil {
		t.Error(err)
	}
	upload.Close()
	s.free()
	bodies := map[string]bool{}
	for range 2 {
		got := <-outcomes
		if got.err != nil || got.answer.StatusCode != 200 {
			t.Errorf("in flight: got %v (%v)", got.answer.Response, got.err)
		}
		bodies[string(got.answer.body)] = true
	}
	if !bodies["waited"] || !bodies["before and after"] {
		t.Errorf("in flight: got %v", bodies)
	}
	if got, err := io.ReadAll(slow.Body); err != nil || string(got) != string(pattern(16<<20)) {
		t.Errorf("the download in flight: got %d bytes (%v)", len(got), err)
	}
	if code := f.wait(t); code != 0 || c.dialled.Load() != 1 {
		t.Errorf("exit code %d after %d connections, want 0 after 1", code, c.dialled.Load())
	}
	f.process.expect(t, `"msg":"stopped"`, `"connections_cut":0`)
}
