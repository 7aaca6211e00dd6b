package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// callBody is the body of a request to an application that speaks HTTP/2, whose
// side reads it. Request trailers do not pass: gRPC has none, and grpc-go takes
// them for a violation that ends the connection, with everybody's requests on it.
type callBody struct {
	exchange *exchange
	upload   *upload // what the reads from the client are timed by

	over  atomic.Bool // nobody wants the rest
	mu    sync.Mutex  // held while a read goes on
	rest  []byte      // of a piece that was larger than what was asked for
	whole bool        // it has been read to its end

	fault atomic.Pointer[error] // why it has not
}

var errBodyOver = errors.New("the rest of the body is not wanted")

func newCallBody(x *exchange) *callBody {
	x.forgetHead()
	if x.stream != nil {
		x.stream.lend()
	}
	b := &callBody{exchange: x, upload: &upload{exchange: x}}
	b.upload.touch()
	x.work.source.upload = b.upload
	return b
}

func (b *callBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over.Load():
		return 0, errBodyOver
	case b.whole:
		return 0, io.EOF
	case len(b.rest) == 0:
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	if len(b.rest) == 0 && b.exchange.work.upBody.Done() {
		b.finish()
		return n, io.EOF // the end goes out in the same frame
	}
	return n, nil
}

func (b *callBody) finish() {
	b.whole = true
	b.upload.read.Store(true)
}

func (b *callBody) next() error {
	x, w := b.exchange, b.exchange.work
	piece, err := w.upBody.Next()
	b.upload.touch()
	if err == nil {
		if w.sent += int64(len(piece)); x.tooLarge(w.sent) {
			err = errBodyTooLarge
		}
	}
	switch {
	case err == io.EOF:
		b.finish()
	case err != nil:
		b.fault.Store(&err)
	}
	b.rest = piece
	return err
}

// interrupt ends a read that is waiting for the client.
func (b *callBody) interrupt() {
	b.upload.stopped.Store(true)
	b.exchange.setReadDeadline(past)
}

// end takes the client's side back, and reports whether the body was read to its
// end.
func (b *callBody) end() (whole bool) {
	b.over.Store(true)
	if !b.mu.TryLock() {
		b.upload.stopped.Store(true)
		idle := make(chan struct{})
		go func() {
			b.mu.Lock()
			close(idle)
		}()
		b.exchange.interrupt(idle)
	}
	defer b.mu.Unlock()
	return b.whole
}

// isFault reports whether an error came from the client's side.
func (b *callBody) isFault(err error) bool {
	fault := b.fault.Load()
	return fault != nil && err == *fault // it comes back as it was
}
