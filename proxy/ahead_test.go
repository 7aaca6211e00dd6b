package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// numbers is n bytes of which no two neighbourhoods are the same.
func numbers(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

// written is an application's connection that takes down each write.
type written struct {
	net.Conn
	pieces [][]byte
}

func (w *written) Write(p []byte) (int, error) {
	w.pieces = append(w.pieces, bytes.Clone(p))
	return len(p), nil
}

func (w *written) SetWriteDeadline(time.Time) error { return nil }

func (w *written) all() string { return string(bytes.Join(w.pieces, nil)) }

// gathered has c take a request with that head, and what is there of its body.
func gathered(t *testing.T, c *conn, head string) (whole bool) {
	t.Helper()
	if !c.await() {
		t.Fatal("no request")
	}
	w := c.work
	got, err := c.readHead()
	if err == nil {
		err = w.request.Parse(got, c.server.limits())
	}
	if err != nil || string(got) != head {
		t.Fatalf("the head is %q, %v", got, err)
	}
	w.client.Advance(len(got))
	c.note()
	w.out = append(w.out[:0], head...)
	whole, err = c.gather()
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

const jsonPost = "POST / HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n"

// What a client has sent before anybody looks goes out with the head, up to two
// buffers of it, and needs no goroutine.
func TestABodyThatIsThereGoesOutWithItsHead(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	for _, apart := range []bool{false, true} {
		for _, size := range []int{1, bufferSize/2 - 1, bufferSize / 2, bufferSize, bufferSize + 1, 2 * bufferSize, 40_000} {
			t.Run(fmt.Sprintf("%d bytes, head apart %t", size, apart), func(t *testing.T) {
				c, client := handshaken(t, s)
				head, body := fmt.Sprintf(jsonPost, size), numbers(size)
				parts := []string{head + body + simpleGet}
				if apart {
					parts = []string{head, body, simpleGet}
				}
				for _, part := range parts {
					if _, err := io.WriteString(client, part); err != nil {
						t.Fatal(err)
					}
				}
				if !gathered(t, c, head) {
					t.Error("a part is missing")
				}
				w, app := c.work, &written{}
				n, err := c.writeRequest(&upstream.Conn{Conn: app})
				if err != nil || n != len(w.out) || app.all() != head+body {
					t.Errorf("%d bytes are written, %v, beginning with %d; want %d", len(app.all()), err, n, len(head+body))
				}
				if len(app.pieces) > 2 {
					t.Errorf("in %d writes, want 2 at most", len(app.pieces))
				}
				if w.wide != nil {
					t.Error("a large buffer is held while the answer is awaited")
				}
				if c.form() != asJSON {
					t.Error("what the client accepts is forgotten")
				}
				if next, err := c.readHead(); err != nil || string(next) != simpleGet {
					t.Errorf("the next request is %q, %v", next, err)
				}
			})
		}
	}
}

func TestABodyOfWhichAPartIsThereGoesOnWithTheRest(t *testing.T) {
	const size = 100_000
	s := newSidecar(t, "http://127.0.0.1:1")
	head, body := fmt.Sprintf(jsonPost, size), numbers(size)
	for _, there := range []int{0, 1, bufferSize - len(head), bufferSize, 2*bufferSize - len(head), 40_000} {
		t.Run(fmt.Sprintf("%d bytes", there), func(t *testing.T) {
			c, client := handshaken(t, s)
			if _, err := io.WriteString(client, head+body[:there]); err != nil {
				t.Fatal(err)
			}
			if gathered(t, c, head) {
				t.Error("a part counts as all of it")
			}
			w, app := c.work, &written{}
			up := &upstream.Conn{Conn: app}
			if _, err := c.writeRequest(up); err != nil || app.all() != head+body[:there] {
				t.Errorf("%d bytes are written, %v, want %d", len(app.all()), err, len(head)+there)
			}
			sent := make(chan error, 1)
			go func() {
				_, err := io.WriteString(client, body[there:]+simpleGet)
				sent <- err
			}()
			w.answer = answerSource{exchange: &c.exchange, up: up, timeout: time.Minute}
			u := &upload{exchange: &c.exchange, up: up}
			w.source.upload = u
			u.touch()
			if err := u.copy(make([]byte, 0, bufferSize)); err != nil || !u.whole {
				t.Fatalf("whole is %t, %v", u.whole, err)
			}
			if app.all() != head+body {
				t.Errorf("%d bytes arrived, not the %d that were sent", len(app.all()), len(head+body))
			}
			if next, err := c.readHead(); err != nil || string(next) != simpleGet {
				t.Errorf("the next request is %q, %v", next, err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALargeBufferHasNoRoomForWhatFollowsTheBody(t *testing.T) {
	const size = bufferSize + 1
	w := newWork(bufferSize, 2*bufferSize)
	w.client.Reset(strings.NewReader(numbers(2*size)), w.in)
	w.upBody.Reset(&w.client, http1.Length, size)
	w.widen(true)
	if err := w.client.Fill(); err != nil || len(w.client.Buffered()) != size {
		t.Errorf("%d bytes are read, %v; want %d", len(w.client.Buffered()), err, size)
	}
}

// Whatever the client's pace, a body arrives as it was sent, and what follows it is
// the next request: at the edges of records and of each buffer above all.
func TestABodyAndWhatFollowsItAreToldApart(t *testing.T) {
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		method, _, _ := strings.Cut(head, " ")
		body, _, err := appBody(r, head)
		said := fmt.Sprintf("%s %d", method, len(body))
		if err != nil || string(body) != numbers(len(body)) {
			said = fmt.Sprintf("%s, of other bytes, %v", said, err)
		}
		_, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(said), said)
		return err == nil
	})
	c := startSidecar(t, app.url).dial(t, nil)
	for _, edge := range []int{bufferSize / 2, bufferSize, 2 * bufferSize, largeSize, largeSize + bufferSize, 2 * largeSize, 1 << 20} {
		for size := edge - 1; size <= edge+1; size++ {
			post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size) + numbers(size)
			if c.pipelines() {
				c.sendAside(post, simpleGet)
			} else {
				c.sendAside(post)
			}
			c.wantAnswer("POST", 200, fmt.Sprintf("POST %d", size))
			if c.pipelines() {
				c.wantAnswer("GET", 200, "GET 0")
			}
		}
	}
}

// paced is a client that is ahead for some reads, and then is waited for.
type paced struct {
	c      *conn
	body   string
	run    int // bytes that it is ahead, once it has been waited for
	left   int
	waited []bool // whether a large buffer was held meanwhile
}

func (p *paced) Read(b []byte) (int, error) {
	if p.c.wire.atOnce && p.left == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if !p.c.wire.atOnce {
		p.waited = append(p.waited, p.c.work.wide != nil)
		p.left = p.run
	}
	n := copy(b, p.body[:min(p.left, len(p.body))])
	p.body, p.left = p.body[n:], p.left-n
	p.c.wire.ahead = p.left > 0
	return n, nil
}

func TestAnUploadHoldsALargeBufferOnlyWhileItsClientIsAhead(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	c := newConn(s.Server, &deadlineSocket{}, "")
	c.now, c.work = time.Now(), newWork(bufferSize, 2*bufferSize)
	w, app := c.work, &written{}
	const size, run = 1 << 20, 5 * bufferSize // one read, and a large buffer's worth
	body := numbers(size)
	client := &paced{c: c, body: body, run: run}
	w.client.Reset(client, w.in)
	w.upBody.Reset(&w.client, http1.Length, size)
	w.answer = answerSource{exchange: &c.exchange, up: &upstream.Conn{Conn: app}, timeout: time.Minute}
	u := &upload{exchange: &c.exchange, up: w.answer.up}
	u.touch()
	if err := u.copy(make([]byte, 0, bufferSize)); err != nil || !u.whole {
		t.Fatalf("whole is %t, %v", u.whole, err)
	}
	if app.all() != body {
		t.Errorf("%d bytes arrived, not as they were sent", len(app.all()))
	}
	if want := 2 * (size/run + 1); len(app.pieces) > want {
		t.Errorf("in %d writes, want %d at most", len(app.pieces), want)
	}
	if want := size/run + 1; len(client.waited) != want {
		t.Errorf("the client was waited for %d times, want %d", len(client.waited), want)
	}
	for i, held := range client.waited {
		if held {
			t.Errorf("a large buffer is held during wait %d", i)
		}
	}
	if w.wide != nil {
		t.Error("a large buffer is held after the end")
	}
}

// After an upload that failed, unread bytes stay where they are: nobody else may get
// that memory.
func TestALargeBufferWithUnreadBytesIsNotLentAgain(t *testing.T) {
	w := newWork(bufferSize, 2*bufferSize)
	body := numbers(3 * bufferSize)
	w.client.Reset(strings.NewReader(body), w.in)
	w.upBody.Reset(&w.client, http1.Length, int64(len(body)))
	w.widen(true)
	if err := w.client.Fill(); err != nil {
		t.Fatal(err)
	}
	w.narrow()
	for range 100 {
		other := newWork(bufferSize, 2*bufferSize)
		other.client.Reset(strings.NewReader(strings.Repeat("!", largeSize)), other.in)
		other.upBody.Reset(&other.client, http1.Length, largeSize)
		other.widen(true)
		_ = other.client.Fill()
	}
	if string(w.client.Buffered()) != body {
		t.Error("somebody else has written into it")
	}
}
