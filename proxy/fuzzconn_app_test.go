package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// scriptedApp is an application that answers each request as the next byte of
// its script says, and every one beyond the script's end properly.
type scriptedApp struct {
	t        testing.TB
	drop     func(name []byte) bool // the sidecar's own idea of what is stripped
	verified string                 // what each request of the first client must say
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	script []byte
	heads  []string // as received, in order
	conns  map[net.Conn]bool
}

func startScriptedApp(t testing.TB, folder string, script []byte) *scriptedApp {
	listener, err := net.Listen("unix", filepath.Join(folder, "app.sock"))
	if err != nil {
		t.Fatal(err)
	}
	a := &scriptedApp{t: t, listener: listener, script: script, conns: map[net.Conn]bool{}}
	a.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			a.conns[conn] = true
			a.mu.Unlock()
			a.running.Go(func() { a.serve(conn) })
		}
	})
	return a
}

// stop ends the application once the sidecar has let go of it.
func (a *scriptedApp) stop() {
	a.listener.Close()
	a.running.Wait()
}

// next takes one byte of the script; 0 is a proper answer.
func (a *scriptedApp) next() byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.script) == 0 {
		return 0
	}
	b := a.script[0]
	a.script = a.script[1:]
	return b
}

// take takes so many bytes of the script, or what is left.
func (a *scriptedApp) take(n int) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, len(a.script))
	b := a.script[:n]
	a.script = a.script[n:]
	return b
}

func (a *scriptedApp) received() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heads
}

func (a *scriptedApp) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	r := bufio.NewReader(conn)
	for {
		head, err := readWholeHead(r)
		if err != nil {
			if len(head) > 0 {
				a.t.Errorf("the application got a part of a head: %q (%v)", head, err)
			}
			if isTimeout(err) {
				a.t.Error("a connection to the application was left open")
			}
			return
		}
		a.mu.Lock()
		a.heads = append(a.heads, head)
		a.mu.Unlock()
		request := a.check(head)
		if request == nil || !a.answer(conn, r, request, head) {
			return
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func readWholeHead(r *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String(), err
		}
	}
}

// check wants a head that net/http reads, with our verdict once and nothing
// that only a client can have written.
func (a *scriptedApp) check(head string) *http.Request {
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(readable(head))))
	if err != nil {
		a.t.Errorf("net/http does not read what is forwarded: %v\n%q", err, head)
		return nil
	}
	verified := a.verified
	if strings.HasPrefix(head, "GET "+probeTarget+" ") {
		verified = "NONE"
	}
	if told := values(head, "VERIFIED"); len(told) != 1 || told[0] != verified {
		a.t.Errorf("VERIFIED is %q, want just %q\n%s", told, verified, head)
	}
	seen := map[string]int{}
	for _, line := range lines(head) {
		name, _, _ := strings.Cut(line, ":")
		seen[foldedName(name)]++
		if name != "VERIFIED" && name != "DN" && a.drop([]byte(name)) {
			a.t.Errorf("%q is forwarded", line)
		}
	}
	for name, most := range map[string]int{"verified": 1, "dn": 1, "host": 1, "connection": 1, "te": 1, "upgrade": 1,
		"x-real-ip": 1, "x-forwarded-for": 1, "x-forwarded-proto": 1, "x-request-id": 1, "keep-alive": 0, "http2-settings": 0, "forwarded": 0} {
		if seen[name] > most {
			a.t.Errorf("%s is there %d times:\n%s", name, seen[name], head)
		}
	}
	if seen["content-length"]+seen["transfer-encoding"] > 1 {
		a.t.Errorf("the framing is told twice:\n%s", head)
	}
	if upgrade := request.Header.Get("Upgrade"); upgrade != "" && !strings.EqualFold(upgrade, "websocket") && !strings.HasPrefix(strings.ToLower(upgrade), "websocket, websocket") {
		a.t.Errorf("Upgrade %q is asked for", upgrade)
	}
	return request
}

// readable is a head without what net/http refuses though it is well formed: a
// target that is no URL, a Trailer field that names framing fields.
func readable(head string) string {
	method, rest, _ := strings.Cut(head, " ")
	_, rest, _ = strings.Cut(rest, " ")
	var b strings.Builder
	b.WriteString(method + " / ")
	for line := range strings.Lines(rest) {
		if name, _, _ := strings.Cut(line, ":"); !strings.EqualFold(name, "Trailer") {
			b.WriteString(line)
		}
	}
	return b.String()
}

const poison = "HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison"

// What the application does after it has answered.
const (
	goesOn    = iota // with the next request
	closes           // its end of the connection
	readsBody        // for the first time
	waits            // for the end: nothing more may come on the connection
	tunnels          // takes whatever comes, to the end
)

// saying is one way to answer a request: text in which GOOD stands for a proper
// answer, and what comes then.
type saying struct {
	text  string
	then  int
	early bool // before the request's body is read
}

// rawAnswer stands for an answer that is the fuzzer's own.
const rawAnswer = "RAW"

func sayings() []saying {
	const ok = "HTTP/1.1 200 OK\r\n"
	return []saying{
		{text: "GOOD"},
		{text: "CHUNKED"},
		{text: ok + "\r\nto the end", then: closes},
		{text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nto the end", then: closes},
		{text: "HTTP/1.1 204 No Content\r\n\r\n"},
		{text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
		{text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nGOOD"},
		{text: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", then: tunnels},
		{text: ok + "Content-Le", then: closes},
		{text: ok + "Content-Length: 99\r\n\r\nshort", then: closes},
		{text: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n" + poison, then: closes},
		{text: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc" + poison, then: closes},
		{text: "GOOD" + poison, then: waits},
		{text: "HTTP/1.1 204 No Content\r\n\r\n" + poison, then: waits},
		{text: "GOOD", then: closes},
		{text: ok + "X-Large: " + strings.Repeat("l", 20<<10) + "\r\nContent-Length: 0\r\n\r\n"},
		{text: ok + "Connection: close\r\n\r\n" + strings.Repeat("large", 20<<10), then: closes},
		{text: rawAnswer},
		{text: "", then: closes},
		{text: ok + "Content-Length: 0\r\nKeep-Alive: timeout=0\r\n\r\n"},
		{text: "GOOD", then: readsBody, early: true},
		{text: "GOOD", then: closes, early: true},
		{text: "", then: closes, early: true},
		{text: "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", then: closes, early: true},
	}
}

// answer follows the script. It reports whether the connection goes on.
func (a *scriptedApp) answer(conn net.Conn, r *bufio.Reader, request *http.Request, head string) bool {
	all := sayings()
	s := all[int(a.next())%len(all)]
	if !s.early && !a.readBody(r, head) {
		return false
	}
	_, target, _ := strings.Cut(head, " ")
	target, _, _ = strings.Cut(target, " ")
	good := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(target))
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
	if request.Method != "HEAD" {
		good += target
		chunked += "3;a=b\r\nabc\r\n0\r\nX-T: 1\r\nVERIFIED: SUCCESS\r\n\r\n"
	}
	text := strings.NewReplacer("GOOD", good, "CHUNKED", chunked).Replace(s.text)
	if text == rawAnswer {
		text = string(a.take(int(a.next()))) + "\r\n\r\n"
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return false
	}
	switch s.then {
	case readsBody:
		return a.readBody(r, head)
	case waits:
		if _, err := r.ReadByte(); err == nil {
			a.t.Error("a connection was used again on which something followed the answer")
		}
	case tunnels:
		_, _ = io.Copy(io.Discard, r)
	}
	return s.then == goesOn
}

// readBody reads a request's body, which must be well formed as far as it comes.
func (a *scriptedApp) readBody(r *bufio.Reader, head string) bool {
	_, trailer, err := appBody(r, readable(head))
	for _, line := range trailer {
		if name, _, _ := strings.Cut(line, ":"); a.drop([]byte(name)) {
			a.t.Errorf("the trailer %q is forwarded", line)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isNetError(err) {
		a.t.Errorf("the body that is forwarded is malformed: %v\n%s", err, head)
	}
	return err == nil
}

func isNetError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}
