package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// recordingConn keeps what is written to it.
type recordingConn struct {
	net.Conn
	written bytes.Buffer
}

func (c *recordingConn) Write(p []byte) (int, error)      { return c.written.Write(p) }
func (c *recordingConn) SetWriteDeadline(time.Time) error { return nil }

// relayed takes a request through everything between the two sockets. It
// returns nil when the request is refused, or its body is not whole.
func relayed(c *conn, raw []byte) []byte {
	w := c.work
	c.ids = requestIDs{made: true} // the same from run to run
	w.out = w.outArray[:0]
	w.client.Reset(bytes.NewReader(raw), w.in[:])
	size := 0
	for size == 0 {
		if w.client.Fill() != nil {
			return nil
		}
		var err error
		if size, err = http1.HeadEnd(w.client.Buffered(), 0); err != nil {
			return nil
		}
	}
	if w.request.Parse(w.client.Buffered()[:size], c.server.limits()) != nil {
		return nil
	}
	c.note()
	var err error
	if w.out, err = c.appendRequestHead(w.out[:0], c.memo.answer.lines); err != nil {
		return nil
	}
	w.client.Advance(size)
	whole, err := c.gather()
	if err != nil {
		return nil
	}
	sink := &recordingConn{}
	sink.written.Write(w.out)
	if !whole {
		up := &upstream.Conn{Conn: sink}
		w.answer = answerSource{exchange: &c.exchange, up: up, timeout: time.Minute}
		u := &upload{exchange: &c.exchange, up: up}
		if u.copy(nil) != nil {
			return nil
		}
	}
	return sink.written.Bytes()
}

func FuzzRelayHead(f *testing.F) {
	for _, seed := range []string{
		simpleGet, curlGet, browserGet, post("hello"), post(""),
		chunkedPost("Trailer: X-Sum, VERIFIED\r\n", "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nverified: SUCCESS\r\n\r\n"),
		chunkedPost("", "1\r\na\r\n2000\r\n"+strings.Repeat("b", 0x2000)+"\r\n0\r\n\r\n") + smuggled,
		"GET / HTTP/1.1\r\nHost: h\r\nVERIFIED: SUCCESS\r\nveri.fied: x\r\nD_N: CN=root\r\nDN: x\r\nX_Real.IP: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: VERIFIED, DN, X-Mine\r\nX-Mine: 1\r\nUpgrade: h2c\r\nTE: trailers\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, TE\r\nUpgrade: h2c, websocket\r\nTE: gzip, trailers\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\nContent.Length: 5\r\nKeep_Alive: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a\r\nx-forwarded-for: b\r\nForwarded: for=x\r\nX-Request-Id: r 1\r\n\r\n",
		"GET http://H/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /x HTTP/1.0\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: [::1]:8\r\nX:\t\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: content-length\r\n\r\nabc",
	} {
		f.Add([]byte(seed))
	}
	c := headConn(f, newSidecar(f, "http://127.0.0.1:1").Server)
	f.Fuzz(func(t *testing.T, raw []byte) {
		forwarded := relayed(c, raw)
		if forwarded == nil {
			return
		}
		head, _, found := bytes.Cut(forwarded, emptyLine)
		if !found {
			t.Fatalf("forwarded without an end of the head:\n%q", forwarded)
		}
		checkFieldNames(t, c, string(head))
		checkSameMessage(t, raw, forwarded)
	})
}

// ourHops are the hop-by-hop lines that we may send, in our spelling.
var ourHops = []string{
	"Connection: TE", "Connection: Upgrade", "Connection: TE, Upgrade", "TE: trailers",
}

// webSockets reports whether a line asks for the one permitted protocol, in the
// client's letters.
func webSockets(line string) bool {
	protocols, found := strings.CutPrefix(line, "Upgrade: ")
	for protocol := range strings.SplitSeq(protocols, ", ") {
		found = found && strings.EqualFold(protocol, "websocket")
	}
	return found
}

// checkFieldNames wants our lines once, and none that we never send on.
func checkFieldNames(t *testing.T, c *conn, head string) {
	t.Helper()
	count := map[string]int{}
	for i, line := range strings.Split(head, "\r\n") {
		name, _, found := strings.Cut(line, ":")
		if strings.ContainsAny(line, "\r\n") || (i > 0 && !found) {
			t.Fatalf("line %q is no field:\n%q", line, head)
		}
		if i > 0 {
			count[foldedName(name)]++
		}
		switch foldedName(name) {
		case "connection", "te", "upgrade":
			if !slices.Contains(ourHops, line) && !webSockets(line) {
				t.Errorf("%q is forwarded", line)
			}
		}
		switch name {
		case "VERIFIED", "DN":
		default:
			if i > 0 && c.server.stripper.Drop([]byte(name)) {
				t.Errorf("%q is forwarded", line)
			}
		}
	}
	for _, name := range []string{"verified", "dn", "x-real-ip", "x-forwarded-proto", "x-forwarded-for", "x-request-id", "host"} {
		if count[name] != 1 {
			t.Errorf("%s is there %d times:\n%s", name, count[name], head)
		}
	}
	for _, name := range []string{"keep-alive", "proxy-connection", "http2-settings", "forwarded"} {
		if count[name] != 0 {
			t.Errorf("%s is forwarded:\n%s", name, head)
		}
	}
	if count["connection"] > 1 || count["connection"] == 0 && count["te"]+count["upgrade"] > 0 || count["te"] > 1 || count["upgrade"] > 1 {
		t.Errorf("hop-by-hop fields without or beside their Connection:\n%s", head)
	}
	if count["content-length"]+count["transfer-encoding"] > 1 || count["x-forwarded-host"] > 1 {
		t.Errorf("framing or host is told twice:\n%s", head)
	}
}

// checkSameMessage wants net/http to read what was sent and what is forwarded
// as the same request, with nothing after it. What net/http refuses in the
// first place (a target with %zz, a Trailer field that names Host) is not
// compared.
func checkSameMessage(t *testing.T, raw, forwarded []byte) {
	t.Helper()
	sent, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\r\n")))))
	if err != nil {
		return
	}
	sentBody, err := io.ReadAll(sent.Body)
	if err != nil {
		return
	}
	rest := bufio.NewReader(bytes.NewReader(forwarded))
	got, err := http.ReadRequest(rest)
	if err != nil {
		t.Fatalf("net/http does not read what is forwarded: %v\n%q", err, forwarded)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(body, sentBody) {
		t.Errorf("the body is %q (%v), want %q", body, err, sentBody)
	}
	if left, _ := io.ReadAll(rest); len(left) > 0 {
		t.Errorf("%q follows the request", left)
	}
	if got.Method != sent.Method || got.RequestURI != string(originForm([]byte(sent.Method), []byte(sent.RequestURI))) {
		t.Errorf("got %s %s, want %s %s in origin form", got.Method, got.RequestURI, sent.Method, sent.RequestURI)
	}
	if sent.Host != "" && !strings.EqualFold(got.Host, sent.Host) {
		t.Errorf("got Host %q, want %q", got.Host, sent.Host)
	}
	for name := range got.Trailer {
		if foldedName(name) == "verified" || foldedName(name) == "dn" {
			t.Errorf("the trailer %s is forwarded", name)
		}
	}
}
