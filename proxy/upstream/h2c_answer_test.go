package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestAnAnswersHeadIsToldInHTTP11(t *testing.T) {
	for _, test := range []struct {
		method string
		fields []string
		end    bool // with the head
		body   string
		want   string // of the head, without "HTTP/1.1 "
		ended  bool
	}{
		{"GET", []string{":status: 200"}, false, "hi", "200 OK|Transfer-Encoding: chunked", false},
		{"GET", []string{":status: 200"}, true, "", "200 OK|Transfer-Encoding: chunked", true},
		{"GET", []string{":status: 200", "content-length: 2"}, false, "hi", "200 OK|Content-Length: 2", false},
		{"GET", []string{":status: 200", "content-length: 0"}, true, "", "200 OK|Content-Length: 0", false},
		{"GET", []string{":status: 200", "set-cookie: b=1", "x-a: 1", "set-cookie: a=2", "X-b", "x-empty: ", "x-high: \xff\tx"}[:4], false, "", "200 OK|Set-Cookie: b=1|Set-Cookie: a=2|X-A: 1|Transfer-Encoding: chunked", false},
		{"GET", []string{":status: 200", "x-empty: ", "x-high: \xe9\t\xff", "a_b: c"}, false, "", "200 OK|A_b: c|X-Empty: |X-High: \xe9\t\xff|Transfer-Encoding: chunked", false},
		{"GET", []string{":status: 404", "date: Sat, 01 Jan 2000 00:00:00 GMT"}, true, "", "404 Not Found|Date: Sat, 01 Jan 2000 00:00:00 GMT|Transfer-Encoding: chunked", true},
		{"GET", []string{":status: 599"}, false, "", "599 |Transfer-Encoding: chunked", false},
		{"GET", []string{":status: 204"}, true, "", "204 No Content", true},
		{"GET", []string{":status: 204", "content-length: 0"}, false, "", "204 No Content|Content-Length: 0", false},
		{"GET", []string{":status: 304", "content-length: 9", "etag: \"x\""}, true, "", "304 Not Modified|Content-Length: 9|Etag: \"x\"", false},
		{"GET", []string{":status: 304", "content-length: 9"}, false, "", "304 Not Modified|Content-Length: 9", false},
		{"HEAD", []string{":status: 200", "content-length: 9"}, true, "", "200 OK|Content-Length: 9", false},
		{"HEAD", []string{":status: 200", "content-length: 9"}, false, "", "200 OK|Content-Length: 9", false},
		{"HEAD", []string{":status: 200"}, true, "", "200 OK", false},
		// gRPC's answer of trailers only.
		{"POST", []string{":status: 200", "content-type: application/grpc", "grpc-status: 5", "grpc-message: no%20such"}, true, "", "200 OK|Content-Type: application/grpc|Grpc-Message: no%20such|Grpc-Status: 5|Transfer-Encoding: chunked", true},
		{"POST", []string{":status: 200", "trailer: grpc-status, grpc-message", "trailer: x"}, false, "hi", "200 OK|Trailer: Grpc-Message, Grpc-Status, X|Transfer-Encoding: chunked", false},
	} {
		app := startFramerApp(t)
		result := do(t, newTestH2C(t, app.address), Request{Head: head(test.method, "/")})
		c := app.greeted()
		stream := c.request().stream
		c.headers(stream, test.end, test.fields...)
		if !test.end {
			c.data(stream, true, test.body)
		}
		d := wait(t, result)
		if d.err != nil {
			t.Errorf("%q: %v", test.fields, d.err)
			continue
		}
		want := "HTTP/1.1 " + strings.ReplaceAll(test.want, "|", "\r\n") + "\r\n\r\n"
		if got := string(d.answer.Head); got != want {
			t.Errorf("%q becomes %q, want %q", test.fields, got, want)
		}
		var parsed http1.Response
		if err := parsed.Parse(d.answer.Head, []byte(test.method), http1.Limits{Head: 32 << 10}); err != nil {
			t.Errorf("%q: the relay would not take it: %v", test.fields, err)
		}
		if got := d.answer.Ended(); got != test.ended && test.method != "HEAD" {
			t.Errorf("%q: ended is %t, want %t", test.fields, got, test.ended)
		}
		if got := read(t, d.answer); got != test.body {
			t.Errorf("%q: the body is %q, want %q", test.fields, got, test.body)
		}
		d.answer.Close()
	}
}

func TestTrailersComeAfterTheBody(t *testing.T) {
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/")})
	c := app.greeted()
	stream := c.request().stream
	c.headers(stream, false, ":status: 200", "trailer: x-announced, x-never")
	c.data(stream, false, "hi")
	a := wait(t, result).answer
	if a.Trailer() != nil {
		t.Error("there are trailers before the end")
	}
	c.headers(stream, true, "x-sum: 1", "x-announced: 2", "x-sum: 3", "grpc-status: 0")
	if got := read(t, a); got != "hi" {
		t.Errorf("got %q", got)
	}
	got := ""
	for _, f := range a.Trailer() {
		got += fmt.Sprintf("%s: %s (%d), ", f.Name, f.Value, f.Kind)
	}
	if want := "Grpc-Status: 0 (0), X-Announced: 2 (0), X-Sum: 1 (0), X-Sum: 3 (0), "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnAnswerThatBreaksTheRulesIsAnErrorAndNotHalfPassed(t *testing.T) {
	for _, test := range []struct {
		what   string
		fields []string
		says   string
	}{
		{"no status", []string{"x-a: 1"}, ""},
		{"an empty status", []string{":status: "}, ""},
		{"a status of letters", []string{":status: abc"}, "status"},
		{"a status with a sign", []string{":status: +200"}, "status"},
		{"a status of four digits", []string{":status: 0200"}, "status"},
		{"a status below all", []string{":status: 099"}, "status"},
		{"a status above all", []string{":status: 600"}, "status"},
		{"a negative status", []string{":status: -20"}, "status"},
		{"two statuses", []string{":status: 200", ":status: 204"}, "pseudo"},
		{"a pseudo-field late", []string{"x-a: 1", ":status: 200"}, "pseudo"},
		{"a request's pseudo-field", []string{":status: 200", ":path: /"}, "pseudo"},
		{"a capital letter", []string{":status: 200", "X-A: 1"}, "name"},
		{"a space in a name", []string{":status: 200", "x a: 1"}, "name"},
		{"a colon in a name", []string{":status: 200", "x:a: 1"}, "name"},
		{"a line end in a name", []string{":status: 200", "x\r\na: 1"}, "name"},
		{"an empty name", []string{":status: 200", ""}, "name"},
		{"a line feed", []string{":status: 200", "x-a: 1\nVERIFIED: SUCCESS"}, "value"},
		{"a carriage return", []string{":status: 200", "x-a: 1\r"}, "value"},
		{"NUL", []string{":status: 200", "x-a: 1\x00"}, "value"},
		{"two lengths", []string{":status: 200", "content-length: 2", "content-length: 2"}, "content-length"},
		{"a bad length", []string{":status: 200", "content-length: +2"}, "content-length"},
		{"a length beyond all", []string{":status: 200", "content-length: 9223372036854775808"}, "content-length"},
		{"connection", []string{":status: 200", "connection: close"}, "connection"},
		{"keep-alive", []string{":status: 200", "keep-alive: timeout=5"}, "connection"},
		{"proxy-connection", []string{":status: 200", "proxy-connection: close"}, "connection"},
		{"transfer-encoding", []string{":status: 200", "transfer-encoding: chunked"}, "connection"},
		{"upgrade", []string{":status: 200", "upgrade: h2c"}, "connection"},
		{"a switch of protocols", []string{":status: 101"}, "switches protocols"},
		{"an interim answer that speaks of the connection", []string{":status: 103", "connection: x"}, "connection"},
		{"a large field", []string{":status: 200", "x-a: " + strings.Repeat("a", 33<<10)}, "too large"},
		{"many fields", append([]string{":status: 200"}, repeated("x-a: 1", 5000)...), "too large"},
		{"large fields", []string{":status: 200", "x-a: " + strings.Repeat("a", 17<<10), "x-b: " + strings.Repeat("b", 17<<10)}, "too large"},
	} {
		app := startFramerApp(t)
		h := newTestH2C(t, app.address)
		c := neighboured(t, h, app)
		result := do(t, h, Request{Head: get("/"), Interim: func([]byte) error { t.Errorf("%s is passed on", test.what); return nil }})
		c.headers(c.request().stream, false, test.fields...)
		d := wait(t, result)
		var refusal *http1.Error
		if !errors.As(d.err, &refusal) || refusal.Status != 502 || !strings.Contains(refusal.Text, test.says) {
			t.Errorf("%s: got %v, want 502 that says %q", test.what, d.err, test.says)
		}
		if d.answer != nil {
			t.Errorf("%s: there is an answer", test.what)
		}
		if errors.Is(d.err, http1.ErrHeadTooLarge) != (test.says == "too large") {
			t.Errorf("%s: whether it is too large is not to be told from %v", test.what, d.err)
		}
		wantUsable(t, h, c)
	}
}

func repeated(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestAnEndlessHeadEndsTheConnection(t *testing.T) {
	app := startFramerApp(t)
	result := do(t, newTestH2C(t, app.address), Request{Head: get("/")})
	c := app.greeted()
	go c.headers(c.request().stream, false, append([]string{":status: 200"}, repeated("x-a: "+strings.Repeat("a", 1<<10), 10_000)...)...)
	if d := wait(t, result); d.err == nil {
		t.Error("there is an answer")
	}
}

func TestABodyIsOnlyWholeWhenTheApplicationSaysSo(t *testing.T) {
	for _, test := range []struct {
		what   string
		method string
		fields []string
		play   func(*framerConn, uint32)
		body   string // what is read before the end
		says   string // "": it is whole
	}{
		{"the end", "GET", nil, func(c *framerConn, id uint32) { c.data(id, true, "hi") }, "hi", ""},
		{"an empty frame last", "GET", nil, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.data(id, true, "") }, "hi", ""},
		{"the connection ends", "GET", nil, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.Close() }, "hi", "cut short"},
		{"too short", "GET", []string{"content-length: 3"}, func(c *framerConn, id uint32) { c.data(id, true, "hi") }, "hi", "cut short"},
		{"too short and trailers", "GET", []string{"content-length: 3"}, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.headers(id, true, "x: y") }, "hi", "cut short"},
		{"too long", "GET", []string{"content-length: 1"}, func(c *framerConn, id uint32) { c.data(id, true, "hi") }, "h", "more than declared"},
		{"an announced body does not come", "GET", []string{"content-length: 3"}, nil, "", "cut short"},
		{"bad trailers", "GET", nil, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.headers(id, true, "X: y") }, "hi", "name"},
		{"trailers that are no end", "GET", nil, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.headers(id, false, "x: y") }, "hi", "PROTOCOL_ERROR"},
		{"a status in trailers", "GET", nil, func(c *framerConn, id uint32) { c.data(id, false, "hi"); c.headers(id, true, ":status: 200") }, "hi", "PROTOCOL_ERROR"},
		{"large trailers", "GET", nil, func(c *framerConn, id uint32) { c.headers(id, true, "x: "+strings.Repeat("x", 33<<10)) }, "", "too large"},
		{"204 with a body", "GET", []string{":status: 204"}, func(c *framerConn, id uint32) { c.data(id, true, "hi") }, "", "brings one"},
		{"304 with a body", "GET", []string{":status: 304"}, func(c *framerConn, id uint32) { c.data(id, true, "hi") }, "", "brings one"},
	} {
		app := startFramerApp(t)
		result := do(t, newTestH2C(t, app.address), Request{Head: head(test.method, "/")})
		c := app.greeted()
		stream := c.request().stream
		fields := test.fields
		if len(fields) == 0 || !strings.HasPrefix(fields[0], ":") {
			fields = append([]string{":status: 200"}, fields...)
		}
		c.headers(stream, test.play == nil, fields...)
		d := wait(t, result)
		if d.err != nil {
			t.Errorf("%s: %v", test.what, d.err)
			continue
		}
		got := make([]byte, len(test.body))
		if test.play != nil {
			test.play(c, stream)
		}
		if _, err := io.ReadFull(d.answer, got); err != nil && test.body != "" && test.says == "" || string(got) != test.body {
			t.Errorf("%s: read %q (%v), want %q", test.what, got, err, test.body)
		}
		for range 2 { // what it has come to stays
			n, err := d.answer.Read(make([]byte, 10))
			switch {
			case test.says == "" && err != io.EOF, n > 0:
				t.Errorf("%s: read %d bytes more, and %v", test.what, n, err)
			case test.says != "" && (err == io.EOF || !strings.Contains(err.Error(), test.says)):
				t.Errorf("%s: got %v, want an error that says %q", test.what, err, test.says)
			}
		}
		if d.answer.Trailer() != nil {
			t.Errorf("%s: there are trailers", test.what)
		}
	}
}
