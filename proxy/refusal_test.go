package proxy

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// smuggled follows each refused request on the wire. It must never be heeded.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

func TestWhatIsAmbiguousIsRefusedAndTheConnectionClosed(t *testing.T) {
	const host = "Host: h\r\n"
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	for _, test := range []struct {
		what   string
		raw    string
		status int
	}{
		// RFC 9112 §2.2
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
		{"bare LF after a field", "GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
		{"bare LF as the empty line", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
		{"bare CR in a field", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400},
		{"bare CR before a name", "GET / HTTP/1.1\r\n" + host + "\rX: a\r\n\r\n", 400},
		{"bare CR in the target", "GET /\r HTTP/1.1\r\n" + host + "\r\n", 400},
		{"white space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
		// RFC 9112 §5
		{"obs-fold", "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		{"obs-fold with a tab", "GET / HTTP/1.1\r\n" + host + "X: a\r\n\tb\r\n\r\n", 400},
		{"space before the colon", "GET / HTTP/1.1\r\n" + host + "VERIFIED : SUCCESS\r\n\r\n", 400},
		{"tab before the colon", "GET / HTTP/1.1\r\n" + host + "X\t: a\r\n\r\n", 400},
		{"an empty name", "GET / HTTP/1.1\r\n" + host + ": a\r\n\r\n", 400},
		{"a name that is no token", "GET / HTTP/1.1\r\n" + host + "X(y): a\r\n\r\n", 400},
		{"a name with a byte above 127", "GET / HTTP/1.1\r\n" + host + "VERIFIE\xc4: a\r\n\r\n", 400},
		{"a line without a colon", "GET / HTTP/1.1\r\n" + host + "X\r\n\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
		{"DEL in a value", "GET / HTTP/1.1\r\n" + host + "X: a\x7fb\r\n\r\n", 400},
		{"an escape in a value", "GET / HTTP/1.1\r\n" + host + "X: \x1b[0m\r\n\r\n", 400},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\n" + host + "\r\n", 400},
		// RFC 9112 §3
		{"no version", "GET /\r\n" + host + "\r\n", 400},
		{"two spaces in the request line", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"space after the version", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400},
		{"a method that is no token", "G(T / HTTP/1.1\r\n" + host + "\r\n", 400},
		{"an empty target", "GET  HTTP/1.1\r\n" + host + "\r\n", 400},
		{"a relative target", "GET x HTTP/1.1\r\n" + host + "\r\n", 400},
		{"a target of another scheme", "GET ftp://h/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"a target with another authority", "GET http://other/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"a target with userinfo", "GET http://u@h/ HTTP/1.1\r\n" + host + "\r\n", 400},
		{"an asterisk without OPTIONS", "GET * HTTP/1.1\r\n" + host + "\r\n", 400},
		{"a garbled version", "GET / HTTP/1,1\r\n" + host + "\r\n", 400},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/3.1", "GET / HTTP/3.1\r\n" + host + "\r\n", 505},
		// RFC 9112 §3.2
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\n" + host + "host: h\r\n\r\n", 400},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"a Host with a path", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
		{"a Host with userinfo", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
		{"a list as Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
		{"a bad port", "GET / HTTP/1.1\r\nHost: h:70000\r\n\r\n", 400},
		// RFC 9112 §6
		{"length and coding", "POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"coding and length", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400},
		{"the same length twice", "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400},
		{"a list of lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 2, 2\r\n\r\nab", 400},
		{"a signed length", "POST / HTTP/1.1\r\n" + host + "Content-Length: +2\r\n\r\nab", 400},
		{"a negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
		{"a hexadecimal length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x2\r\n\r\nab", 400},
		{"an empty length", "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", 400},
		{"a length beyond 63 bits", "POST / HTTP/1.1\r\n" + host + "Content-Length: 9223372036854775808\r\n\r\n", 400},
		{"another coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
		{"a garbled coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		{"a list of codings", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		{"the coding twice", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		// RFC 9112 §7.1
		{"a chunk size that is no number", chunkedPost("", "x\r\nab\r\n0\r\n\r\n"), 400},
		{"a chunk size with a prefix", chunkedPost("", "0x2\r\nab\r\n0\r\n\r\n"), 400},
		{"a negative chunk size", chunkedPost("", "-2\r\nab\r\n0\r\n\r\n"), 400},
		{"space before a chunk size", chunkedPost("", " 2\r\nab\r\n0\r\n\r\n"), 400},
		{"bare LF after a chunk size", chunkedPost("", "2\nab\r\n0\r\n\r\n"), 400},
		{"data longer than its chunk", chunkedPost("", "2\r\nabc\r\n0\r\n\r\n"), 400},
		{"a chunk size beyond 63 bits", chunkedPost("", "fffffffffffffffff\r\n"), 400},
		{"a control byte in an extension", chunkedPost("", "2;a=\x01\r\nab\r\n0\r\n\r\n"), 400},
		{"a trailer that is no field", chunkedPost("", "0\r\nVERIFIED : SUCCESS\r\n\r\n"), 400},
		{"bare LF in the trailers", chunkedPost("", "0\r\nX: 1\n\r\n"), 400},
		// what is clear but not served
		{"TRACE", "TRACE / HTTP/1.1\r\n" + host + "\r\n", 405},
		{"CONNECT", "CONNECT h:443 HTTP/1.1\r\n" + host + "\r\n", 405},
		{"an unknown expectation", "POST / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417},
		{"a head above the limit", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 33<<10) + "\r\n\r\n", 431},
		{"a head above the limit in many fields", "GET / HTTP/1.1\r\n" + host + strings.Repeat("X: a\r\n", 300) + "\r\n", 431},
		{"a head that does not end", "GET / HTTP/1.1\r\n" + host + strings.Repeat("X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 2000), 431},
		{"a target above the limit", "GET /" + strings.Repeat("a", 9<<10) + " HTTP/1.1\r\n" + host + "\r\n", 414},
		{"a target that does not end", "GET /" + strings.Repeat("a", 50<<10), 414},
		// RFC 9110 §7.6.1
		{"a nominated Host", "GET / HTTP/1.1\r\n" + host + "Connection: host\r\n\r\n", 400},
		{"a nominated Content-Length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nConnection: Content-Length\r\n\r\nab", 400},
		{"a Connection option that is no token", "GET / HTTP/1.1\r\n" + host + "Connection: a b\r\n\r\n", 400},
	} {
		want, ok := refusedOverHTTP2()[test.what]
		if !ok && modeOf(t) == overHTTP2 {
			continue // HTTP/2 has no words for it
		}
		t.Run(test.what, func(t *testing.T) {
			c := s.dial(t, nil)
			c.send(test.raw, smuggled)
			if c.h2 != nil {
				c.wantRefused(want, test.status)
			} else {
				c.wantRefusal("GET", test.status)
			}
			app.sawNothing(t)
		})
	}
}

func TestARefusedRequestAfterAGoodOneEndsThePipeline(t *testing.T) {
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url)
	c := s.dial(t, nil)
	c.send(simpleGet, "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", smuggled)
	c.wantAnswer("GET", 200, "ok")
	c.wantRefusal("GET", 400)
	app.seen(t)
	app.sawNothing(t)
}

func TestABodyAboveTheLimitIsRefused(t *testing.T) {
	got := make(chan received, 10)
	app := startBackend(t, readingAll(got, okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_BODY_BYTES=1000")
	c := s.dial(t, nil)
	c.send(post(strings.Repeat("a", 1000)), chunkedPost("", "3e8\r\n"+strings.Repeat("a", 1000)+"\r\n0\r\n\r\n"))
	c.wantAnswer("POST", 200, "ok")
	c.wantAnswer("POST", 200, "ok")
	app.seen(t)
	app.seen(t)

	c.send(post(strings.Repeat("a", 1001)))
	c.wantRefusal("POST", 413)
	app.sawNothing(t)

	// The length alone decides, before the client has sent the body.
	c = s.dial(t, nil)
	c.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
	c.wantRefusal("POST", 413)
	app.sawNothing(t)

	if c.endsConnections() { // a head and a body that come together; those of a stream do not
		c = s.dial(t, nil)
		c.send(chunkedPost("", "3e9\r\n"+strings.Repeat("a", 1001)+"\r\n0\r\n\r\n"))
		c.wantRefusal("POST", 413)
		app.sawNothing(t)
	}

	// One that turns out too large when the application has it in part.
	c = s.dial(t, nil)
	c.send(chunkedPost("", "2\r\naa\r\n"))
	app.seen(t)
	c.send("3e8\r\n", strings.Repeat("a", 1000), "\r\n")
	c.wantRefusal("POST", 413)
	<-got
	<-got
	if part := await(t, "the application sees the end", got); part.err == nil {
		t.Errorf("the application took %q for a whole body", part.body)
	}
}

func TestPagesComeAsTheClientPrefers(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1")
	for _, test := range []struct{ accept, kind string }{
		{"", "text/html; charset=utf-8"},
		{"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n", "text/html; charset=utf-8"},
		{"Accept: */*\r\n", "text/html; charset=utf-8"},
		{"Accept: application/json\r\n", "application/problem+json"},
		{"Accept: application/problem+json, text/html;q=0.5\r\n", "application/problem+json"},
	} {
		c := s.dial(t, nil)
		c.send("GET / HTTP/1.1\r\nHost: h\r\n", test.accept, "\r\n")
		answer, page := c.wantRefusal("GET", 502)
		if got := answer.Header.Get("Content-Type"); got != test.kind {
			t.Errorf("%q: got %s, want %s", test.accept, got, test.kind)
		}
		var problem struct {
			Status        int
			Title, Reason string
		}
		isJSON := json.Unmarshal([]byte(page), &problem) == nil
		if isJSON != (test.kind == "application/problem+json") || (isJSON && (problem.Status != 502 || problem.Reason == "")) {
			t.Errorf("%q: the page is %s", test.accept, page)
		}
	}
}

func TestTheAnswerToHEADHasNoBody(t *testing.T) {
	s := startSidecar(t, "http://127.0.0.1:1", "MTLS_MAX_BODY_BYTES=10")
	for _, test := range []struct {
		raw    string
		status int
	}{
		{"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 502},
		{"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", 413},
	} {
		c := s.dial(t, nil)
		c.send(test.raw)
		answer, page := c.wantRefusal(http.MethodHead, test.status)
		if page != "" || answer.ContentLength <= 0 {
			t.Errorf("got a body of %q, Content-Length %d", page, answer.ContentLength)
		}
	}
	c := startSidecar(t, "http://127.0.0.1:1", "MTLS_VERIFY_CLIENT=on").dial(t, nil)
	c.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.wantRefusal(http.MethodHead, 400)
}

func TestARefusalIsNotLostToAResetWhileTheClientSends(t *testing.T) {
	stranger, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Stranger CA"}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := stranger.Issue(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	app := startBackend(t, answering(okAnswer))
	s := startSidecar(t, app.url, "MTLS_MAX_BODY_BYTES=1MiB")
	upload := strings.Repeat("u", 200<<10)
	for what, test := range map[string]struct {
		certificate *tls.Certificate
		raw         string
		status      int
	}{
		"an upload above the limit":       {nil, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n", 413},
		"an upload that is ambiguous":     {nil, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"an upload of an unknown client":  {&certificate, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\n\r\n", 400},
		"an upload whose chunks are torn": {nil, chunkedPost("", "zz\r\n"), 400},
	} {
		if modeOf(t) == overHTTP2 && (what == "an upload that is ambiguous" || what == "an upload whose chunks are torn") {
			continue // there are no chunks
		}
		c := s.dial(t, test.certificate)
		c.send(test.raw)
		// Everything is sent before anything is read, as simple clients do.
		for sent := 0; sent < len(upload); sent += 10 << 10 {
			c.send(upload[sent : sent+(10<<10)])
		}
		answer, page := c.wantRefusal("POST", test.status)
		if int64(len(page)) != answer.ContentLength || page == "" {
			t.Errorf("%s: got %d bytes of the page, want %d", what, len(page), answer.ContentLength)
		}
	}
	app.sawNothing(t)
}
