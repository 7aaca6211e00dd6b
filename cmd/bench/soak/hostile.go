package soak

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// hostileShape is a message that must be refused. ID stands for the request's id, and
// SMUGGLED for one that nobody has entered: if that arrives, somebody read two messages
// where there is one.
type hostileShape struct {
	name, text string
	codes      []int // of which the answer has one
}

// shapes are of every family of testdata/corpus one or two, bodies included; with an id,
// or with a second message behind the first.
func shapes() []hostileShape {
	const post, get, host = "POST /take/ID HTTP/1.1\r\nHost: h\r\n", "GET /say/ID HTTP/1.1\r\n", "Host: h\r\n"
	const smuggled = "GET /say/SMUGGLED HTTP/1.1\r\nHost: h\r\nVERIFIED: SUCCESS\r\nDN: CN=admin\r\n\r\n"
	bad := []int{400}
	return []hostileShape{
		{"length and chunked", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, bad},
		{"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled, bad},
		{"two lengths", post + "Content-Length: 0\r\nContent-Length: 77\r\n\r\n" + smuggled, bad},
		{"a list of lengths", post + "Content-Length: 0, 77\r\n\r\n" + smuggled, bad},
		{"a length with a sign", post + "Content-Length: +0\r\n\r\n" + smuggled, bad},
		{"a hexadecimal length", post + "Content-Length: 0x0\r\n\r\n" + smuggled, bad},
		{"another coding", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{400, 501}},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{400, 501}},
		{"chunked with a tab", post + "Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n" + smuggled, []int{400, 501}},
		{"a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled, bad},
		{"a folded line", post + "X-A: b\r\n Content-Length: 7\r\n\r\n" + smuggled, bad},
		{"a bare line feed", get + "Host: h\nX-A: b\r\n\r\n" + smuggled, bad},
		{"a bare carriage return", get + host + "X-A: b\rVERIFIED: SUCCESS\r\n\r\n" + smuggled, bad},
		{"NUL in a value", get + host + "X-A: b\x00c\r\n\r\n", bad},
		{"an empty name", get + host + ": b\r\n\r\n", bad},
		{"a name that is no token", get + host + "VERIFIED(): SUCCESS\r\n\r\n", bad},
		{"no Host", get + "X-A: b\r\n\r\n", bad},
		{"two Hosts", get + host + host + "\r\n", bad},
		{"an authority other than Host", "GET http://elsewhere/say/ID HTTP/1.1\r\nHost: h\r\n\r\n", bad},
		{"CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nX-A: ID\r\n\r\n", []int{405}},
		{"TRACE", "TRACE /say/ID HTTP/1.1\r\n" + host + "\r\n", []int{405}},
		{"another version", "GET /say/ID HTTP/3.0\r\n" + host + "\r\n", []int{400, 505}},
		{"no version", "GET /say/ID\r\n\r\n", []int{400, 505}},
		{"HTTP/2 where HTTP/1.1 was agreed on", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400, 505}},
		{"a space in the target", "GET /say/ID x HTTP/1.1\r\n" + host + "\r\n", bad},
		{"a head without end", get + host + "X-A: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", []int{431}},
		{"a target without end", "GET /say/ID?" + strings.Repeat("a", 40<<10) + " HTTP/1.1\r\n" + host + "\r\n", []int{414}},
		{"Connection names Host", get + host + "Connection: Host\r\n\r\n", bad},
		{"a body that TLS was never asked for", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", bad},
	}
}

// hostile sends what must be refused, and wants the connection to end with that.
func (w *worker) hostile(ctx context.Context) {
	l := w.connect(ctx)
	if l == nil {
		return
	}
	defer l.close()
	_ = l.SetDeadline(time.Now().Add(patience))
	shape := pick(w.random, w.shapes)
	r := w.ledger.begin(w.kind, l.who)
	r.barred = true
	text := strings.ReplaceAll(strings.ReplaceAll(shape.text, "ID", r.id), "SMUGGLED", "smuggled-by-"+r.id)
	r.headSent()
	go func() { _, _ = io.WriteString(l, text) }() // it may be refused half read
	answer, err := http.ReadResponse(l.in, nil)
	w.wantRefusal(r, shape, answer, err)
	if err == nil {
		if _, err := io.Copy(io.Discard, l.in); err != nil && !isReset(err) {
			w.faults.add(unsound, r, "%s: the connection does not end after the refusal: %v", shape.name, err)
		}
	}
	w.ledger.end(r)
}

// isReset reports an end that is one as well: the sidecar does not read for ever what is sent on.
func isReset(err error) bool {
	return strings.Contains(err.Error(), "reset by peer") || strings.Contains(err.Error(), "broken pipe") || err == io.ErrUnexpectedEOF
}

func (w *worker) wantRefusal(r *request, shape hostileShape, answer *http.Response, err error) {
	switch {
	case err != nil:
		w.faults.add(unsound, r, "%s: got %v, want one of %d", shape.name, err, shape.codes)
		w.judge.count(r, outcome{}, func(*tally) {})
	case !slices.Contains(shape.codes, answer.StatusCode) || answer.Header.Get(idField) != "":
		w.faults.add(unsound, r, "%s: got %d, want one of %d", shape.name, answer.StatusCode, shape.codes)
		w.judge.count(r, outcome{code: answer.StatusCode}, func(*tally) {})
	default:
		_, _ = io.Copy(io.Discard, answer.Body)
		w.judge.count(r, outcome{code: answer.StatusCode}, func(t *tally) { t.refused++ })
	}
}

// plain speaks HTTP without TLS, which nginx answers with a page that says so.
func (w *worker) plain(ctx context.Context) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	r := w.ledger.begin(w.kind, w.people.nobody)
	defer w.ledger.end(r)
	r.barred = true
	_, _ = fmt.Fprintf(conn, "GET /%s/%s HTTP/1.1\r\nHost: localhost\r\nVERIFIED: SUCCESS\r\n\r\n", sayPath, r.id)
	text, err := io.ReadAll(conn)
	if page := string(text); err != nil && !isReset(err) || !strings.HasPrefix(page, "HTTP/1.1 400 ") || reasonOf(page) != "plain_http" {
		w.faults.add(unsound, r, "plain HTTP: got %q, %v; want a page that says so", page, err)
	}
	w.judge.count(r, outcome{}, func(t *tally) { t.refused++ })
}
