package proxy

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/http1"
)

// BenchmarkRelay is a whole exchange over loopback TLS, client and application
// included.
func BenchmarkRelay(b *testing.B) {
	large := strings.Repeat("x", 64<<10)
	largeAnswer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(large), large)
	for _, bench := range []struct {
		name, request, answer string
		relayed               int
	}{
		{"curl", curlGet, smallAnswer, smallRelayed},
		{"browser", browserGet, smallAnswer, smallRelayed},
		{"chunked", curlGet, chunkedAnswer, chunkedRelayed},
		{"64KiB", curlGet, largeAnswer, len(largeAnswer)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := newFixedClient(b, startSidecar(b, fixedBackend(b, bench.answer)), bench.request, bench.relayed)
			if err := c.exchange(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(bench.relayed))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.exchange(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHandshake is a connection with a client certificate and one request.
func BenchmarkHandshake(b *testing.B) {
	app := startBackend(b, answering(okAnswer))
	s := startSidecar(b, app.url)
	certificate := &testCA(b).client
	b.ReportAllocs()
	for b.Loop() {
		c := s.dial(b, certificate)
		c.send(simpleGet)
		c.wantAnswer("GET", 200, "ok")
		c.Close()
		app.seen(b)
	}
}

// BenchmarkRequestHead parses a client's head and builds the application's.
func BenchmarkRequestHead(b *testing.B) {
	for name, raw := range map[string]string{"curl": curlGet, "browser": browserGet} {
		b.Run(name, func(b *testing.B) {
			c := headConn(b, newSidecar(b, "http://127.0.0.1:1").Server)
			head := []byte(raw)
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.work.request.Parse(head, c.server.limits()); err != nil {
					b.Fatal(err)
				}
				var err error
				if c.work.out, err = c.appendRequestHead(c.work.out[:0], c.memo.answer.lines); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// headConn is a connection without sockets whose client is believed.
func headConn(t testing.TB, s *Server) *conn {
	t.Helper()
	lines, _, err := s.config.Headers.Render(headers.Facts{Verify: headers.VerifySuccess, Chain: []*x509.Certificate{testCA(t).client.Leaf}})
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(s, nil, "192.0.2.1")
	c.work = newWork(bufferSize, 2*bufferSize)
	c.memo.answer.lines = append(lines, "X-Real-IP: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"...)
	c.work.request.Fields = make([]http1.Field, 0, 32)
	return c
}
