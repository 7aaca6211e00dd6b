package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// sockets are the two ends of a connection over TCP.
func sockets(t *testing.T) (here, there net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if there, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	if here, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	_ = here.SetDeadline(time.Now().Add(hang))
	return here, there
}

// handshaken is a connection of s over a real socket, and its client.
func handshaken(t *testing.T, s *sidecar) (*conn, *tls.Conn) {
	t.Helper()
	here, there := sockets(t)
	c := newConn(s.Server, here, "")
	c.tls = tls.Server(&c.wire, &tls.Config{Certificates: []tls.Certificate{testCA(t).server}})
	client := tls.Client(&valve{Conn: there}, clientConfig(nil))
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := errors.Join(c.tls.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	c.state.Store(busy)
	c.now = time.Now()
	return c, client
}

// valve keeps what is written while it is shut.
type valve struct {
	net.Conn
	shut bool
	held []byte
}

func (v *valve) Write(p []byte) (int, error) {
	if v.shut {
		v.held = append(v.held, p...)
		return len(p), nil
	}
	return v.Conn.Write(p)
}

func TestReadingAtOnceNeverWaits(t *testing.T) {
	here, there := sockets(t)
	w := &wire{Conn: here, owner: &conn{}}
	four := make([]byte, 4)
	read := func(atOnce bool) (string, error) {
		w.atOnce = atOnce
		n, err := w.Read(four)
		return string(four[:n]), err
	}
	for i, step := range []struct {
		send   string
		atOnce bool
		want   string
		err    error
		ahead  bool
	}{
		{"", true, "", os.ErrDeadlineExceeded, false}, // nothing was read yet
		{"one two", false, "one ", nil, true},
		{"", true, "two", nil, false},
		{"late", true, "", os.ErrDeadlineExceeded, false}, // there was no more a moment ago
		{"", false, "late", nil, true},
		{"", true, "", os.ErrDeadlineExceeded, false},
		{"last", false, "last", nil, true},
		{"end", true, "", io.EOF, true},
	} {
		if step.send == "end" {
			there.Close()
		} else if step.send != "" {
			if _, err := io.WriteString(there, step.send); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := read(step.atOnce); got != step.want || !errors.Is(err, step.err) || w.ahead != step.ahead {
			t.Errorf("step %d: %q, %v, ahead %t; want %q, %v, %t", i, got, err, w.ahead, step.want, step.err, step.ahead)
		}
	}
}

// crypto/tls is to go on where it was interrupted, in the middle of a record too.
func TestARecordOfWhichAPartIsThereIsReadLater(t *testing.T) {
	c, client := handshaken(t, newSidecar(t, "http://127.0.0.1:1"))
	raw := client.NetConn().(*valve)
	raw.shut = true
	body := numbers(1000)
	if _, err := io.WriteString(client, body); err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(raw.held, len(raw.held)/3) {
		buffer := make([]byte, 2*len(body))
		c.wire.atOnce, c.wire.ahead = true, true
		if n, err := c.tls.Read(buffer); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("of a part %d bytes are read, %v", n, err)
		}
		if _, err := raw.Conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	c.wire.atOnce = false
	buffer := make([]byte, 2*len(body))
	if n, err := c.tls.Read(buffer); err != nil || string(buffer[:n]) != body {
		t.Errorf("%d bytes are read, %v; want the %d that were sent", n, err, len(body))
	}
}

// A body that is read at once, and a large answer that is written, both ask for the
// socket behind the connection, and whoever is first makes it: for -race.
func TestAnUploadAndItsAnswerMayAskForTheSocketAtOnce(t *testing.T) {
	const size = 20 * bufferSize
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, numbers(size))
	app := startBackend(t, func(conn net.Conn, r *bufio.Reader, _ string) bool {
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(io.Discard, r)
		return false
	})
	s := startSidecar(t, app.url)
	chunk := "2328\r\n" + strings.Repeat("b", 0x2328) + "\r\n" // of which one goes out with the head
	for range 50 {
		config := clientConfig(nil)
		config.DynamicRecordSizingDisabled = true
		c := s.dialWith(t, config)
		c.sendAside(chunkedPost("", strings.Repeat(chunk, 25)))
		if _, err := io.CopyN(io.Discard, c.r, size/2); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}
