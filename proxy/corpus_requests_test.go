package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// corpusRun is one case, sent in one way. Each run has an address of its own,
// so that whatever arrives at the application can be put down to it.
type corpusRun struct {
	*corpusCase
	index     int
	believed  bool // with a certificate
	overHTTP2 bool
	cuts      []int // where the bytes are cut into TLS records, ascending
	addr      string
	expected  []expectedMessage
	fault     error // what the client saw that it should not have
	requested []*wireMessage
}

const corpusProbe = "GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"

// TestHostileRequests sends every request of the corpus, in one piece and in
// pieces, and compares what the application received byte for byte.
func TestHostileRequests(t *testing.T) {
	cases := readCorpus(t, "requests")
	if len(cases) < 300 {
		t.Errorf("the corpus has %d requests, want at least 300", len(cases))
	}
	loopback(t)
	var runs []*corpusRun
	for _, c := range cases {
		for variant := range 3 {
			run := &corpusRun{corpusCase: c, index: len(runs), believed: variant == 2}
			run.addr = fmt.Sprintf("127.%d.%d.%d", 64+run.index>>16, run.index>>8&0xff, run.index&0xff)
			if variant > 0 {
				run.cuts = randomCuts(uint64(run.index), len(c.bytes()))
			}
			runs = append(runs, run)
		}
	}
	var app *recordingApp
	t.Run("send", func(t *testing.T) {
		app = startRecordingApp(t)
		s := startSidecar(t, app.url)
		for _, run := range runs {
			run.expect(t, strings.TrimPrefix(app.url, "http://"))
		}
		sendAll(t, s, runs)
	})
	// By now every connection has ended, and all that was under way has arrived.
	assign(t, app.messages, runs)
	for _, run := range runs {
		run.check(t)
	}
}

// loopback skips the test where 127.0.0.0/8 is not one machine's own, as it is
// on Linux.
func loopback(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.64.0.1:0")
	if err == nil {
		listener.Close()
		return
	}
	absent(t, "127.64.0.1 is not ours: %v", err)
}

// randomCuts are up to eight different places in n bytes, the same in every
// run of the test.
func randomCuts(seed uint64, n int) []int {
	random := rand.New(rand.NewPCG(seed, 3))
	var cuts []int
	for range 1 + random.IntN(8) {
		if n > 1 {
			// Most of what matters is at the beginning of long messages.
			cuts = append(cuts, 1+random.IntN(min(n-1, 200)), 1+random.IntN(n-1))
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

func sendAll(t *testing.T, s *sidecar, runs []*corpusRun) {
	queue := make(chan *corpusRun)
	var workers sync.WaitGroup
	certificate := testCA(t).client
	for range 4 {
		workers.Go(func() {
			for run := range queue {
				run.fault = run.play(s.addr, &certificate)
			}
		})
	}
	for _, run := range runs {
		queue <- run
	}
	close(queue)
	workers.Wait()
}

// play is the client's side of a run.
func (run *corpusRun) play(server string, certificate *tls.Certificate) error {
	dialer := &net.Dialer{Timeout: hang, LocalAddr: &net.TCPAddr{IP: net.ParseIP(run.addr)}}
	socket, err := dialer.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer socket.Close()
	_ = socket.SetDeadline(time.Now().Add(hang))
	if !run.believed {
		certificate = nil
	}
	config := clientConfig(certificate)
	config.DynamicRecordSizingDisabled = true // a write is a record, and what the server reads at once
	tail := &recordTail{Conn: socket}
	conn := tls.Client(tail, config)
	if err := conn.Handshake(); err != nil {
		return err
	}
	text := run.bytes()
	from := 0
	for _, cut := range append(run.cuts, len(text)) {
		if _, err := io.WriteString(conn, text[from:cut]); err != nil {
			break // the server may have refused already; its answer tells
		}
		from = cut
	}
	if run.shut {
		_ = conn.CloseWrite()
	}
	kept, err := run.readAnswers(conn, tail)
	if err == nil && kept {
		err = probe(conn, tail)
	}
	return err
}

// readAnswers checks each answer and reports whether the connection is to serve
// another request.
func (run *corpusRun) readAnswers(conn *tls.Conn, tail *recordTail) (kept bool, err error) {
	r := bufio.NewReader(conn)
	expected := 0
	for _, m := range run.messages {
		kept = false
		switch m.outcome {
		case "pass":
			line, _, _ := strings.Cut(run.expected[expected].head, "\r\n")
			expected++
			if err := wantEcho(r, m, line); err != nil {
				return false, err
			}
			kept = !m.close
		case "refuse":
			answer, err := http.ReadResponse(r, &http.Request{Method: requestedMethod(m.text)})
			if err != nil {
				return false, fmt.Errorf("reading the refusal: %w", err)
			}
			_, err = io.Copy(io.Discard, answer.Body)
			if err != nil || answer.StatusCode != m.status || !answer.Close {
				return false, fmt.Errorf("refused with %d, %v, Connection: close is %t, want %d", answer.StatusCode, err, answer.Close, m.status)
			}
		case "torn", "silent":
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				return false, fmt.Errorf("got %q, want no answer", rest)
			}
			return false, nil
		}
	}
	if kept && !run.shut {
		return true, nil
	}
	return false, wantCleanEnd(r, tail)
}

func requestedMethod(text string) string {
	method, _, _ := strings.Cut(strings.TrimPrefix(text, "\r\n"), " ")
	return method
}

// wantEcho reads the answer to a request that was relayed with this line.
func wantEcho(r *bufio.Reader, m corpusMessage, line string) error {
	answer, err := http.ReadResponse(r, &http.Request{Method: requestedMethod(m.text)})
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	body, err := io.ReadAll(answer.Body)
	if requestedMethod(m.text) == "HEAD" {
		line = ""
	}
	if err != nil || answer.StatusCode != 200 || string(body) != line || answer.Close != m.close {
		return fmt.Errorf("answered with %d %q, %v, Connection: close is %t; want 200 %q, %t",
			answer.StatusCode, body, err, answer.Close, line, m.close)
	}
	return nil
}

func wantCleanEnd(r io.Reader, tail *recordTail) error {
	rest, err := io.ReadAll(r)
	if err != nil || len(rest) > 0 || !tail.ended() {
		return fmt.Errorf("after the last answer: %q, %v, close_notify %t; want a clean end", rest, err, tail.ended())
	}
	return nil
}

// probe asks once more on a connection that should be kept.
func probe(conn *tls.Conn, tail *recordTail) error {
	if _, err := io.WriteString(conn, corpusProbe); err != nil {
		return fmt.Errorf("the connection is not kept: %w", err)
	}
	r := bufio.NewReader(conn)
	if err := wantEcho(r, corpusMessage{text: corpusProbe, close: true}, "GET /probe HTTP/1.1"); err != nil {
		return fmt.Errorf("the next request: %w", err)
	}
	return wantCleanEnd(r, tail)
}
