package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is a server on loopback.
type running struct {
	*Server
	url    string
	addr   string
	served chan error
}

// start serves until the test ends.
func start(t *testing.T, options Options) *running {
	t.Helper()
	return startOn(t, New(options), "tcp", "127.0.0.1:0")
}

func startOn(t *testing.T, s *Server, network, address string) *running {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, addr: listener.Addr().String(), url: "http://" + listener.Addr().String(), served: make(chan error, 1)}
	go func() { r.served <- s.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), guard)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
		if err := <-r.served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return r
}

// guard is how long anything may hang.
const guard = 60 * time.Second

// got is an answer as a test looks at it.
type got struct {
	status int
	header http.Header
	body   string
}

// plain asks without following redirects, keeping connections, or asking for
// compression.
var plain = &http.Client{
	Timeout:       guard,
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends one request; head are name and value in turn.
func (r *running) request(t *testing.T, method, path, body string, head ...string) got {
	t.Helper()
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == "Host" {
			request.Host = head[i+1]
		} else {
			request.Header.Add(head[i], head[i+1])
		}
	}
	return answerOf(t, plain, request)
}

func answerOf(t *testing.T, client *http.Client, request *http.Request) got {
	t.Helper()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{answer.StatusCode, answer.Header, string(text)}
}

func (r *running) get(t *testing.T, path string) got {
	t.Helper()
	return r.request(t, http.MethodGet, path, "")
}

func (g got) expect(t *testing.T, status int, text string) {
	t.Helper()
	if g.status != status || !strings.Contains(g.body, text) {
		t.Errorf("got %d %q, want %d and %q in it", g.status, g.body, status, text)
	}
}

var errNotYet = errors.New("certificate not there:\nno such file")

// weary is a listener that fails before it accepts.
type weary struct {
	net.Listener
	faults []error
}

func (w *weary) Accept() (net.Conn, error) {
	if len(w.faults) > 0 {
		fault := w.faults[0]
		w.faults = w.faults[1:]
		return nil, fault
	}
	return w.Listener.Accept()
}

// accept(2) says which errors are no reason to give up.
func TestWhatKeepsOneConnectionFromBeingAcceptedEndsNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{})
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(&weary{listener, []error{&net.OpError{Op: "accept", Err: syscall.EPROTO}, syscall.ENOBUFS, syscall.EMFILE}})
	}()
	r := &running{Server: s, url: "http://" + listener.Addr().String()}
	r.get(t, "/livez").expect(t, 200, "alive")
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serving: %v", err)
	}
}

// The kernel lets a socket grow to megabytes for a client that does not read.
func TestTheKernelHoldsLittleForWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dial(t, listener.Addr().String())
	conn, err := guestroom{listener}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	socket, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]int{"write": syscall.SO_SNDBUF, "read": syscall.SO_RCVBUF} {
		var size int
		var unknown error
		if err := socket.Control(func(fd uintptr) { size, unknown = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, option) }); err != nil || unknown != nil {
			t.Fatal(err, unknown)
		}
		if size > 64<<10 { // Linux doubles what it is told: socket(7)
			t.Errorf("the buffer to %s holds %d bytes, want at most 64 KiB", name, size)
		}
	}
}
