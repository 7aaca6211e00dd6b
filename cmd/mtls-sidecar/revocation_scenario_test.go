package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A certificate is revoked while its holder is at work: Express Gateway's second
// tutorial, with a CA run by openssl. It must stop working at once, on connections
// that are open and in sessions that are resumed, and nobody restarts anything.

const (
	leaverDN    = "CN=leaver,O=Acme"
	colleagueDN = "CN=colleague,O=Acme"
)

// tellings are the ways in which the sidecar learns of a revocation.
var tellings = []struct {
	name  string
	world func(*testing.T, authority, *office) *sidecar
}{
	{"ByAListAndSIGHUP", func(t *testing.T, a authority, o *office) *sidecar {
		car := startSidecar(t, a.settings(o.url).with(settings{"MTLS_CRL": a.path("ca.crl")}))
		o.during("/last", func() {
			a.publish()
			if err := car.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Error(err)
			}
			car.awaits(t, `"msg":"reloaded"`, `"files":"revocation lists"`, `"entries":1`)
		})
		return car
	}},
	{"ByAListAlone", func(t *testing.T, a authority, o *office) *sidecar {
		car := startSidecar(t, a.settings(o.url).with(settings{"MTLS_CRL": a.path("ca.crl"), "MTLS_RELOAD_INTERVAL": "200ms"}))
		o.during("/last", func() {
			a.publish()
			car.awaits(t, `"msg":"reloaded"`, `"files":"revocation lists"`, `"entries":1`)
		})
		return car
	}},
	{"ByAResponder", func(t *testing.T, a authority, o *office) *sidecar {
		r := a.startResponder("index.before")
		car := startSidecar(t, a.settings(o.url).with(settings{"MTLS_OCSP": "leaf", "MTLS_OCSP_RESPONDER": r.url,
			"MTLS_OCSP_MAX_AGE": "1s", "MTLS_OCSP_TIMEOUT": "30s", "MTLS_LOG_LEVEL": "debug"}))
		o.during("/last", func() {
			r.books.Store("index.txt")
			car.awaits(t, `"msg":"OCSP answer"`, `"status":"revoked"`)
		})
		return car
	}},
}

// awaits is expect for goroutines other than the test's.
func (s *sidecar) awaits(t *testing.T, texts ...string) {
	_, _, err := s.find(0, func(l line) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(l.text, text) })
	})
	if err != nil {
		t.Errorf("waiting for the log to say %q: %v", texts, err)
	}
}

func TestARevokedCertificateStopsWorkingAtOnce(t *testing.T) {
	t.Parallel()
	for _, telling := range tellings {
		for _, version := range []string{"1.2", "1.3"} {
			t.Run(telling.name+"_TLS"+version, func(t *testing.T) {
				t.Parallel()
				a, o := newAuthority(t), startOffice(t)
				a.copied("index.txt", "index.before")
				commands(t, a.dir, leaverLeaves)
				car := telling.world(t, a, o)
				story{t, a, o, car, version, telling.name == "ByAResponder"}.tell()
			})
		}
	}
}

// story is one run of it.
type story struct {
	t *testing.T
	authority
	*office
	car         *sidecar
	version     string
	byResponder bool
}

func (s story) tell() {
	t := s.t
	for _, name := range []string{"leaver", "colleague"} {
		s.session(name, "-sess_out", name+".session").was(t, "New", 200)
		s.session(name, "-sess_in", name+".session").was(t, "Reused", 200)
	}
	s.saw("while all is well", visit{"/s_client", "SUCCESS", leaverDN}, visit{"/s_client", "SUCCESS", leaverDN},
		visit{"/s_client", "SUCCESS", colleagueDN}, visit{"/s_client", "SUCCESS", colleagueDN})

	// The leaver is revoked while the first of two requests on one connection is in flight.
	first, second := s.twice("leaver", "/last", "/next")
	if first.status != 200 || second.status != 400 || second.connects != 0 || !strings.Contains(second.body, "revoked") {
		t.Errorf("on one connection: got %+v, then %+v, want 200, then 400 and the reason", first, second)
	}
	s.saw("on the leaver's connection", visit{"/last", "SUCCESS", leaverDN})

	// What a responder said counts for a second here. After that the session may be
	// resumed until the responder is asked, which is before the first request goes through.
	kind := "New"
	if s.byResponder {
		kind = ""
	}
	s.session("leaver", "-sess_in", "leaver.session").was(t, kind, 400)
	if got := curl(t, s.dir, s.curlArgs("leaver", "/new")...); got.status != 400 || !strings.Contains(got.body, "revoked") {
		t.Errorf("on a new connection: got %d %q, want 400 and the reason", got.status, got.body)
	}
	s.saw("from the leaver since")

	s.session("colleague", "-sess_in", "colleague.session").was(t, "Reused", 200)
	first, second = s.twice("colleague", "/a", "/b")
	if first.status != 200 || second.status != 200 {
		t.Errorf("the colleague: got %d and %d", first.status, second.status)
	}
	s.saw("from the colleague", visit{"/s_client", "SUCCESS", colleagueDN}, visit{"/a", "SUCCESS", colleagueDN}, visit{"/b", "SUCCESS", colleagueDN})
	s.car.expect(t, `"msg":"client certificate refused"`, leaverDN, "revoked")
}

// saw checks the visits since the last look.
func (s story) saw(when string, want ...visit) {
	s.t.Helper()
	if got := s.visits(); !slices.Equal(got, want) {
		s.t.Errorf("%s: the application saw %v, want %v", when, got, want)
	}
}

func (s story) curlArgs(name string, paths ...string) []string {
	args := []string{"-k", "--key", name + ".key", "--cert", name + ".crt", "--tls-max", s.version, "--tlsv" + s.version}
	for _, path := range paths {
		args = append(args, s.car.url(path))
	}
	return args
}

// part is what became of one of several requests of one run of curl.
type part struct {
	status   int
	connects int // new connections that it took
	body     string
}

// twice has curl make two requests, which uses one connection for both if it can.
func (s story) twice(name string, paths ...string) (first, second part) {
	s.t.Helper()
	bodies := s.t.TempDir()
	args := append([]string{"-q", "-sS", "-4", "--noproxy", "*", "--max-time", "60", "-w", "%{http_code} %{num_connects}\n",
		"-o", filepath.Join(bodies, "0"), "-o", filepath.Join(bodies, "1")}, s.curlArgs(name, paths...)...)
	cmd := exec.Command(need(s.t, "curl"), args...)
	cmd.Dir = s.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 2 {
		s.t.Fatalf("curl: %v\n%s%s", err, out, stderr.Bytes())
	}
	for i, p := range []*part{&first, &second} {
		if _, err := fmt.Sscan(lines[i], &p.status, &p.connects); err != nil {
			s.t.Fatalf("curl said %q", out)
		}
		body, _ := os.ReadFile(filepath.Join(bodies, strconv.Itoa(i)))
		p.body = string(body)
	}
	return first, second
}

// handshake is what openssl s_client tells of a connection.
type handshake struct {
	kind   string // New or Reused
	status int
	output string
}

// session makes one request by openssl s_client, which can keep a session in a file.
func (s story) session(name string, args ...string) handshake {
	s.t.Helper()
	return s.sessionFor("/s_client", append([]string{"-key", name + ".key", "-cert", name + ".crt"}, args...)...)
}

// sessionFor asks for a path, without a certificate unless args name one.
func (s story) sessionFor(path string, args ...string) handshake {
	s.t.Helper()
	cmd := exec.Command(need(s.t, "openssl"), append([]string{"s_client", "-connect", strings.TrimPrefix(s.car.url(""), "https://"),
		"-servername", "localhost", "-ign_eof", "-tls" + strings.ReplaceAll(s.version, ".", "_")}, args...)...)
	cmd.Dir = s.dir
	cmd.Stdin = strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	// What it tells of tickets may stand in the middle of a line of the answer.
	out, _ := cmd.CombinedOutput() // its exit code tells of the server's certificate
	h := handshake{output: string(out)}
	if kind := regexp.MustCompile(`(?m)^(New|Reused), TLSv`).FindSubmatch(out); kind != nil {
		h.kind = string(kind[1])
	}
	if status := regexp.MustCompile(`HTTP/1\.1 (\d+) `).FindSubmatch(out); status != nil {
		h.status, _ = strconv.Atoi(string(status[1]))
	}
	return h
}

// was checks it; an empty kind is any.
func (h handshake) was(t *testing.T, kind string, status int) {
	t.Helper()
	if kind != "" && h.kind != kind || h.status != status {
		t.Errorf("openssl s_client: got %s, status %d, want %s, %d\n%s", h.kind, h.status, kind, status, h.output)
	}
}
