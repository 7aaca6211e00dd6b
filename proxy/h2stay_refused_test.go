package proxy

import (
	"strings"
	"testing"
)

// gRPC's answers say 200 whatever has happened. Over HTTP/1.1 there is no gRPC, and
// whoever reads statuses there is to be told one (gRPC's PROTOCOL-HTTP2).
func TestOverHTTP2AloneARefusalIsGRPCs(t *testing.T) {
	const fields = "Host: h\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
	for _, scheme := range []string{"http", "h2c"} {
		s := startSidecar(t, scheme+"://127.0.0.1:1", "MTLS_MAX_BODY_BYTES=10")
		for _, test := range []struct {
			name, request string
			status        int
			grpc          string // gRPC's doc/http-grpc-status-mapping.md, and statuscodes.md for what is too large
		}{
			{"no application", "POST /s/m HTTP/1.1\r\n" + fields + "Content-Length: 5\r\n\r\nhello", 502, "14"},
			{"too large", "POST /s/m HTTP/1.1\r\n" + fields + "Content-Length: 11\r\n\r\nhello world", 413, "8"},
			{"a malformed head", "POST /s#m HTTP/1.1\r\n" + fields + "Content-Length: 5\r\n\r\nhello", 400, "13"},
		} {
			t.Run(scheme+" "+test.name, func(t *testing.T) {
				overBoth(t, func(t *testing.T, carrier mode) {
					c := s.dialOver(t, carrier)
					c.send(test.request)
					answer, page := c.answer("POST")
					kind, status := answer.Header.Get("Content-Type"), answer.Header.Get("Grpc-Status")
					switch {
					case carrier == overHTTP1 && (answer.StatusCode != test.status || !strings.HasPrefix(kind, "text/html") || status != ""):
						t.Errorf("got %d, %s, grpc-status %q, want %d as HTML: %s", answer.StatusCode, kind, status, test.status, page)
					case carrier == overHTTP2 && (answer.StatusCode != 200 || kind != "application/grpc" || status != test.grpc || page != ""):
						t.Errorf("got %d, %s, grpc-status %q, want 200 and %s: %s", answer.StatusCode, kind, status, test.grpc, page)
					}
				})
			})
		}
	}
}
