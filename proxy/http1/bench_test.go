package http1_test

import (
	"bytes"
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

// Heads as curl, a browser and a Node application send them.
var (
	curlHead = lines(
		"GET /api/orders/42?expand=items HTTP/1.1",
		"Host: orders.example.com:8443",
		"User-Agent: curl/8.5.0",
		"Accept: */*",
		"")
	browserHead = lines(
		"GET /dashboard/index.html?lang=en&theme=dark HTTP/1.1",
		"Host: www.example.com",
		"Connection: keep-alive",
		"Cache-Control: max-age=0",
		"Upgrade-Insecure-Requests: 1",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.2.1234567890.1234567890",
		"Sec-Fetch-Mode: navigate",
		"")
	nodeHead = lines(
		"HTTP/1.1 200 OK",
		"Server: restify",
		"Content-Type: application/json",
		"Content-Length: 27",
		"Date: Sun, 22 Nov 2026 08:49:37 GMT",
		"Connection: keep-alive",
		"Keep-Alive: timeout=5",
		"")
)

// lines ends each line with CRLF.
func lines(line ...string) string { return strings.Join(line, "\r\n") + "\r\n" }

func BenchmarkParseRequest(b *testing.B) {
	for name, head := range map[string]string{"curl": curlHead, "browser": browserHead} {
		b.Run(name, func(b *testing.B) {
			buf := []byte(head)
			limits := http1.Limits{Head: 32 << 10, Target: 8 << 10, Fields: 100}
			var r http1.Request
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				n, err := http1.HeadEnd(buf, 0)
				if err != nil || n != len(buf) {
					b.Fatal(n, err)
				}
				if err = r.Parse(buf[:n], limits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	buf, method := []byte(nodeHead), []byte("GET")
	var r http1.Response
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		n, err := http1.HeadEnd(buf, 0)
		if err != nil || n != len(buf) {
			b.Fatal(n, err)
		}
		if err = r.Parse(buf[:n], method, http1.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChunkedBody decodes 1 MiB in chunks of 16 KiB, as Node sends large
// answers, out of a 32 KiB buffer.
func BenchmarkChunkedBody(b *testing.B) {
	chunk := append(http1.AppendChunkHead(nil, 16<<10), bytes.Repeat([]byte("x"), 16<<10)...)
	wire := bytes.Repeat(append(chunk, http1.CRLF...), 64)
	wire = append(wire, http1.LastChunkNoTrailer...)
	buf := make([]byte, 32<<10)
	var source bytes.Reader
	var reader http1.Reader
	var body http1.Body
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		source.Reset(wire)
		reader.Reset(&source, buf)
		body.Reset(&reader, http1.Chunked, 0)
		for {
			if _, err := body.Next(); err != nil {
				break
			}
		}
		if !body.Done() {
			b.Fatal("the body is not complete")
		}
	}
}
