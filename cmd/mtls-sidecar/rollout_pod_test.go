package main_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// layout is how a pod has its two containers, and which hooks they have.
type layout struct {
	name   string
	native bool // the sidecar is an init container with restartPolicy: Always
	hook   bool // it has `mtls-sidecar drain` as its preStop hook
	waits  bool // the application's preStop hook is GET /drained
}

// grace is terminationGracePeriodSeconds, Kubernetes' default.
const grace = 30 * time.Second

// pod is an application and the sidecar before it, each a process.
type pod struct {
	layout
	app, car             *process
	settings             settings // of the sidecar
	addr, admin, appAddr string   // host:port
}

// freeBase returns a port that is free together with the two after it, below those
// that systems take for outgoing connections: nobody takes them by the way.
func freeBase(t *testing.T) int {
	t.Helper()
next:
	for range 100 {
		base := 20_000 + 3*rand.IntN(4000)
		for port := base; port < base+3; port++ {
			probe, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				continue next
			}
			probe.Close()
		}
		return base
	}
	t.Fatal("no three free ports in a row")
	return 0
}

// startPod starts both containers and waits for the readiness probe to succeed.
func startPod(t *testing.T, v *vault, l layout, more settings) *pod {
	t.Helper()
	var p *pod
	for range 5 { // a port that was free a moment ago may be another test's by now
		base := freeBase(t)
		at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", base+i) }
		p = &pod{layout: l, addr: at(0), admin: at(1), appAddr: at(2)}
		p.settings = v.settings(p.appAddr).with(settings{"MTLS_LISTEN_ADDR": p.addr, "MTLS_ADMIN_ADDR": p.admin}).with(more)
		p.car = start(t, "mtls-sidecar", sidecarCommand(t, p.settings))
		t.Cleanup(p.car.kill)
		said, _, _ := p.car.find(0, func(l line) bool {
			return strings.Contains(l.text, `"msg":"listening"`) || strings.Contains(l.text, "address already in use")
		})
		if !strings.Contains(said.text, "in use") {
			break
		}
	}
	// As the kubelet does with a native sidecar: the application is started when the
	// startup probe has succeeded.
	becomes(t, "http://"+p.admin+"/startupz", 200)
	p.app = startApplication(t, p.appAddr)
	becomes(t, "http://"+p.admin+"/readyz", 200)
	return p
}

// kill ends a process that a test which failed has left; its drain may last an hour.
func (p *process) kill() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill()
	}
}

// becomes probes until the status is the one wanted.
func becomes(t *testing.T, url string, want int) {
	t.Helper()
	var status int
	var said string
	if !settlesSoon(func() bool {
		status, said, _ = probe(url)
		return status == want
	}) {
		t.Fatalf("%s: got %d %q, want %d in the end", url, status, said, want)
	}
}

// settlesSoon is settles for what takes milliseconds.
func settlesSoon(holds func() bool) bool {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	guard := time.After(hang)
	for !holds() {
		select {
		case <-retry.C:
		case <-guard:
			return false
		}
	}
	return true
}

// probe asks on a connection of its own, as the kubelet does.
func probe(url string) (status int, body string, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hang}
	answer, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// nobodyListensOn dials once, at this very moment.
func nobodyListensOn(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("dialling %s gave %v, want a refusal", addr, err)
	}
	return nil
}

// delete ends the pod in the kubelet's order (Kubernetes, "Pod Lifecycle", Termination of
// Pods; KEP-753 for native sidecars): the preStop hooks of all containers run at once. A
// container gets SIGTERM when its hook is over, but a native sidecar not before the others
// are gone. It returns when both have ended.
func (p *pod) delete(t *testing.T) {
	t.Helper()
	overdue := time.AfterFunc(grace, func() {
		t.Errorf("%s: the grace period is over: SIGKILL", p.name)
		_ = p.app.cmd.Process.Kill()
		_ = p.car.cmd.Process.Kill()
	})
	defer overdue.Stop()
	var containers sync.WaitGroup
	containers.Go(func() {
		if p.waits {
			p.preStopOfApplication(t)
		}
		p.app.signal(t, syscall.SIGTERM)
		<-p.app.done
	})
	containers.Go(func() {
		if p.hook {
			p.preStopOfSidecar(t)
		}
		if p.native {
			<-p.app.done
		}
		p.car.signal(t, syscall.SIGTERM)
		if code := p.car.wait(t); code != 0 {
			t.Errorf("%s: the sidecar's exit code: got %d, want 0", p.name, code)
		}
	})
	containers.Wait()
}

// vanish ends a pod to which nobody sends anything any more.
func (p *pod) vanish(t *testing.T) {
	t.Helper()
	p.car.signal(t, syscall.SIGINT) // without a delay
	if code := p.car.wait(t); code != 0 {
		t.Errorf("the sidecar's exit code: got %d, want 0", code)
	}
	p.app.stop(t)
}

// preStopOfApplication is httpGet of /drained. The kubelet goes on whatever the answer is;
// it has to come, and by then nobody listens any more.
func (p *pod) preStopOfApplication(t *testing.T) {
	status, said, err := probe("http://" + p.admin + "/drained")
	if gone := nobodyListensOn(p.addr); gone != nil {
		t.Errorf("%s: when /drained answers: %v", p.name, gone)
	}
	if err != nil || status != 200 {
		t.Errorf("%s: /drained: got %d %q (%v), want 200", p.name, status, said, err)
	}
}

// preStopOfSidecar is exec of `mtls-sidecar drain`, which returns at once.
func (p *pod) preStopOfSidecar(t *testing.T) {
	if got := runCommand(t, p.settings, "drain"); got.code != 0 || got.stderr != "" {
		t.Errorf("%s: drain: got %+v, want exit code 0", p.name, got)
	}
}

// metric reads one without labels, as Prometheus would.
func metric(t *testing.T, admin, name string) string {
	t.Helper()
	status, text, err := probe("http://" + admin + "/metrics")
	if err != nil || status != 200 {
		t.Fatalf("/metrics: got %d (%v), want 200", status, err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
