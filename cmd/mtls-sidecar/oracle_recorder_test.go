package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// recorder is an application that keeps the last request it got, to the byte.
// net/http would sort, rename and drop header fields; this reads them itself.
type recorder struct {
	addr string

	mu   sync.Mutex
	last *sight
}

// sight is one request as the application saw it.
type sight struct {
	line   string      // the request line
	fields [][2]string // name and value in order
	body   string      // decoded
}

// values returns the values of every field whose folded name is this one.
func (s *sight) values(folded string) []string {
	var values []string
	for _, f := range s.fields {
		if fold(f[0]) == folded {
			values = append(values, f[1])
		}
	}
	return values
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := &recorder{addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by Cleanup
			}
			go r.serve(conn)
		}
	}()
	return r
}

// take returns the request that came since the last call, nil for none. A
// request is recorded before it is answered, so whoever has the answer finds it.
func (r *recorder) take() *sight {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last
	r.last = nil
	return last
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		saw, err := readSight(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.last = saw
		r.mu.Unlock()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

func readSight(in *bufio.Reader) (*sight, error) {
	line, err := readLine(in)
	if err != nil {
		return nil, err
	}
	saw := &sight{line: line}
	if saw.fields, err = readFields(in); err != nil {
		return nil, err
	}
	var body io.Reader = strings.NewReader("")
	if lengths := saw.values("content-length"); len(lengths) > 0 {
		n, err := strconv.ParseInt(lengths[0], 10, 64)
		if err != nil {
			return nil, err
		}
		body = io.LimitReader(in, n)
	}
	chunked := len(saw.values("transfer-encoding")) > 0
	if chunked {
		body = httputil.NewChunkedReader(in)
	}
	data, err := io.ReadAll(body)
	if err == nil && chunked {
		_, err = readFields(in) // the trailer section
	}
	saw.body = string(data)
	return saw, err
}

func readFields(in *bufio.Reader) ([][2]string, error) {
	var fields [][2]string
	for {
		line, err := readLine(in)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, [2]string{name, strings.TrimSpace(value)})
	}
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	return strings.TrimSuffix(line, "\r\n"), err
}
