package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// session is one who works: one piece at a time, whose answer is verified.
type session interface {
	exchange() error
	close()
}

// target is whom a run's sessions talk to.
type target struct {
	address string
	config  *tls.Config
	until   time.Time // when a connection gives up
}

// dial connects and shakes hands. protocol is what ALPN must agree upon.
func (t target) dial(ctx context.Context, config *tls.Config) (*tls.Conn, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(t.until)
	conn := tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("shaking hands: %w", err)
	}
	return conn, nil
}

// getRequest and putRequest are the bytes of a request, as curl sends them.
func getRequest(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n")
}

func putRequest(path string, body []byte) []byte {
	head := "PUT " + path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\nContent-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}

// answers reads answers and compares each with the one that is due.
type answers struct {
	from   io.Reader
	want   []byte
	buffer []byte
}

func newAnswers(from io.Reader, want []byte) *answers {
	size := 2 << 10
	if len(want) > size {
		size = 64 << 10
	}
	return &answers{from, want, make([]byte, size)}
}

// next reads one answer: 200, of the length that is due, with its bytes, and nothing
// behind it. What it does not expect is an error, never a thing to cope with.
func (a *answers) next() error {
	filled, head := 0, -1
	for head < 0 {
		if filled == len(a.buffer) {
			return errors.New("an answer's head that has no end")
		}
		n, err := a.from.Read(a.buffer[filled:])
		if filled += n; n == 0 && err != nil {
			return fmt.Errorf("cut in an answer's head: %w", err)
		}
		head = bytes.Index(a.buffer[:filled], []byte("\r\n\r\n"))
	}
	if err := checkHead(a.buffer[:head+2], len(a.want)); err != nil {
		return err
	}
	got, part := 0, a.buffer[head+4:filled]
	for {
		if len(part) > len(a.want)-got {
			return fmt.Errorf("%d bytes too many behind an answer", len(part)-(len(a.want)-got))
		}
		if !bytes.Equal(part, a.want[got:got+len(part)]) {
			return fmt.Errorf("an answer with other bytes after %d of %d", got, len(a.want))
		}
		if got += len(part); got == len(a.want) {
			return nil
		}
		n, err := a.from.Read(a.buffer)
		if part = a.buffer[:n]; n == 0 && err != nil {
			return fmt.Errorf("an answer cut after %d of %d bytes: %w", got, len(a.want), err)
		}
	}
}

// checkHead takes a status line and fields, each with its line's end.
func checkHead(head []byte, want int) error {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return fmt.Errorf("answered %q", line)
	}
	length := -1
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch len(name) { // two names of interest, and comparing costs
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
				if err != nil || length >= 0 {
					return fmt.Errorf("answered with a wrong Content-Length: %q", line)
				}
				length = n
			}
		case len("Connection"):
			if bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(bytes.TrimSpace(value), []byte("close")) {
				return errors.New("it closes a connection that was to be kept")
			}
		}
	}
	if length != want {
		return fmt.Errorf("answered with a Content-Length of %d, want %d (-1 is none)", length, want)
	}
	return nil
}
