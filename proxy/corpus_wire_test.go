package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// wireMessage is one request as it arrived at the application.
type wireMessage struct {
	head, body string // to the byte
	decoded    string // the body without its framing; the trailer section behind an empty line
	whole      bool
	fault      string // why no recipient should accept it
}

// strictReader reads requests as the strictest application would, and keeps
// every byte.
type strictReader struct{ *bufio.Reader }

var errStrict = errors.New("not well-formed")

// read returns the next request; io.EOF when there is not one byte of it.
func (r strictReader) read() (*wireMessage, error) {
	m := &wireMessage{}
	for !strings.HasSuffix(m.head, "\r\n\r\n") {
		line, err := r.ReadString('\n')
		m.head += line
		if err != nil {
			return m, err
		}
		if !strings.HasSuffix(line, "\r\n") || line == "\r\n" && m.head == line {
			m.fault = fmt.Sprintf("the line %q", line)
			return m, errStrict
		}
	}
	err := r.readBody(m)
	m.whole = err == nil
	if errors.Is(err, errStrict) {
		m.fault = err.Error()
	}
	return m, err
}

func (r strictReader) readBody(m *wireMessage) error {
	length, chunked := values(strings.ToLower(m.head), "content-length"), values(strings.ToLower(m.head), "transfer-encoding")
	switch {
	case len(length)+len(chunked) > 1:
		return fmt.Errorf("%w: %d lengths, %d codings", errStrict, len(length), len(chunked))
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 63)
		if err != nil {
			return fmt.Errorf("%w: length %q", errStrict, length[0])
		}
		body, err := io.ReadAll(io.LimitReader(r, int64(n)))
		m.body, m.decoded = string(body), string(body)
		if err == nil && uint64(len(body)) < n {
			err = io.ErrUnexpectedEOF
		}
		return err
	case len(chunked) == 1:
		if chunked[0] != "chunked" {
			return fmt.Errorf("%w: coding %q", errStrict, chunked[0])
		}
		return r.readChunks(m)
	}
	return nil
}

var strictSize = regexp.MustCompile(`^[0-9a-f]{1,8}\r\n$`)

func (r strictReader) readChunks(m *wireMessage) error {
	for {
		line, err := r.ReadString('\n')
		m.body += line
		if err != nil {
			return err
		}
		if !strictSize.MatchString(line) {
			return fmt.Errorf("%w: chunk size %q", errStrict, line)
		}
		size, err := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 31)
		if err != nil {
			return err
		}
		if size == 0 {
			return r.readTrailer(m)
		}
		data := make([]byte, size+2)
		n, err := io.ReadFull(r, data)
		m.body += string(data[:n])
		m.decoded += string(data[:min(uint64(n), size)])
		if err != nil {
			return err
		}
		if string(data[size:]) != "\r\n" {
			return fmt.Errorf("%w: chunk ends in %q", errStrict, data[size:])
		}
	}
}

func (r strictReader) readTrailer(m *wireMessage) error {
	m.decoded += "\r\n\r\n"
	for {
		line, err := r.ReadString('\n')
		m.body += line
		switch {
		case err != nil:
			return err
		case line == "\r\n":
			return nil
		case !strings.HasSuffix(line, "\r\n"):
			return fmt.Errorf("%w: trailer %q", errStrict, line)
		}
		m.decoded += line
	}
}

// decodeChunks takes the framing off a chunked body that is known to be whole.
func decodeChunks(t *testing.T, body string) string {
	t.Helper()
	m := &wireMessage{}
	if err := (strictReader{bufio.NewReader(strings.NewReader(body))}).readChunks(m); err != nil {
		t.Fatalf("the case expects the malformed chunks %q: %v", body, err)
	}
	return m.decoded
}

// recordingApp keeps all that arrives and answers each request with its own
// first line, so that a client can tell whose answer it got.
type recordingApp struct {
	url   string
	conns sync.WaitGroup

	mu       sync.Mutex
	messages []*wireMessage
}

func startRecordingApp(t *testing.T) *recordingApp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := &recordingApp{url: "http://" + listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	app.conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			app.conns.Go(func() {
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				defer conn.Close()
				app.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		cancel()
		app.conns.Wait()
	})
	return app
}

func (a *recordingApp) serve(conn net.Conn) {
	r := strictReader{bufio.NewReader(conn)}
	for {
		m, err := r.read()
		if m.head != "" {
			a.mu.Lock()
			a.messages = append(a.messages, m)
			a.mu.Unlock()
		}
		if err != nil {
			if m.fault != "" {
				_, _ = io.Copy(io.Discard, conn) // what follows is lost; the fault is reported
			}
			return
		}
		if _, err := io.WriteString(conn, echoAnswer(m.head)); err != nil {
			return
		}
	}
}

// echoAnswer is the answer to a head.
func echoAnswer(head string) string {
	line, _, _ := strings.Cut(head, "\r\n")
	body := line
	if strings.HasPrefix(line, "HEAD ") {
		body = ""
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(line), body)
}
