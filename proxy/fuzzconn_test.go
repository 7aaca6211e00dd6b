package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// The fuzzer's input is a client and an application: the bytes that the client
// sends, how they are split and how it leaves, and what the application answers.

// Bits of the manner in which a client behaves.
const (
	withCertificate = 1 << iota
	leavesAtOnce    // closes when it has sent everything, without reading
	tearsAway       // closes without close_notify
)

func FuzzConnection(f *testing.F) {
	tunnel := strings.ReplaceAll(upgradeHead, "keep-alive, ", "")
	for i, seed := range []string{
		simpleGet, simpleGet + simpleGet, curlGet + browserGet + simpleGet, post("hello") + simpleGet,
		chunkedPost("Trailer: X-Sum, VERIFIED\r\nTE: trailers\r\n", "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nverified: SUCCESS\r\n\r\n") + simpleGet,
		post(strings.Repeat("b", 20<<10)) + simpleGet, chunkedPost("", "5000\r\n"+strings.Repeat("c", 0x5000)+"\r\n0\r\n\r\n") + simpleGet,
		"GET / HTTP/1.1\r\nHost: h\r\nVERIFIED: SUCCESS\r\nveri.fied: x\r\nD_N: CN=root\r\nX_Real.IP: 1\r\nConnection: VERIFIED, X-Real-IP\r\n\r\n" + simpleGet,
		tunnel + "\x81\x85\x00\x00\x00\x00hello", tunnel + simpleGet, strings.Replace(tunnel, "websocket", "h2c, websocket", 1) + simpleGet,
		"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + simpleGet, "GET /old HTTP/1.0\r\n\r\n" + simpleGet,
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + simpleGet, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + simpleGet,
		"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + simpleGet,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n" + smuggled, "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 300) + "\r\n",
		"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n\r\n" + simpleGet, "GET / HTTP/1.1\nHost: h\n\n" + simpleGet, chunkedPost("", "x\r\n") + smuggled,
		strings.Repeat(simpleGet, 30),
	} {
		for answer := range byte(24) { // each seed meets a few of the answers
			if (int(answer)+i)%6 == 0 {
				f.Add([]byte(seed), []byte{answer * 7, 200, 1}, answer, []byte{answer, 0, answer + 1, 12})
			}
		}
	}
	f.Add([]byte(simpleGet+simpleGet), []byte{}, byte(0), append([]byte{17, 36}, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"...))
	base := newSidecar(f, "unix:///nowhere", "MTLS_UPSTREAM_TIMEOUT=10s", "MTLS_MAX_BODY_BYTES=64KiB", "MTLS_UPSTREAM_EXPOSED=ignore")
	folder, err := os.MkdirTemp("", "fuzz")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(folder) })
	base.config.UpstreamURL.Address = folder + "/app.sock"
	material, err := Load(base.config)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent, splits []byte, manner byte, script []byte) {
		goroutines := runtime.NumGoroutine()
		server, err := NewServer(base.config, material, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		app := startScriptedApp(t, folder, script)
		app.drop, app.verified = server.stripper.Drop, "NONE"
		if manner&withCertificate != 0 {
			app.verified = "SUCCESS"
		}
		x := &fuzzed{t: t, server: server, listener: newPipeListener(), app: app}
		x.run(sent, splits, manner)
		waitFor(t, "every goroutine has ended", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
}

// fuzzed is a sidecar between a fuzzed client and a fuzzed application.
type fuzzed struct {
	t        *testing.T
	server   *Server
	listener *pipeListener
	app      *scriptedApp
}

func (x *fuzzed) run(sent, splits []byte, manner byte) {
	served := make(chan error, 1)
	go func() { served <- x.server.Serve(x.listener) }()
	got := x.converse(sent, splits, manner)
	x.checkAnswers(got, bytes.Count(sent, []byte("\n\r\n"))+1)
	x.probe()
	if n := x.server.pool.Idle(); n > 4 {
		x.t.Errorf("%d connections are kept after two clients", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	if cut := x.server.Shutdown(ctx); cut != 0 {
		x.t.Errorf("%d requests hung", cut)
	}
	if err := <-served; err != nil {
		x.t.Errorf("Serve: %v", err)
	}
	x.app.stop()
}

// connect opens a TLS connection in memory.
func (x *fuzzed) connect(manner byte) (*tls.Conn, net.Conn) {
	socket := x.listener.dial()
	_ = socket.SetDeadline(time.Now().Add(hang))
	var certificate *tls.Certificate
	if manner&withCertificate != 0 {
		certificate = &testCA(x.t).client
	}
	conn := tls.Client(socket, clientConfig(certificate))
	if err := conn.Handshake(); err != nil {
		x.t.Fatalf("handshake: %v", err)
	}
	return conn, socket
}

// converse sends everything in pieces and returns what comes back.
func (x *fuzzed) converse(sent, splits []byte, manner byte) []byte {
	conn, socket := x.connect(manner)
	defer socket.Close()
	got := make(chan []byte, 1)
	go func() {
		all, err := io.ReadAll(conn)
		if isTimeout(err) {
			x.t.Errorf("the connection hangs after %q", all)
		}
		got <- all
	}()
	for i := 0; len(sent) > 0; i++ {
		n := len(sent)
		if i < len(splits) {
			n = min(n, 1+int(splits[i]))
		}
		if _, err := conn.Write(sent[:n]); err != nil {
			break
		}
		sent = sent[n:]
	}
	if manner&tearsAway == 0 {
		_ = conn.CloseWrite()
	}
	if manner&(tearsAway|leavesAtOnce) != 0 {
		socket.Close()
	}
	return <-got
}

// checkAnswers reads what the client got as a client would: no more final
// answers than heads, and one for a head that has no end, ours the last of its connection, and nothing of what
// the application said out of turn.
func (x *fuzzed) checkAnswers(got []byte, requests int) {
	heads := x.app.received()
	methods := heads[:0:0]
	for i, head := range heads {
		if i == 0 || head != heads[i-1] { // sent again on another connection
			methods = append(methods, head)
		}
	}
	r := bufio.NewReader(bytes.NewReader(got))
	for finals := 0; ; {
		method := "GET"
		if finals < len(methods) {
			method, _, _ = strings.Cut(methods[finals], " ")
		}
		answer, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return // the end, or cut
		}
		if answer.StatusCode == 101 {
			if finals >= len(methods) || !strings.Contains(methods[finals], "\r\nUpgrade: ") {
				x.t.Errorf("a switch that was not asked for:\n%q", got)
			}
			return // what follows is the tunnel's
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return
		}
		if answer.Header.Get("X-Poison") != "" {
			x.t.Errorf("bytes after an answer came as the next one:\n%q", got)
		}
		if answer.StatusCode < 200 {
			continue
		}
		finals++
		if finals > requests || finals > len(heads)+1 {
			x.t.Errorf("%d answers, but %d requests were sent at most and %d relayed:\n%q", finals, requests, len(heads), got)
			return
		}
		if ours := answer.Header.Get("Cache-Control") == "no-store"; ours && !answer.Close {
			x.t.Errorf("our own answer lacks Connection: close:\n%q", got)
		}
	}
}

// probeTarget is what the second client asks for, which has no certificate.
const probeTarget = "/asked-by-the-next-client"

// probe is another client: it gets the answer to its own request, whatever the
// first one has left behind.
func (x *fuzzed) probe() {
	x.app.mu.Lock()
	x.app.script = nil
	x.app.mu.Unlock()
	conn, socket := x.connect(0)
	defer socket.Close()
	if _, err := io.WriteString(conn, "GET "+probeTarget+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		x.t.Fatalf("the next client: %v", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		x.t.Fatalf("the next client got no answer: %v", err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != 200 || string(body) != probeTarget {
		x.t.Errorf("the next client got %d %q (%v)", answer.StatusCode, body, err)
	}
	_ = conn.Close()
}
