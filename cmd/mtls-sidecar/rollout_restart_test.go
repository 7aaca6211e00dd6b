package main_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// Layouts of a pod. deploy/ has the first two; of the third the sidecar has no hook, and
// SIGTERM alone drains it.
func nativeSidecar() layout      { return layout{"NativeSidecar", true, true, true} }
func ordinaryContainers() layout { return layout{"OrdinaryContainers", false, true, true} }
func withoutASidecarHook() layout {
	return layout{"OrdinaryContainersWithoutASidecarHook", false, false, true}
}

// rolloutSettings have the sidecar accept for longer than the balancer is late, and wait for
// longer than a busy machine takes for the large download.
func rolloutSettings() settings {
	return settings{"MTLS_DRAIN_DELAY": "4s", "MTLS_DRAIN_TIMEOUT": "8s"}
}

func TestARollingRestartUnderLoadFailsNoRequest(t *testing.T) {
	t.Parallel()
	for _, pods := range [][2]layout{{nativeSidecar(), nativeSidecar()}, {ordinaryContainers(), withoutASidecarHook()}} {
		t.Run(pods[0].name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			first, second := startPod(t, v, pods[0], rolloutSettings()), startPod(t, v, pods[1], rolloutSettings())
			b := startSwitchboard(t, first.addr)
			long := startLong(t, v, b.addr) // all on the first
			b.now(first.addr, second.addr)
			work := startLoad(t, v, b)

			third := startPod(t, v, pods[0], rolloutSettings())
			b.learns(third.addr, first.addr)
			var lasting sync.WaitGroup
			lasting.Go(func() { long.outlasts(t, first) })
			first.delete(t)
			lasting.Wait()
			first.car.expect(t, `"msg":"drained"`, `"connections_cut":2`) // the two that have no end

			fourth := startPod(t, v, pods[1], rolloutSettings())
			b.learns(fourth.addr, second.addr)
			second.delete(t)
			second.car.expect(t, `"msg":"drained"`, `"connections_cut":0`)

			made, failed := work.end()
			t.Logf("%s: %d requests, %d failed, %d of HTTP/2 sent elsewhere by GOAWAY", pods[0].name, made, failed, work.again.Load())
			if failed != 0 || made < 1000 {
				t.Errorf("%d of %d requests failed, want none of 1000 or more\n%s", failed, made, strings.Join(work.failures[:min(failed, 10)], "\n"))
			}
			third.vanish(t)
			fourth.vanish(t)
			work.countedOnce(t, first, second, third, fourth)
		})
	}
}

// TestWithoutTheDelayOrTheApplicationsHookRequestsFail proves that the test above can fail, and
// that both are needed.
func TestWithoutTheDelayOrTheApplicationsHookRequestsFail(t *testing.T) {
	t.Parallel()
	hookless := func(l layout) layout {
		l.name, l.waits = l.name+"WithoutTheApplicationsHook", false
		return l
	}
	undelayed := nativeSidecar()
	undelayed.name += "WithoutADelay"
	for l, delay := range map[layout]string{hookless(nativeSidecar()): "3s", hookless(ordinaryContainers()): "3s", undelayed: "0s"} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			leaving := startPod(t, v, l, rolloutSettings().with(settings{"MTLS_DRAIN_DELAY": delay}))
			staying := startPod(t, v, l, rolloutSettings())
			b := startSwitchboard(t, leaving.addr, staying.addr)
			work := startLoad(t, v, b)
			learned := b.learns(staying.addr, leaving.addr)
			leaving.delete(t)
			<-learned
			made, failed := work.end()
			t.Logf("%s: %d requests, %d failed", l.name, made, failed)
			if failed == 0 {
				t.Errorf("of %d requests none failed, though nobody was there to answer while connections still came", made)
			}
			staying.vanish(t)
			work.countedOnce(t, leaving, staying)
		})
	}
}

// long is what is under way when the pod is deleted: a download and an upload that
// take their time, and two that have no end.
type long struct {
	download *http.Response
	upload   *connection
	events   *bufio.Reader
	socket   *connection
}

// downloadSize is more than all buffers on the way hold, and uploadSize is in two parts.
const downloadSize, uploadSize = 32 << 20, 1 << 20

func startLong(t *testing.T, v *vault, addr string) *long {
	t.Helper()
	certificate := v.certificate("client")
	c := client{cert: &certificate, version: tls.VersionTLS13}
	open := func(request string) *connection {
		conn, err := c.dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	begin := func(conn *connection, status int) *http.Response {
		answer, err := http.ReadResponse(conn.in, nil)
		if err != nil || answer.StatusCode != status {
			t.Fatalf("got %v (%v), want %d", answer, err, status)
		}
		return answer
	}
	l := &long{}
	l.download = begin(open(fmt.Sprintf("GET /bytes?n=%d HTTP/1.1\r\nHost: h\r\n\r\n", downloadSize)), 200)
	l.upload = open(fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", uploadSize, pattern(uploadSize)[:uploadSize/2]))
	l.events = bufio.NewReader(begin(open("GET /events?name=long HTTP/1.1\r\nHost: h\r\n\r\n"), 200).Body)
	l.socket = open("GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	begin(l.socket, 101)
	l.event(t, 0)
	l.line(t, "before")
	return l
}

// event reads the next server-sent event.
func (l *long) event(t *testing.T, n int) {
	t.Helper()
	for _, want := range []string{fmt.Sprintf("data: event %d\n", n), "\n"} {
		if got, err := l.events.ReadString('\n'); got != want || err != nil {
			t.Errorf("event %d: got %q (%v), want %q", n, got, err, want)
		}
	}
}

// line goes through the tunnel and back.
func (l *long) line(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(l.socket, text+"\n")
	if got, read := l.socket.in.ReadString('\n'); got != text+"\n" || err != nil || read != nil {
		t.Errorf("through the tunnel: got %q (%v, %v), want %q", got, err, read, text)
	}
}

// outlasts goes on with each when the pod takes no connection any more. What has an end
// comes to it; what has none is cut, but not before MTLS_DRAIN_TIMEOUT.
func (l *long) outlasts(t *testing.T, p *pod) {
	p.car.expect(t, `"msg":"not listening any more`)
	if !refusesConnections(p.addr) {
		t.Error("it still takes connections")
	}
	answer, err := http.Post("http://"+p.appAddr+"/event?name=long", "", nil)
	if err != nil {
		t.Error(err)
		return
	}
	answer.Body.Close()
	l.event(t, 1)
	l.line(t, "after")
	if _, err := l.upload.Write(pattern(uploadSize)[uploadSize/2:]); err != nil {
		t.Errorf("the rest of the upload: %v", err)
	}
	if answer, err := http.ReadResponse(l.upload.in, nil); err != nil {
		t.Errorf("the upload: %v", err)
	} else if body, err := io.ReadAll(answer.Body); err != nil || string(body) != string(pattern(uploadSize)) || !answer.Close {
		t.Errorf("the upload: got %v and %d bytes (%v), want them back and Connection: close", answer, len(body), err)
	}
	if body, err := io.ReadAll(l.download.Body); err != nil || string(body) != string(pattern(downloadSize)) {
		t.Errorf("the download: got %d bytes (%v), want all %d", len(body), err, downloadSize)
	}
	if rest, err := io.ReadAll(l.events); len(rest) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("server-sent events: got %q (%v) at the end, want a cut", rest, err)
	}
	if rest, err := io.ReadAll(l.socket.in); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the tunnel: got %q (%v) at the end, want a cut", rest, err)
	}
}
