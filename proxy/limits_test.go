package proxy

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// streaming answers at once with so many random bytes, while it reads the
// request's body.
func streaming(size int, sums chan<- [2]string) exchangeFunc {
	return func(conn net.Conn, r *bufio.Reader, head string) bool {
		sent := make(chan string, 1)
		go func() {
			sum := sha256.New()
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			_, _ = io.Copy(io.MultiWriter(conn, sum), randomBytes(1, size))
			sent <- hexSum(sum)
		}()
		sum := sha256.New()
		body, _, err := appBody(r, head)
		sum.Write(body)
		sums <- [2]string{hexSum(sum), fmt.Sprint(err)}
		sums <- [2]string{<-sent, fmt.Sprint(err)}
		return false
	}
}

func hexSum(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)) }

// randomBytes are the same for the same seed.
func randomBytes(seed byte, size int) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), int64(size))
}

// A client that stops reading must not stop what it sends itself, nor anybody
// else.
func TestAClientThatDoesNotReadMayStillSend(t *testing.T) {
	const size = 12 << 20 // more than all the buffers on the way
	sums := make(chan [2]string, 2)
	slow := streaming(size, sums)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if strings.HasPrefix(head, "POST") {
			return slow(conn, r, head)
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size))
	sum := sha256.New()
	if _, err := io.Copy(c, io.TeeReader(randomBytes(2, size), sum)); err != nil {
		t.Fatalf("sending: %v", err)
	}
	if got := await(t, "the application has the body", sums); got[0] != hexSum(sum) {
		t.Errorf("the application got another body than was sent (%s)", got[1])
	}
	other := s.dial(t, nil)
	other.send(simpleGet)
	other.wantAnswer("GET", 200, "ok")

	answer, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum.Reset()
	if n, err := io.Copy(sum, answer.Body); n != size || err != nil {
		t.Errorf("the answer ended after %d bytes: %v", n, err)
	}
	if got := await(t, "the application has answered", sums); got[0] != hexSum(sum) {
		t.Error("the client got another answer than was sent")
	}
}

// trickles are heads and bodies that go on one byte at a time.
var trickles = []string{
	"GET /slow HTTP/1.1\r\nHost: h\r\nX-Slow: ",
	"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
	"POST /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
}

func TestThousandsOfTricklingClientsLeaveTheOthersServed(t *testing.T) {
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if strings.Contains(head, " /slow ") {
			_, _ = io.Copy(io.Discard, r)
			return false
		}
		_, err := io.WriteString(conn, okAnswer)
		return err == nil
	})
	s := startSidecar(t, app.url, "MTLS_HANDSHAKE_TIMEOUT=5m", "MTLS_HEADER_TIMEOUT=5m")
	var slow []*client
	n := descriptorsFor(t, trickling)
	for i := range n {
		c := s.dial(t, nil)
		c.send(trickles[i%len(trickles)])
		slow = append(slow, c)
	}
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		for ; ; <-pause.C {
			for _, c := range slow {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Write([]byte("d")); err != nil {
					t.Errorf("a slow client was cut: %v", err)
					return
				}
			}
		}
	})
	quick := s.dial(t, &testCA(t).client)
	for range 200 {
		quick.send(simpleGet)
		quick.wantAnswer("GET", 200, "ok")
	}
	close(stop)
	dripping.Wait()
	if open := s.open(); open < n {
		t.Errorf("%d connections are open, want the %d slow ones among them", open, n)
	}
}

// descriptorsFor returns how many slow clients, at most n, the open files that
// this system allows one process are enough for: each takes four.
func descriptorsFor(t *testing.T, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if room := limit.Max / 5; room < uint64(n) {
		t.Logf("this system allows %d open files: %d slow clients instead of %d", limit.Max, room, n)
		n = int(room)
	}
	return n
}
