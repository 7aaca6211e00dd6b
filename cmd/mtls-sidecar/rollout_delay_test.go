package main_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lingering is a pod in a delay that only a signal ends, MTLS_DRAIN_DELAY being an hour.
type lingering struct {
	*pod
	*front
	client client
}

func startLingering(t *testing.T, more settings) *lingering {
	t.Helper()
	v := newVault(t)
	p := startPod(t, v, layout{}, settings{"MTLS_DRAIN_DELAY": "1h", "MTLS_DRAIN_TIMEOUT": "1h"}.with(more))
	certificate := v.certificate("client")
	return &lingering{p, &front{process: p.car, vault: v, addr: p.addr}, client{cert: &certificate, version: tls.VersionTLS13}}
}

// drain is what the preStop hook runs.
func (l *lingering) drain(t *testing.T) {
	t.Helper()
	l.preStopOfSidecar(t)
	l.car.expect(t, `"msg":"draining"`)
}

// over ends the delay: the first SIGTERM asks for nothing more than the drain that has
// begun, the second hurries.
func (l *lingering) over(t *testing.T) {
	t.Helper()
	l.car.signal(t, syscall.SIGTERM)
	l.car.expect(t, `"msg":"stopping once the drain is over`)
	if _, _, err := l.get("/healthz"); err != nil {
		t.Errorf("after the first SIGTERM: %v", err)
	}
	l.car.signal(t, syscall.SIGTERM)
	l.car.expect(t, `"msg":"not listening any more`)
	if !refusesConnections(l.pod.addr) {
		t.Error("after the delay it still takes connections")
	}
}

// ended checks that the process ends by itself, having cut nothing.
func (l *lingering) ended(t *testing.T) {
	t.Helper()
	if code := l.car.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	l.car.expect(t, `"msg":"stopped"`, `"connections_cut":0`)
}

// get asks on a new connection, and says whether it may be used again.
func (l *lingering) get(path string) (body string, last bool, err error) {
	conn, err := l.client.dial(l.pod.addr)
	if err != nil {
		return "", false, err
	}
	defer conn.Close()
	answer, body, err := conn.ask("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	if err != nil {
		return "", false, err
	}
	if answer.Close {
		_, _ = conn.in.ReadByte() // its end, after which the sidecar does not count it as in flight
	}
	return body, answer.Close, nil
}

// kept is a connection on which one request has been answered.
func (l *lingering) kept(t *testing.T) *connection {
	t.Helper()
	conn, err := l.client.dial(l.pod.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if answer, body, err := conn.ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil || body != "hello" || answer.Close {
		t.Fatalf("got %v %q (%v), want a connection that may be used again", answer, body, err)
	}
	return conn
}

func TestDuringTheDelayEveryoneIsServedAndToldToLeave(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	used, idle := l.kept(t), l.kept(t)
	closed := make(chan error, 1)
	go func() {
		_, err := idle.Read(make([]byte, 1))
		closed <- err
	}()
	l.drain(t)
	for range 3 {
		if body, last, err := l.get("/healthz"); err != nil || body != "hello" || !last {
			t.Errorf("on a new connection: got %q, Connection: close %v (%v), want hello and true", body, last, err)
		}
	}
	if answer, body, err := used.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"); err != nil || body != "body" || !answer.Close {
		t.Errorf("on a kept connection: got %v %q (%v), want the body and Connection: close", answer, body, err)
	}
	if _, err := used.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after Connection: close: got %v, want the end", err)
	}
	used.Close()
	select {
	case err := <-closed:
		t.Errorf("an idle connection ended during the delay: %v", err)
	default:
	}
	l.over(t)
	if err := <-closed; !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection after the delay: got %v, want a clean end", err)
	}
	idle.Close()
	l.ended(t)
}

func TestProbesSeeTheDrain(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	see := func(when, draining string, want map[string]int) {
		t.Helper()
		if got := metric(t, l.admin, "mtls_draining"); got != draining {
			t.Errorf("%s: mtls_draining is %q, want %s", when, got, draining)
		}
		for path, status := range want {
			if got, said, err := probe("http://" + l.admin + path); err != nil || got != status {
				t.Errorf("%s: %s: got %d %q (%v), want %d", when, path, got, said, err, status)
			}
		}
	}
	see("before", "0", map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 200})
	l.drain(t)
	see("during the delay", "1", map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503})
	waiting, err := l.client.dial(l.pod.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if _, err := io.WriteString(waiting, "GET /events?name=x HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := waiting.in.Peek(1); err != nil {
		t.Fatal(err)
	}
	l.over(t)
	see("after the delay", "1", map[string]int{"/livez": 200, "/startupz": 200, "/readyz": 503})
	waiting.Close()
	if code := l.car.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

func TestHTTP2ClientsLeaveDuringTheDelayAndTheirStreamsFinish(t *testing.T) {
	t.Parallel()
	l := startLingering(t, nil)
	c := l.goClient(t, "client")
	c.ask(t, "GET", "/healthz", nil)
	events := c.open(t, "/events?name=stream")
	lines := bufio.NewReader(events.Body)
	next := func(want string) {
		t.Helper()
		got, err := lines.ReadString('\n')
		if _, blank := lines.ReadString('\n'); err != nil || blank != nil || got != want+"\n" {
			t.Errorf("the running stream: got %q (%v, %v), want %q", got, err, blank, want)
		}
	}
	next("data: event 0")
	l.drain(t)
	for range 3 {
		if got := c.ask(t, "POST", "/echo", strings.NewReader("body")); string(got.body) != "body" {
			t.Errorf("got %q, want body", got.body)
		}
	}
	// The first answer was on the old connection, and brought GOAWAY, perhaps a moment
	// after it.
	if got := c.dialled.Load(); got < 2 {
		t.Errorf("it took %d connections, want others than the first", got)
	}
	l.over(t)
	answer, err := http.Post("http://"+l.appAddr+"/event?name=stream", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	next("data: event 1")
	l.app.signal(t, syscall.SIGTERM)
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err == nil {
		t.Errorf("when the application was gone: got %q (%v), want an error", rest, err)
	}
	l.ended(t)
}

func TestLimitsAndThePROXYProtocolHoldDuringTheDelay(t *testing.T) {
	t.Parallel()
	l := startLingering(t, settings{"MTLS_MAX_CONNECTIONS": "2", "MTLS_PROXY_PROTOCOL_FROM": "127.0.0.1"})
	dial := func(header string) (*connection, error) {
		socket, err := net.Dial("tcp", l.pod.addr)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { socket.Close() })
		_ = socket.SetDeadline(time.Now().Add(hang))
		if _, err := io.WriteString(socket, header); err != nil {
			return nil, err
		}
		conn := tls.Client(socket, &tls.Config{InsecureSkipVerify: true})
		return &connection{conn, bufio.NewReader(conn)}, conn.Handshake()
	}
	const header = "PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n"
	held, err := dial(header)
	if err != nil {
		t.Fatal(err)
	}
	l.drain(t)
	if _, err := dial(""); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without a PROXY header: got %v, want no handshake", err)
	}
	var second *connection
	if !settlesSoon(func() bool { // the one refused may still count for a moment
		second, err = dial(header)
		return err == nil
	}) {
		t.Fatalf("with a PROXY header: %v", err)
	}
	if _, err := dial(header); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("above MTLS_MAX_CONNECTIONS: got %v, want no handshake", err)
	}
	for _, conn := range []*connection{held, second} {
		if answer, body, err := conn.ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil || body != "hello" || !answer.Close {
			t.Errorf("got %v %q (%v), want hello and Connection: close", answer, body, err)
		}
		conn.Close()
	}
	// Two that are not alike, which the kernel does not make one of.
	l.car.signal(t, syscall.SIGINT)
	l.car.signal(t, syscall.SIGTERM)
	l.ended(t)
}
