package main_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"
)

// addressBook is an application that counts the whole requests that came from
// each client, told by the address that the proxy in front says it has.
type addressBook struct {
	addr string

	mu     sync.Mutex
	counts map[string]int
	nobody []string // request lines that came without an address
}

const corpusEnd = "/end-of-the-case"

func startAddressBook(t *testing.T) *addressBook {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	b := &addressBook{addr: listener.Addr().String(), counts: map[string]int{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by Cleanup
			}
			go b.serve(conn)
		}
	}()
	return b
}

func (b *addressBook) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		saw, err := readWhole(in)
		if err != nil {
			return
		}
		b.note(saw)
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

func (b *addressBook) note(saw *sight) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var addrs, verdicts []string
	for _, f := range saw.fields {
		switch strings.ToLower(f[0]) {
		case "x-real-ip":
			addrs = append(addrs, f[1])
		case "verified":
			verdicts = append(verdicts, f[1])
		}
	}
	switch {
	case len(addrs) != 1 || len(verdicts) != 1 || verdicts[0] != "NONE":
		b.nobody = append(b.nobody, saw.line)
	case !strings.Contains(saw.line, corpusEnd):
		b.counts[addrs[0]]++
	}
}

// readWhole reads one request and nothing less. Unlike readSight it takes only
// the exact names for framing: what reached the application is to be counted,
// however an application would misread it.
func readWhole(in *bufio.Reader) (*sight, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	saw := &sight{line: line}
	if saw.fields, err = readFields(in); err != nil {
		return nil, err
	}
	for _, f := range saw.fields {
		switch strings.ToLower(f[0]) {
		case "content-length":
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return nil, err
			}
			_, err = io.CopyN(io.Discard, in, n)
			return saw, err
		case "transfer-encoding":
			if _, err = io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
				return nil, err
			}
			_, err = readFields(in) // the trailer section
			return saw, err
		}
	}
	return saw, nil
}

// listens reports whether a program has come up on an address; false when it
// ended instead.
func (p *process) listens(addr string) bool {
	return (&nginx{addrs: map[string]string{"": addr}}).listens(p)
}

// startCorpusNginx runs the nginx of the oracle before an application.
func startCorpusNginx(t *testing.T, dir, application string) string {
	t.Helper()
	optional := verifySettings()[1]
	n := &nginx{recorder: &recorder{addr: application}}
	for range 5 {
		n.addrs = n.configure(t, dir, []setting{optional})
		cmd := exec.Command(need(t, "nginx"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
		if n.listens(start(t, "nginx", cmd)) {
			return n.addrs[optional.name]
		}
	}
	t.Fatal("nginx did not start")
	return ""
}

// startCorpusHAProxy runs HAProxy with the same duties.
func startCorpusHAProxy(t *testing.T, dir, application string) string {
	t.Helper()
	both := ""
	for _, name := range []string{"server.crt", "server.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both += string(text)
	}
	if err := os.WriteFile(filepath.Join(dir, "both.pem"), []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		addr := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
		path := filepath.Join(dir, "haproxy.cfg")
		writeTemplate(t, corpusData("haproxy.cfg.tmpl"), path, map[string]string{"Dir": dir, "Addr": addr, "Application": application})
		if start(t, "haproxy", exec.Command(need(t, "haproxy"), "-db", "-f", path)).listens(addr) {
			return addr
		}
	}
	t.Fatal("HAProxy did not start")
	return ""
}

func writeTemplate(t *testing.T, from, to string, fill any) {
	t.Helper()
	page, err := template.ParseFiles(from)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := page.Execute(&text, fill); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// peerVersions returns "nginx 1.22, HAProxy 2.6" as far as it matters for what
// is forwarded.
func peerVersions(t *testing.T) string {
	t.Helper()
	version := func(name, option, pattern string) string {
		out, err := exec.Command(need(t, strings.ToLower(name)), option).CombinedOutput()
		found := regexp.MustCompile(pattern).FindSubmatch(out)
		if err != nil || found == nil {
			t.Fatalf("%s %s: %v, %q", name, option, err, out)
		}
		return name + " " + string(found[1])
	}
	return version("nginx", "-v", `nginx/(\d+\.\d+)`) + ", " + version("HAProxy", "-v", `version (\d+\.\d+)`)
}

// sendCorpus sends each case from an address of its own, and after it one
// request more, so that the connection ends once everything has been looked at.
// bye makes the client say at once that it sends no more: a proxy that waits for
// more then need not wait for its timeout.
func sendCorpus(t *testing.T, cases []*corpusRequest, addr string, bye bool) {
	t.Helper()
	queue := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range queue {
				if err := sendCase(cases[i], addr, corpusAddress(i), bye); err != nil {
					t.Errorf("%s: %v", cases[i].name, err)
				}
			}
		})
	}
	for i := range cases {
		queue <- i
	}
	close(queue)
	workers.Wait()
}

func corpusAddress(i int) string { return fmt.Sprintf("127.96.%d.%d", i>>8, i&0xff) }

func sendCase(c *corpusRequest, addr, from string, bye bool) error {
	dialer := &net.Dialer{Timeout: hang, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := tls.DialWithDialer(dialer, "tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	raw := c.raw
	if !c.shut {
		raw += "GET " + corpusEnd + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	}
	// Neither of these need succeed: the proxy may have refused and gone.
	_, _ = io.WriteString(conn, raw)
	if c.shut || bye {
		_ = conn.CloseWrite()
	}
	if c.shut {
		// Nothing that is cut short can still be forwarded; nginx may wait for
		// more all the same, before it closes.
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) && !c.shut {
		return err
	}
	return nil
}
