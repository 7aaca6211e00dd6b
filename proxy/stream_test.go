package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// randomBody is the same for a seed in every run.
func randomBody(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	return body
}

// chunkedAtOddPlaces frames a body in chunks of many sizes.
func chunkedAtOddPlaces(body []byte) []byte {
	var wire bytes.Buffer
	sizes := []int{1, 16384, 2, 16383, 3, 40000, 16376, 8191, 15}
	for i := 0; len(body) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(body))
		fmt.Fprintf(&wire, "%X;n=%d\r\n%s\r\n", n, i, body[:n])
		body = body[n:]
	}
	wire.WriteString("0\r\n\r\n")
	return wire.Bytes()
}

func TestLargeBodiesPassWholeInEveryFraming(t *testing.T) {
	up, down := randomBody(1, 1<<20+17), randomBody(2, 1<<20+4711)
	requests := map[string]string{
		"length":  fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(up), up),
		"chunked": chunkedPost("", string(chunkedAtOddPlaces(up))),
	}
	answers := map[string]string{
		"length":  fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(down), down),
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + string(chunkedAtOddPlaces(down)),
		"close":   "HTTP/1.1 200 OK\r\n\r\n" + string(down),
	}
	for up1, request := range requests {
		for down1, answer := range answers {
			t.Run(up1+" up and "+down1+" down", func(t *testing.T) {
				got := make(chan received, 1)
				reading := readingAll(got, answer)
				app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
					return reading(conn, r, head) && down1 != "close"
				})
				c := startSidecar(t, app.url).dial(t, nil)
				c.sendAside(request)
				response, body := c.answer("POST")
				if response.StatusCode != 200 || sha256.Sum256([]byte(body)) != sha256.Sum256(down) {
					t.Errorf("the client got %d and %d bytes, want %d bytes", response.StatusCode, len(body), len(down))
				}
				if sent := await(t, "the body", got); sent.err != nil || sha256.Sum256([]byte(sent.body)) != sha256.Sum256(up) {
					t.Errorf("the application got %d bytes (%v), want %d", len(sent.body), sent.err, len(up))
				}
			})
		}
	}
}

// echoing sends each piece of a chunked body back as it comes.
func echoing(conn net.Conn, r *bufio.Reader, _ string) bool {
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	w := httputil.NewChunkedWriter(conn)
	if _, err := io.Copy(w, httputil.NewChunkedReader(r)); err != nil {
		return false
	}
	_, _ = r.ReadString('\n')
	w.Close()
	_, err := io.WriteString(conn, "\r\n")
	return err == nil
}

func TestBothBodiesPassAtOnce(t *testing.T) {
	app := startBackend(t, echoing)
	c := startSidecar(t, app.url).dial(t, nil)
	c.send(chunkedPost("", ""))
	response, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(response.Body)
	// Each line comes back before the next one is sent.
	for i := range 50 {
		line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i*100))
		c.send(fmt.Sprintf("%x\r\n%s\r\n", len(line), line))
		if got, err := r.ReadString('\n'); got != line {
			t.Fatalf("got %q (%v), want %q", got, err, line)
		}
	}
	// Then a lot at once, more than all buffers on the way hold.
	body := randomBody(3, 8<<20)
	c.sendAside(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body))
	got, err := io.ReadAll(r)
	if err != nil || sha256.Sum256(got) != sha256.Sum256(body) {
		t.Errorf("%d bytes came back (%v), want %d", len(got), err, len(body))
	}
}

func TestMessagesMayArriveByteByByte(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n"
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		body, trailer, err := appBody(r, head)
		if string(body) != "good day" || len(trailer) != 1 || err != nil {
			t.Errorf("the application got %q with %q (%v)", body, trailer, err)
		}
		for i := range len(answer) {
			if _, err := conn.Write([]byte{answer[i]}); err != nil {
				return false
			}
		}
		return true
	})
	c := startSidecar(t, app.url).dial(t, nil)
	request := chunkedPost("X-A: 1\r\nTrailer: X-U\r\n", "4;e\r\ngood\r\n04\r\n day\r\n0\r\nX-U: 2\r\n\r\n")
	for range 2 {
		for i := range len(request) {
			c.send(request[i : i+1])
		}
		response := c.wantAnswer("POST", 200, "hello!")
		if got := response.Trailer.Get("X-T"); got != "1" {
			t.Errorf("the trailer is %q, want 1", got)
		}
	}
}

// Each size puts the end of a record, of the sidecar's buffer or of the first
// write to the application at another byte of the next request.
func TestPipelinedBodiesOfEverySizeStayApart(t *testing.T) {
	got := make(chan received, 1)
	app := startBackend(t, readingAll(got, okAnswer))
	c := startSidecar(t, app.url).dial(t, nil)
	const n = 400
	size := func(i int) int { return i*131 + 1 }
	var all strings.Builder
	for i := range n {
		body := strings.Repeat(string(rune('a'+i%26)), size(i))
		if i%2 == 0 {
			all.WriteString(post(body))
		} else {
			all.WriteString(chunkedPost("", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)))
		}
	}
	c.sendAside(all.String())
	for i := range n {
		body := await(t, "the body", got)
		if want := strings.Repeat(string(rune('a'+i%26)), size(i)); body.body != want {
			t.Fatalf("request %d: the application got %d bytes, want %d", i, len(body.body), len(want))
		}
		if answer := c.wantAnswer("POST", 200, "ok"); answer.Close {
			t.Fatalf("request %d, of %d bytes: the connection is closed after a whole exchange", i, size(i))
		}
	}
}
