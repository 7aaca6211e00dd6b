package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// waitingRequest is a request that the application answers when it is told to.
func (l *lingering) waitingRequest(t *testing.T) *connection {
	t.Helper()
	conn, err := l.client.dial(l.pod.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := http.ReadResponse(conn.in, nil); err != nil || answer.StatusCode != 100 {
		t.Fatalf("got %v (%v), want 100: the application is waiting for the body", answer, err)
	}
	return conn
}

// finish sends what such a request waits for and reads the answer.
func (c *connection) finish(t *testing.T) {
	t.Helper()
	if answer, body, err := c.ask("whole"); err != nil || body != "whole" || !answer.Close {
		t.Errorf("in flight: got %v %q (%v), want whole and Connection: close", answer, body, err)
	}
	c.Close() // else the sidecar waits for that for a while
}

func TestTheFirstSIGTERMBeginsADrainTheNextEndsItsDelayTheThirdCuts(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	conn := l.waitingRequest(t)
	l.car.signal(t, syscall.SIGTERM)
	l.car.expect(t, `"msg":"draining"`)
	if body, last, err := l.get("/healthz"); err != nil || body != "hello" || !last {
		t.Errorf("during the delay: got %q, %v (%v)", body, last, err)
	}
	l.car.signal(t, syscall.SIGTERM)
	l.car.expect(t, `"msg":"not listening any more`)
	if !refusesConnections(l.pod.addr) {
		t.Error("after the second SIGTERM it still takes connections")
	}
	if status, _, err := probe("http://" + l.admin + "/livez"); err != nil || status != 200 {
		t.Errorf("/livez while a request is in flight: got %d (%v), want 200", status, err)
	}
	l.car.signal(t, syscall.SIGTERM)
	if code := l.car.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	l.car.expect(t, `"msg":"stopped"`, `"connections_cut":1`)
	if rest, err := io.ReadAll(conn); len(rest) > 0 {
		t.Errorf("the request that was cut was answered with %q (%v)", rest, err)
	}
}

func TestAfterADrainSIGTERMOnlyEndsTheProcessWhenItIsDrained(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	conn := l.waitingRequest(t)
	for range 2 { // the second finds that it has begun
		l.drain(t)
	}
	l.over(t)
	conn.finish(t)
	l.ended(t)
}

func TestSIGINTDrainsWithoutADelay(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	conn := l.waitingRequest(t)
	l.car.signal(t, syscall.SIGINT)
	l.car.expect(t, `"msg":"not listening any more`)
	if !refusesConnections(l.pod.addr) {
		t.Error("it still takes connections")
	}
	conn.finish(t)
	l.ended(t)
}

func TestDrainedWaitsAndIsAnsweredThoughTheProcessEndsRightAfter(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	conn := l.waitingRequest(t)
	l.drain(t)
	l.over(t)
	var hooks sync.WaitGroup
	var finishing atomic.Bool
	for range 20 {
		waiting := l.asksDrained(t)
		hooks.Go(func() {
			answer, err := http.ReadResponse(waiting, nil)
			if err != nil || answer.StatusCode != 200 || !finishing.Load() {
				t.Errorf("/drained: got %v (%v), the last request being told to finish: %v; want 200 after it", answer, err, finishing.Load())
			}
			if err := nobodyListensOn(l.pod.addr); err != nil {
				t.Error(err)
			}
		})
	}
	for range 5 { // the port has answered these, so it has read those
		if status, _, err := probe("http://" + l.admin + "/livez"); err != nil || status != 200 {
			t.Errorf("/livez: got %d (%v), want 200", status, err)
		}
	}
	finishing.Store(true)
	conn.finish(t)
	hooks.Wait()
	l.ended(t)
}

// asksDrained sends the question and returns what the answer will come on.
func (l *lingering) asksDrained(t *testing.T) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", l.admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(hang))
	if _, err := io.WriteString(conn, "GET /drained HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

func TestAfterADrainByCommandTheProcessStaysUntilSIGTERM(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	p := startPod(t, v, layout{}, settings{"MTLS_DRAIN_DELAY": "10ms"})
	if got := runCommand(t, p.settings, "drain"); got.code != 0 || got.stderr != "" || got.stdout == "" {
		t.Errorf("drain: got %+v, want exit code 0 and a word about it", got)
	}
	for range 3 {
		p.preStopOfApplication(t)
	}
	p.car.expect(t, `"msg":"drained"`, `"connections_cut":0`)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/metrics": 200} {
		if status, _, err := probe("http://" + p.admin + path); err != nil || status != want {
			t.Errorf("%s of a drained sidecar: got %d (%v), want %d", path, status, err, want)
		}
	}
	if got := runCommand(t, p.settings, "drain"); got.code != 0 || got.stderr != "" {
		t.Errorf("drain once more: got %+v, want exit code 0", got)
	}
	if code := p.car.stop(t); code != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0", code)
	}
}

func TestDrainedWithoutADrainSaysSoAndStartsNone(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	if status, said, err := probe("http://" + l.admin + "/drained"); err != nil || status != 503 || said == "" {
		t.Errorf("got %d %q (%v), want 503 and why", status, said, err)
	}
	if body, last, err := l.get("/healthz"); err != nil || body != "hello" || last {
		t.Errorf("afterwards: got %q, Connection: close %v (%v), want hello and a connection that is kept", body, last, err)
	}
	if status, _, err := probe("http://" + l.admin + "/readyz"); err != nil || status != 200 {
		t.Errorf("/readyz: got %d (%v), want 200", status, err)
	}
	l.car.signal(t, syscall.SIGINT)
	l.ended(t)
}
