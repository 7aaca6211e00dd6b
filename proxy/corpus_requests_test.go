package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
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
	believed  bool  // with a certificate
	cuts      []int // where the bytes are cut into TLS records, ascending
	addr      string
	expected  []expectedMessage
	fault     error // what the client saw that it should not have
	requested []*wireMessage
}

// expectedMessage is what the application must get.
type expectedMessage struct{ head, body string }

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
	if os.Getenv("TEST_REQUIRE") == "1" {
		t.Fatalf("127.64.0.1 is not ours: %v", err)
	}
	t.Skipf("127.64.0.1 is not ours: %v", err)
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

// expect works out what the application must get.
func (run *corpusRun) expect(t *testing.T, application string) {
	t.Helper()
	kept := false
	for i := range run.messages {
		if m := &run.messages[i]; m.outcome == "pass" {
			run.expected = append(run.expected, run.relayed(t, m, application))
			kept = !m.close
		} else {
			kept = kept && m.text == ""
		}
	}
	if kept && !run.shut {
		m := corpusMessage{text: corpusProbe, without: []string{"Connection"}}
		run.expected = append(run.expected, run.relayed(t, &m, application))
	}
}

// relayed is a request as it must arrive: what the client said, in its order
// and case, each field as RFC 9112 §5 writes it, and then what we say.
func (run *corpusRun) relayed(t *testing.T, m *corpusMessage, application string) expectedMessage {
	t.Helper()
	head, body, found := strings.Cut(strings.TrimPrefix(m.text, "\r\n"), "\r\n\r\n")
	if !found {
		t.Fatalf("%s: a request that passes has no end", run)
	}
	line, fields, _ := strings.Cut(head, "\r\n")
	line = line[:strings.LastIndexByte(line, ' ')] + " HTTP/1.1"
	if m.line != nil {
		line = *m.line
	}
	host, chunked, client := run.clientFields(t, m, fields)
	if m.fields != nil {
		client = *m.fields
	}
	if m.body != nil {
		body = *m.body
	}
	var b strings.Builder
	b.WriteString(line + "\r\n")
	if host == nil {
		b.WriteString("Host: " + application + "\r\n")
	}
	b.WriteString(client)
	if chunked {
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	b.WriteString(m.hop)
	id := m.id
	if id == "" {
		id = "*"
	}
	b.WriteString("X-Request-Id: " + id + "\r\n")
	if host != nil {
		b.WriteString("X-Forwarded-Host: " + *host + "\r\n")
	}
	b.WriteString("X-Forwarded-For: " + m.forwarded + run.addr + "\r\n")
	b.WriteString(run.verdict())
	b.WriteString("X-Real-IP: " + run.addr + "\r\nX-Forwarded-Proto: https\r\n\r\n")
	return expectedMessage{b.String(), body}
}

// verdict are the lines that say who the client is.
func (run *corpusRun) verdict() string {
	if run.believed {
		return "VERIFIED: SUCCESS\r\nDN: CN=client,O=Acme\r\n"
	}
	return "VERIFIED: NONE\r\n"
}

// clientFields are the client's lines that pass, and what two of them say.
func (run *corpusRun) clientFields(t *testing.T, m *corpusMessage, fields string) (host *string, chunked bool, passed string) {
	t.Helper()
	missing := slices.Clone(m.without)
	var b strings.Builder
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "host":
			host = &value
		case "transfer-encoding":
			chunked = true
			continue
		}
		if slices.Contains(m.without, name) {
			missing = slices.DeleteFunc(missing, func(s string) bool { return s == name })
		} else if name != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s: the request has no field %q that could be left out", run, missing)
	}
	return host, chunked, b.String()
}

// assign gives each run what arrived for it. What is nobody's is a request that
// lacks our lines, and the gravest fault of all.
func assign(t *testing.T, messages []*wireMessage, runs []*corpusRun) {
	t.Helper()
	byAddr := map[string]*corpusRun{}
	for _, run := range runs {
		byAddr[run.addr] = run
	}
	for _, m := range messages {
		var run *corpusRun
		if strings.HasSuffix(m.head, "\r\n\r\n") {
			if addrs := values(m.head, "X-Real-IP"); len(addrs) == 1 {
				run = byAddr[addrs[0]]
			}
		}
		if run == nil {
			t.Errorf("the application got a request that nobody may have sent: %q %q (%s)", m.head, m.body, m.fault)
			continue
		}
		run.requested = append(run.requested, m)
	}
}

// check compares what came with what was expected.
func (run *corpusRun) check(t *testing.T) {
	t.Helper()
	fault := func(format string, args ...any) {
		t.Errorf("%s (%s; cut at %v): %s", run, run.rule, run.cuts, fmt.Sprintf(format, args...))
	}
	if run.fault != nil {
		fault("the client: %v", run.fault)
	}
	whole := 0
	for _, m := range run.requested {
		if why := run.lies(m); why != "" {
			fault("%s:\n%s", why, m.head)
		}
		switch {
		case !m.whole && m.fault == "" && run.mayBreakOff():
		case !m.whole:
			fault("the application got half a request: %q %q (%s)", m.head, m.body, m.fault)
		case whole == len(run.expected):
			fault("the application got a request too many: %q", m.head)
		default:
			run.compare(t, run.expected[whole], m)
			whole++
		}
	}
	if whole < len(run.expected) {
		fault("the application got %d requests, want %d", whole, len(run.expected))
	}
}

// mayBreakOff reports whether the fault of a request may show only after a part
// of it has gone on.
func (run *corpusRun) mayBreakOff() bool {
	return slices.ContainsFunc(run.messages, func(m corpusMessage) bool {
		return m.outcome == "torn" || m.outcome == "refuse" && strings.Contains(m.text, "\r\n\r\n")
	})
}

var ownRequestID = regexp.MustCompile(`\r\nX-Request-Id: [0-9a-f]{32}\r\n`)

func (run *corpusRun) compare(t *testing.T, want expectedMessage, m *wireMessage) {
	t.Helper()
	head := m.head
	if strings.Contains(want.head, "\r\nX-Request-Id: *\r\n") {
		head = ownRequestID.ReplaceAllString(head, "\r\nX-Request-Id: *\r\n")
	}
	if head != want.head {
		t.Errorf("%s (%s; cut at %v): the application got\n%q\nwant\n%q", run, run.rule, run.cuts, head, want.head)
	}
	got, body := m.body, want.body
	if run.cuts != nil && strings.Contains(want.head, "\r\nTransfer-Encoding: chunked\r\n") {
		got, body = m.decoded, decodeChunks(t, want.body) // a chunk may go on in parts
	}
	if got != body {
		t.Errorf("%s (%s; cut at %v): the application got the body\n%q\nwant\n%q", run, run.rule, run.cuts, got, body)
	}
}

// lies says what in a head or trailer section a client could have forged.
func (run *corpusRun) lies(m *wireMessage) string {
	verdict := strings.ReplaceAll(run.verdict(), "\r\n", "\n")
	var ours strings.Builder
	claims := lines(m.head)
	if _, trailer, found := strings.Cut(m.decoded, "\r\n\r\n"); found && len(values(m.head, "Transfer-Encoding")) > 0 {
		claims = append(claims, strings.Split(trailer, "\r\n")...)
	}
	for _, line := range claims {
		name, _, _ := strings.Cut(line, ":")
		switch foldedName(name) {
		case "verified", "dn":
			ours.WriteString(line + "\n")
			continue
		}
		for _, word := range []string{"SUCCESS", "CN=admin", "forged"} {
			if strings.Contains(line, word) {
				return fmt.Sprintf("the forged line %q arrived", line)
			}
		}
	}
	if ours.String() != verdict {
		return fmt.Sprintf("the verdict is %q, want %q once", ours.String(), verdict)
	}
	return ""
}
