package http1_test

import (
	"fmt"
	"testing"
	"time"

	"mtls-sidecar/proxy/http1"
)

func TestResponseGivesEachPartAsSent(t *testing.T) {
	r, err := parseResponse("HTTP/1.1 418 I'm a \xe2\x98\x95\tpot \r\nserver: x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\nabc", "GET")
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 418 || r.Minor != 1 || string(r.Reason) != "I'm a \xe2\x98\x95\tpot " {
		t.Errorf("got %d %q HTTP/1.%d", r.Status, r.Reason, r.Minor)
	}
	want := []string{"server=x", "Set-Cookie=a=1", "Set-Cookie=b=2", "Content-Length=3"}
	for i, f := range r.Fields {
		if got := fmt.Sprintf("%s=%s", f.Name, f.Value); i >= len(want) || got != want[i] {
			t.Errorf("field %d is %q", i, got)
		}
	}
	if len(r.Fields) != len(want) || r.Fields[0].Kind != http1.Server {
		t.Errorf("got %d fields, the first of kind %d", len(r.Fields), r.Fields[0].Kind)
	}
}

func TestStatusLineIsReadStrictly(t *testing.T) { // RFC 9112 §4
	rows := []struct {
		line string
		says string // empty: accepted
	}{
		{"HTTP/1.1 200 OK", ""},
		{"HTTP/1.0 404 Not Found", ""},
		{"HTTP/1.1 200 ", ""},
		{"HTTP/1.1 200", ""}, // without the space, as some servers send it
		{"HTTP/1.1 200  two spaces", ""},
		{"HTTP/1.1 100 Continue", ""},
		{"HTTP/1.1 599 x", ""},
		{"HTTP/1.1 099 x", "status line"},
		{"HTTP/1.1 000 x", "status line"},
		{"HTTP/1.1 600 x", "status line"},
		{"HTTP/1.1 999 x", "status line"},
		{"HTTP/1.1 20 OK", "status line"},
		{"HTTP/1.1 2000 OK", "status line"},
		{"HTTP/1.1 +20 OK", "status line"},
		{"HTTP/1.1 2x0 OK", "status line"},
		{"HTTP/1.1 200OK", "status line"},
		{"HTTP/1.1 200\tOK", "status line"},
		{"HTTP/1.1  200 OK", "status line"},
		{"HTTP/1.1\t200 OK", "status line"},
		{"HTTP/1.1 OK", "status line"},
		{"HTTP/1.1 ", "status line"},
		{"HTTP/1.1", "status line"},
		{"HTTP/1.1200 OK", "status line"},
		{"HTTP/2.0 200 OK", "version"},
		{"HTTP/2 200 OK", "version"},
		{"HTTP/0.9 200 OK", "version"},
		{"HTTP/1 200 OK", "version"},
		{"http/1.1 200 OK", "version"},
		{" HTTP/1.1 200 OK", "version"},
		{"ICY 200 OK", "version"},
		{"", "version"},
		{"HTTP/1.1 200 O\x00K", "reason phrase"},
		{"HTTP/1.1 200 O\x1bK", "reason phrase"},
		{"HTTP/1.1 200 O\x7fK", "reason phrase"},
		{"HTTP/1.1 200 O\rK", "carriage return"},
		{"HTTP/1.1 200\rK", "carriage return"},
		{"HTTP/1.1 200 OK\nX: y", "line feed"},
		{"HTTP/1.1 200\nX: y", "line feed"},
		{"\r\nHTTP/1.1 200 OK", "version"}, // RFC 9112 §2.2 tolerates it before requests alone
	}
	for _, row := range rows {
		status := 502
		if row.says == "" {
			status = 0
		}
		_, err := parseResponse(row.line+"\r\nX: y\r\n\r\n", "GET")
		checkRow(t, row.line, err, status, row.says)
	}
}

func TestResponseBodyIsWhatRFC9112Section6_3Says(t *testing.T) {
	const none, length, chunked = "", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"
	rows := []struct {
		method  string
		status  int
		fields  string
		framing http1.Framing
		length  int64
		says    string // not empty: refused
	}{
		{"GET", 200, none, http1.UntilClose, 0, ""},
		{"GET", 200, length, http1.Length, 5, ""},
		{"GET", 200, "Content-Length: 0\r\n", http1.Length, 0, ""},
		{"GET", 200, chunked, http1.Chunked, 0, ""},
		{"POST", 500, none, http1.UntilClose, 0, ""},
		{"head", 200, length, http1.Length, 5, ""}, // not HEAD: methods have case
		{"HEAD", 200, none, http1.NoBody, 0, ""},
		{"HEAD", 200, length, http1.NoBody, 0, ""},
		{"HEAD", 200, chunked, http1.NoBody, 0, ""}, // allowed, RFC 9112 §6.1
		{"HEAD", 500, none, http1.NoBody, 0, ""},
		{"GET", 304, none, http1.NoBody, 0, ""},
		{"GET", 304, length, http1.NoBody, 0, ""},
		{"GET", 304, chunked, http1.NoBody, 0, ""}, // allowed, RFC 9112 §6.1
		{"GET", 204, none, http1.NoBody, 0, ""},
		{"GET", 204, "Content-Length: 0\r\n", http1.NoBody, 0, ""},
		{"GET", 204, chunked, 0, 0, "has no body"},
		{"HEAD", 204, chunked, 0, 0, "has no body"},
		{"GET", 100, none, http1.NoBody, 0, ""},
		{"GET", 103, none, http1.NoBody, 0, ""},
		{"GET", 101, none, http1.NoBody, 0, ""},
		{"GET", 100, chunked, 0, 0, "has no body"},
		{"GET", 205, none, http1.UntilClose, 0, ""},
		{"HEAD", 200, length + chunked, 0, 0, "both"},
		{"GET", 304, length + length, 0, 0, "repeated"},
		{"HEAD", 200, "Content-Length: x\r\n", 0, 0, "content-length"},
	}
	for _, row := range rows {
		name := fmt.Sprintf("%s %d %q", row.method, row.status, row.fields)
		r, err := parseResponse(fmt.Sprintf("HTTP/1.1 %d x\r\n%s\r\n", row.status, row.fields), row.method)
		status := 502
		if row.says == "" {
			status = 0
		}
		checkRow(t, name, err, status, row.says)
		if err == nil && (r.Framing != row.framing || r.Length != row.length) {
			t.Errorf("%s: framing %d, length %d, want %d, %d", name, r.Framing, r.Length, row.framing, row.length)
		}
		if err == nil && r.KeepAlive != (row.framing != http1.UntilClose) {
			t.Errorf("%s: keep-alive %v", name, r.KeepAlive)
		}
	}
}

func TestResponseLimitsAnswer502(t *testing.T) {
	head := []byte("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n")
	var r http1.Response
	if err := r.Parse(head, nil, http1.Limits{Head: len(head), Fields: 2, Target: 1}); err != nil {
		t.Error(err)
	}
	checkRefusal(t, r.Parse(head, nil, http1.Limits{Head: len(head) - 1}), 502, "too large")
	checkRefusal(t, r.Parse(head, nil, http1.Limits{Fields: 1}), 502, "too large")
}

func TestKeepAliveTimeoutIsReadWhereItIsThere(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"timeout=5":                    5 * time.Second,
		"timeout=5, max=1000":          5 * time.Second,
		"max=1000 ,\tTimeout=75 ":      75 * time.Second,
		"timeout=0":                    0,
		"timeout=9223372036854775807":  (1<<63 - 1) / time.Second * time.Second,
		"timeout=99999999999999999999": -1,
		"":                             -1,
		"timeout":                      -1,
		"timeout=":                     -1,
		"timeout=-5":                   -1,
		"timeout=5s":                   -1,
		"xtimeout=5":                   -1,
		"300":                          -1,
	} {
		r, err := parseResponse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: "+value+"\r\n\r\n", "GET")
		if err != nil || r.KeepAliveTimeout != want {
			t.Errorf("%q gives %v, error %v, want %v", value, r.KeepAliveTimeout, err, want)
		}
	}
	r, err := parseResponse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET")
	if err != nil || r.KeepAliveTimeout != -1 {
		t.Errorf("without the field: %v, error %v, want -1", r.KeepAliveTimeout, err)
	}
}

// RFC 9110 §8.6 forbids the length; whoever sends it may send the body too.
func TestAnAnswerThatAnnouncesABodyItCannotHaveEndsItsConnection(t *testing.T) {
	for head, keep := range map[string]bool{
		"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n":   true,
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n":   false,
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n": true,
	} {
		var r http1.Response
		if err := r.Parse([]byte(head), []byte("GET"), http1.Limits{}); err != nil {
			t.Fatal(err)
		}
		if r.KeepAlive != keep {
			t.Errorf("%q: keep-alive is %t, want %t", head, r.KeepAlive, keep)
		}
	}
}
