package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

// FuzzRequest: whatever we accept, net/http reads as the same request with the
// same body, and finds the same bytes after it. Known differences:
//   - net/http does not skip an empty line before the request;
//   - it refuses targets that url.ParseRequestURI refuses ("/%zz"), and trailer
//     announcements of framing fields;
//   - it moves Host, Transfer-Encoding and (when chunked) Trailer out of the
//     header, and adds Cache-Control where Pragma asks for it;
//   - it is laxer in all else that TestHeaderLinesAreReadStrictly refuses.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		curlHead, browserHead, "\r\n" + curlHead,
		"GET http://a/ HTTP/1.1\r\nHost: A\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive, x\r\nPragma: no-cache\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET / HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nnext",
		"GET / HTTP/1.1\r\nHost: a\r\nX:\t\xff \r\nx: 2\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n z\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"GET / HTTP/1.1\nHost: a\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := http1.HeadEnd(data, 0)
		if err != nil || n == 0 {
			return
		}
		var ours http1.Request
		if ours.Parse(data[:n], http1.Limits{}) != nil {
			return
		}
		if _, err = url.ParseRequestURI(string(ours.Target)); err != nil {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(bytes.TrimPrefix(data, []byte("\r\n"))), len(data)+16)
		theirs, err := http.ReadRequest(in)
		if err != nil {
			if strings.Contains(err.Error(), "bad trailer key") {
				return
			}
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		if theirs.Method != string(ours.Method) || theirs.RequestURI != string(ours.Target) {
			t.Errorf("request line: %q %q, net/http has %q %q", ours.Method, ours.Target, theirs.Method, theirs.RequestURI)
		}
		if !strings.EqualFold(theirs.Host, string(ours.Host)) {
			t.Errorf("host %q, net/http has %q", ours.Host, theirs.Host)
		}
		if theirs.Close == ours.KeepAlive {
			t.Errorf("keep-alive is %v, net/http has close %v", ours.KeepAlive, theirs.Close)
		}
		sameFields(t, ours.Fields, theirs.Header)
		after := readBody(bytes.NewReader(data[n:]), ours.Framing, ours.Length, 64)
		sameBody(t, after, theirs.Body, in)
		sameTrailer(t, after, theirs.Trailer)
	})
}

// FuzzResponse: the same for answers. net/http also takes "Connection: close"
// out of the header, accepts any status of three digits, and heeds the last of
// several equal Content-Length fields.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		nodeHead + "{\"a\":\"twenty-seven bytes\"}....",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nnext",
		"HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 200\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nnext",
		"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nnext",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\nxy",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, isHead bool) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		n, err := http1.HeadEnd(data, 0)
		if err != nil || n == 0 {
			return
		}
		var ours http1.Response
		if ours.Parse(data[:n], []byte(method), http1.Limits{}) != nil {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(data), len(data)+16)
		theirs, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			if strings.Contains(err.Error(), "bad trailer key") {
				return
			}
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		if theirs.StatusCode != ours.Status {
			t.Errorf("status %d, net/http has %d", ours.Status, theirs.StatusCode)
		}
		// net/http trusts a status that has no body over a length that announces one.
		announced := ours.Status < 200 || ours.Status == 204
		announced = announced && strings.Trim(theirs.Header.Get("Content-Length"), "0") != ""
		if theirs.Close == ours.KeepAlive && !(announced && !ours.KeepAlive) {
			t.Errorf("keep-alive is %v, net/http has close %v", ours.KeepAlive, theirs.Close)
		}
		sameFields(t, ours.Fields, theirs.Header)
		after := readBody(bytes.NewReader(data[n:]), ours.Framing, ours.Length, 64)
		sameBody(t, after, theirs.Body, in)
		sameTrailer(t, after, theirs.Trailer)
	})
}

// FuzzChunked: what we accept, net/http decodes to the same bytes and trailer
// and with the same bytes left, however it arrives; and our own framing of the
// data is read back as the same data.
func FuzzChunked(f *testing.F) {
	for _, seed := range []string{
		"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nnext", "a;x=\"y\"\r\n0123456789\r\n00\r\nA: b\r\n\r\n",
		"5\nhello\n0\n\n", "5 \r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nx", "1\r\nab\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(63))
	}
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		ours := readBody(bytes.NewReader(data), http1.Chunked, 0, int(size)+1)
		if whole := readBody(bytes.NewReader(data), http1.Chunked, 0, len(data)+1); whole != ours {
			t.Errorf("with a buffer of %d bytes: %+v, with all bytes at once: %+v", int(size)+1, ours, whole)
		}
		if ours.err != nil {
			return
		}
		in := bufio.NewReaderSize(io.MultiReader(strings.NewReader(head), bytes.NewReader(data)), len(head)+len(data)+16)
		theirs, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		sameBody(t, ours, theirs.Body, in)
		sameTrailer(t, ours, theirs.Trailer)
		if len(ours.data) == 0 {
			return
		}
		again := append(http1.AppendChunkHead(nil, len(ours.data)), ours.data...)
		again = append(again, http1.CRLF+http1.LastChunkNoTrailer+"rest"...)
		want := outcome{data: ours.data, rest: "rest"}
		if got := readBody(bytes.NewReader(again), http1.Chunked, 0, 64); got != want {
			t.Errorf("chunked anew: got %+v, want %+v", got, want)
		}
	})
}

// sameFields compares field lists name by name, in the order of each name.
func sameFields(t *testing.T, fields []http1.Field, theirs http.Header) {
	t.Helper()
	ours := http.Header{}
	for _, f := range fields {
		key := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		ours[key] = append(ours[key], string(f.Value))
	}
	if ours["Cache-Control"] == nil && ours["Pragma"] != nil {
		delete(theirs, "Cache-Control")
	}
	for _, moved := range []string{"Connection", "Host", "Trailer", "Transfer-Encoding"} {
		if theirs[moved] == nil {
			delete(ours, moved)
		}
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("fields %q, net/http has %q", ours, theirs)
	}
}

// sameBody compares data, completeness and, if complete, what is left of in.
// What we refuse is not compared: net/http is laxer with chunks.
func sameBody(t *testing.T, ours outcome, body io.Reader, in *bufio.Reader) {
	t.Helper()
	var refusal *http1.Error
	if errors.As(ours.err, &refusal) {
		return
	}
	data, err := io.ReadAll(body)
	if (err == nil) != (ours.err == nil) {
		t.Errorf("body error %v, net/http has %v", ours.err, err)
		return
	}
	if err != nil {
		return
	}
	rest, _ := io.ReadAll(in)
	if string(data) != ours.data || string(rest) != ours.rest {
		t.Errorf("body %q, then %q; net/http has %q, then %q", ours.data, ours.rest, data, rest)
	}
}

// sameTrailer compares complete trailers. net/http lists announced names too.
func sameTrailer(t *testing.T, ours outcome, theirs http.Header) {
	t.Helper()
	if ours.err != nil {
		return
	}
	maps.DeleteFunc(theirs, func(_ string, values []string) bool { return len(values) == 0 })
	want, err := textproto.NewReader(bufio.NewReader(strings.NewReader(ours.trailer + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Errorf("trailer %q: %v", ours.trailer, err)
	}
	if len(want)+len(theirs) > 0 && !reflect.DeepEqual(http.Header(want), theirs) {
		t.Errorf("trailer %q, net/http has %q", want, theirs)
	}
}
