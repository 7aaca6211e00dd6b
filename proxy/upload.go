package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// upload sends the rest of a request's body while the answer is awaited and
// relayed: the application may answer before it has read everything, or ask for
// the body with 100 (Continue). Until it is settled it is the only reader of the
// client and the only writer to the application.
type upload struct {
	exchange *exchange
	up       *upstream.Conn
	done     chan struct{}
	fault    error        // why the body did not arrive; read after done
	read     atomic.Bool  // the client's part is over: only a last write is to come
	whole    bool         // the last write has succeeded; read after done
	failed   atomic.Bool  // fault is the client's, so no answer is worth waiting for
	stopped  atomic.Bool  // it is to end now
	now      time.Time    // of the last read or write; the uploader's own
	progress atomic.Int64 // the same in Unix nanoseconds, for the others
}

var errBodyTooLarge = errors.New("the body is larger than MTLS_MAX_BODY_BYTES")

// recordBuffers are for what outlives or runs beside a work: uploads and tunnels.
var recordBuffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func (x *exchange) startUpload(up *upstream.Conn) *upload {
	w := x.work
	x.forgetHead()
	if x.stream != nil {
		x.stream.lend()
	}
	u := &upload{exchange: x, up: up, done: make(chan struct{})}
	u.touch()
	w.source.upload = u
	if x.stream == nil {
		x.conn.wire.rawConn() // two goroutines are about to ask for it
	}
	go u.run()
	return u
}

func (u *upload) touch() {
	u.now = time.Now()
	u.progress.Store(u.now.UnixNano())
}

func (u *upload) run() {
	defer close(u.done)
	buffer := recordBuffers.Get().(*[bufferSize]byte)
	defer recordBuffers.Put(buffer)
	if err := u.copy(buffer[:0]); err != nil {
		u.fault = err
		u.failed.Store(true)
		// Wakes the wait for an answer, which nobody would send now.
		_ = u.up.SetReadDeadline(past)
	}
}

// copy returns an error of the client's side only. When the application stops
// reading, it may well have answered: whoever reads the answer finds out.
func (u *upload) copy(out []byte) error {
	w := u.exchange.work
	body := &w.upBody
	chunked := w.request.Framing == http1.Chunked
	defer w.narrow()
	for {
		ready := u.ready()
		if len(out) > 0 && (len(out) >= bufferSize/2 || !ready) {
			u.now = time.Now() // crypto/tls may have answered a KeyUpdate meanwhile
			if u.write(out) != nil {
				return nil // what the application has said all the same is for the reader of its answer
			}
			out = out[:0]
		}
		if !ready {
			w.narrow()
		}
		piece, err := body.Next()
		u.touch()
		switch {
		case err == io.EOF:
			if chunked {
				out = appendTrailers(out, u.exchange.requestTrailers())
			}
			u.read.Store(true)
			u.whole = len(out) == 0 || u.write(out) == nil
			return nil
		case err != nil:
			return err
		}
		if w.sent += int64(len(piece)); u.exchange.tooLarge(w.sent) {
			return errBodyTooLarge
		}
		if body.Done() {
			u.read.Store(true) // before the write after which an answer may come
		}
		if !chunked && len(out) > 0 && len(out)+len(piece) > cap(out) {
			if u.write(out) != nil {
				return nil
			}
			out = out[:0]
		}
		if len(out) > 0 || chunked || len(piece) < bufferSize/4 {
			out = appendPiece(out, piece, chunked)
		} else if u.write(piece) != nil { // not worth gathering
			return nil
		}
	}
}

// ready reports whether more of the body, or its end, is there without waiting for it.
func (u *upload) ready() bool {
	x := u.exchange
	for !x.work.upBody.Ready() {
		if !x.ahead() {
			return false
		}
		if x.work.widen(); !x.more() {
			return false
		}
	}
	return true
}

// write gives each record's worth MTLS_UPSTREAM_TIMEOUT, but for what the kernel takes
// at once.
func (u *upload) write(p []byte) error {
	answer := &u.exchange.work.answer
	answer.waitWrite(u.now)
	if len(p) > bufferSize {
		n, err := u.up.WriteAtOnce(p)
		if err != nil {
			return err
		}
		p = p[n:]
		u.touch()
	}
	for len(p) > 0 {
		answer.waitWrite(u.now)
		record := p[:min(len(p), bufferSize)]
		_, err := u.up.Write(record)
		u.touch()
		if err != nil {
			return err
		}
		p = p[len(record):]
	}
	return nil
}

// lastWrite is how long after an answer the last write of the body may take: an
// application that has read the whole request does not keep it waiting.
const lastWrite = 100 * time.Millisecond

// settle ends the upload after the answer and reports whether the whole body
// went to the application. One that is still going on is cut off: the answer
// is the application's last word.
func (u *upload) settle(end ending) bool {
	if u.read.Load() && end != cut {
		timer := time.NewTimer(lastWrite)
		defer timer.Stop()
		select {
		case <-u.done:
			return u.whole
		case <-timer.C:
		}
	}
	u.stopped.Store(true)
	u.up.Close()
	u.exchange.interrupt(u.done)
	return false
}

// requestTrailers are the trailer fields for the application, once the body has
// been read.
func (x *exchange) requestTrailers() []http1.Field {
	trailers := x.work.upBody.Trailer()
	if x.stream != nil {
		trailers = x.stream.trailer()
	}
	for i := range trailers {
		x.server.drop(trailers[i].Name) // below; here it is counted
	}
	return x.trailersFor(trailers, x.work.request.Nominated)
}

// tooLarge applies MTLS_MAX_BODY_BYTES to a body whose length was not announced.
func (x *exchange) tooLarge(n int64) bool {
	limit := int64(x.server.config.MaxBodyBytes)
	return limit > 0 && n > limit
}
