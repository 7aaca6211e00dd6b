package http1_test

import (
	"testing"

	"mtls-sidecar/proxy/http1"
)

type framingRow struct {
	fields  string
	framing http1.Framing
	length  int64
	status  int // of a refused request; 0: accepted
	says    string
}

func TestContentLengthIsOneDecimalNumber(t *testing.T) { // RFC 9110 §8.6, RFC 9112 §6.3
	checkFraming(t, []framingRow{
		{"", http1.NoBody, 0, 0, ""},
		{"Content-Length: 0\r\n", http1.Length, 0, 0, ""},
		{"content-LENGTH:5\r\n", http1.Length, 5, 0, ""},
		{"Content-Length: \t5 \r\n", http1.Length, 5, 0, ""},
		{"Content-Length: 007\r\n", http1.Length, 7, 0, ""}, // 1*DIGIT, RFC 9110 §8.6
		{"Content-Length: 9223372036854775807\r\n", http1.Length, 9223372036854775807, 0, ""},
		{"Content-Length: 9223372036854775808\r\n", 0, 0, 400, "too large"},
		{"Content-Length: 18446744073709551621\r\n", 0, 0, 400, "too large"},
		{"Content-Length: 99999999999999999999999999999999999\r\n", 0, 0, 400, "too large"},
		{"Content-Length:\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: +5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: -5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5 5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5, 5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5,5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5,\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 0x5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5.0\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5;\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: \"5\"\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 1_0\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: \xd9\xa5\r\n", 0, 0, 400, "content-length"},
		{"Content-Length: 5\r\nContent-Length: 5\r\n", 0, 0, 400, "repeated"},
		{"Content-Length: 5\r\ncontent-length: 6\r\n", 0, 0, 400, "repeated"},
		{"Content-Length:\r\nContent-Length: 6\r\n", 0, 0, 400, "repeated"},
	})
}

func TestTransferEncodingIsChunkedAlone(t *testing.T) { // RFC 9112 §6.1
	checkFraming(t, []framingRow{
		{"Transfer-Encoding: chunked\r\n", http1.Chunked, 0, 0, ""},
		{"transfer-encoding:\tCHUNKED \r\n", http1.Chunked, 0, 0, ""},
		{"Transfer-Encoding: gzip\r\n", 0, 0, 501, "transfer coding"},
		{"Transfer-Encoding: identity\r\n", 0, 0, 501, "transfer coding"},
		{"Transfer-Encoding: xchunked\r\n", 0, 0, 501, "transfer coding"},
		{"Transfer-Encoding: chunked;q=1\r\n", 0, 0, 501, "transfer coding"},
		{"Transfer-Encoding: \"chunked\"\r\n", 0, 0, 501, "transfer coding"},
		{"Transfer-Encoding: chun\xe2\x84\xaaed\r\n", 0, 0, 501, "transfer coding"}, // the Kelvin sign folds to k in Unicode
		{"Transfer-Encoding:\r\n", 0, 0, 400, "empty"},
		{"Transfer-Encoding: gzip, chunked\r\n", 0, 0, 400, "list"},
		{"Transfer-Encoding: chunked, identity\r\n", 0, 0, 400, "list"},
		{"Transfer-Encoding: chunked,\r\n", 0, 0, 400, "list"},
		{"Transfer-Encoding: ,chunked\r\n", 0, 0, 400, "list"},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 0, 0, 400, "repeated"},
		{"Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n", 0, 0, 400, "repeated"},
		{"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", 0, 0, 400, "repeated"},
		{"Transfer-Encoding: \x0bchunked\r\n", 0, 0, 400, "control byte"},
	})
}

func TestContentLengthAndTransferEncodingExcludeEachOther(t *testing.T) { // RFC 9112 §6.3
	checkFraming(t, []framingRow{
		{"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 0, 0, 400, "both"},
		{"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 0, 0, 400, "both"},
		{"Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", 0, 0, 400, "both"},

		// Other spellings are other fields: package headers drops them.
		{"Transfer_Encoding: chunked\r\nContent_Length: 5\r\n", http1.NoBody, 0, 0, ""},
	})
}

func checkFraming(t *testing.T, rows []framingRow) {
	t.Helper()
	for _, row := range rows {
		r, err := parseRequest("POST / HTTP/1.1\r\nHost: a\r\n" + row.fields + "\r\n")
		checkRow(t, row.fields, err, row.status, row.says)
		if err == nil && (r.Framing != row.framing || r.Length != row.length) {
			t.Errorf("%q gives framing %d, length %d, want %d, %d", row.fields, r.Framing, r.Length, row.framing, row.length)
		}

		// An answer differs in that it always has an end, and in the status.
		status, framing := row.status, row.framing
		if status != 0 {
			status = 502
		} else if framing == http1.NoBody {
			framing = http1.UntilClose
		}
		a, err := parseResponse("HTTP/1.1 200 OK\r\n"+row.fields+"\r\n", "GET")
		checkRow(t, "answer: "+row.fields, err, status, row.says)
		if err == nil && (a.Framing != framing || a.Length != row.length) {
			t.Errorf("answer with %q gives framing %d, length %d, want %d, %d", row.fields, a.Framing, a.Length, framing, row.length)
		}
	}
}

func TestTransferEncodingInHTTP10IsRefused(t *testing.T) { // RFC 9112 §6.1
	_, err := parseRequest("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
	checkRefusal(t, err, 400, "HTTP/1.0")
	_, err = parseResponse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET")
	checkRefusal(t, err, 502, "HTTP/1.0")
	r, err := parseRequest("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n")
	if err != nil || r.Framing != http1.Length || r.Length != 3 {
		t.Errorf("content-length in HTTP/1.0 gives framing %d, length %d, error %v", r.Framing, r.Length, err)
	}
}
