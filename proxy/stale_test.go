package proxy

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// large answers more than the sockets between application and client hold.
func large(size int) exchangeFunc {
	body := strings.Repeat("x", size)
	return answering("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + body)
}

// The wall clock is the real one here: what counts is when it is looked at.
func TestARequestBehindASlowReaderIsJudgedWhenItsTurnComes(t *testing.T) {
	ends := time.Now().Truncate(time.Second).Add(3 * time.Second)
	const n = 1000
	answer := large(32 << 10)
	believed := make(chan time.Time, n)
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, head string) bool {
		if strings.Contains(head, "SUCCESS") {
			believed <- time.Now()
		}
		return answer(conn, r, head)
	})
	s := startSidecar(t, app.url)
	c := s.dial(t, issue(t, pki.Options{NotAfter: ends}))
	c.send(strings.Repeat(simpleGet, n))
	<-time.After(time.Until(ends) + time.Second) // the client reads nothing meanwhile
	for {
		if response, _ := c.answer("GET"); response.StatusCode == 400 {
			break
		}
	}
	close(believed)
	for at := range believed {
		if at.After(ends) {
			t.Errorf("SUCCESS %s after the certificate's end", at.Sub(ends))
		}
	}
}

func TestAnApplicationIsNotBlamedForASlowReader(t *testing.T) {
	const size = 32 << 20
	app := startBackend(t, large(size))
	s := startSidecar(t, app.url, "MTLS_UPSTREAM_TIMEOUT=200ms")
	c := s.dial(t, nil)
	c.send(simpleGet)
	app.seen(t)
	<-time.After(time.Second) // five times as long as the application may take
	if _, body := c.answer("GET"); len(body) != size {
		t.Errorf("got %d bytes, want %d", len(body), size)
	}
}

func TestTheIdleTimeoutIsCountedAfterAShallowWaitToo(t *testing.T) {
	s := startSidecar(t, startBackend(t, answering(okAnswer)).url, "MTLS_HEADER_TIMEOUT=50ms", "MTLS_IDLE_TIMEOUT=200ms")
	s.dial(t, nil)
	waitFor(t, "the event is counted", func() bool { return s.Count(IdleTimeout) == 1 })
}

func TestA204ThatAnnouncesABodyEndsItsConnection(t *testing.T) {
	from := make(chan string, 2)
	app := startBackend(t, func(conn net.Conn, _ *bufio.Reader, _ string) bool {
		from <- conn.RemoteAddr().String()
		_, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n")
		return err == nil
	})
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	for range 2 {
		c.send(simpleGet)
		c.answer("GET")
	}
	if first, second := <-from, <-from; first == second {
		t.Error("the connection was kept, on which the body may still come")
	}
}

// crypto/tls's client cannot ask for a KeyUpdate; openssl's can, by a K at the
// beginning of what it reads (s_client's connected commands).
func TestAKeyUpdateAfterALongPauseBreaksNothing(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		absent(t, "openssl is not here: %v", err)
	}
	app := startBackend(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nanswered\n"))
	s := startSidecar(t, app.url, "MTLS_SEND_TIMEOUT=200ms")
	client := exec.Command(program, "s_client", "-connect", s.addr, "-tls1_3")
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	client.Stderr = client.Stdout
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer client.Wait()
	defer client.Process.Kill()
	guard := time.AfterFunc(hang, func() { client.Process.Kill() })
	defer guard.Stop()

	lines := bufio.NewScanner(out)
	say := func(text string) {
		if _, err := io.WriteString(in, text); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("openssl ended without %q", text)
	}
	hear("Verify return code")
	say(simpleGet)
	hear("answered")
	<-time.After(time.Second) // the last write's deadline has passed
	say("K\n")
	hear("KEYUPDATE")
	say(simpleGet)
	hear("answered")
}
