package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"time"
)

// A real nginx says what is right. Its configuration is testdata/nginx.

// setting is one way to set up the verification of clients, in nginx's words
// and in ours.
type setting struct {
	name   string
	verify string // ssl_verify_client, MTLS_VERIFY_CLIENT
	depth  string // ssl_verify_depth, MTLS_VERIFY_DEPTH
}

func verifySettings() []setting {
	return []setting{
		{"on", "on", "10"},
		{"optional", "optional", "10"},
		{"optional_no_ca", "optional_no_ca", "10"},
		{"off", "off", "10"},
		{"optional depth 0", "optional", "0"},
		{"optional depth 1", "optional", "1"},
		{"optional_no_ca depth 1", "optional_no_ca", "1"},
	}
}

// nginx is a running one.
type nginx struct {
	*recorder                   // the application behind it
	addrs     map[string]string // setting → where it listens
}

// startNginx runs nginx with the certificates in dir, a listener for each
// setting and an application that records.
func startNginx(t *testing.T, dir string, settings []setting) *nginx {
	t.Helper()
	n := &nginx{recorder: startRecorder(t)}
	path := need(t, "nginx")
	// A port that was free a moment ago may be taken by now.
	for range 5 {
		n.addrs = n.configure(t, dir, settings)
		cmd := exec.Command(path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
		if n.listens(start(t, "nginx", cmd)) {
			return n
		}
	}
	t.Fatal("nginx did not start")
	return nil
}

// listens reports whether nginx has come up on all its addresses; false when
// it ended instead.
func (n *nginx) listens(p *process) bool {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	guard := time.After(hang)
	for _, addr := range n.addrs {
		for {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-p.done:
				return false
			case <-guard:
				return false
			case <-retry.C:
			}
		}
	}
	return true
}

// configure writes nginx.conf with newly chosen ports.
func (n *nginx) configure(t *testing.T, dir string, settings []setting) map[string]string {
	t.Helper()
	type server struct {
		Port          int
		Verify, Depth string
	}
	var fill struct {
		Dir, Application string
		Servers          []server
	}
	fill.Dir, fill.Application = dir, n.recorder.addr
	addrs := map[string]string{}
	for i, port := range freePorts(t, len(settings)) {
		s := settings[i]
		fill.Servers = append(fill.Servers, server{port, s.verify, s.depth})
		addrs[s.name] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	page, err := template.ParseFiles(nginxData("nginx.conf.tmpl"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := page.Execute(file, fill); err != nil {
		t.Fatal(err)
	}
	return addrs
}

// freePorts returns different ports that were free just now.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports
}

func nginxData(name string) string { return filepath.Join("..", "..", "testdata", "nginx", name) }

// nginxVersion returns "nginx 1.22, OpenSSL 3.0" as far as it matters for what
// is answered, and "" where there is no nginx.
func nginxVersion() string {
	path, err := lookup("nginx")
	if err != nil {
		return ""
	}
	out, err := exec.Command(path, "-V").CombinedOutput()
	if err != nil {
		return ""
	}
	server := regexp.MustCompile(`nginx/(\d+\.\d+)`).FindStringSubmatch(string(out))
	libraries := regexp.MustCompile(`OpenSSL (\d+\.\d+)`).FindAllStringSubmatch(string(out), -1)
	if server == nil || libraries == nil {
		return strings.TrimSpace(string(out))
	}
	// The last one named is the one it runs with.
	return fmt.Sprintf("nginx %s, OpenSSL %s", server[1], libraries[len(libraries)-1][1])
}
