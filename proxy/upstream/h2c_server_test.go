package upstream

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mtls-sidecar/proxy/http1"
)

// startH2CServer runs net/http's own server, in HTTP/2 without TLS.
func startH2CServer(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 50}}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return listener.Addr().String()
}

// exchange runs one to its end.
func exchange(h *H2C, r Request, t testing.TB) (head, body string, trailer []http1.Field, err error) {
	a, err := h.Do(t.Context(), r)
	if err != nil {
		return "", "", nil, err
	}
	defer a.Close()
	content, err := io.ReadAll(a)
	return string(a.Head), string(content), a.Trailer(), err
}

func TestARealServerUnderstandsWhatIsSent(t *testing.T) {
	address := startH2CServer(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		w.Header().Set("Date", "x")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "X-Sum")
		_ = http.NewResponseController(w).Flush() // else it adds a length
		fmt.Fprintf(w, "%s %s %s %q %d %q %q", r.Method, r.RequestURI, r.Host, content, r.ContentLength, r.Header, r.Trailer)
		w.Header().Set("X-Sum", "1")
	})
	h := newTestH2C(t, address)
	for _, test := range []struct {
		r    Request
		want string
	}{
		{Request{Head: get("/a//b?c=%2F", "X-A: 1", "x-a: 2", "Cookie: a=1; b=2")}, `GET /a//b?c=%2F h "" 0 map["Cookie":["a=1; b=2"] "X-A":["1" "2"]] map[]`},
		{Request{Head: head("POST", "/", "Content-Length: 2"), Body: strings.NewReader("hi")}, `POST / h "hi" 2 map["Content-Length":["2"]] map[]`},
		{Request{Head: head("POST", "/", "Content-Length: 0")}, `POST / h "" 0 map["Content-Length":["0"]] map[]`},
		{Request{Head: head("PUT", "/", "Transfer-Encoding: chunked", "TE: trailers", "Connection: TE", "X-A: 1"), Body: strings.NewReader("hi")},
			`PUT / h "hi" -1 map["Te":["trailers"] "X-A":["1"]] map[]`},
		{Request{Head: head("OPTIONS", "*")}, ""},
	} {
		got, body, trailer, err := exchange(h, test.r, t)
		switch {
		case err != nil:
			t.Errorf("%q: %v", test.r.Head, err)
		case test.want == "":
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("%q: %q", test.r.Head, got) // net/http answers OPTIONS * itself
			}
		case body != test.want || got != "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: x\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n":
			t.Errorf("%q: %q, %s, want %s", test.r.Head, got, body, test.want)
		case len(trailer) != 1 || string(trailer[0].Name)+string(trailer[0].Value) != "X-Sum1":
			t.Errorf("%q: trailers %q", test.r.Head, trailer)
		}
	}
	if n := connections(h); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestExpectationsAreMetByTheApplication(t *testing.T) {
	address := startH2CServer(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body) // sends 100
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = w.Write(content)
	})
	var got []string
	body := newStreamed()
	r := upload(body)
	r.Head = head("POST", "/", "Transfer-Encoding: chunked", "Expect: 100-continue")
	r.Interim = func(head []byte) error {
		got = append(got, strings.SplitN(string(head), "\r\n", 2)[0])
		if strings.Contains(string(head), " 100 ") {
			go func() {
				body.pieces <- "go on"
				close(body.pieces)
			}()
		}
		return nil
	}
	_, content, _, err := exchange(newTestH2C(t, address), r, t)
	if want := "HTTP/1.1 100 Continue, HTTP/1.1 103 Early Hints"; err != nil || content != "go on" || strings.Join(got, ", ") != want {
		t.Errorf("got %q after %q (%v)", content, got, err)
	}
}

func TestLargeBodiesGoBothWaysAtOnceForMany(t *testing.T) {
	address := startH2CServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	h := newTestH2C(t, address)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20>>4)
	var all sync.WaitGroup
	for i := range 60 { // more than one connection takes
		all.Go(func() {
			piece := content[i:]
			a, err := h.Do(t.Context(), Request{Head: head("POST", "/", "Transfer-Encoding: chunked"), Body: bytes.NewReader(piece)})
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close()
			sum := sha256.New()
			if n, err := io.Copy(sum, a); err != nil || n != int64(len(piece)) || [32]byte(sum.Sum(nil)) != sha256.Sum256(piece) {
				t.Errorf("got %d bytes of %d (%v)", n, len(piece), err)
			}
		})
	}
	all.Wait()
}

func TestAnApplicationThatGivesUpIsNotTakenForOneThatIsDone(t *testing.T) {
	address := startH2CServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/later" {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	for _, path := range []string{"/", "/later"} {
		_, _, _, err := exchange(newTestH2C(t, address), Request{Head: get(path)}, t)
		var ended *H2CError
		if !errors.As(err, &ended) || !ended.Reset || ended.Code.String() != "INTERNAL_ERROR" || ended.Again(true) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestAServerOfHTTP11IsToldOf(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() { server.Close(); <-ended }()
	_, _, _, err = exchange(newTestH2C(t, listener.Addr().String()), Request{Head: get("/")}, t)
	if !errors.Is(err, ErrNotHTTP2) && !errors.Is(err, errSilent) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkH2C(b *testing.B) {
	answer := []byte("hello")
	address := startH2CServer(b, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(answer) })
	c := H2CConfig{MaxHeader: 32 << 10}
	c.Network, c.Address, c.ConnectTimeout, c.IdleTimeout = "tcp", address, hang, hang
	h := NewH2C(c)
	defer h.Close()
	request := get("/a/path?with=query", "User-Agent: bench", "Accept: */*", "Accept-Encoding: gzip", "X-Request-Id: 0123456789abcdef", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https",
		"X-Forwarded-Host: example.com", "X-Real-Ip: 192.0.2.1", "VERIFIED: SUCCESS", "DN: CN=client,O=Acme")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		buffer := make([]byte, 4096)
		for pb.Next() {
			a, err := h.Do(b.Context(), Request{Head: request, Interim: func([]byte) error { return nil }})
			if err != nil {
				b.Error(err)
				return
			}
			for err == nil {
				_, err = a.Read(buffer)
			}
			if err != io.EOF {
				b.Error(err)
			}
			a.Close()
		}
	})
}
