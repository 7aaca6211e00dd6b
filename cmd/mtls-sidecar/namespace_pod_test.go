package main_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// podNetwork is a network namespace, joined to that of the test by a pair of interfaces
// as a pod's is to its node's. It is gone with the process that holds it.
type podNetwork struct {
	holder *process
	ip     string // as the node reaches it
	ip6    string
}

// startPodNetwork skips the test where the kernel does not permit it to this account,
// TEST_REQUIRE or not: such a machine cannot run it. It is then `unshare -n true` that fails.
func startPodNetwork(t *testing.T) *podNetwork {
	t.Helper()
	need(t, "ip")
	need(t, "nsenter")
	trial := exec.Command(need(t, "unshare"), "-n", "true")
	trial.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := trial.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "Operation not permitted") {
			t.Skipf("network namespaces are not permitted here: unshare -n true: %s", out)
		}
		missing(t, "unshare -n true: %v: %s", err, out)
	}
	hold := exec.Command("unshare", "-n", "cat")
	if _, err := hold.StdinPipe(); err != nil { // closed when the test's process ends, however it does
		t.Fatal(err)
	}
	n := &podNetwork{holder: start(t, "the pod's network", hold)}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if !settlesSoon(func() bool {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", n.holder.cmd.Process.Pid))
		return err == nil && its != own
	}) {
		t.Fatal("the pod has no network of its own")
	}
	n.join(t)
	return n
}

// join makes the interfaces, with addresses of the ranges for benchmarks (RFC 2544) and of
// a private one that is drawn (RFC 4193 §3.2).
func (n *podNetwork) join(t *testing.T) {
	t.Helper()
	draw := rand.Uint32()
	name, pid := fmt.Sprintf("mtls%08x", draw), strconv.Itoa(n.holder.cmd.Process.Pid)
	subnet, prefix := fmt.Sprintf("198.%d.%d.%d", 18+draw>>24&1, draw>>16&255, draw>>8&252), fmt.Sprintf("fd%02x:%04x:%04x:", draw>>24, draw>>8&0xffff, rand.IntN(1<<16))
	node, pod := lastByte(subnet, 1), lastByte(subnet, 2)
	n.ip, n.ip6 = pod, prefix+":2"
	script := strings.NewReplacer("NAME", name, "PID", pid, "NODE", node, "POD", pod, "PREFIX", prefix).Replace(`
		ip link add NAME type veth peer name eth0 netns PID
		ip address add NODE/30 dev NAME
		ip -6 address add PREFIX:1/64 dev NAME nodad
		ip link set NAME up
		nsenter -t PID -n ip link set lo up
		nsenter -t PID -n ip address add POD/30 dev eth0
		nsenter -t PID -n ip -6 address add PREFIX:2/64 dev eth0 nodad
		nsenter -t PID -n ip link set eth0 up`)
	for line := range strings.Lines(strings.TrimSpace(script)) {
		words := strings.Fields(line)
		if out, err := exec.Command(need(t, words[0]), words[1:]...).CombinedOutput(); err != nil {
			missing(t, "%s: %v: %s", strings.TrimSpace(line), err, out) // the kernel has no veth, or no IPv6
		}
	}
}

// lastByte adds to the last number of an IPv4 address.
func lastByte(addr string, n int) string {
	ip := net.ParseIP(addr).To4()
	ip[3] += byte(n)
	return ip.String()
}

// enter is what a command line begins with that is run in the pod.
func (n *podNetwork) enter() []string {
	return []string{"nsenter", "-t", strconv.Itoa(n.holder.cmd.Process.Pid), "-n"}
}

// inside has a command run in the pod.
func (n *podNetwork) inside(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.Args = append(append(n.enter(), cmd.Path), cmd.Args[1:]...)
	cmd.Path = need(t, "nsenter")
	return cmd
}

// startInPod runs the sidecar with the addresses that it has when none is set, and waits
// until the node's probes find it started.
func (n *podNetwork) startInPod(t *testing.T, v *vault, more settings) (*process, settings) {
	t.Helper()
	s := v.settings("").with(settings{"MTLS_UPSTREAM_URL": "", "MTLS_LISTEN_ADDR": "", "MTLS_ADMIN_ADDR": ""}).with(more)
	car := start(t, "mtls-sidecar", n.inside(t, sidecarCommand(t, s)))
	t.Cleanup(car.kill)
	becomes(t, "http://"+n.ip+":9902/startupz", 200)
	return car, s
}

// addresses are those of a port of the pod.
func (n *podNetwork) addresses(port string) []string {
	return []string{net.JoinHostPort(n.ip, port), net.JoinHostPort(n.ip6, port)}
}

func TestInAPodTheApplicationIsReachedThroughTheSidecarOnly(t *testing.T) {
	t.Parallel()
	n, v := startPodNetwork(t), newVault(t)
	car, _ := n.startInPod(t, v, nil)
	app := startApplication(t, "127.0.0.1:8080", n.enter()...)
	certificate := v.certificate("client")
	c := client{cert: &certificate, version: tls.VersionTLS13}
	for i, addr := range n.addresses("8443") {
		conn, err := c.dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		want := fmt.Sprintf("answered %d with 4 bytes", i)
		_, body, err := conn.ask(fmt.Sprintf("POST /answered?id=%d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody", i))
		if err != nil || body != want {
			t.Errorf("through the sidecar at %s: got %q (%v), want %q", addr, body, err, want)
		}
		app.expect(t, want)
	}
	for _, addr := range n.addresses("8080") {
		if err := nobodyListensOn(addr); err != nil {
			t.Errorf("past the sidecar: %v", err)
		}
	}
	if got := metric(t, n.ip+":9902", "mtls_upstream_exposed"); got != "0" {
		t.Errorf("mtls_upstream_exposed: got %q, want 0", got)
	}
	if strings.Contains(car.tail(100), "exposed\",") {
		t.Errorf("a warning without cause:\n%s", car.tail(20))
	}
}

// TestAnApplicationOutsideLoopbackIsFoundExposed in either order of starting: a native
// sidecar is there before its application.
func TestAnApplicationOutsideLoopbackIsFoundExposed(t *testing.T) {
	t.Parallel()
	for name, listens := range map[string]string{"EveryIPv4Address": "0.0.0.0:8080", "EveryAddress": "[::]:8080"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, v := startPodNetwork(t), newVault(t)
			refuses, s := n.startInPod(t, v, settings{"MTLS_UPSTREAM_EXPOSED": "refuse"})
			startApplication(t, listens, n.enter()...)
			if status, body, err := probe("http://" + n.addresses("8080")[0] + "/healthz"); err != nil || status != 200 || body != "hello" {
				t.Errorf("past the sidecar: got %d %q (%v); what follows is about nothing", status, body, err)
			}
			ask := func() int {
				status, _, _ := client{version: tls.VersionTLS13}.once(t, n.addresses("8443")[0], "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
				return status
			}
			if status := ask(); status != 502 {
				t.Errorf("MTLS_UPSTREAM_EXPOSED=refuse: got %d, want 502", status)
			}
			if code := refuses.stop(t); code != 0 {
				t.Errorf("exit code: got %d, want 0", code)
			}
			again := start(t, "mtls-sidecar", n.inside(t, sidecarCommand(t, s)))
			if code := again.wait(t); code != 2 {
				t.Errorf("MTLS_UPSTREAM_EXPOSED=refuse at the start: exit code %d, want 2", code)
			}
			again.expect(t, "MTLS_UPSTREAM_EXPOSED", listens)

			warns, _ := n.startInPod(t, v, nil)
			warns.expect(t, `"level":"warn"`, "exposed", listens)
			if status := ask(); status != 200 {
				t.Errorf("MTLS_UPSTREAM_EXPOSED=warn: got %d, want 200", status)
			}
			if got := metric(t, n.ip+":9902", "mtls_upstream_exposed"); got != "1" {
				t.Errorf("mtls_upstream_exposed: got %q, want 1", got)
			}
		})
	}
}
