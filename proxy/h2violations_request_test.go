package proxy

import (
	"strings"
	"testing"
)

// Violations of RFC 9113 §8.3 and §8.5: the pseudo-header fields.

// asks is a request of these fields alone.
func asks(pairs ...string) func(*wireClient) string {
	return func(c *wireClient) string { return c.headers(1, flagEndStream, pairs...) }
}

// asksBut is a request with another value for one pseudo-header field.
func asksBut(name, value string) func(*wireClient) string {
	all := pseudo("GET", "/")
	for i := range all {
		if all[i] == name {
			all[i+1] = value
		}
	}
	return asks(all...)
}

func TestViolationsOfPseudoFields(t *testing.T) {
	const rfc = "§8.3"
	whole := func(more ...string) func(*wireClient) string { return asks(append(pseudo("GET", "/"), more...)...) }
	rows := []violation{
		{name: "after a field", send: asks(":method", "GET", ":scheme", "https", "x", "y", ":authority", "h", ":path", "/")},
		{name: "an unknown one", send: whole(":verified", spoof)},
		{name: "an answer's", send: whole(":status", "200")},
		{name: "only an answer's", send: asks(":status", "200")},
		{name: "one of no name", send: whole(":", "x")},
		{name: "upper case", send: asks(":METHOD", "GET", ":scheme", "https", ":authority", "h", ":path", "/")},
		{name: ":method twice", send: asks(append([]string{":method", "GET"}, pseudo("GET", "/")...)...)},
		{name: ":scheme twice", send: asks(append([]string{":scheme", "https"}, pseudo("GET", "/")...)...)},
		{name: ":path twice", send: asks(append([]string{":path", "/a"}, pseudo("GET", "/b")...)...)},
		{name: ":authority twice", send: asks(append([]string{":authority", "h"}, pseudo("GET", "/")...)...)},
		{name: "no :method", send: asks(":scheme", "https", ":authority", "h", ":path", "/")},
		{name: "no :scheme", send: asks(":method", "GET", ":authority", "h", ":path", "/")},
		{name: "no :path", send: asks(":method", "GET", ":scheme", "https", ":authority", "h")},
		{name: "none at all", send: asks("host", "h")},
		{name: "an empty block", send: sends(frame(frameHeaders, flagEndHeaders|flagEndStream, 1))},
		{name: "an empty :method", send: asksBut(":method", "")},
		{name: "an empty :scheme", send: asksBut(":scheme", "")},
		{name: "an empty :path", send: asksBut(":path", "")},
		{name: "a line end in :path", send: asksBut(":path", "/ HTTP/1.1\r\nVERIFIED: "+spoof+"\r\nx: ")},
		{name: "a line feed in :path", send: asksBut(":path", "/\nVERIFIED: "+spoof)},
		{name: "NUL in :path", send: asksBut(":path", "/\x00")},
		{name: "DEL in :path", send: asksBut(":path", "/\x7f")},
		{name: "a line end in :method", send: asksBut(":method", "GET / HTTP/1.1\r\nVERIFIED: "+spoof+"\r\nx: ")},
		{name: "a line end in :authority", send: asksBut(":authority", "h\r\nVERIFIED: "+spoof)},
		{name: "a line end in :scheme", send: asksBut(":scheme", "https\r\n")},
	}
	for i := range rows {
		rows[i].rfc, rows[i].demands, rows[i].answers = rfc, malformed, byReset
	}
	testViolations(t, rows)
}

func TestViolationsOfPaths(t *testing.T) {
	const rfc = "§8.3.1"
	bad := func(path, answer string) violation {
		return violation{name: path, rfc: rfc, send: asksBut(":path", path), demands: malformed, answers: answer}
	}
	good := func(path string) violation {
		return violation{name: path, rfc: rfc, send: asksBut(":path", path), demands: "200", reaches: "once"}
	}
	testViolations(t, []violation{
		bad("hello", byReset),
		bad("*", byPage),
		bad("https://h/", byPage),
		bad("http://other/", byPage),
		bad("h:443", byPage),
		bad("?a=b", byReset),
		bad("/a b", byPage),
		bad("/ HTTP/1.1", byPage),
		bad("/a\tb", byReset),
		bad("/#fragment", byPage),
		// Over HTTP/1.1 they are passed on, as they came; net/http parses the path, and gives no choice.
		{name: "percent signs that escape nothing", rfc: "3986 §2.1", send: asksBut(":path", "/%zz"), demands: malformed, answers: byReset},
		{name: "bytes above ASCII", rfc: "3986 §2", send: asksBut(":path", "/\xe9"), demands: "200 or 400", answers: "200", reaches: "once"},
		good("//other/"),
		good("/../%2e%2e/;/\\"),
		good(`/"<>^{|}` + "`"),
		{name: "a long one", rfc: "9110 §15.5.15", send: asksBut(":path", "/"+strings.Repeat("x", maxTarget)), demands: "414"},
		{name: "OPTIONS *", rfc: rfc, send: asks(pseudo("OPTIONS", "*")...), demands: "200", reaches: "once"},
		{name: "OPTIONS without a slash", rfc: rfc, send: asks(pseudo("OPTIONS", "x")...), demands: malformed, answers: byReset},
	})
}

func TestViolationsOfMethodsAndSchemes(t *testing.T) {
	method := func(value, demands, answers string) violation {
		return violation{name: value, rfc: "9110 §9.1", send: asksBut(":method", value), demands: demands, answers: answers}
	}
	lower := method("get", "200", "")
	lower.reaches = "once"
	const other = "nobody asks us for another scheme: we are reached over TLS"
	testViolations(t, []violation{
		method("GET /x", malformed, byPage),
		method("GET\t", malformed, byPage),
		method(" GET", malformed, byPage),
		method("GET:", malformed, byPage),
		method("G\xc9T", malformed, byPage),
		method("(GET)", malformed, byPage),
		method("TRACE", "405", ""),
		lower,
		{name: "CONNECT", rfc: "§8.5", send: asks(":method", "CONNECT", ":authority", "h:443"), demands: "405"},
		{name: "CONNECT with a path", rfc: "§8.5", send: asks(pseudo("CONNECT", "/")...), demands: malformed, answers: byReset},
		{name: "CONNECT to nobody", rfc: "§8.5", send: asks(":method", "CONNECT"), demands: malformed, answers: byReset},
		{name: "extended CONNECT", rfc: "8441 §4", send: asks(pseudo("CONNECT", "/", ":protocol", "websocket")...), demands: malformed, answers: byReset},
		{name: ":protocol with GET", rfc: "8441 §4", send: asks(pseudo("GET", "/", ":protocol", "websocket")...), demands: malformed, answers: byReset},
		{name: "the preface's method", rfc: "§3.4", send: asks(pseudo("PRI", "*")...), demands: malformed, answers: byPage},
		{name: ":scheme http", rfc: "§8.3.1", send: asksBut(":scheme", "http"), demands: "200 or 400 or 421", answers: "200", reaches: "once"},
		{name: ":scheme HTTPS", rfc: "3986 §3.1", send: asksBut(":scheme", "HTTPS"), demands: "200", answers: byReset, deviates: "every client sends it in lower case"},
		{name: ":scheme ftp", rfc: "§8.3.1", send: asksBut(":scheme", "ftp"), demands: "200 or 400 or 421", answers: byReset, deviates: other},
		{name: ":scheme with a space", rfc: "§8.3.1", send: asksBut(":scheme", "https "), demands: malformed, answers: byReset},
	})
}

func TestViolationsOfAuthorities(t *testing.T) {
	const rfc = "§8.3.1"
	bad := func(authority, answer string) violation {
		return violation{name: authority, rfc: rfc, send: asksBut(":authority", authority), demands: malformed, answers: answer}
	}
	hosts := func(what string, pairs ...string) violation {
		return violation{name: what, rfc: rfc, send: asks(append([]string{":method", "GET", ":scheme", "https", ":path", "/"}, pairs...)...), demands: malformed, answers: byPage}
	}
	passes := func(row violation, arrives string) violation {
		row.demands, row.answers, row.reaches, row.arrives = "200", "", "once", arrives
		return row
	}
	again := hosts("host in another case", ":authority", "h", "host", "H")
	again.deviates, again.demands = "no client sends both, and less so differently", "200"
	user := hosts("host with userinfo", "host", "user@h")
	user.answers = byReset
	empty := hosts("an empty :authority and a host", ":authority", "", "host", "h")
	testViolations(t, []violation{
		bad("user@h", byReset),
		bad("user:word@h:1", byReset),
		bad("@h", byReset),
		bad("h h", byPage),
		bad("h/path", byPage),
		bad("h?query", byPage),
		bad("h#fragment", byPage),
		bad(`h\other`, byPage),
		bad("h:x", byPage),
		bad("h:65536", byPage),
		bad("h:-1", byPage),
		bad(":443", byPage),
		bad("[::1", byPage),
		bad("[h]", byPage),
		bad("::1", byPage),
		bad("h\xe9", byPage),
		bad("..", byPage),
		hosts("neither :authority nor host"),
		hosts("an empty :authority", ":authority", ""),
		hosts("an empty host", "host", ""),
		hosts("host differs", ":authority", "h", "host", "other"),
		hosts("host differs in the port", ":authority", "h:443", "host", "h"),
		hosts("host twice", "host", "h", "host", "h"),
		hosts("host twice with :authority", ":authority", "h", "host", "h", "host", "h"),
		hosts("host with a space", "host", "h h"),
		passes(hosts("host alone", "host", "h"), "Host: h"),
		passes(hosts("host again", ":authority", "h", "host", "h"), "Host: h"),
		passes(empty, "Host: h"),
		passes(bad("H.Example:8443", ""), "Host: H.Example:8443"),
		passes(bad("h,other", ""), "Host: h,other"), // RFC 3986 §3.2.2 has a comma in names
		passes(bad("[::1]:443", ""), "Host: [::1]:443"),
		again,
		user,
	})
}
