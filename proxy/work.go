package proxy

import (
	"os"
	"sync/atomic"

	"mtls-sidecar/proxy/http1"
)

// bufferSize is one full TLS record: a head or piece of body that fits is one
// read, one record and one write.
const bufferSize = 16 << 10

// work is all that a request in flight needs, taken from a pool with its first
// byte and given back after its answer, so that an idle connection has none.
type work struct {
	request  http1.Request
	response http1.Response
	client   http1.Reader // what the client sends
	source   source
	upBody   http1.Body // the request's
	downBody http1.Body // the answer's
	out      []byte     // what is about to be written, to either side
	form     form       // of refusals, where it is not what the head asks for; kept before its bytes are overwritten
	isHead   bool       // the method is HEAD
	safe     bool       // may be sent twice: GET, HEAD or OPTIONS without a body
	oldHTTP  bool       // the client speaks HTTP/1.0
	asked    bool       // Expect: 100-continue
	upgrade  string     // the protocols asked for, of those permitted
	sent     int64      // bytes of the request's body so far
	kept     kept       // of the request's head

	answer answerSource

	// Lent in place of answerIn while a large answer is relayed.
	large    *[largeSize]byte
	huge     *[hugeSize]byte
	hugeLent *atomic.Int32 // where huge is counted

	wide     *[largeSize]byte  // lent to client in place of in while it is ahead with a body
	in       []byte            // lent to client
	bodyIn   *[bufferSize]byte // over HTTP/2, lent in its place while there is a body
	answerIn []byte            // lent to the reader of the application's answer
	outArray []byte            // a request's head, and the first piece of its body
}

// Sizes of a stream's buffers. An HTTP/2 connection may have hundreds of requests
// waiting, so each gets what it needs for a head; a body's comes with the body.
const (
	streamIn  = 4 << 10
	streamOut = 8 << 10
)

func newWork(in, out int) *work {
	w := &work{in: make([]byte, in), answerIn: make([]byte, bufferSize), outArray: make([]byte, out)}
	w.out = w.outArray[:0]
	return w
}

// lend gives a connection's reader its buffer, with the byte already read.
func (w *work) lend(c *conn) {
	w.source = source{exchange: &c.exchange, pending: true}
	w.client.Reset(&w.source, w.in[:])
}

// reclaim makes the work ready for another connection. A buffer that grew is
// left to the collector.
func (w *work) reclaim() {
	w.source = source{}
	w.narrow()
	w.client.Reset(nil, nil)
	if w.bodyIn != nil {
		recordBuffers.Put(w.bodyIn)
		w.bodyIn = nil
	}
	w.upBody, w.downBody = http1.Body{}, http1.Body{} // trailers are memory of their own
	w.out = w.outArray[:0]
}

// source reads from the client under the deadline that fits the moment.
type source struct {
	exchange *exchange
	pending  bool    // the connection's first byte is still to be handed over
	upload   *upload // whose reads these are; nil: a head is read, its deadline stands
}

func (s *source) Read(p []byte) (int, error) {
	skip := 0
	if s.pending {
		p[0] = s.exchange.conn.first[0]
		s.pending = false
		skip = 1
	}
	if s.upload != nil {
		s.exchange.waitBody()
		if s.upload.stopped.Load() {
			// Looked at after the deadline is set: settle sets its own after this.
			return skip, os.ErrDeadlineExceeded
		}
	}
	if stream := s.exchange.stream; stream != nil {
		return stream.read(p)
	}
	n, err := s.exchange.conn.tls.Read(p[skip:])
	if s.exchange.conn.wire.atOnce {
		for err == nil && n < len(p) {
			var next int
			next, err = s.exchange.conn.tls.Read(p[n:])
			n += next
		}
		if n > 0 {
			err = nil // it will be said again
		}
	}
	return n + skip, err
}
