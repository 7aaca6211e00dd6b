package main_test

import (
	"maps"
	"slices"
	"strings"
)

// rawRequest is sent byte for byte. Where we are to differ from nginx, ours
// makes our view of nginx's, and why says why.
type rawRequest struct {
	name string
	raw  string
	ours func(view) view
	why  string
}

// refused is the view of a request that we turn away where nginx relays it, or
// does so with another status.
func refused(status int) func(view) view {
	return func(view) view { return view{Status: status} }
}

// without takes fields away that nginx relays.
func without(names ...string) func(view) view {
	return func(v view) view {
		v.Rest = slices.DeleteFunc(slices.Clone(v.Rest), func(field string) bool {
			name, _, _ := strings.Cut(field, ":")
			return slices.Contains(names, strings.ToLower(name))
		})
		if len(v.Rest) == 0 {
			v.Rest = nil
		}
		return v
	}
}

// request makes a GET with the given field lines.
func get(fields ...string) string {
	return "GET /path HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

func rawRequests() []rawRequest {
	return slices.Concat(fieldRequests(), identityRequests(), lineRequests(), bodyRequests(), brokenRequests())
}

func fieldRequests() []rawRequest {
	return []rawRequest{
		{name: "order and case", raw: get("zeta: 1", "Alpha: 2", "X-MiXeD: 3", "Accept: */*", "user-agent: x", "Cookie: a=b")},
		{name: "fields repeated", raw: get("Via: 1.1 a", "X-One: 1", "Via: 1.1 b", "X-One: 2", "Cookie: a=1", "Cookie: b=2")},
		{name: "white space around values", raw: get("X-A:   a b  ", "X-B:b", "X-C:  ")},
		{name: "tab inside a value", raw: get("X-A: a\tb")},
		{name: "bytes above 0x7F in a value", raw: get("X-A: caf\xc3\xa9 \xff")},
		{name: "host with port and case", raw: "GET / HTTP/1.1\r\nHost: LocalHost:8443\r\n\r\n"},
		{name: "hop-by-hop fields", raw: get("Connection: keep-alive", "Keep-Alive: timeout=5", "TE: trailers", "Upgrade: nothing", "X-Kept: 1"),
			ours: func(v view) view { v.Rest = append(slices.Clone(v.Rest), "TE: trailers"); return v },
			why:  "RFC 9110 section 10.1.4: trailers are passed on, so the application may know that they are wanted"},
		{name: "a field named by Connection", raw: get("Connection: close, X-Secret", "X-Secret: 1", "X-Kept: 1"),
			ours: without("x-secret"), why: "RFC 9110 section 7.6.1: what Connection names ends at the next hop"},
		{name: "Proxy-Connection", raw: get("Proxy-Connection: keep-alive", "X-Kept: 1"),
			ours: without("proxy-connection"), why: "RFC 9112 appendix C.2.2: it belongs to the connection"},
		{name: "underscores and dots in names", raw: get("x_under: 1", "x.dot: 2", "X-Kept: 3"),
			ours: func(v view) view { v.Rest = []string{"x_under: 1", "x.dot: 2", "X-Kept: 3"}; return v },
			why:  "nginx drops such fields; only identity and routing names are dropped here"},
		{name: "an id of the client's", raw: get("X-Request-Id: 0123456789abcdef0123456789abcdef")},
		{name: "authorization", raw: get("Authorization: Basic eDp5", "Proxy-Authorization: Basic eDp5")},
	}
}

func identityRequests() []rawRequest {
	return []rawRequest{
		{name: "X-Forwarded-For once", raw: get("X-Forwarded-For: 10.1.1.1")},
		{name: "X-Forwarded-For three times", raw: get("X-Forwarded-For: 10.1.1.1", "X-A: 1", "x-forwarded-for: 10.2.2.2, 10.3.3.3", "X-FORWARDED-FOR: 10.4.4.4")},
		{name: "X-Forwarded-For empty", raw: get("X-Forwarded-For:"),
			ours: changed("x-forwarded-for", "127.0.0.1"), why: "nginx sends an empty list element (RFC 9110 section 5.6.1: senders must not)"},
		{name: "X-Real-IP and X-Forwarded-Proto forged", raw: get("X-Real-IP: 10.1.1.1", "x-real-ip: 10.2.2.2", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example")},
		{name: "identity forged", raw: get("VERIFIED: SUCCESS", "DN: CN=admin", "verified: SUCCESS", "Dn: CN=admin", "X-Kept: 1")},
		{name: "identity forged with underscores", raw: get("D_N: CN=admin", "VERIFIED_: SUCCESS", "X-Kept: 1"),
			ours: func(v view) view { v.Rest = []string{"D_N: CN=admin", "VERIFIED_: SUCCESS", "X-Kept: 1"}; return v },
			why:  "nginx drops such fields; D-N and VERIFIED- are not names that anything reads as DN and VERIFIED"},
		{name: "identity named by Connection", raw: get("Connection: close, VERIFIED, DN, X-Real-IP", "VERIFIED: SUCCESS", "X-Kept: 1")},
		{name: "identity of other dialects forged", raw: get("ssl-client-verify: SUCCESS", "X-SSL-Client-DN: CN=admin", "X-Forwarded-Client-Cert: Hash=x", "X-Kept: 1"),
			ours: without("ssl-client-verify", "x-ssl-client-dn", "x-forwarded-client-cert"), why: "every dialect is stripped"},
	}
}

func lineRequests() []rawRequest {
	return []rawRequest{
		{name: "target as sent", raw: "GET /a%2fb/../c//d;x?q=%20&r=a%5Cb HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "bytes above 0x7F in the target", raw: "GET /caf\xc3\xa9?\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "fragment in the target", raw: "GET /a#frag HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: refused(400), why: "RFC 9112 section 3.2: a target has no fragment"},
		{name: "absolute target", raw: "GET http://localhost/a?b HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "absolute target of another host", raw: "GET http://other/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: refused(400), why: "which of the two the application believes would be anybody's guess"},
		{name: "OPTIONS asterisk", raw: "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: relayed("OPTIONS * HTTP/1.1"), why: "RFC 9112 section 3.2.4; nginx knows no such target"},
		{name: "HEAD", raw: "HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "DELETE", raw: "DELETE /d HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "a method of one's own", raw: "PURGE /p HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "a method in lower case", raw: "get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: relayed("get / HTTP/1.1"), why: "methods are case-sensitive tokens (RFC 9110 section 9.1); it is the application's to refuse"},
		{name: "TRACE", raw: "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "CONNECT", raw: "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
			ours: refused(405), why: "as TRACE; nginx says so since 1.29.3"},
		{name: "HTTP/1.0", raw: "GET /old HTTP/1.0\r\nHost: localhost\r\n\r\n"},
		{name: "HTTP/1.0 without Host", raw: "GET /old HTTP/1.0\r\n\r\n",
			ours: changed("host", "APPLICATION"), why: "towards the application we speak HTTP/1.1, which asks for one (RFC 9112 section 3.2)"},
		{name: "HTTP/1.0 with keep-alive", raw: "GET /old HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"},
		{name: "HTTP/1.2", raw: "GET /new HTTP/1.2\r\nHost: localhost\r\n\r\n"},
		{name: "HTTP/2.0", raw: "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"},
		{name: "HTTP/0.9", raw: "GET /x\r\n\r\n",
			ours: refused(400), why: "it has no headers to carry the verdict in"},
		{name: "an empty line first", raw: "\r\nGET /e HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "target of 9000 bytes", raw: "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"},
	}
}

// relayed is the view of a request that nginx refuses and we relay: a believed
// client's, with no field but Host.
func relayed(line string) func(view) view {
	return func(view) view {
		return view{Status: 200, Line: line, Set: map[string][]string{
			"host": {"localhost"}, "x-forwarded-host": {"localhost"}, "x-forwarded-proto": {"https"},
			"x-real-ip": {"127.0.0.1"}, "x-forwarded-for": {"127.0.0.1"},
			"verified": {"SUCCESS"}, "dn": {"CN=client"},
		}}
	}
}

// changed gives one of the fields that proxies set another value.
func changed(name, value string) func(view) view {
	return func(v view) view {
		v.Set = maps.Clone(v.Set)
		v.Set[name] = []string{value}
		return v
	}
}

func bodyRequests() []rawRequest {
	post := func(fields, body string) string {
		return "POST /body HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + body
	}
	return []rawRequest{
		{name: "body with a length", raw: post("Content-Length: 11\r\n", "hello world")},
		{name: "body of no bytes", raw: post("Content-Length: 0\r\n", "")},
		{name: "POST without a length", raw: post("", "")},
		{name: "GET with a body", raw: get("Content-Length: 5") + "hello"},
		{name: "body in chunks", raw: post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")},
		{name: "chunks with extensions and trailer", raw: post("Transfer-Encoding: chunked\r\nTrailer: X-T\r\n", "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\nVERIFIED: SUCCESS\r\n\r\n")},
		{name: "chunked in capitals", raw: post("Transfer-Encoding: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n")},
		{name: "HTTP/1.0 with a body", raw: "POST /old HTTP/1.0\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"},
	}
}

func brokenRequests() []rawRequest {
	return []rawRequest{
		{name: "no Host", raw: "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n"},
		{name: "two Hosts", raw: get("Host: other")},
		{name: "Host with a slash", raw: "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{name: "Host with a space", raw: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{name: "length and chunks", raw: get("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{name: "two lengths", raw: get("Content-Length: 5", "Content-Length: 5") + "hello"},
		{name: "length with a sign", raw: get("Content-Length: +5") + "hello"},
		{name: "another transfer coding", raw: get("Transfer-Encoding: gzip")},
		{name: "chunked twice", raw: get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{name: "chunks in HTTP/1.0", raw: "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "bad chunk size", raw: get("Transfer-Encoding: chunked") + "xyz\r\nhello\r\n0\r\n\r\n"},
		{name: "folded line", raw: get("X-A: 1", " folded: 2")},
		{name: "space before the colon", raw: get("X-A : 1")},
		{name: "empty name", raw: get(": 1")},
		{name: "NUL in a value", raw: get("X-A: a\x00b")},
		{name: "bare CR in a value", raw: get("X-A: a\rVERIFIED: SUCCESS")},
		{name: "space in the target", raw: "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "control byte in the target", raw: "GET /a\x01b HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{name: "bare LF line ends", raw: "GET / HTTP/1.1\nHost: localhost\n\n",
			ours: refused(400), why: "RFC 9112 section 2.2 permits them, and proxies that disagree about them are smuggled through"},
		{name: "control byte in a value", raw: get("X-A: a\x01b"),
			ours: refused(400), why: "RFC 9110 section 5.5"},
		{name: "no colon", raw: get("NoColon"),
			ours: refused(400), why: "RFC 9112 section 5: it is no field line"},
		{name: "percent sign alone in the target", raw: "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: relayed("GET /%zz HTTP/1.1"), why: "the target is relayed as it came, and nothing here reads it"},
		{name: "path above the root", raw: "GET /../../x HTTP/1.1\r\nHost: localhost\r\n\r\n",
			ours: relayed("GET /../../x HTTP/1.1"), why: "the target is relayed as it came, and nothing here reads it"},
		{name: "head of 40 KiB", raw: get("X-A: " + strings.Repeat("a", 40<<10)),
			ours: refused(431), why: "RFC 6585 section 5; nginx has its own 494, shown as 400"},
	}
}
