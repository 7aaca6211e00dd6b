package http1_test

import (
	"strings"
	"testing"
)

// RFC 9112 §3.2, RFC 9110 §7.2, RFC 3986 §3.2.2.
func TestHostIsRequiredOnceAndValid(t *testing.T) {
	accepted := []string{
		"a", "example.com", "EXAMPLE.com", "example.com.", "localhost:8080", "a:0", "a:65535", "a:00080",
		"a:", // RFC 3986 §3.2.3: port = *DIGIT
		"127.0.0.1", "127.0.0.1:80", "999.999.999.999", "my_host", "a~b", "!$&'()*+,;=", "%41.example", "xn--bcher-kva.example",
		"[::1]", "[::1]:", "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]", "[::1]:443", "[2001:DB8::a]:1", "[::ffff:1.2.3.4]:80", "[v1.fe80::a+en1]", "[V7f.:]:80",
	}
	refused := []string{
		"", ".", "..", "..x", ".x", "a..b", "a..", "a..:80", ":80", ":",
		"a b", "a\tb", "a/b", "a\\b", "user@a", "a?b", "a#b", "a,b c", "<a>", "\"a\"", "a|b", "a^b", "a`b", "{a}",
		"\xc3\xbc.example", "a%", "a%4", "a%zz", "%4g",
		"a:65536", "a:99999999999999999999", "a:-1", "a:+80", "a:8x", "a:80:80", "1.2.3.4:9000:80", "::1",
		"[", "[]", "[::1", "::1]", "[::1]x", "[::1].", "x[::1]", "[::1]:x", "[::1]:65536",
		"[1.2.3.4]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[:::1]", "[12345::]", "[::1]]", "[[::1]]", "[v.x]", "[v1.]", "[v1]", "[vg.x]", "[v1./]",
		"[" + strings.Repeat("0", 1000) + "::1]",
	}
	for _, host := range accepted {
		for _, version := range []string{"1.0", "1.1"} {
			r, err := parseRequest("GET / HTTP/" + version + "\r\nHost: " + host + "\r\n\r\n")
			if err != nil {
				t.Errorf("host %q in HTTP/%s is refused: %v", host, version, err)
			} else if string(r.Host) != host {
				t.Errorf("host %q became %q", host, r.Host)
			}
		}
	}
	for _, host := range refused {
		for _, version := range []string{"1.0", "1.1"} {
			_, err := parseRequest("GET / HTTP/" + version + "\r\nHost: " + host + "\r\n\r\n")
			checkRow(t, host, err, 400, "host is invalid")
		}
	}
}

func TestHostMayBeAbsentInHTTP10Alone(t *testing.T) { // RFC 9112 §3.2
	r, err := parseRequest("GET / HTTP/1.0\r\n\r\n")
	if err != nil || r.Host != nil {
		t.Errorf("got host %q, error %v, want none", r.Host, err)
	}
	_, err = parseRequest("GET / HTTP/1.1\r\n\r\n")
	checkRefusal(t, err, 400, "host is missing")
	_, err = parseRequest("GET / HTTP/1.2\r\nX-Host: a\r\n\r\n")
	checkRefusal(t, err, 400, "host is missing")
}

func TestHostRepeatedIsRefused(t *testing.T) { // RFC 9112 §3.2
	for _, version := range []string{"1.0", "1.1"} {
		for _, second := range []string{"a", "b", ""} {
			_, err := parseRequest("GET / HTTP/" + version + "\r\nHost: a\r\nX: y\r\nhost: " + second + "\r\n\r\n")
			checkRefusal(t, err, 400, "repeated")
		}
		_, err := parseRequest("GET / HTTP/" + version + "\r\nHost:\r\nhost: a\r\n\r\n")
		checkRefusal(t, err, 400, "repeated")
	}
}
