package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
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
	severed atomic.Bool
	status  int       // of the answer whose head is about to be sent
	wrote   bool      // something of the answer's body has been written
	pushed  bool      // nothing is held back from the client
	since   time.Time // when it began
	taken   int64     // bytes read of the request's body
	drained bool      // it has been read to its end

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
	t.since = t.now
	t.writeAlarm.Reach(t.now, s.streamTime()) // net/http has set this one
	if !t.streams.add(t) {
		t.abort()
		return
	}
	defer t.finishStream()
	t.work = s.streamWorks.Get().(*work)
	t.account.began = t.now
	end := t.relay()
	t.settle(end)
	switch {
	case end == cut:
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
		t.server.log.Error("an error of this program: the request was cut", addressField(t.conn.remote),
			messageField(fmt.Sprint(fault)), zap.Stack("stack"))
		t.closeApplication()
		t.abort()
	}
	if t.uploading() {
		// What the window let the client send, and nobody has read, was not for nothing.
		t.streams.useful.Add(maxStreamUpload / floodShare)
	}
	t.ending.Lock()
	t.over = true
	t.ending.Unlock()
	cancelled := !t.begun && t.request.Context().Err() != nil && !t.severed.Load()
	t.streams.remove(t, cancelled && time.Since(t.since) < soon)
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

// trailer is the request's trailer section, once its body has ended. net/http
// passes on those fields that were announced.
func (t *stream) trailer() []http1.Field {
	var fields []http1.Field
	for _, name := range sortedNames(t.request.Trailer) {
		for _, value := range t.request.Trailer[name] {
			fields = append(fields, http1.Field{Name: []byte(name), Value: []byte(value), Kind: http1.KindOf([]byte(name))})
		}
	}
	return fields
}

func sortedNames(header http.Header) []string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// connKey is where net/http's contexts have the connection.
type connKey struct{}

func withConn(ctx context.Context, c *conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
