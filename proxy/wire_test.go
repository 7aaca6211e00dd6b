package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"
)

// Helpers that read and write what passes on the wire.

// simpleGet is the smallest request.
const simpleGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// okOld is an application's answer that does not let its connection persist.
const okOld = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

// appBody reads the body that follows a request's head, as an application
// would, and the lines of its trailer section.
func appBody(r *bufio.Reader, head string) (body []byte, trailer []string, err error) {
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return nil, nil, err
	}
	if len(request.TransferEncoding) == 0 {
		body = make([]byte, max(request.ContentLength, 0))
		_, err = io.ReadFull(r, body)
		return body, nil, err
	}
	if body, err = io.ReadAll(httputil.NewChunkedReader(r)); err != nil {
		return body, nil, err
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return body, trailer, err
		}
		if line == "\r\n" {
			return body, trailer, nil
		}
		trailer = append(trailer, strings.TrimSuffix(line, "\r\n"))
	}
}

// received is a body as the application got it.
type received struct {
	body    string
	trailer []string
	err     error
}

// readingAll reads each request's body and answers when it has come to its end.
func readingAll(got chan<- received, answer string) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		body, trailer, err := appBody(r, head)
		got <- received{string(body), trailer, err}
		if err != nil {
			return false
		}
		_, err = io.WriteString(conn, answer)
		return err == nil
	}
}

// await takes the next value that another goroutine sends.
func await[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(hang):
	}
	t.Fatalf("waited in vain: %s", what)
	return *new(T)
}

// wantAnswer reads one answer and checks its status and body.
func (c *client) wantAnswer(method string, status int, body string) *http.Response {
	c.t.Helper()
	answer, got := c.answer(method)
	if answer.StatusCode != status || got != body {
		c.t.Fatalf("got %d %q, want %d %q", answer.StatusCode, got, status, body)
	}
	return answer
}

// wantRefusal reads a page of ours, which must be the last thing on its
// connection where it ends one, and returns it.
func (c *client) wantRefusal(method string, status int) (*http.Response, string) {
	c.t.Helper()
	answer, page := c.answer(method)
	if answer.StatusCode == 100 && !c.asksTheApplication() {
		answer, page = c.answer(method)
	}
	if answer.StatusCode != status {
		c.t.Errorf("got status %d, want %d: %s", answer.StatusCode, status, page)
	}
	if !c.endsConnections() {
		return answer, page
	}
	if !answer.Close {
		c.t.Error("the refusal lacks Connection: close")
	}
	if rest, err := c.rest(); rest != "" || err != nil {
		c.t.Errorf("after the refusal: %q, %v; want a clean end", rest, err)
	}
	return answer, page
}

// wantCut reads on and wants the connection to end without close_notify.
func (c *client) wantCut() string {
	c.t.Helper()
	rest, err := c.rest()
	if err == nil {
		c.t.Errorf("the connection ended cleanly after %q: a client would take that for the whole answer", rest)
	}
	return rest
}

// wantEnd reads on and wants a clean end.
func (c *client) wantEnd() string {
	c.t.Helper()
	rest, err := c.rest()
	if err != nil {
		c.t.Errorf("the connection ended with %v, want close_notify", err)
	}
	return rest
}

// wantLast wants nothing more after an answer that came before the end of its
// request, and the end of the connection where that ends it.
func (c *client) wantLast() {
	c.t.Helper()
	if c.endsConnections() {
		c.wantEnd()
	}
}

// post is a request with a body of known length.
func post(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// chunkedPost is a request with a chunked body, given as it goes on the wire.
func chunkedPost(fields, wire string) string {
	return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" + fields + "\r\n" + wire
}

// recordTail watches the TLS records that come in, to know how a connection
// ended: crypto/tls reports an end without close_notify as io.EOF, as it does
// one with it, when it falls between two records.
type recordTail struct {
	net.Conn
	header []byte // of the present record, as far as it has come
	left   int    // bytes of it to come
	alert  bool   // the last whole record is an alert
}

func (r *recordTail) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if r.left > 0 {
			k := min(r.left, len(b))
			r.left -= k
			b = b[k:]
			continue
		}
		k := min(5-len(r.header), len(b))
		r.header = append(r.header, b[:k]...)
		b = b[k:]
		if len(r.header) == 5 {
			r.left = int(r.header[3])<<8 | int(r.header[4])
			// TLS 1.3 disguises alerts as data: two bytes, a type and a tag.
			r.alert = r.header[0] == 21 || (r.header[0] == 23 && r.left == 2+1+16)
			r.header = r.header[:0]
		}
	}
	return n, err
}

// ended reports whether the last thing that came is a whole alert.
func (r *recordTail) ended() bool { return r.alert && r.left == 0 && len(r.header) == 0 }

// sendAside sends on a goroutine of its own, for messages larger than the
// buffers on the way. What goes wrong shows in what comes back.
func (c *client) sendAside(parts ...string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.WriteString(c, strings.Join(parts, ""))
	}()
	c.t.Cleanup(func() {
		c.Close()
		<-done
	})
}
