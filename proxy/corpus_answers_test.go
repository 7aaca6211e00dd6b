package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// corpusApp answers with the bytes of a case, in as many writes as there are
// pieces, and requests for /next like any well-behaved application.
type corpusApp struct {
	*backend
	mu     sync.Mutex
	pieces []string
	hold   bool
	last   net.Conn      // that the case was answered on
	reused bool          // it was used again, although it said too much
	said   chan struct{} // an answer to hold on after has been written
}

func startCorpusApp(t *testing.T) *corpusApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := &corpusApp{said: make(chan struct{}, 8)}
	app.backend = startBackendOn(t, listener, app.answer)
	return app
}

func (a *corpusApp) answer(conn net.Conn, r *bufio.Reader, head string) bool {
	if _, _, err := appBody(r, head); err != nil {
		return false
	}
	<-a.requests // nobody counts them here
	if strings.HasPrefix(head, "GET /next ") {
		a.mu.Lock()
		a.reused = a.reused || a.hold && conn == a.last
		a.mu.Unlock()
		_, err := io.WriteString(conn, echoAnswer(head))
		return err == nil
	}
	a.mu.Lock()
	pieces, hold := a.pieces, a.hold
	a.last = conn
	a.mu.Unlock()
	if hold {
		// Also when the sidecar has had enough and closes before the end of it.
		defer func() { a.said <- struct{}{} }()
	}
	for i, piece := range pieces {
		if i > 0 {
			<-time.After(200 * time.Microsecond) // likely, not surely, a read of its own
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			return false
		}
	}
	return hold
}

// say writes more on the connection that was answered last.
func (a *corpusApp) say(t *testing.T, text string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := io.WriteString(a.last, text); err != nil {
		t.Errorf("saying %q: %v", text, err)
	}
}

const (
	corpusNext     = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
	corpusNextLast = "GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	nextAnswer     = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\nGET /next HTTP/1.1"
	nextAnswerLast = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\nConnection: close\r\n\r\nGET /next HTTP/1.1"
)

// TestHostileAnswers has an application give every answer of the corpus, at
// once and in pieces. Whatever it says, the next request is answered with its
// own answer, to the same client and to another.
func TestHostileAnswers(t *testing.T) {
	cases := readCorpus(t, "answers")
	if len(cases) < 60 {
		t.Errorf("the corpus has %d answers, want at least 60", len(cases))
	}
	app := startCorpusApp(t)
	s := startSidecar(t, app.url)
	other := s.dial(t, nil)
	for i, c := range cases {
		if modeOf(t) == overHTTP2 && !c.asksWithoutHTTP1() {
			continue
		}
		for variant := range 3 {
			var cuts []int
			if variant > 0 {
				cuts = randomCuts(uint64(3*i+variant), len(c.answer))
			}
			app.set(c, cuts)
			name := fmt.Sprintf("%s (%s; cut at %v)", c, c.rule, cuts)
			if err := c.hear(t, s, app, cuts != nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			other.send(corpusNext)
			got := make([]byte, len(nextAnswer))
			if _, err := io.ReadFull(other.r, got); err != nil || other.kept(string(got)) != other.kept(nextAnswer) {
				t.Fatalf("%s: then another client got %q, %v", name, got, err)
			}
			if app.wasReused() {
				t.Errorf("%s: the connection served another request", name)
			}
		}
	}
}

func (a *corpusApp) wasReused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reused
}

func (a *corpusApp) set(c *corpusCase, cuts []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hold, a.pieces, a.last, a.reused = c.hold, nil, nil, false
	from := 0
	for _, cut := range append(cuts, len(c.answer)) {
		a.pieces = append(a.pieces, c.answer[from:cut])
		from = cut
	}
}

// asksWithoutHTTP1 reports whether HTTP/2 has words for the case's request.
func (c *corpusCase) asksWithoutHTTP1() bool {
	asked := c.bytes()
	return asked == "" || strings.Contains(asked, " HTTP/1.1\r\nHost: ") && !strings.Contains(asked, "Upgrade")
}

// hear asks as the case says, and compares what the client gets. In pieces is
// how the application says it, so that chunks may come in parts.
func (c *corpusCase) hear(t *testing.T, s *sidecar, app *corpusApp, inPieces bool) error {
	client := s.dial(t, nil)
	defer client.Close()
	ask := "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	if len(c.messages) > 0 {
		ask = c.messages[0].text
	}
	switch {
	case c.outcome == "gets" && c.late != "":
		return c.hearLate(client, app, ask)
	case c.hold:
		// What is too much is there before the next request goes out. Had it come
		// later, nothing would tell it from that request's answer (RFC 9112 §9.2).
		client.send(ask)
		await(t, "the end of what the application says", app.said)
		client.send(corpusNextLast)
	case c.outcome == "gets" && client.pipelines():
		client.send(ask, corpusNextLast)
	default:
		client.send(ask)
	}
	got, err := client.rest()
	if c.outcome == "gets" && !c.hold && !client.pipelines() && err == nil {
		client.send(corpusNextLast)
		next, end := client.rest()
		got, err = got+next, end
	}
	compared := func(text string) string {
		if inPieces {
			return looseChunks(client.kept(text))
		}
		return client.kept(text)
	}
	switch c.outcome {
	case "bad":
		return client.wantPage(got, err)
	case "cuts":
		if err == nil {
			return client.wantPage(got, err)
		}
		if !strings.HasPrefix(compared(c.gets), compared(got)) {
			return fmt.Errorf("got %q and a cut, want no more than %q", got, c.gets)
		}
		return nil
	case "gets":
		first, found := strings.CutSuffix(client.kept(got), client.kept(nextAnswerLast))
		if !found {
			return fmt.Errorf("got %q, in which the next request has no answer", got)
		}
		got = first
	case "ends":
		if !client.endsConnections() && c.hold {
			got = strings.TrimSuffix(client.kept(got), client.kept(nextAnswerLast))
		}
	}
	if compared(got) != compared(c.gets) || err != nil {
		return fmt.Errorf("got\n%q, %v, want\n%q", got, err, c.gets)
	}
	return nil
}

// hearLate waits for the answer before the application says more, and asks
// again only then.
func (c *corpusCase) hearLate(client *client, app *corpusApp, ask string) error {
	client.send(ask)
	await(client.t, "the end of what the application says", app.said)
	if client.pipelines() {
		got := make([]byte, len(c.gets))
		if _, err := io.ReadFull(client.r, got); err != nil || string(got) != c.gets {
			return fmt.Errorf("got %q, %v, want %q", got, err, c.gets)
		}
	} else if got, err := client.rest(); err != nil || client.kept(got) != client.kept(c.gets) {
		return fmt.Errorf("got %q, %v, want %q", got, err, c.gets)
	}
	app.say(client.t.(*testing.T), c.late)
	client.send(corpusNextLast)
	if next, err := client.rest(); err != nil || client.kept(next) != client.kept(nextAnswerLast) {
		return fmt.Errorf("the next request got %q, %v", next, err)
	}
	return nil
}

// wantPage checks that the client got our 502 and a clean end.
func (c *client) wantPage(got string, end error) error {
	r := bufio.NewReader(strings.NewReader(got))
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return fmt.Errorf("got %q, %v, want a page", got, end)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	for err == nil && answer.StatusCode < 200 {
		answer, err = http.ReadResponse(r, nil)
	}
	if err != nil || end != nil || answer.StatusCode != 502 || !answer.Close && c.endsConnections() || r.Buffered() > 0 {
		return fmt.Errorf("got %q, %v, want 502 and a clean end", got, end)
	}
	return nil
}

// looseChunks takes the framing off a chunked answer, as far as it goes.
func looseChunks(answer string) string {
	head, body, found := strings.Cut(answer, "\r\n\r\n")
	if !found || !strings.Contains(head, "\r\nTransfer-Encoding: chunked") {
		return answer
	}
	m := &wireMessage{}
	_ = strictReader{bufio.NewReader(strings.NewReader(body))}.readChunks(m) // compared as far as it goes
	return head + "\r\n\r\n" + m.decoded
}
