package http1_test

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func TestChunkedBodyIsDecoded(t *testing.T) { // RFC 9112 §7.1
	rows := []struct {
		wire string
		want outcome
	}{
		{"0\r\n\r\nnext", outcome{rest: "next"}},
		{"5\r\nhello\r\n0\r\n\r\nGET /", outcome{data: "hello", rest: "GET /"}},
		{"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", outcome{data: "01234567890123456789"}},
		{"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", outcome{data: "hello"}},
		{"2\r\n\r\n\r\n0\r\n\r\n", outcome{data: "\r\n"}},
		{"9\r\n123456789\r\n0\r\n\r\n", outcome{data: "123456789"}},
		{"1f\r\n" + strings.Repeat("x", 31) + "\r\n0\r\n\r\n", outcome{data: strings.Repeat("x", 31)}},
		{"7fffffffffffffff\r\nx", outcome{data: "x", err: io.ErrUnexpectedEOF}},
		{"5;\r\nhello\r\n0\r\n\r\n", outcome{data: "hello"}},
		{"5;a=b;c=\"d e\t\xff\"\r\nhello\r\n0;last\r\n\r\n", outcome{data: "hello"}},
		{"1\r\nx\r\n0\r\nA: b\r\nc_d:e\r\n\r\nnext", outcome{data: "x", rest: "next", trailer: "A: b\r\nc_d: e\r\n"}},
		{"0\r\nA:\r\n\r\n\r\n", outcome{rest: "\r\n", trailer: "A: \r\n"}},
	}
	for _, row := range rows {
		if got := everyWay(t, row.wire, http1.Chunked, 0); got != row.want {
			t.Errorf("%q: got %+v, want %+v", row.wire, got, row.want)
		}
	}
}

func TestChunkedBodyIsReadStrictly(t *testing.T) { // RFC 9112 §7.1
	rows := []struct{ wire, says string }{
		{"\r\nhello\r\n", "1 to 16 hexadecimal"},
		{";x\r\n", "1 to 16 hexadecimal"},
		{" 5\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"5 \r\nhello\r\n", "1 to 16 hexadecimal"},
		{"5\t;x\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"+5\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"-5\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"0x5\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"5h\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"g\r\n", "1 to 16 hexadecimal"},
		{"5,5\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"\x00\r\n", "1 to 16 hexadecimal"},
		{"00000000000000005\r\nhello\r\n", "1 to 16 hexadecimal"},
		{"8000000000000000\r\n", "too large"},
		{"ffffffffffffffff\r\n", "too large"},
		{"fffffffffffffff0\r\n", "too large"},
		{"5\nhello\r\n", "bare line feed"},
		{"5;x\nhello\r\n", "bare line feed"},
		{"\n", "bare line feed"},
		{"5\rhello\r\n", "carriage return"},
		{"5\r\rhello\r\n", "carriage return"},
		{"5;x\ry\r\nhello\r\n", "carriage return"},
		{"5;\x00\r\nhello\r\n", "control byte"},
		{"5;\x0b\r\nhello\r\n", "control byte"},
		{"5;\x7f\r\nhello\r\n", "control byte"},
		{"5\r\nhello0\r\n\r\n", "not followed by"},
		{"5\r\nhello!\r\n0\r\n\r\n", "not followed by"},
		{"5\r\nhello\n0\r\n\r\n", "not followed by"},
		{"5\r\nhello\r0\r\n\r\n", "not followed by"},
		{"5\r\nhello\r\r\n0\r\n\r\n", "not followed by"},
		{"5\r\nhell\r\n0\r\n\r\n", "not followed by"},
		{"0\n\n", "bare line feed"},
		{"0\r\n\n", "bare line feed"},
		{"0\r\nA: b\n\r\n", "bare line feed"},
		{"0\r\nA: b\r\n\n", "bare line feed"},
		// trailer fields are checked as header fields are
		{"0\r\nA : b\r\n\r\n", "before a colon"},
		{"0\r\n A: b\r\n\r\n", "starts with white space"},
		{"0\r\nA: b\r\n c\r\n\r\n", "starts with white space"},
		{"0\r\nGET / HTTP/1.1\r\n\r\n", "not a token"},
		{"0\r\nA\r\n\r\n", "no colon"},
		{"0\r\n: b\r\n\r\n", "no name"},
		{"0\r\nA: \x00\r\n\r\n", "control byte"},
		{"0\r\nA: b\rc\r\n\r\n", "carriage return"},
		{"0\r\n\rA: b\r\n\r\n", "carriage return"},
	}
	for _, row := range rows {
		got := everyWay(t, row.wire, http1.Chunked, 0)
		checkRow(t, row.wire, got.err, 400, row.says)
	}
}

func TestChunkedBodyCutShortIsNotComplete(t *testing.T) {
	const wire = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for cut := range len(wire) {
		if got := everyWay(t, wire[:cut], http1.Chunked, 0); got.err != io.ErrUnexpectedEOF {
			t.Errorf("%q gives %v, want io.ErrUnexpectedEOF", wire[:cut], got.err)
		}
	}
}

func TestChunkExtensionsAreBounded(t *testing.T) {
	long := strings.Repeat("x", http1.MaxChunkExtension)
	rows := []struct {
		wire string
		says string
	}{
		{"1;" + long + "\r\na\r\n0\r\n\r\n", ""},
		{"1;" + long + "x\r\na\r\n0\r\n\r\n", "too long"},
		{"0;" + long + "x\r\n\r\n", "too long"},
		// CVE-2023-39326: many extensions with little data
		// 16 × (1024 - 1) leaves 16 bytes of 16 KiB
		{strings.Repeat("1;"+long+"\r\na\r\n", 16) + "1;" + long[:16] + "\r\na\r\n0\r\n\r\n", ""},
		{strings.Repeat("1;"+long+"\r\na\r\n", 16) + "1;" + long[:17] + "\r\na\r\n0\r\n\r\n", "too long"},
		{strings.Repeat("400;"+long+"\r\n"+long+"\r\n", 100) + "0\r\n\r\n", ""},
	}
	for _, row := range rows {
		got := everyWay(t, row.wire, http1.Chunked, 0)
		if row.says == "" && got.err != nil {
			t.Errorf("%.40q of %d bytes is refused: %v", row.wire, len(row.wire), got.err)
		}
		if row.says != "" {
			checkRefusal(t, got.err, 400, row.says)
		}
	}
}

func TestTrailersAreBounded(t *testing.T) {
	section := func(size int) string {
		const around = "A: \r\n\r\n"
		return "0\r\nA: " + strings.Repeat("x", size-len(around)) + "\r\n\r\n"
	}
	fields := func(n int) string { return "0\r\n" + strings.Repeat("A: b\r\n", n) + "\r\n" }
	for wire, ok := range map[string]bool{
		section(http1.MaxTrailer):             true,
		section(http1.MaxTrailer + 1):         false,
		section(http1.MaxTrailer * 3):         false,
		fields(http1.MaxTrailerFields):        true,
		fields(http1.MaxTrailerFields + 1):    false,
		"0\r\nA: " + strings.Repeat("x", 1e5): false, // does not wait for the end
	} {
		got := everyWay(t, wire, http1.Chunked, 0)
		if ok && got.err != nil {
			t.Errorf("a section of %d bytes is refused: %v", len(wire), got.err)
		}
		if !ok {
			checkRefusal(t, got.err, 400, "trailer section")
		}
	}
}

func TestTrailerOutlivesTheBufferAndEndsWithReset(t *testing.T) {
	var reader http1.Reader
	var body http1.Body
	buf := make([]byte, 64)
	reader.Reset(strings.NewReader("0\r\nExpires: 0\r\ncontent-length: 5\r\n\r\n"), buf)
	body.Reset(&reader, http1.Chunked, 0)
	if _, err := body.Next(); err != io.EOF {
		t.Fatal(err)
	}
	clear(buf)
	got := body.Trailer()
	if len(got) != 2 || string(got[0].Name) != "Expires" || string(got[0].Value) != "0" || got[1].Kind != http1.ContentLength {
		t.Errorf("got %q", got)
	}
	body.Reset(&reader, http1.Chunked, 0)
	if len(body.Trailer()) != 0 {
		t.Error("the trailer is still there after Reset")
	}
}

func TestAppendChunkHeadIsReadBackAsTheSameSize(t *testing.T) {
	for _, n := range []int{1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096, 1 << 20, math.MaxInt32, math.MaxInt} {
		got := string(http1.AppendChunkHead([]byte("before"), n))
		if want := fmt.Sprintf("before%x\r\n", n); got != want {
			t.Errorf("AppendChunkHead(%d) = %q, want %q", n, got, want)
		}
		if len(got) > len("before")+http1.MaxChunkHead {
			t.Errorf("the head of %d is longer than MaxChunkHead", n)
		}
	}
}
