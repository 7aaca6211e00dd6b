package http1_test

import (
	"errors"
	"fmt"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestRequestGivesEachPartAsSent(t *testing.T) {
	r, err := parseRequest("POST /a%2fb/../c//d;x?q=%20&r HTTP/1.1\r\n" +
		"hOsT: example.com\r\nX-Empty:\r\nX-Blank: \t \r\nX-Tab:\ta\tb\t\r\nX_Under: 1\r\nX-Utf8: gr\xc3\xbc\xc3\x9f\r\nX-Colon::a:b\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(r.Method); got != "POST" {
		t.Errorf("method %q, want POST", got)
	}
	if got := string(r.Target); got != "/a%2fb/../c//d;x?q=%20&r" {
		t.Errorf("target %q is not as sent", got)
	}
	if got := string(r.Host); got != "example.com" {
		t.Errorf("host %q, want example.com", got)
	}
	want := []string{"hOsT=example.com", "X-Empty=", "X-Blank=", "X-Tab=a\tb", "X_Under=1", "X-Utf8=gr\xc3\xbc\xc3\x9f", "X-Colon=:a:b"}
	if len(r.Fields) != len(want) {
		t.Fatalf("got %d fields, want %d", len(r.Fields), len(want))
	}
	for i, f := range r.Fields {
		if got := fmt.Sprintf("%s=%s", f.Name, f.Value); got != want[i] {
			t.Errorf("field %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestRequestForgetsTheOneBefore(t *testing.T) {
	var r http1.Request
	first := "POST /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade, x\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	if err := r.Parse([]byte(first), http1.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Parse([]byte("GET /b HTTP/1.0\r\n\r\n"), http1.Limits{}); err != nil {
		t.Fatal(err)
	}
	if r.Host != nil || len(r.Fields) != 0 || r.Framing != http1.NoBody || r.Length != 0 || r.Minor != 0 ||
		r.Upgrade || r.Expect100 || r.KeepAlive || r.Nominated([]byte("x")) {
		t.Errorf("something of the first request is left: %+v", r)
	}
}

func TestRequestIgnoresOneEmptyLineBeforeIt(t *testing.T) { // RFC 9112 §2.2
	r, err := parseRequest("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	if err != nil || string(r.Target) != "/x" {
		t.Errorf("got target %q, error %v", r.Target, err)
	}
	_, err = parseRequest("\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	checkRefusal(t, err, 400, "method")
}

func TestRequestLineIsReadStrictly(t *testing.T) { // RFC 9112 §3
	rows := []struct {
		line   string
		status int // 0: accepted
		says   string
	}{
		{"GET / HTTP/1.1", 0, ""},
		{"M-SEARCH / HTTP/1.1", 0, ""},
		{"get / HTTP/1.1", 0, ""}, // methods have case, RFC 9110 §9.1
		{"!#$%&'*+-.^_`|~ / HTTP/1.1", 0, ""},
		{"", 400, "method"},
		{"GET", 400, "request line"},
		{" GET / HTTP/1.1", 400, "request line"},
		{"\tGET / HTTP/1.1", 400, "method"},
		{"GE(T / HTTP/1.1", 400, "method"},
		{"G\x00T / HTTP/1.1", 400, "method"},
		{"G\xc3\xa9T / HTTP/1.1", 400, "method"},
		{"GET\t/ HTTP/1.1", 400, "method"},
		{"\x16\x03\x01 / HTTP/1.1", 400, "method"},
		{"GET  / HTTP/1.1", 400, "one space"},
		{"GE\nT / HTTP/1.1", 400, "line feed"},
		{"GET /\n HTTP/1.1", 400, "line feed"},
		{"GET / HTTP/1.1\n", 400, "line feed"},
		{"GET / HTTP/1.1\nX: y", 400, "line feed"},
		{"GET /  HTTP/1.1", 400, "version"},
		{"GET / HTTP/1.1 ", 400, "one space"},
		{"GET / HTTP/1.1\t", 400, "version"},
		{"GET /a b HTTP/1.1", 400, "version"},
		{"GET /\tHTTP/1.1", 400, "control byte"},
		{"GET /\r HTTP/1.1", 400, "carriage return"},
		{"GET / HTTP/1.1\r", 400, "carriage return"},
	}
	for _, row := range rows {
		_, err := parseRequest(row.line + "\r\nHost: a\r\n\r\n")
		checkRow(t, row.line, err, row.status, row.says)
	}
}

func TestRequestVersionIsHTTP1(t *testing.T) { // RFC 9112 §2.3, RFC 9110 §2.5
	rows := []struct {
		line   string
		status int // 0: accepted
		says   string
	}{
		{"GET / HTTP/1.0", 0, ""},
		{"GET / HTTP/1.2", 0, ""},
		{"GET / HTTP/1.9", 0, ""},
		{"GET /", 400, "no version"}, // HTTP/0.9
		{"GET / ", 400, "version"},
		{"GET / HTTP/0.9", 505, "version"},
		{"GET / HTTP/2.0", 505, "version"},
		{"PRI * HTTP/2.0", 505, "version"}, // the preface of HTTP/2, RFC 9113 §3.4
		{"GET / HTTP/3.0", 505, "version"},
		{"GET / HTTP/2", 400, "version"},
		{"GET / HTTP/1", 400, "version"},
		{"GET / HTTP/1.", 400, "version"},
		{"GET / HTTP/.1", 400, "version"},
		{"GET / HTTP/1,1", 400, "version"},
		{"GET / HTTP/1.10", 400, "version"},
		{"GET / HTTP/11.1", 400, "version"},
		{"GET / HTTP/01.1", 400, "version"},
		{"GET / HTTP/+1.1", 400, "version"},
		{"GET / http/1.1", 400, "version"},
		{"GET / HTTPS/1.1", 400, "version"},
		{"GET / ICY/1.1", 400, "version"},
	}
	for _, row := range rows {
		_, err := parseRequest(row.line + "\r\nHost: a\r\n\r\n")
		checkRow(t, row.line, err, row.status, row.says)
	}
}

func TestConnectAndTraceAreNotAllowed(t *testing.T) { // RFC 9110 §9.3.6, §9.3.8
	rows := []struct {
		line   string
		status int // 0: accepted
		says   string
	}{
		{"CONNECT example.com:443 HTTP/1.1", 405, "method"},
		{"CONNECT / HTTP/1.1", 405, "method"},
		{"TRACE / HTTP/1.1", 405, "method"},
		{"trace / HTTP/1.1", 405, "method"},
		{"TRACER / HTTP/1.1", 0, ""},
	}
	for _, row := range rows {
		_, err := parseRequest(row.line + "\r\nHost: a\r\n\r\n")
		checkRow(t, row.line, err, row.status, row.says)
	}
}

func TestRequestMinorVersionIsZeroOrOne(t *testing.T) { // RFC 9110 §2.5
	for version, want := range map[string]int{"1.0": 0, "1.1": 1, "1.2": 1, "1.9": 1} {
		r, err := parseRequest("GET / HTTP/" + version + "\r\nHost: a\r\n\r\n")
		if err != nil || r.Minor != want {
			t.Errorf("HTTP/%s gives minor %d, error %v, want %d", version, r.Minor, err, want)
		}
	}
}

func TestRequestMethodAndTargetSurviveARefusal(t *testing.T) {
	r, err := parseRequest("DELETE /x HTTP/1.1\r\n\r\n")
	if err == nil || string(r.Method) != "DELETE" || string(r.Target) != "/x" {
		t.Errorf("got %q %q, error %v", r.Method, r.Target, err)
	}
}

func TestRequestTargetHasOneOfThreeForms(t *testing.T) { // RFC 9112 §3.2
	rows := []struct {
		line   string // with Host: example.com:8443
		status int
		says   string
	}{
		{"GET / HTTP/1.1", 0, ""},
		{"GET //evil.example/x HTTP/1.1", 0, ""},
		{"GET /\xc3\xbc HTTP/1.1", 0, ""}, // no URI, but nginx passes it
		{"GET /%zz\"<>\\^`{|} HTTP/1.1", 0, ""},
		{"GET /a\x01 HTTP/1.1", 400, "control byte"},
		{"GET /a\x00 HTTP/1.1", 400, "control byte"},
		{"GET /a\x1f HTTP/1.1", 400, "control byte"},
		{"GET /a\x7f HTTP/1.1", 400, "control byte"},
		{"GET /a#b HTTP/1.1", 400, "fragment"},
		{"GET # HTTP/1.1", 400, "fragment"},
		{"GET http://example.com:8443/a#b HTTP/1.1", 400, "fragment"},

		{"OPTIONS * HTTP/1.1", 0, ""},
		{"GET * HTTP/1.1", 400, "OPTIONS"},
		{"options * HTTP/1.1", 400, "OPTIONS"},
		{"OPTIONS ** HTTP/1.1", 400, "neither"},
		{"OPTIONS */ HTTP/1.1", 400, "neither"},

		{"GET http://example.com:8443/ HTTP/1.1", 0, ""},
		{"GET HTTPS://EXAMPLE.com:8443/x?y HTTP/1.1", 0, ""},
		{"GET https://example.com:8443 HTTP/1.1", 0, ""},
		{"GET https://example.com:8443?q=/ HTTP/1.1", 0, ""},
		{"GET https://example.com/ HTTP/1.1", 400, "another host"},
		{"GET https://example.com:443/ HTTP/1.1", 400, "another host"},
		{"GET https://evil.example/ HTTP/1.1", 400, "another host"},
		{"GET https://user@example.com:8443/ HTTP/1.1", 400, "another host"},
		{"GET https://example.com:8443\\@evil/ HTTP/1.1", 400, "another host"},
		{"GET https:///x HTTP/1.1", 400, "another host"},
		{"GET https:/example.com:8443/ HTTP/1.1", 400, "neither"},
		{"GET ftp://example.com:8443/ HTTP/1.1", 400, "neither"},
		{"GET example.com:8443 HTTP/1.1", 400, "neither"},
		{"GET index.html HTTP/1.1", 400, "neither"},
		{"GET ?q HTTP/1.1", 400, "neither"},
		{"GET \\x HTTP/1.1", 400, "neither"},
	}
	for _, row := range rows {
		_, err := parseRequest(row.line + "\r\nHost: example.com:8443\r\n\r\n")
		checkRow(t, row.line, err, row.status, row.says)
	}
}

func TestRequestAbsoluteTargetNeedsHostInHTTP10Too(t *testing.T) { // RFC 9112 §3.2.2
	_, err := parseRequest("GET http://example.com/ HTTP/1.0\r\n\r\n")
	checkRefusal(t, err, 400, "another host")
}

func TestParseRefusesAHeadThatHeadEndDidNotCut(t *testing.T) {
	for _, whole := range []string{"\r\n" + browserHead, "GET / HTTP/1.1\r\nHost: a\r\nX \t : y"} {
		for cut := range len(whole) {
			var r http1.Request
			if err := r.Parse([]byte(whole[:cut]), http1.Limits{}); err == nil {
				t.Errorf("%q alone is accepted", whole[:cut])
			}
		}
	}
	var r http1.Request
	checkRefusal(t, r.Parse([]byte(curlHead+"X: y\r\n\r\n"), http1.Limits{}), 400, "after the head")
	for cut := range len(nodeHead) {
		var r http1.Response
		if err := r.Parse([]byte(nodeHead[:cut]), nil, http1.Limits{}); err == nil {
			t.Errorf("the first %d bytes of an answer alone are accepted", cut)
		}
	}
}

func TestRequestLimitsAreExact(t *testing.T) {
	const head = "GET /12345 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
	rows := []struct {
		lim  http1.Limits
		want error
	}{
		{http1.Limits{}, nil},
		{http1.Limits{Head: len(head), Target: 6, Fields: 2}, nil},
		{http1.Limits{Head: len(head) - 1}, http1.ErrHeadTooLarge},
		{http1.Limits{Fields: 1}, http1.ErrHeadTooLarge},
		{http1.Limits{Target: 5}, http1.ErrTargetTooLong},
		{http1.Limits{Target: 5, Head: 10}, http1.ErrTargetTooLong},
	}
	for _, row := range rows {
		_, err := parseRequestWithin(head, row.lim)
		if !errors.Is(err, row.want) {
			t.Errorf("%+v gives %v, want %v", row.lim, err, row.want)
		}
	}
	if http1.ErrHeadTooLarge.Status != 431 || http1.ErrTargetTooLong.Status != 414 {
		t.Error("RFC 6585 §5 has 431 for a head, RFC 9110 §15.5.15 has 414 for a target")
	}
}
