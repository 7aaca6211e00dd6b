package main_test

import (
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// adminRequest is one to the admin port, and the status of its answer.
type adminRequest struct {
	method, path string
	headers      []string // "Name: value"
	body         string
	status       int
}

const drainHeader = "Mtls-Sidecar: drain"

// fromOutside sends it from the node.
func (a adminRequest) fromOutside(t *testing.T, addr string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest(a.method, "http://"+addr+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range a.headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hang}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(text)
}

// fromInside sends it from the pod, as kubectl exec and kubectl port-forward do.
func (a adminRequest) fromInside(t *testing.T, n *podNetwork, addr string) (status int, body string) {
	t.Helper()
	args := []string{"-sS", "-g", "--max-time", "60", "-w", "\n%{http_code}", "http://" + addr + a.path}
	if a.method == "HEAD" {
		args = append(args, "-I")
	} else {
		args = append(args, "-X", a.method)
	}
	for _, line := range a.headers {
		args = append(args, "-H", line)
	}
	if a.body != "" {
		args = append(args, "--data", a.body)
	}
	cmd := n.inside(t, exec.Command(need(t, "curl"), args...))
	cmd.Env = []string{"PATH=/usr/bin:/bin"} // no proxy
	out, err := cmd.CombinedOutput()
	end := strings.LastIndexByte(string(out), '\n')
	if err != nil || end < 0 {
		t.Fatalf("curl %s: %v: %s", args, err, out)
	}
	status, _ = strconv.Atoi(string(out[end+1:]))
	return status, string(out[:end])
}

// insidePages are for those who are in the pod.
func insidePages() []adminRequest {
	return []adminRequest{
		{"GET", "/", nil, "", 200},
		{"HEAD", "/status.json", nil, "", 200},
		{"GET", "/status.json", nil, "", 200},
		{"GET", "/log-level", nil, "", 200},
		{"PUT", "/log-level", nil, `{"level":"debug"}`, 200},
	}
}

func TestTheAdminPortTellsThePodFromTheNode(t *testing.T) {
	t.Parallel()
	n, v := startPodNetwork(t), newVault(t)
	car, s := n.startInPod(t, v, settings{"MTLS_ADMIN_UPSTREAM_PATHS": "/healthz"})
	startApplication(t, "127.0.0.1:8080", n.enter()...)
	for _, addr := range n.addresses("9902") {
		for _, a := range []adminRequest{
			{"GET", "/livez", nil, "", 200}, {"GET", "/readyz", nil, "", 200}, {"GET", "/startupz", nil, "", 200}, {"GET", "/metrics", nil, "", 200},
			{"GET", "/upstream/healthz", nil, "", 200}, {"GET", "/upstream/bytes", nil, "", 404}, {"GET", "/upstream/healthz?n=1", nil, "", 404},
			{"POST", "/drain", []string{drainHeader}, "", 403}, {"POST", "/drain", []string{drainHeader, "X-Forwarded-For: 127.0.0.1", "Host: localhost"}, "", 403},
			{"GET", "/", []string{"X-Forwarded-For: 127.0.0.1", "Host: localhost:9902"}, "", 403}, {"GET", "/status.json", []string{"Forwarded: for=127.0.0.1", "X-Real-IP: ::1"}, "", 403},
		} {
			if status, body := a.fromOutside(t, addr); status != a.status {
				t.Errorf("from the node, %s %s at %s: got %d %.100q, want %d", a.method, a.path, addr, status, body, a.status)
			}
		}
		if _, body := (adminRequest{method: "GET", path: "/upstream/healthz"}).fromOutside(t, addr); body != "hello" {
			t.Errorf("the relayed probe: got %q, want the application's hello", body)
		}
		for _, a := range insidePages() {
			if status, _ := a.fromOutside(t, addr); status != 403 {
				t.Errorf("from the node, %s %s at %s: got %d, want 403", a.method, a.path, addr, status)
			}
		}
	}
	if status, _, err := probe("http://" + n.ip + ":9902/readyz"); err != nil || status != 200 {
		t.Errorf("/readyz: got %d (%v), want 200: nobody in the pod has begun a drain", status, err)
	}
	for _, addr := range []string{"127.0.0.1:9902", "[::1]:9902", "localhost:9902"} {
		n.insidersSee(t, addr, 0)
	}
	// What comes from the pod's own address may be a mesh's, which hands on what came
	// from afar.
	for _, addr := range n.addresses("9902") {
		n.insidersSee(t, addr, 403)
	}
	for _, a := range []adminRequest{
		{"POST", "/drain", nil, "", 403}, // a web page could send it
		{"GET", "/", []string{"Host: evil.example:9902"}, "", 403},
		{"GET", "/", []string{"X-Forwarded-For: 127.0.0.1"}, "", 403},
	} {
		if status, body := a.fromInside(t, n, "127.0.0.1:9902"); status != a.status {
			t.Errorf("from the pod, %s %s %q: got %d %.100q, want %d", a.method, a.path, a.headers, status, body, a.status)
		}
	}
	n.drains(t, car, s)
}

// insidersSee asks for the pages from the pod; refused is the status of them all, 0 being
// their own.
func (n *podNetwork) insidersSee(t *testing.T, addr string, refused int) {
	t.Helper()
	for _, a := range insidePages() {
		want := a.status
		if refused != 0 {
			want = refused
		}
		if status, body := a.fromInside(t, n, addr); status != want {
			t.Errorf("from the pod, %s %s at %s: got %d %.100q, want %d", a.method, a.path, addr, status, body, want)
		}
	}
}

// TestAnAdminPortOnThePodsAddressAloneCanStillBeAskedFromThePod, and from the pod alone.
func TestAnAdminPortOnThePodsAddressAloneCanStillBeAskedFromThePod(t *testing.T) {
	t.Parallel()
	n, v := startPodNetwork(t), newVault(t)
	admin := n.addresses("9902")[0]
	car, s := n.startInPod(t, v, settings{"MTLS_ADMIN_ADDR": admin})
	n.insidersSee(t, admin, 0)
	if status, body := (adminRequest{method: "POST", path: "/drain", headers: []string{drainHeader}}).fromOutside(t, admin); status != 403 {
		t.Errorf("from the node, POST /drain: got %d %q, want 403", status, body)
	}
	n.drains(t, car, s)
}

// drains begins a drain from within the pod, and watches it from the node.
func (n *podNetwork) drains(t *testing.T, car *process, s settings) {
	t.Helper()
	drain := start(t, "mtls-sidecar drain", n.inside(t, sidecarCommand(t, s, "drain")))
	if code := drain.wait(t); code != 0 {
		t.Errorf("drain from the pod: exit code %d, want 0\n%s", code, drain.tail(10))
	}
	if status, said, err := probe("http://" + n.ip + ":9902/drained"); err != nil || status != 200 {
		t.Errorf("/drained: got %d %q (%v), want 200", status, said, err)
	}
	for _, addr := range n.addresses("8443") {
		if err := nobodyListensOn(addr); err != nil {
			t.Error(err)
		}
	}
	if code := car.stop(t); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}
