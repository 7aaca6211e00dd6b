//go:build !race

package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Over HTTP/2 a request is not without allocation. net/http itself makes some 44 for one
// like curl's, and 73 for a browser's (Go 1.26): the stream, its contexts and timer,
// the request, its URL and header, a string or two for each field, a copy of the answer's header, a
// closure for each frame that is written. They are counted here beside ours, in the same process.
//
// Ours, by kind, for an answer with three fields:
//
//	1  the stream, with its exchange
//	2  the names of the request's fields, sorted (more for more fields)
//	8  the watch that notices a client that cancels: itself, its channel, context.AfterFunc
//	2  room for the answer's header, and for the texts of its fields
//	5  the texts, and their places in the header
//	1  the goroutine that writes to the socket
//
// The answer in chunks has two fields less.
func TestARequestOverHTTP2AllocatesLittleBesidesWhatNetHTTPDoes(t *testing.T) {
	for _, test := range []struct {
		what   string
		fields []string
		answer string
		ours   float64
	}{
		{"curl", curlFields, smallAnswer, 19},
		{"a browser", browserFields(t), smallAnswer, 22},
		{"an answer in chunks", curlFields, chunkedAnswer, 13},
	} {
		t.Run(test.what, func(t *testing.T) {
			bare := allocations(t, newFixedStreams(t, bareH2(t), test.fields).exchange)
			got := allocations(t, newFixedStreams(t, startSidecar(t, fixedBackend(t, test.answer)).addr, test.fields).exchange)
			if ours := got - bare; ours > test.ours*1.1 {
				t.Errorf("%.2f allocations per request, of which net/http makes %.2f and we %.2f; want %.0f and at most a tenth more", got, bare, ours, test.ours)
			}
		})
	}
}

// What curlGet and browserGet say, in HTTP/2.
var curlFields = []string{"user-agent", "curl/8.5.0", "accept", "*/*"}

func browserFields(t *testing.T) []string {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(browserGet)))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for name, values := range r.Header {
		if name != "Connection" {
			all = append(all, strings.ToLower(name), values[0])
		}
	}
	return all
}

// fixedStreams makes the same request again and again over HTTP/2, and allocates
// nothing.
type fixedStreams struct {
	conn    *tls.Conn
	r       *bufio.Reader
	request []byte
	next    uint32
	scratch []byte
}

func newFixedStreams(t *testing.T, addr string, fields []string) *fixedStreams {
	t.Helper()
	config := clientConfig(&testCA(t).client)
	config.NextProtos = []string{"h2"}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: hang}, "tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	f := &fixedStreams{conn: conn, r: bufio.NewReader(conn), next: 1, scratch: make([]byte, 64<<10)}
	f.request = []byte(frame(frameHeaders, flagEndHeaders|flagEndStream, 1, fieldBlock(pseudo("GET", "/api/items?id=7", fields...)...)))
	if _, err := io.WriteString(conn, h2preface+frame(frameSettings, 0, 0)+frame(frameSettings, flagAck, 0)+frame(frameWindow, 0, 0, 1<<30)); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixedStreams) exchange() error {
	id := f.next
	f.next += 2
	binary.BigEndian.PutUint32(f.request[5:], id)
	if _, err := f.conn.Write(f.request); err != nil {
		return err
	}
	for {
		head := f.scratch[:9]
		if _, err := io.ReadFull(f.r, head); err != nil {
			return err
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		payload := f.scratch[:int(head[0])<<16|int(head[1])<<8|int(head[2])]
		if _, err := io.ReadFull(f.r, payload); err != nil {
			return err
		}
		switch {
		case kind == frameReset || kind == frameGoAway:
			return fmt.Errorf("the stream or connection was ended: %s", h2code(payload[len(payload)-4:]))
		case stream == id && flags&flagEndStream != 0 && (kind == frameHeaders || kind == frameData):
			return nil
		}
	}
}

// bareH2 is net/http's server with a handler that knows its answer.
func bareH2(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	contentType, date, length := []string{"application/json"}, []string{"Sun, 22 Nov 2026 09:00:00 GMT"}, []string{"13"}
	body := []byte("{\"ok\": true}\n")
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	server := &http.Server{
		Protocols: protocols, WriteTimeout: time.Hour, IdleTimeout: time.Hour,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCA(t).server}, ClientAuth: tls.RequestClientCert},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			header := w.Header()
			header["Content-Type"], header["Date"], header["Content-Length"] = contentType, date, length
			_, _ = w.Write(body)
		}),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return listener.Addr().String()
}
