package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// applicationVariable makes this test binary the application of an emulated pod; it
// says where to listen.
const applicationVariable = "APPLICATION_LISTENS_ON"

// startApplication runs the application as a process of its own, which ends at once on
// SIGTERM, as most do that were not written with Kubernetes in mind. Words in front of
// its command line may put it elsewhere, into a network namespace say.
func startApplication(t *testing.T, addr string, in ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := append(append([]string{}, in...), self, "-test.run=^TestThisProcessIsAnApplication$")
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append(os.Environ(), applicationVariable+"="+addr, "TMPDIR="+t.TempDir())
	if _, err := cmd.StdinPipe(); err != nil { // it ends with the process of the test, however that does
		t.Fatal(err)
	}
	p := start(t, "application", cmd)
	p.expect(t, "the application listens on "+addr)
	return p
}

// TestThisProcessIsAnApplication is no test: it is what startApplication runs.
func TestThisProcessIsAnApplication(t *testing.T) {
	addr := os.Getenv(applicationVariable)
	if addr == "" {
		return
	}
	network := "tcp"
	if strings.HasPrefix(addr, "0.0.0.0:") {
		network = "tcp4" // else net takes it for [::]
	}
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("the application listens on %s\n", addr)
	s := &site{changed: make(chan struct{}), events: map[string]int{}, waiting: map[string]int{}}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"/answered": serveAnswered, "/healthz": serveText, "/echo": serveEcho, "/bytes": serveBytes, "/socket": serveSocket,
		"/events": s.serveEvents, "POST /event": s.serveEvent, "/wait": s.serveWait,
		"POST /free": func(http.ResponseWriter, *http.Request) { s.free() },
	} {
		mux.HandleFunc(pattern, handler)
	}
	go func() { t.Error(http.Serve(listener, mux)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serveAnswered says which request is about to be answered, and answers with what was
// said. The line is written before the answer, so it is there for every answer.
func serveAnswered(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	said := fmt.Sprintf("answered %s with %d bytes", r.FormValue("id"), n)
	fmt.Println(said)
	_, _ = io.WriteString(w, said)
}

// serveSocket switches protocols and returns each line that comes.
func serveSocket(w http.ResponseWriter, _ *http.Request) {
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for lines := bufio.NewScanner(both); lines.Scan(); {
		_, _ = fmt.Fprintln(conn, lines.Text())
	}
}

// signal sends one, and wants the process to be there to get it.
func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Errorf("%v for %s: %v", sig, p.name, err)
	}
}
