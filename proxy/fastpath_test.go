package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// The two ends of a relay that allocate nothing themselves, for counting
// allocations and for benchmarks.

// fixedBackend answers every head with the same bytes.
func fixedBackend(t testing.TB, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buffer, reply := make([]byte, 64<<10), []byte(answer)
		for filled := 0; ; {
			n, err := conn.Read(buffer[filled:])
			if err != nil {
				return
			}
			if filled += n; !bytes.HasSuffix(buffer[:filled], emptyLine) {
				continue
			}
			filled = 0
			if _, err := conn.Write(reply); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended // the sidecar has closed its connection by now
	})
	return "http://" + listener.Addr().String()
}

var emptyLine = []byte("\r\n\r\n")

// fixedClient sends the same request again and again and reads answers of a
// known size.
type fixedClient struct {
	conn            *tls.Conn
	request, answer []byte
}

func newFixedClient(t testing.TB, s *sidecar, request string, answerSize int) *fixedClient {
	c := s.dial(t, &testCA(t).client)
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	return &fixedClient{c.Conn, []byte(request), make([]byte, answerSize)}
}

var errNotOK = errors.New("the answer does not begin with HTTP/1.1 200")

// exchange makes one request and reads its answer.
func (c *fixedClient) exchange() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, c.answer); err != nil {
		return err
	}
	if !bytes.HasPrefix(c.answer, okStart) {
		return errNotOK
	}
	return nil
}

var okStart = []byte("HTTP/1.1 200")

// curlGet is what curl sends, browserGet what a browser does.
const (
	curlGet    = "GET /api/items?id=7 HTTP/1.1\r\nHost: app.example.org\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
	browserGet = "GET /api/items?id=7 HTTP/1.1\r\nHost: app.example.org\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"

	smallAnswer  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\nDate: Sun, 22 Nov 2026 09:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n{\"ok\": true}\n"
	smallRelayed = len(smallAnswer) - len("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n")

	chunkedAnswer  = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"ok\": true}\n\r\n0\r\n\r\n"
	chunkedRelayed = len(chunkedAnswer)
)
