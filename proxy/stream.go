package proxy

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy/http1"
)

// stream is an exchange that an HTTP/2 stream carries. net/http has put its
// frames together; what they say is written down as an HTTP/1.1 head and read by
// the same parser as any, so that there is one set of rules. Field order and
// letter case are lost on the way.
type stream struct {
	exchange
	writer  streamWriter
	streams *streams    // of the connection
	header  http.Header // the answer's, then its trailers
	request *http.Request
	names   []string // of the request's fields, sorted
	severed atomic.Bool
	status  int   // of the answer whose head is about to be sent
	wrote   bool  // something of the answer's body has been written
	pushed  bool  // nothing is held back from the client
	taken   int64 // bytes read of the request's body
	drained bool  // it has been read to its end

	ending sync.Mutex // of over, and of the writer's deadlines
	over   bool       // the writer is net/http's again
}

// streamWriter is what net/http's HTTP/2 writer has beyond http.ResponseWriter.
type streamWriter interface {
	http.ResponseWriter
	streamDeadlines
}

type streamDeadlines interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	FlushError() error
}

// serveStream is the handler of net/http's server.
func (s *Server) serveStream(rw http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	writer, able := rw.(streamWriter)
	if !ok || !able {
		rw.WriteHeader(http.StatusInternalServerError) // it is no HTTP/2 stream of ours
		return
	}
	t := &stream{writer: writer, streams: c.streams.Load(), header: rw.Header(), request: r}
	t.exchange.server, t.exchange.conn, t.exchange.stream = s, c, t
	t.now = time.Now()
	t.writeAlarm.Reach(t.now, s.streamTime()) // net/http has set this one
	if !t.streams.add(t) {
		t.abort()
		return
	}
	defer t.finishStream()
	t.work = s.streamWorks.Get().(*work)
	switch {
	case t.relay() == cut:
		t.abort()
	case t.wrote && t.uploading():
		// net/http resets the stream after the answer, since nobody will read the rest of
		// the body. Some clients (curl 7.88) lose what comes together with that.
		_ = t.push()
	}
	t.dropWork()
}

// finishStream gives the stream back to net/http. That would take a panic for the
// application's and go on; it is one of this program, and is told.
func (t *stream) finishStream() {
	if fault := recover(); fault != nil {
		t.server.log.Error("an error of this program: the request was cut", zap.String("remote", t.conn.remote),
			zap.Any("detail", fault), zap.Stack("stack"))
		t.closeApplication()
		t.abort()
	}
	t.ending.Lock()
	t.over = true
	t.ending.Unlock()
	t.streams.remove(t, !t.begun && t.request.Context().Err() != nil && !t.severed.Load())
}

func (t *stream) relay() ending {
	w := t.work
	head, err := t.appendHead(w.in[:0])
	if err == nil {
		err = w.request.Parse(head, t.server.limits())
	}
	if err == nil {
		err = t.checkLength()
	}
	if err != nil {
		return t.refuseHead(err)
	}
	t.streams.useful.Add(int64(len(head)))
	return t.serve()
}

// sever cuts the exchange, and reports whether it was in flight. It may be
// called from another goroutine.
func (t *stream) sever() bool {
	if t.severed.Swap(true) {
		return false
	}
	t.closeApplication()
	t.abort()
	return true
}

// abort resets the stream, so that the client can tell that the answer is not
// whole (RFC 9113 §8.1).
func (t *stream) abort() {
	if t.request.Context().Err() == nil { // else it has been reset (RFC 9113 §5.4.2)
		t.setWriteDeadline(past)
	}
}

func (t *stream) setReadDeadline(at time.Time) {
	t.ending.Lock()
	defer t.ending.Unlock()
	if !t.over {
		_ = t.writer.SetReadDeadline(at)
	}
}

func (t *stream) setWriteDeadline(at time.Time) {
	t.ending.Lock()
	defer t.ending.Unlock()
	if !t.over {
		_ = t.writer.SetWriteDeadline(at)
	}
}

// lend gives the reader of the request's body a buffer.
func (t *stream) lend() {
	w := t.work
	w.source = source{exchange: &t.exchange}
	w.bodyIn = recordBuffers.Get().(*[bufferSize]byte)
	w.client.Reset(&w.source, w.bodyIn[:])
}

func (t *stream) read(p []byte) (int, error) {
	n, err := t.request.Body.Read(p)
	t.streams.useful.Add(int64(n))
	t.taken += int64(n)
	t.drained = err == io.EOF
	return n, err
}

// uploading reports whether the client may still be sending.
func (t *stream) uploading() bool {
	length := t.request.ContentLength
	return length != 0 && !t.drained && t.taken != length
}

func (t *stream) isGRPC() bool { return isGRPCType(t.request.Header.Get("Content-Type")) }

// start sends the answer's head, or has net/http keep it for the first bytes of
// the body.
func (t *stream) start() {
	if t.status == 0 {
		return
	}
	t.writer.WriteHeader(t.status)
	t.status = 0
	clear(t.header) // it has been copied; what is put there now are trailers
}

func (t *stream) write(p []byte) error {
	t.start()
	t.pushed, t.wrote = false, true
	n, err := t.writer.Write(p)
	t.streams.useful.Add(int64(n))
	return err
}

// push sends what net/http holds back: nothing more may come for a while.
func (t *stream) push() error {
	if t.pushed && t.status == 0 {
		return nil
	}
	t.start()
	t.pushed = true
	return t.writer.FlushError()
}

// setHead keeps the head of an answer until start.
func (t *stream) setHead(r *http1.Response, f answerFraming) {
	clear(t.header)
	t.status = r.Status
	t.header["Date"], t.header["Content-Type"], t.header["Content-Length"] = nil, nil, nil // net/http adds none then
	values := make([]string, 0, len(r.Fields)+1)
	for i := range r.Fields {
		field := &r.Fields[i]
		value, passes := t.answerField(r, field)
		if !passes {
			continue
		}
		values = appendValue(t.header, values, field.Name, value)
	}
	if f.close {
		t.header["Connection"] = append(values, "close")[len(values):] // net/http sends GOAWAY for it
	}
}

// appendValue adds a field to a header; values is where its text is kept.
func appendValue(header http.Header, values []string, name, value []byte) []string {
	key := http.CanonicalHeaderKey(string(name))
	values = append(values, string(value))
	if held := header[key]; len(held) > 0 {
		header[key] = append(held, values[len(values)-1])
	} else {
		header[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return values
}

// interim sends an answer before the final one.
func (t *stream) interim(r *http1.Response) {
	t.setHead(r, answerFraming{})
	t.start()
}

// refuse gives an answer of our own.
func (t *stream) refuse(p page) ending {
	clear(t.header)
	t.header["Date"], t.header["Content-Type"], t.header["Content-Length"] = nil, nil, nil
	for _, field := range p.fields {
		t.header[field[0]] = []string{field[1]}
	}
	if t.leaving() {
		t.header["Connection"] = []string{"close"}
	}
	t.status, t.begun = p.status, true
	if len(p.body) > 0 {
		t.header["Content-Length"] = []string{strconv.Itoa(len(p.body))}
	}
	if t.work.isHead || len(p.body) == 0 {
		t.start()
		return keep
	}
	if t.write(p.body) != nil {
		return cut
	}
	return keep
}

// setTrailers has net/http end the answer with trailer fields.
func (t *stream) setTrailers(fields []http1.Field) {
	for i := range fields {
		key := http.TrailerPrefix + http.CanonicalHeaderKey(string(fields[i].Name))
		t.header[key] = append(t.header[key], string(fields[i].Value))
	}
}

// trailer is the request's trailer section, once its body has ended. net/http
// passes on those fields that were announced.
func (t *stream) trailer() []http1.Field {
	var fields []http1.Field
	for _, name := range sortedNames(nil, t.request.Trailer) {
		for _, value := range t.request.Trailer[name] {
			fields = append(fields, http1.Field{Name: []byte(name), Value: []byte(value), Kind: http1.KindOf([]byte(name))})
		}
	}
	return fields
}

func sortedNames(dst []string, header http.Header) []string {
	for name := range header {
		dst = append(dst, name)
	}
	slices.Sort(dst)
	return dst
}

// connKey is where net/http's contexts have the connection.
type connKey struct{}

func withConn(ctx context.Context, c *conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
