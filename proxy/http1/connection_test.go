package http1_test

import (
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestKeepAliveFollowsRFC9112Section9_3(t *testing.T) {
	rows := []struct {
		version, fields string
		want            bool
	}{
		{"1.1", "", true},
		{"1.2", "", true},
		{"1.1", "Connection: keep-alive\r\n", true},
		{"1.1", "Connection: close\r\n", false},
		{"1.1", "connection: CLOSE\r\n", false},
		{"1.1", "Connection: keep-alive, close\r\n", false},
		{"1.1", "Connection: te , close\r\nTE: trailers\r\n", false},
		{"1.1", "Connection: keep-alive\r\nConnection: x,close\r\n", false},
		{"1.1", "Connection: closed, x-close\r\n", true},
		{"1.1", "X-Connection: close\r\n", true},
		{"1.1", "Proxy-Connection: close\r\n", true},
		{"1.0", "", false},
		{"1.0", "Connection: keep-alive\r\n", true},
		{"1.0", "Connection: Keep-Alive, x\r\n", true},
		{"1.0", "Connection: keep-alive, close\r\n", false},
		{"1.0", "Proxy-Connection: keep-alive\r\n", false},
		{"1.0", "Keep-Alive: timeout=5\r\n", false},
	}
	for _, row := range rows {
		r, err := parseRequest("GET / HTTP/" + row.version + "\r\nHost: a\r\n" + row.fields + "\r\n")
		if err != nil || r.KeepAlive != row.want {
			t.Errorf("request %s %q: keep-alive %v, error %v, want %v", row.version, row.fields, r.KeepAlive, err, row.want)
		}
		a, err := parseResponse("HTTP/"+row.version+" 200 OK\r\nContent-Length: 0\r\n"+row.fields+"\r\n", "GET")
		if err != nil || a.KeepAlive != row.want {
			t.Errorf("answer %s %q: keep-alive %v, error %v, want %v", row.version, row.fields, a.KeepAlive, err, row.want)
		}
	}
}

func TestConnectionOptionsAreTokens(t *testing.T) { // RFC 9110 §7.6.1
	for value, ok := range map[string]bool{
		"":                 true, // empty elements count for nothing, §5.6.1.2
		",":                true,
		", ,close,,":       true,
		"a,b\t,\tc":        true,
		"a b":              false,
		"close;x":          false,
		"\"close\"":        false,
		"close, (x)":       false,
		"gr\xc3\xbcn":      false,
		"keep-alive close": false,
	} {
		status := 400
		if ok {
			status = 0
		}
		_, err := parseRequest("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + value + "\r\n\r\n")
		checkRow(t, value, err, status, "connection option")
	}
}

func TestNominatedNamesWhatConnectionNames(t *testing.T) {
	const fields = "Connection: close, X-One, X-A-Z\r\nX: X-Three\r\nConnection: ,x-TWO ,\r\nConnection:\r\n\r\n"
	r, err := parseRequest("GET / HTTP/1.1\r\nHost: a\r\n" + fields)
	if err != nil {
		t.Fatal(err)
	}
	a, err := parseResponse("HTTP/1.1 200 OK\r\n"+fields, "GET")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"X-One": true, "x-one": true, "X-TWO": true, "x-a-z": true, "x-a-y": false, "Close": true,
		"X-Three": false, "X-On": false, "X-Ones": false, "X_One": false, "": false, "Connection": false,
		// 32 bytes longer than X-One: its length alone does not rule it out
		"X-One" + strings.Repeat("x", 32): false,
	} {
		if got := r.Nominated([]byte(name)); got != want {
			t.Errorf("request: Nominated(%q) = %v, want %v", name, got, want)
		}
		if got := a.Nominated([]byte(name)); got != want {
			t.Errorf("answer: Nominated(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestNominatedStaysWhenTheBufferIsUsedAnew(t *testing.T) {
	buf := []byte("POST / HTTP/1.1\r\nHost: a\r\nConnection: X-One\r\n\r\n")
	var r http1.Request
	if err := r.Parse(buf, http1.Limits{}); err != nil {
		t.Fatal(err)
	}
	clear(buf)
	if !r.Nominated([]byte("x-one")) || r.Nominated([]byte("x-two")) {
		t.Error("the nominated names are those of the overwritten buffer")
	}
	next := []byte("POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Two\r\n\r\n")
	if err := r.Parse(next, http1.Limits{}); err != nil {
		t.Fatal(err)
	}
	if r.Nominated([]byte("x-one")) || !r.Nominated([]byte("x-two")) {
		t.Error("the nominated names are those of the request before")
	}
}

func TestUpgradeNeedsConnectionAndHTTP11(t *testing.T) { // RFC 9110 §7.8
	rows := []struct {
		version, fields string
		want            bool
	}{
		{"1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
		{"1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n", true},
		{"1.1", "Upgrade: websocket\r\n", false},
		{"1.1", "Connection: upgrade\r\n", false},
		{"1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", false},
	}
	for _, row := range rows {
		r, err := parseRequest("GET / HTTP/" + row.version + "\r\nHost: a\r\n" + row.fields + "\r\n")
		if err != nil || r.Upgrade != row.want {
			t.Errorf("request %s %q: upgrade %v, error %v, want %v", row.version, row.fields, r.Upgrade, err, row.want)
		}
		a, err := parseResponse("HTTP/"+row.version+" 101 Switching Protocols\r\n"+row.fields+"\r\n", "GET")
		if err != nil || a.Upgrade != row.want {
			t.Errorf("answer %s %q: upgrade %v, error %v, want %v", row.version, row.fields, a.Upgrade, err, row.want)
		}
	}
}

func TestExpectIs100ContinueOrRefused(t *testing.T) { // RFC 9110 §10.1.1
	rows := []struct {
		version, fields string
		status          int
		want            bool
	}{
		{"1.1", "", 0, false},
		{"1.1", "Expect: 100-continue\r\n", 0, true},
		{"1.1", "expect: 100-Continue\r\n", 0, true},
		{"1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", 0, true},
		{"1.0", "Expect: 100-continue\r\n", 0, false}, // to be ignored there
		{"1.1", "Expect: 200-ok\r\n", 417, false},
		{"1.1", "Expect:\r\n", 417, false},
		{"1.1", "Expect: 100-continue, x\r\n", 417, false},
		{"1.1", "Expect: 100-continue\r\nExpect: x\r\n", 417, false},
		{"1.1", "Expect: x\r\nExpect: 100-continue\r\n", 417, false},
	}
	for _, row := range rows {
		r, err := parseRequest("POST / HTTP/" + row.version + "\r\nHost: a\r\nContent-Length: 1\r\n" + row.fields + "\r\n")
		checkRow(t, row.fields, err, row.status, "expectation")
		if err == nil && r.Expect100 != row.want {
			t.Errorf("%s %q: Expect100 %v, want %v", row.version, row.fields, r.Expect100, row.want)
		}
	}
}

func TestKindMatchesNamesExactlyInAnyCase(t *testing.T) {
	for name, want := range map[string]http1.Kind{
		"host": http1.Host, "Host": http1.Host, "HOST": http1.Host,
		"Connection": http1.Connection, "Content-Length": http1.ContentLength, "Transfer-Encoding": http1.TransferEncoding,
		"TE": http1.TE, "te": http1.TE, "Trailer": http1.Trailer, "Upgrade": http1.Upgrade, "Expect": http1.Expect,
		"Keep-Alive": http1.KeepAlive, "Proxy-Connection": http1.ProxyConnection, "HTTP2-Settings": http1.HTTP2Settings,
		"X-Forwarded-For": http1.XForwardedFor, "X-Forwarded-Proto": http1.XForwardedProto, "X-Forwarded-Host": http1.XForwardedHost,
		"vary": http1.Vary, "Destination": http1.Destination, "Destinations": http1.Other, "X-Real-IP": http1.XRealIP, "X-Request-ID": http1.XRequestID, "x-request-id": http1.XRequestID,
		"Forwarded": http1.Forwarded, "Date": http1.Date, "Server": http1.Server,
		"": http1.Other, "T": http1.Other, "Hosts": http1.Other, "X-Host": http1.Other, "Content_Length": http1.Other,
		"Content-Lengtn": http1.Other, "Transfer-Encodin\x87": http1.Other, "\xc8ost": http1.Other, "hos\x54\x20": http1.Other,
		"connect\x89on": http1.Other, "content\x0dlength": http1.Other, "Transfer-Encoding-of-more-than-all": http1.Other,
	} {
		if got := http1.KindOf([]byte(name)); got != want {
			t.Errorf("KindOf(%q) = %d, want %d", name, got, want)
		}
	}
}
