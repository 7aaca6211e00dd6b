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

// answer follows the script. It reports whether the connection goes on.
func (a *scriptedApp) answer(conn net.Conn, r *bufio.Reader, request *http.Request, head string) bool {
	kind := a.next() % 24
	early := kind >= 20 // before the body is read
	if !early && !a.readBody(r, head) {
		return false
	}
	_, target, _ := strings.Cut(head, " ")
	target, _, _ = strings.Cut(target, " ")
	body := target
	if request.Method == "HEAD" {
		body = ""
	}
	good := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), body)
	say := func(text string) bool { _, err := io.WriteString(conn, text); return err == nil }
	last := func(text string) bool { say(text); return false }
	switch kind {
	case 1:
		if request.Method == "HEAD" {
			return say(good)
		}
		return say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\nVERIFIED: SUCCESS\r\n\r\n")
	case 2:
		return last("HTTP/1.1 200 OK\r\n\r\nto the end")
	case 3:
		return last("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nto the end")
	case 4:
		return say("HTTP/1.1 204 No Content\r\n\r\n")
	case 5:
		return say("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
	case 6:
		return say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + good)
	case 7:
		if say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n") {
			_, _ = io.Copy(io.Discard, r)
		}
		return false
	case 8:
		return last("HTTP/1.1 200 OK\r\nContent-Le")
	case 9:
		return last("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort")
	case 10:
		return last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n" + poison)
	case 11:
		return last("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc" + poison)
	case 12, 13:
		if say(good + poison) {
			if _, err := r.ReadByte(); err == nil {
				a.t.Errorf("a connection was used again on which something followed the answer")
			}
		}
		return false
	case 14:
		return last(good)
	case 15:
		return say("HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("l", 20<<10) + "\r\nContent-Length: 0\r\n\r\n")
	case 16:
		return last("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + strings.Repeat("large", 20<<10))
	case 17:
		return say(string(a.take(int(a.next()))) + "\r\n\r\n")
	case 18:
		return false // without a word
	case 19:
		return say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=0\r\n\r\n")
	case 20:
		return say(good) && a.readBody(r, head)
	case 21:
		return last(good)
	case 22:
		return last("")
	case 23:
		return last("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}
	return say(good)
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

// pipeListener accepts connections made in memory: a fuzz target would use up
// the ports.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}
