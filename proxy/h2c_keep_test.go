package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mtls-sidecar/proxy/pki"
)

// An application that speaks HTTP/2 is nobody's reason to lose a connection, nor to
// be told anything but the truth.

// startH2CApp runs net/http's own server in HTTP/2 without TLS.
func startH2CApp(t testing.TB, handler http.HandlerFunc) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	startH2CAppOn(t, listener, handler)
	return "h2c://" + listener.Addr().String()
}

func startH2CAppOn(t testing.TB, listener net.Listener, handler http.HandlerFunc) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
}

// overBoth runs a test with clients of either carrier.
func overBoth(t *testing.T, test func(t *testing.T, carrier mode)) {
	for _, carrier := range []mode{overHTTP1, overHTTP2} {
		t.Run(string(carrier), func(t *testing.T) { test(t, carrier) })
	}
}

// dialOver connects a client of the test CA by one carrier.
func (s *sidecar) dialOver(t testing.TB, carrier mode) *client {
	t.Helper()
	config := clientConfig(&testCA(t).client)
	if carrier == overHTTP2 {
		config.NextProtos = []string{"h2"}
	}
	return s.dialWith(t, config)
}

// keeps wants the connection to go on after an answer.
func (c *client) keeps(method string, status int, body string) *http.Response {
	c.t.Helper()
	answer := c.wantAnswer(method, status, body)
	if answer.Close {
		c.t.Error("the client is told to make another connection")
	}
	return answer
}

func TestH2CClientsKeepTheirConnectionsWhateverTheySend(t *testing.T) {
	s := startSidecar(t, startH2CApp(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%s of %d bytes, %v", r.Method, n, err)
	}))
	large := strings.Repeat("x", 100000)
	overBoth(t, func(t *testing.T, carrier mode) {
		c := s.dialOver(t, carrier)
		for range 2 {
			for _, test := range []struct{ request, want string }{
				{simpleGet, "GET of 0 bytes, <nil>"},
				{post(""), "POST of 0 bytes, <nil>"},
				{post("hello"), "POST of 5 bytes, <nil>"},
				{post(large), "POST of 100000 bytes, <nil>"},
				{chunkedPost("", "0\r\n\r\n"), "POST of 0 bytes, <nil>"},
				{chunkedPost("", "5\r\nhello\r\n0\r\n\r\n"), "POST of 5 bytes, <nil>"},
				{chunkedPost("", "186a0\r\n"+large+"\r\n0\r\n\r\n"), "POST of 100000 bytes, <nil>"},
			} {
				c.send(test.request)
				method, _, _ := strings.Cut(test.request, " ")
				c.keeps(method, 200, test.want)
			}
		}
	})
}

// RFC 9112 §7.1.2 has trailers in chunked bodies alone; in HTTP/2 they may follow
// content-length, which net/http's server adds by itself where an answer is small.
func TestH2CAnnouncedTrailersReachClientsOfEitherCarrier(t *testing.T) {
	s := startSidecar(t, startH2CApp(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "7")
	}))
	c := s.dialOver(t, overHTTP1)
	for range 2 {
		c.send(simpleGet)
		answer := c.keeps("GET", 200, "hello")
		if got := answer.Trailer.Get("X-Sum"); got != "7" || answer.ContentLength != -1 || len(answer.TransferEncoding) != 1 {
			t.Errorf("got the trailer %q, length %d and %q; want 7 after chunks", got, answer.ContentLength, answer.TransferEncoding)
		}
	}
	c.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.keeps("HEAD", 200, "")

	w := s.openWire(t, nil)
	w.send(w.get(1, "/"))
	var sections []string
	for ended := false; !ended; {
		f, ok := w.next()
		if !ok {
			t.Fatalf("the connection ended: %v", w.ended)
		}
		ended = f.stream == 1 && f.flags&flagEndStream != 0
		if f.kind != frameHeaders {
			continue
		}
		fields, err := w.decoder.DecodeFull(f.payload)
		if err != nil {
			t.Fatal(err)
		}
		sections = append(sections, fmt.Sprintln(fields))
	}
	if len(sections) != 2 || !strings.Contains(sections[0], `"content-length" = "5"`) || !strings.Contains(sections[1], `"x-sum" = "7"`) {
		t.Errorf("over HTTP/2 came %q, want a head with content-length and trailers with x-sum", sections)
	}
}

// h2cFrames is a connection of an application that answers in single frames.
type h2cFrames struct {
	*http2.Framer
	asked *atomic.Int32 // requests on all connections
}

// startH2CFrames has a function answer each request, by its number.
func startH2CFrames(t *testing.T, serve func(app *h2cFrames, stream uint32, n int32)) (url string, asked *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int32)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				(&h2cFrames{http2.NewFramer(conn, conn), asked}).run(conn, serve)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return "h2c://" + listener.Addr().String(), asked
}

func (a *h2cFrames) run(conn net.Conn, serve func(app *h2cFrames, stream uint32, n int32)) {
	_, _ = io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
	a.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = a.WriteSettings()
	for {
		f, err := a.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			serve(a, f.StreamID, a.asked.Add(1))
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = a.WriteSettingsAck()
			}
		}
	}
}

// says sends a block of fields, in pairs.
func (a *h2cFrames) says(stream uint32, end bool, pairs ...string) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i+1 < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1], Sensitive: true}) // into memory
	}
	_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

// The application's part in a refused stream is over with its first word: what it
// said has gone to the client.
func TestH2CAStreamRefusedAfterAnInterimAnswerIsA502AndAskedForOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, carrier mode) {
		heard := make(chan struct{})
		url, asked := startH2CFrames(t, func(app *h2cFrames, stream uint32, n int32) {
			if n > 1 {
				app.says(stream, true, ":status", "200")
				return
			}
			app.says(stream, false, ":status", "103", "link", "</a>")
			<-heard
			_ = app.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		})
		s := startSidecar(t, url)
		c := s.dialOver(t, carrier)
		c.send("GET /first HTTP/1.1\r\nHost: h\r\nX-Long: " + strings.Repeat("y", 100) + "\r\n\r\n")
		interim, _ := c.answer("GET")
		close(heard)
		if interim.StatusCode != 103 || interim.Header.Get("Link") != "</a>" {
			t.Errorf("got %d %q first, want 103", interim.StatusCode, interim.Header)
		}
		c.wantRefusal("GET", 502)
		if n := asked.Load(); n != 1 {
			t.Errorf("the application was asked %d times, want once", n)
		}
	})
}

// A refused stream of which nothing was heard is asked for once more, as the request
// on a kept connection is that the application was closing (RFC 9113 §8.7).
func TestH2CAStreamRefusedAtOnceIsAskedForOnceMore(t *testing.T) {
	overBoth(t, func(t *testing.T, carrier mode) {
		url, asked := startH2CFrames(t, func(app *h2cFrames, stream uint32, n int32) {
			if n == 1 {
				_ = app.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
				return
			}
			app.says(stream, true, ":status", "204")
		})
		c := startSidecar(t, url).dialOver(t, carrier)
		c.send(simpleGet)
		c.keeps("GET", 204, "")
		if n := asked.Load(); n != 2 {
			t.Errorf("the application was asked %d times, want twice", n)
		}
	})
}

func TestH2CAnApplicationIsToldOfTheClientOverEitherCarrier(t *testing.T) {
	told := make(chan string, 1)
	s := startSidecar(t, startH2CApp(t, func(_ http.ResponseWriter, r *http.Request) {
		told <- fmt.Sprintf("%s %q", r.Proto, r.Header.Values("VERIFIED"))
	}))
	stranger, err := pki.NewRoot(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := stranger.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	overBoth(t, func(t *testing.T, carrier mode) {
		c := s.dialOver(t, carrier)
		c.send("GET / HTTP/1.1\r\nHost: h\r\nVERIFIED: FAILED\r\n\r\n")
		c.keeps("GET", 200, "")
		if got, want := await(t, "the request", told), `HTTP/2.0 ["SUCCESS"]`; got != want {
			t.Errorf("the application was told %s, want %s", got, want)
		}
		config := clientConfig(&certificate)
		if carrier == overHTTP2 {
			config.NextProtos = []string{"h2"}
		}
		c = s.dialWith(t, config)
		c.send(simpleGet)
		c.wantRefusal("GET", 400)
		if len(told) != 0 {
			t.Error("the application has seen a request of a client that is refused")
		}
	})
}
