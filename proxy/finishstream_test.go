package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// faultyWriter stands for an error of this program, in the middle of an exchange.
type faultyWriter struct{ streamWriter }

func (faultyWriter) WriteHeader(int) { panic("a fault of ours") }

func TestAnErrorOfThisProgramEndsOneStreamAndIsTold(t *testing.T) {
	ended := make(chan struct{}, 1)
	release := make(chan struct{})
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		switch {
		case strings.HasPrefix(head, "GET /fault "):
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\no")
			_, _ = io.Copy(io.Discard, r)
			ended <- struct{}{}
			return false
		case strings.HasPrefix(head, "GET /held "):
			<-release
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	s := newSidecar(t, app.url)
	serve := s.framer.server.Handler
	s.framer.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fault" {
			rw = faultyWriter{rw.(streamWriter)}
		}
		serve.ServeHTTP(rw, r)
	})
	s.start(t)
	c := s.openWire(t, nil)
	c.send(c.get(1, "/held"))
	app.seen(t)
	c.send(c.get(3, "/fault"))
	if got, want := c.outcome(3), "RST_STREAM INTERNAL_ERROR"; got != want {
		t.Errorf("the stream with the fault: %s, want %s", got, want)
	}
	await(t, "the application hears that its answer is not wanted", ended)
	c.send(c.get(5, "/"))
	if got := c.outcome(5); got != "200" {
		t.Errorf("a later stream: %s, want 200", got)
	}
	close(release)
	if got := c.outcome(1); got != "200" {
		t.Errorf("the stream that was there before: %s, want 200", got)
	}
	told := s.logged("an error of this program: the request was cut")
	if len(told) != 1 || told[0].Level != zap.ErrorLevel {
		t.Fatalf("told as %v, want one error", told)
	}
	fields := told[0].ContextMap()
	if stack, _ := fields["stack"].(string); fields["error.message"] != "a fault of ours" || !strings.Contains(stack, "faultyWriter") || fields["client.address"] != "127.0.0.1" {
		t.Errorf("the line says %v; want what happened, where, and for whom", fields)
	}
	waitFor(t, "no stream is left", func() bool {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		left := 0
		for one := range s.conns.conns {
			left += len(one.streams.Load().list())
		}
		return left == 0 && len(s.conns.conns) == 1
	})
}
