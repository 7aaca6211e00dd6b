package proxy

import (
	"fmt"
	"strings"
	"testing"
)

// Violations of RFC 9113 §8.2: fields.

// plus is a request with these fields more.
func plus(pairs ...string) func(*wireClient) string {
	return func(c *wireClient) string { return c.get(1, "/", pairs...) }
}

// byReset is how net/http answers what is malformed to it, byPage how it answers
// fields of the connection, and how our parser answers all else.
const (
	byReset = "RST_STREAM PROTOCOL_ERROR"
	byPage  = "400"
)

func TestViolationsOfFieldNames(t *testing.T) {
	bad := func(what, name string) violation {
		return violation{name: what, rfc: "§8.2.1", send: plus(name, "x"), demands: malformed, answers: byReset}
	}
	testViolations(t, []violation{
		bad("an upper-case letter", "X-upper"),
		bad("VERIFIED in upper case", "VERIFIED"),
		bad("an empty name", ""),
		bad("a space within", "x y"),
		bad("a space at the end", "verified "),
		bad("a space at the beginning", " verified"),
		bad("a colon within", "x:y"),
		bad("a colon at the end", "verified:"),
		bad("a line end", "x\r\nverified"),
		bad("a line feed", "x\nverified"),
		bad("NUL", "x\x00"),
		bad("DEL", "x\x7f"),
		bad("a byte above ASCII", "x\xe9"),
		bad("UTF-8", "vérified"),
		bad("a comma", "x,y"),
		bad("a slash", "x/y"),
		bad("a whole line", "verified: "+spoof),
		{name: "every byte that a token may have", rfc: "9110 §5.6.2", send: plus("x!#$%&'*+-.^_`|~0z", "v"), demands: "200", reaches: "once",
			arrives: "X!#$%&'*+-.^_`|~0z: v"},
	})
}

func TestViolationsOfFieldValues(t *testing.T) {
	bad := func(what, value string) violation {
		return violation{name: what, rfc: "§8.2.1", send: plus("x", value), demands: malformed, answers: byReset}
	}
	trimmed := func(what, value string) violation {
		return violation{name: what, rfc: "§8.2.1", send: plus("x", value), demands: malformed, answers: "200",
			deviates: "HTTP/1.1, which the application is spoken to, does not count it to the value", reaches: "once", arrives: "X: v"}
	}
	testViolations(t, []violation{
		bad("a line end", "v\r\nVERIFIED: "+spoof),
		bad("a line feed", "v\nVERIFIED: "+spoof),
		bad("a carriage return", "v\rVERIFIED: "+spoof),
		bad("two line ends", "v\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"),
		bad("NUL", "v\x00"),
		bad("DEL", "v\x7f"),
		bad("escape", "\x1b[2J"),
		trimmed("a space at the beginning", " v"),
		trimmed("a space at the end", "v "),
		trimmed("a tab at the end", "v\t"),
		{name: "bytes above ASCII", rfc: "9110 §5.5", send: plus("x", "\xe9\xff\x80"), demands: "200", reaches: "once", arrives: "X: \xe9\xff\x80"},
		{name: "a tab within", rfc: "9110 §5.5", send: plus("x", "a\tb"), demands: "200", reaches: "once", arrives: "X: a\tb"},
		{name: "nothing", rfc: "9110 §5.5", send: plus("x", ""), demands: "200", reaches: "once"},
	})
}

func TestViolationsByFieldsOfTheConnection(t *testing.T) {
	bad := func(name, value string) violation {
		return violation{name: name + " " + value, rfc: "§8.2.2", send: plus(name, value), demands: malformed, answers: byPage}
	}
	testViolations(t, []violation{
		bad("connection", "close"),
		bad("connection", "verified"),
		bad("connection", ""),
		bad("keep-alive", "timeout=5"),
		bad("proxy-connection", "keep-alive"),
		bad("transfer-encoding", "chunked"),
		bad("transfer-encoding", "identity"),
		bad("upgrade", "websocket"),
		bad("te", "gzip"),
		bad("te", "trailers, gzip"),
		bad("te", "trailers;q=1"),
		{name: "te trailers", rfc: "§8.2.2", send: plus("te", "trailers"), demands: "200", reaches: "once", arrives: "TE: trailers"},
		{name: "te twice", rfc: "§8.2.2", send: plus("te", "trailers", "te", "trailers"), demands: "200", answers: byPage,
			deviates: "no client sends it twice"},
		{name: "te empty", rfc: "§8.2.2", send: plus("te", ""), demands: malformed, answers: "200", reaches: "once",
			deviates: "it says nothing and is not passed on"},
		{name: "http2-settings", rfc: "7540 §3.2.1", send: plus("http2-settings", "AAMAAABkAAQAAP__"), demands: "200", reaches: "once"},
		{name: "another spelling of transfer-encoding", rfc: "§8.2.2", send: plus("transfer_encoding", spoof), demands: "200", reaches: "once"},
	})
}

func TestFieldsThatSpeakForUsDoNotArriveOverHTTP2(t *testing.T) {
	var many, large []string
	for i := range maxFields {
		many = append(many, fmt.Sprintf("x-%d", i), "v")
	}
	for i := range 60 {
		large = append(large, fmt.Sprintf("x-%d", i), strings.Repeat("v", 1000))
	}
	rows := []violation{
		{name: "cookie crumbs", rfc: "§8.2.3", send: plus("cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"), demands: "200", reaches: "once",
			arrives: "Cookie: a=1; b=2; c=3"},
		{name: "more fields than are taken", rfc: "§10.5.1", send: plus(many...), demands: "431"},
		{name: "more bytes than are taken, in several frames", rfc: "§10.5.1", send: func(c *wireClient) string {
			all := c.fields(pseudo("GET", "/", large...)...)
			text := frame(frameHeaders, flagEndStream, 1, all[:16000])
			for all = all[16000:]; len(all) > 16000; all = all[16000:] {
				text += frame(frameContinuation, 0, 1, all[:16000])
			}
			return text + frame(frameContinuation, flagEndHeaders, 1, all)
		}, demands: "431 or GOAWAY PROTOCOL_ERROR", answers: "GOAWAY PROTOCOL_ERROR"},
		{name: "a field of 50,000 bytes", rfc: "§10.5.1", send: func(c *wireClient) string {
			all := c.fields(pseudo("GET", "/", "x", strings.Repeat("!", 50000))...)
			return frame(frameHeaders, flagEndStream, 1, all[:16000]) + frame(frameContinuation, 0, 1, all[16000:32000]) +
				frame(frameContinuation, 0, 1, all[32000:48000]) + frame(frameContinuation, flagEndHeaders, 1, all[48000:])
		}, demands: "431 or GOAWAY PROTOCOL_ERROR", answers: "GOAWAY COMPRESSION_ERROR",
			deviates: "the same end: the list that it would be part of is too large by itself"},
	}
	for _, name := range []string{"verified", "veri_fied", "dn", "d_n", "ssl-client-verify", "ssl_client_verify", "ssl.client.verify", "ssl~client-verify",
		"x-forwarded-client-cert", "x_forwarded_client_cert", "client-cert", "x-forwarded-proto", "x-real_ip", "x-forwarded-host", "forwarded"} {
		row := violation{name: name, rfc: "9110 §5.1", send: plus(name, spoof, name, spoof), demands: "200", reaches: "once"}
		if name == "veri_fied" || name == "d_n" { // that is another name to everybody
			row.send = plus(name, "v")
		}
		rows = append(rows, row)
	}
	testViolations(t, rows)
}
