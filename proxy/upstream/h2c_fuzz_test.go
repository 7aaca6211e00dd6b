package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mtls-sidecar/proxy/http1"
)

// echoingFrames is an application for many exchanges: it tells what it was
// asked, and answers with the fields that it is told.
type echoingFrames struct {
	asked  chan asked
	fields atomic.Pointer[[]string] // of the answer
}

func startEchoingFrames(f *testing.F) (*echoingFrames, *H2C) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	app := &echoingFrames{asked: make(chan asked, 1)}
	go func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			go app.serve(socket)
		}
	}()
	c := H2CConfig{MaxHeader: 64 << 10}
	c.Network, c.Address, c.ConnectTimeout, c.IdleTimeout = "tcp", listener.Addr().String(), hang, hang
	h := NewH2C(c)
	f.Cleanup(func() { h.Close(); listener.Close() })
	return app, h
}

func (e *echoingFrames) serve(socket net.Conn) {
	defer socket.Close()
	framer := http2.NewFramer(socket, socket)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	if _, err := io.ReadFull(socket, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		headers, is := frame.(*http2.MetaHeadersFrame)
		if !is {
			continue
		}
		r := asked{stream: headers.StreamID, ended: headers.StreamEnded()}
		for _, f := range headers.Fields {
			r.fields = append(r.fields, f.Name+": "+f.Value)
		}
		select {
		case e.asked <- r:
		default: // nobody looks
		}
		block.Reset()
		for _, field := range *e.fields.Load() {
			name, value, _ := strings.Cut(field, "=")
			_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: r.stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
}

// FuzzH2CRequest wants every request that the parser takes to arrive as it is.
func FuzzH2CRequest(f *testing.F) {
	for _, seed := range []string{
		string(get("/")), string(get("//x?y=%")), string(head("OPTIONS", "*")), string(get("/\xff", "Cookie: a=1;b=2; ;c", "User-Agent:", "User-Agent: x")),
		string(head("POST", "/", "Content-Length: 3", "Expect: 100-continue")), string(get("http://h/")),
		string(head("POST", "/", "Transfer-Encoding: chunked", "Trailer: X", "Connection: TE, x-a", "TE: trailers", "X-A: 1", "x-b: \t2 3\t")),
		"GET / HTTP/1.0\r\nHost: [::1]:80\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
	} {
		f.Add(seed)
	}
	app, h := startEchoingFrames(f)
	app.fields.Store(&[]string{":status=200"})
	f.Fuzz(func(t *testing.T, text string) {
		var parsed http1.Request
		if len(text) > 16<<10 || parsed.Parse([]byte(text), http1.Limits{Fields: 100}) != nil || parsed.Host == nil || parsed.Length > 1<<10 {
			return
		}
		a, err := h.Do(t.Context(), Request{Head: []byte(text), Body: io.LimitReader(zeros{}, parsed.Length)})
		if err != nil {
			if !errors.Is(err, errTargetForm) || parsed.Target[0] == '/' || string(parsed.Target) == "*" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		a.Close()
		got := <-app.asked
		for name, want := range map[string][]byte{":method": parsed.Method, ":path": parsed.Target, ":authority": parsed.Host} {
			if got.value(name) != string(want) {
				t.Errorf("%q: %s arrives as %q", text, name, got.value(name))
			}
		}
		if got, want := regular(got), expected(&parsed); got != want {
			t.Errorf("%q arrives with\n%s\nwant\n%s", text, got, want)
		}
	})
}

var cookieEnd = regexp.MustCompile("; *")

// expected are the fields that must arrive, as regular gives them.
func expected(r *http1.Request) string {
	var all asked
	agents := 0
	for _, f := range r.Fields {
		name, value := strings.ToLower(string(f.Name)), string(f.Value)
		switch name {
		case "host", "content-length", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings":
			continue
		case "te":
			if !strings.EqualFold(value, "trailers") {
				continue
			}
		case "user-agent":
			if agents++; r.Nominated(f.Name) {
				agents--
				continue
			}
			if agents > 1 || value == "" {
				continue // net/http sends one, and none that is empty
			}
		case "cookie":
			if r.Nominated(f.Name) {
				continue
			}
			for _, crumb := range cookieEnd.Split(value, -1) {
				all.fields = append(all.fields, name+": "+crumb)
			}
			if last := len(all.fields) - 1; all.fields[last] == "cookie: " {
				all.fields = all.fields[:last] // nothing after the last semicolon
			}
			continue
		default:
			if r.Nominated(f.Name) {
				continue
			}
		}
		all.fields = append(all.fields, name+": "+value)
	}
	switch method := string(r.Method); {
	case r.Framing == http1.Chunked:
	case r.Length > 0, method == "POST", method == "PUT", method == "PATCH":
		all.fields = append(all.fields, "content-length: "+strings.TrimLeft(lengthOf(r), "0"))
		if r.Length == 0 {
			all.fields[len(all.fields)-1] = "content-length: 0"
		}
	}
	return regular(all)
}

func lengthOf(r *http1.Request) string {
	for _, f := range r.Fields {
		if f.Kind == http1.ContentLength {
			return string(f.Value)
		}
	}
	return ""
}

// FuzzH2CAnswer wants every answer to be refused, or told in a head that the
// relay takes, with the fields that came and no others.
func FuzzH2CAnswer(f *testing.F) {
	for _, seed := range []string{
		":status=200", ":status=204\ncontent-length=0", ":status=200\nset-cookie=a\nset-cookie=b\nx=", ":status=abc", ":status=200\nX=1", ":status=200\nx=a\rb",
		":status=200\ntrailer=a, b\ncontent-length=5", ":status=200\nconnection=close", ":status=0200", ":status=101", ":status=304\ncontent-length=9\netag=x", ":status=200\nx= y ",
		":status=200\ntrailer=x y,\x80", ":status=200\nhost=h\nte=x",
	} {
		f.Add(seed, false)
	}
	app, h := startEchoingFrames(f)
	f.Fuzz(func(t *testing.T, text string, isHead bool) {
		if len(text) > 8<<10 {
			return
		}
		fields := strings.Split(text, "\n")
		app.fields.Store(&fields)
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		a, err := h.Do(t.Context(), Request{Head: head(method, "/")})
		if err != nil {
			return
		}
		defer a.Close()
		var parsed http1.Response
		if err := parsed.Parse(a.Head, []byte(method), http1.Limits{}); err != nil {
			t.Fatalf("%q is told as %q: %v", text, a.Head, err)
		}
		var got, want []string
		for _, f := range parsed.Fields {
			if f.Kind != http1.Trailer && (f.Kind != http1.TransferEncoding || parsed.Framing != http1.Chunked) {
				got = append(got, string(f.Name)+": "+string(f.Value))
			}
		}
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "=")
			if name = http.CanonicalHeaderKey(name); name[0] != ':' && name != "Trailer" {
				want = append(want, name+": "+strings.Trim(value, " \t"))
			}
		}
		slices.SortStableFunc(want, func(a, b string) int {
			a, _, _ = strings.Cut(a, ":")
			b, _, _ = strings.Cut(b, ":")
			return strings.Compare(a, b)
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q is told with %q, want %q", text, got, want)
		}
	})
}
