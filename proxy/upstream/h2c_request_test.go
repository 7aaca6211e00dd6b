package upstream

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"mtls-sidecar/proxy/http1"
)

// sent has a request go to the application and be answered, and tells how it
// arrived.
func sent(t *testing.T, r Request) asked {
	t.Helper()
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), r)
	c := app.greeted()
	request := c.request()
	c.headers(request.stream, true, ":status: 200")
	if d := wait(t, result); d.err != nil {
		t.Fatal(d.err)
	}
	return request
}

func TestTheTargetAndTheHostArriveAsTheyWereGiven(t *testing.T) {
	for _, target := range []string{
		"/", "//", "//x", "//x/y?z", "///", "/%zz", "/%", "/a?b=%", "/?", "/??", "/a?", "/a;b?c;d", "/a/../b", "/\x80\xff", "/é?ü",
		"/a?x=http://h/", "/http://h/a", "//h/a", "/\"<>\\^`{|}", "/*", "/a:b@c",
	} {
		r := sent(t, Request{Head: get(target)})
		if got := r.value(":path"); got != target {
			t.Errorf("%q arrives as %q", target, got)
		}
	}
	// RFC 9112 §3.2.4 and RFC 9113 §8.3.1: an asterisk stays one.
	if got := sent(t, Request{Head: head("OPTIONS", "*")}).value(":path"); got != "*" {
		t.Errorf("OPTIONS * arrives as %q", got)
	}
	for _, host := range []string{
		"h", "h.", "EXAMPLE.com", "h:80", "h:", "h:0", "[::1]", "[::1]:8080", "[v1.a:b]", "a%41b", "x_y!$&'()*+,;=~", "127.0.0.1:1",
	} {
		for _, target := range []string{"/", "//x"} {
			r := sent(t, Request{Head: []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")})
			if got := r.value(":authority"); got != host {
				t.Errorf("host %q arrives as %q", host, got)
			}
			if got := r.value(":path"); got != target {
				t.Errorf("host %q: target %q arrives as %q", host, target, got)
			}
		}
	}
}

func TestMethodsAndFieldsArriveAsTheyWereGivenAndNoOthers(t *testing.T) {
	for _, test := range []struct {
		head []byte
		want string // beyond :authority, :method, :path and :scheme; sorted, in lines
	}{
		{head("GET", "/"), ""},
		{head("DELETE", "/"), ""},
		{head("get", "/"), ""},
		{head("M-SEARCH", "/"), ""},
		{get("/", "Accept-Encoding: br", "User-Agent: me"), "accept-encoding: br\nuser-agent: me"},
		{get("/", "X-One: 2", "x-one: 1", "X-ONE: 2", "A_b: c", "!#$%&'*+-.^_`|~: x"), "!#$%&'*+-.^_`|~: x\na_b: c\nx-one: 2\nx-one: 1\nx-one: 2"},
		{get("/", "Empty:", "Tab: a\tb", "High: \xe9\x80\xff", "Inner: a  b ,c"), "empty: \nhigh: \xe9\x80\xff\ninner: a  b ,c\ntab: a\tb"},
		{get("/", "VERIFIED: SUCCESS", "DN: CN=c,O=\\C3\\A9"), "dn: CN=c,O=\\C3\\A9\nverified: SUCCESS"},
		// RFC 9113 §8.2.2: TE may say trailers, and nothing speaks of the connection.
		{get("/", "Connection: TE", "TE: trailers"), "te: trailers"},
		{get("/", "TE: gzip"), ""},
		{get("/", "Connection: TE, Upgrade", "Upgrade: websocket", "TE: trailers"), "te: trailers"},
		{get("/", "Connection: x-mine, close", "X-Mine: 1", "Keep-Alive: 5", "Proxy-Connection: x", "HTTP2-Settings: AA"), ""},
		// RFC 9113 §8.2.3: cookies may be cut where pairs end.
		{get("/", "Cookie: a=1; b=2"), "cookie: a=1\ncookie: b=2"},
		{get("/", "Expect: 100-continue", "Trailer: X-Sum, X-More"), "expect: 100-continue\ntrailer: X-Sum, X-More"},
		{head("POST", "/", "Content-Length: 0"), "content-length: 0"},
	} {
		r := sent(t, Request{Head: test.head})
		method, _, _ := strings.Cut(string(test.head), " ")
		for name, want := range map[string]string{":method": method, ":scheme": "http", ":path": "/", ":authority": "h"} {
			if got := r.value(name); got != want {
				t.Errorf("%q: %s is %q, want %q", test.head, name, got, want)
			}
		}
		if got := regular(r); got != test.want {
			t.Errorf("%q arrives with\n%s\nwant\n%s", test.head, got, test.want)
		}
		if !r.ended {
			t.Errorf("%q arrives as if a body followed", test.head)
		}
	}
}

// regular are the fields but pseudo-fields, sorted by name, in lines.
func regular(r asked) string {
	fields := slices.DeleteFunc(slices.Clone(r.fields), func(f string) bool { return f[0] == ':' })
	slices.SortStableFunc(fields, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return strings.Join(fields, "\n")
}

func TestAHeadThatHTTP2CannotCarryIsRefusedUnsent(t *testing.T) {
	h := newTestH2C(t, "192.0.2.1:1") // nobody must be asked
	for _, text := range []string{
		"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
		"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"",
	} {
		_, err := h.Do(t.Context(), Request{Head: []byte(text)})
		var refusal *http1.Error
		if !errors.As(err, &refusal) || refusal.Status >= 500 {
			t.Errorf("%q: got %v, want a refusal of the request", text, err)
		}
	}
}

func TestAHeadLargerThanTheApplicationTakesIsRefused(t *testing.T) {
	app := startFramerApp(t)
	h := newTestH2C(t, app.address)
	result := do(t, h, Request{Head: get("/", "X: "+strings.Repeat("x", 1000))})
	c := app.greeted(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000})
	var refusal *http1.Error
	if d := wait(t, result); !errors.As(d.err, &refusal) || refusal.Status != 431 {
		t.Fatalf("got %v, want 431", d.err)
	}
	result = do(t, h, Request{Head: get("/")})
	c.headers(c.request().stream, true, ":status: 204")
	if d := wait(t, result); d.err != nil {
		t.Errorf("the connection is of no use after it: %v", d.err)
	}
}

// pieces gives one piece per Read, and the end after the last or with it.
type pieces struct {
	left    []string
	withEOF bool
	end     error
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, p.end
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	if len(p.left) == 0 && p.withEOF {
		return n, p.end
	}
	return n, nil
}

func TestBodiesArriveWholeAndWithoutTrailers(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 20<<10>>4)
	for _, test := range []struct {
		what    string
		fields  []string
		body    io.Reader
		content string
		length  string // as told
		frames  int    // of DATA; 0: any number
	}{
		{"a length", []string{"Content-Length: 5"}, &pieces{left: []string{"he", "llo"}, end: io.EOF}, "hello", "5", 2},
		{"a length, and more to read", []string{"Content-Length: 5"}, io.MultiReader(strings.NewReader("hello"), nobodyReads{t}), "hello", "5", 1},
		{"chunks", []string{"Transfer-Encoding: chunked"}, &pieces{left: []string{"he", "llo"}, end: io.EOF}, "hello", "none", 3},
		{"the end with the last", []string{"Transfer-Encoding: chunked"}, &pieces{left: []string{"he", "llo"}, withEOF: true, end: io.EOF}, "hello", "none", 2},
		{"no chunk", []string{"Transfer-Encoding: chunked"}, strings.NewReader(""), "", "none", 1},
		{"no body given", []string{"Transfer-Encoding: chunked"}, nil, "", "none", 1},
		{"longer than a frame", []string{"Transfer-Encoding: chunked"}, strings.NewReader(long), long, "none", 0},
	} {
		app := startFramerApp(t)
		result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", test.fields...), Body: test.body})
		c := app.greeted()
		request := c.request()
		content, trailers, frames := c.body()
		c.headers(request.stream, true, ":status: 200")
		if d := wait(t, result); d.err != nil {
			t.Errorf("%s: %v", test.what, d.err)
		}
		if content != test.content || len(trailers) != 0 {
			t.Errorf("%s: got %d bytes and %q", test.what, len(content), trailers)
		}
		if got := request.value("content-length"); got != test.length || test.frames > 0 && frames != test.frames {
			t.Errorf("%s: length %s in %d frames, want %s in %d", test.what, got, frames, test.length, test.frames)
		}
	}
}

type nobodyReads struct{ t *testing.T }

func (n nobodyReads) Read([]byte) (int, error) {
	n.t.Error("the body is read beyond its length")
	return 0, io.EOF
}

func TestABodyThatBreaksOffResetsTheStreamAndSaysWhy(t *testing.T) {
	broken := errors.New("the client has gone")
	for _, test := range []struct {
		what  string
		field string
		body  func() io.Reader
		want  error
	}{
		{"an error", "Transfer-Encoding: chunked", func() io.Reader { return &pieces{left: []string{"he"}, end: broken} }, broken},
		{"an error at once", "Content-Length: 5", func() io.Reader { return &pieces{end: broken} }, broken},
		{"too short", "Content-Length: 5", func() io.Reader { return strings.NewReader("he") }, io.ErrUnexpectedEOF},
		{"too long", "Content-Length: 5", func() io.Reader { return strings.NewReader("hello!") }, errTooLong},
	} {
		for _, answered := range []bool{false, true} {
			app := startFramerApp(t)
			gate := make(chan struct{})
			body := io.MultiReader(&gated{gate}, test.body())
			result := do(t, newTestH2C(t, app.address), Request{Head: head("POST", "/", test.field), Body: body})
			c := app.greeted()
			request := c.request()
			var d done
			if answered {
				c.headers(request.stream, false, ":status: 200")
				d = wait(t, result)
			}
			close(gate)
			if code := c.reset(request.stream); code != http2.ErrCodeCancel {
				t.Errorf("%s: reset with %v", test.what, code)
			}
			if answered {
				_, d.err = d.answer.Read(make([]byte, 1))
			} else {
				d = wait(t, result)
			}
			if !errors.Is(d.err, test.want) {
				t.Errorf("%s, answered %t: got %v, want %v", test.what, answered, d.err, test.want)
			}
		}
	}
}

// gated reads nothing until it may.
type gated struct{ gate <-chan struct{} }

func (g *gated) Read([]byte) (int, error) {
	<-g.gate
	return 0, io.EOF
}
