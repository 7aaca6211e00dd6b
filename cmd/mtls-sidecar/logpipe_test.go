package main_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pipedSidecar logs into a pipe that is read when the test says so.
type pipedSidecar struct {
	addr  string
	pipe  *os.File // its reading end
	log   *bufio.Scanner
	ended chan error
	pid   int
}

func startPipedSidecar(t *testing.T, s settings) *pipedSidecar {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd := sidecarCommand(t, s.with(settings{"MTLS_LISTEN_ADDR": "127.0.0.1:0"}))
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p := &pipedSidecar{pipe: r, log: bufio.NewScanner(r), ended: make(chan error, 1), pid: cmd.Process.Pid}
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for p.log.Scan() {
		var said struct{ Msg, Addr string }
		if json.Unmarshal(p.log.Bytes(), &said) == nil && said.Msg == "listening" {
			p.addr = said.Addr
			return p
		}
	}
	t.Fatal("it does not listen")
	return nil
}

// stop sends SIGTERM and waits for the end.
func (p *pipedSidecar) stop(t *testing.T) {
	t.Helper()
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(hang):
		t.Fatal("it does not end")
	}
}

// asked is how often it is asked: each line has half a KiB, and a pipe of Linux holds 64.
const asked = 500

// ask asks as often, and wants an answer each time.
func (p *pipedSidecar) ask(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: hang, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for i := range asked {
		answer, err := client.Get("https://" + p.addr + "/")
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		answer.Body.Close()
		if answer.StatusCode != 204 {
			t.Fatalf("request %d: got %d", i, answer.StatusCode)
		}
	}
}

func TestRequestsAreServedWhileNobodyReadsTheLog(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(204) }))
	defer app.Close()
	files, _ := mintedFiles(t)
	loud := files.with(settings{"MTLS_UPSTREAM_URL": app.URL, "MTLS_ACCESS_LOG": "all"})

	t.Run("and the log is whole once somebody does", func(t *testing.T) {
		p := startPipedSidecar(t, loud)
		p.ask(t)
		lines := make(chan []string, 1)
		go func() {
			var all []string
			for p.log.Scan() {
				all = append(all, p.log.Text())
			}
			lines <- all
		}()
		p.stop(t)
		all := <-lines
		requests := 0
		for _, line := range all {
			if !json.Valid([]byte(line)) {
				t.Fatalf("no JSON: %s", line)
			}
			if strings.Contains(line, `"msg":"request"`) {
				requests++
			}
		}
		if requests != asked || !strings.Contains(all[len(all)-1], `"msg":"stopped"`) {
			t.Errorf("%d lines about %d requests, and the last is %s", requests, asked, all[len(all)-1])
		}
	})
	t.Run("and it ends though nobody ever does", func(t *testing.T) {
		p := startPipedSidecar(t, loud)
		p.ask(t)
		p.stop(t)
	})
	t.Run("and when whoever read it has gone", func(t *testing.T) {
		p := startPipedSidecar(t, loud)
		p.pipe.Close()
		p.ask(t)
		p.stop(t)
	})
}
