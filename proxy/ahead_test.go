package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/upstream"
)

// numbers is always the same n bytes, the first of more of them.
func numbers(n int) string {
	all, _ := io.ReadAll(randomBytes(1, n))
	return string(all)
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

// What a client has sent before anybody looks goes out with the head if it is small,
// and needs no goroutine.
func TestASmallBodyThatIsThereGoesOutWithItsHead(t *testing.T) {
	s := newSidecar(t, "http://127.0.0.1:1")
	for _, apart := range []bool{false, true} {
		for _, size := range []int{1, bufferSize/2 - 1, bufferSize / 2, bufferSize, bufferSize + 1} {
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
				whole := gathered(t, c, head)
				if got := string(c.work.out); !whole || got != head+body {
					t.Errorf("%d bytes go out at once, whole %t, want %d", len(got), whole, len(head+body))
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
			whole := gathered(t, c, head)
			if first := string(c.work.out); whole || !strings.HasPrefix(head+body, first) || len(first) > 2*bufferSize {
				t.Errorf("%d bytes go out at once, whole %t; want some of the first %d", len(first), whole, len(head)+there)
			}
			app := &written{pieces: [][]byte{bytes.Clone(c.work.out)}}
			sent := make(chan error, 1)
			go func() {
				_, err := io.WriteString(client, body[there:]+simpleGet)
				sent <- err
			}()
			u := uploading(c, app)
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

// uploading is an upload of c's body to an application, not begun.
func uploading(c *conn, app net.Conn) *upload {
	up := &upstream.Conn{Conn: app}
	c.work.answer = answerSource{exchange: &c.exchange, up: up, timeout: time.Minute}
	u := &upload{exchange: &c.exchange, up: up}
	c.work.source.upload = u
	u.touch()
	return u
}

// An application may answer the head and close: what it has said is the answer, however
// much of the body was there.
func TestAnEarlyAnswerCountsHoweverMuchOfTheBodyIsThere(t *testing.T) {
	const size = 100_000
	s := newSidecar(t, "http://127.0.0.1:1")
	c, client := handshaken(t, s)
	head := fmt.Sprintf(jsonPost, size)
	if _, err := io.WriteString(client, head+numbers(40_000)); err != nil {
		t.Fatal(err)
	}
	whole := gathered(t, c, head)
	there, app := net.Pipe()
	defer there.Close()
	go func() {
		defer app.Close()
		if _, err := io.ReadFull(app, make([]byte, len(c.work.out))); err == nil {
			_, _ = io.WriteString(app, tooEarly)
		}
	}()
	if end, again := c.attempt(&upstream.Conn{Conn: there}, whole); end != closeAfter || again || c.account.status != 401 {
		t.Errorf("ended as %d, again %t, with status %d; want the application's 401", end, again, c.account.status)
	}
}

// slow takes no more than a record at once, and takes down the deadline of each write.
type slow struct {
	net.Conn
	deadline time.Time
	under    []time.Time
}

func (s *slow) SetWriteDeadline(t time.Time) error { s.deadline = t; return nil }

func (s *slow) Write(p []byte) (int, error) {
	s.under = append(s.under, s.deadline)
	if len(p) > bufferSize {
		return 0, fmt.Errorf("%d bytes at once", len(p))
	}
	return len(p), nil
}

// Nobody waits with one MTLS_UPSTREAM_TIMEOUT for more than a record.
func TestEachRecordOfALargeUploadHasItsOwnTime(t *testing.T) {
	c := newConn(newSidecar(t, "http://127.0.0.1:1").Server, &deadlineSocket{}, "")
	c.work = newWork(bufferSize, 2*bufferSize)
	app := &slow{}
	u := uploading(c, app)
	c.work.answer.timeout = 1 // nanosecond: each deadline is a new one
	if err := u.write(make([]byte, largeSize)); err != nil {
		t.Fatal(err)
	}
	if want := largeSize / bufferSize; len(app.under) != want {
		t.Errorf("%d writes, want %d", len(app.under), want)
	}
	for i := 1; i < len(app.under); i++ {
		if !app.under[i].After(app.under[i-1]) {
			t.Errorf("write %d has the deadline of the one before", i)
		}
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
