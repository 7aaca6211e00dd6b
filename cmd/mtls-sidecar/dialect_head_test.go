package main_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// headApplication keeps the head of the last request it got exactly as it came: a value's spaces at its ends, and a line
// feed that a proxy let through, are what the dialects are compared for.
type headApplication struct {
	addr string

	mu   sync.Mutex
	last string
}

func startHeadApplication(t *testing.T) *headApplication {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	a := &headApplication{addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed by Cleanup
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *headApplication) serve(conn net.Conn) {
	defer conn.Close()
	var head []byte
	buffer := make([]byte, 1<<16)
	for !bytes.Contains(head, []byte("\r\n\r\n")) {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		head = append(head, buffer[:n]...)
	}
	a.mu.Lock()
	a.last = string(head)
	a.mu.Unlock()
	// The client has failed if this does.
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// take returns the head that came since the last call, empty for none.
func (a *headApplication) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	head := a.last
	a.last = ""
	return head
}

// words are what a proxy told the application about one client: header names and their values to the byte. Lines that are
// no field, which only an injected line feed can make, are under the name of their whole text.
type words map[string]string

// ordinaryFields say nothing of the client's certificate or connection.
var ordinaryFields = []string{"host", "connection", "content-length", "user-agent", "accept-encoding", "x-real-ip", "x-request-id",
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}

// notForwarded is the name under which words have the answer's status when the application saw nothing.
const notForwarded = "(not-forwarded)"

// tell takes a request's head apart.
func tell(head string) words {
	all := words{}
	head, _, _ = strings.Cut(head, "\r\n\r\n")
	_, fields, _ := strings.Cut(head, "\r\n")
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if slices.Contains(ordinaryFields, strings.ToLower(name)) {
			continue
		}
		value = strings.TrimPrefix(value, " ")
		if first, twice := all[name]; twice {
			value = first + "\r\n" + value // no single field's value can look so
		}
		all[name] = value
	}
	return all
}
