package proxy

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mtls-sidecar/proxy/http1"
)

// hintingWriter does with an interim answer what net/http does: its fields are read
// later, on another goroutine, and from a copy only where Content-Length is one of
// them (http2.go, responseWriterState.writeHeader).
type hintingWriter struct {
	streamWriter // nil: nothing else may be called
	header       http.Header
	sent         []http.Header
}

func (w *hintingWriter) Header() http.Header { return w.header }

func (w *hintingWriter) WriteHeader(int) {
	header := w.header
	if _, named := header["Content-Length"]; named {
		header = maps.Clone(header)
	}
	w.sent = append(w.sent, header)
}

// A client that resets its stream in that moment would end the process otherwise:
// maps that are read and written at once are no panic that could be recovered from.
func TestOverHTTP2AnInterimAnswerStaysAsItWasWhenItIsSentLater(t *testing.T) {
	w := &hintingWriter{header: http.Header{}}
	one := &stream{writer: w, header: w.header}
	one.exchange.stream = one
	for i, link := range []string{"</a>", "</b>", "</c>"} {
		one.interim(&http1.Response{Status: 103, Fields: []http1.Field{{Name: []byte("Link"), Value: []byte(link)}}})
		for j, want := range []string{"</a>", "</b>", "</c>"}[:i+1] {
			if got := w.sent[j].Get("Link"); got != want {
				t.Errorf("after %d interim answers number %d says %q, want %q", i+1, j+1, got, want)
			}
		}
	}
}

// The same with net/http itself, for the race detector.
func TestOverHTTP2InterimAnswersSurviveResets(t *testing.T) {
	var hint strings.Builder
	hint.WriteString("HTTP/1.1 103 Early Hints\r\n")
	for i := range 30 {
		fmt.Fprintf(&hint, "Link-%d: </style-%d.css>; rel=preload; as=style\r\n", i, i)
	}
	hint.WriteString("\r\n")
	hints := strings.Repeat(hint.String(), 100) + okAnswer
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		_, err := io.WriteString(conn, hints)
		return err == nil
	})
	s := startSidecar(t, app.url)
	var clients sync.WaitGroup
	for client := range 4 {
		c := s.openWire(t, nil)
		clients.Go(func() { c.resetsAfterHints(client, fewResets-50) })
	}
	clients.Wait()
	c := s.dialOver(t, overHTTP1)
	c.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n") // to whom no interim answers go
	c.wantAnswer("GET", 200, "ok")
}

// resetsAfterHints asks, and resets as soon as a few frames have come, over and over.
func (c *wireClient) resetsAfterHints(client, times int) {
	for i := range times {
		c.send(c.get(odd(i), "/"))
		for range 1 + (i+client)%5 {
			if f, err := readWireFrame(c.r); err != nil || f.kind == frameGoAway {
				c.t.Errorf("client %d, stream %d: the connection ended (%v)", client, i, err)
				return
			}
		}
		c.send(frame(frameReset, 0, odd(i), 8))
	}
}
