package proxy

import (
	"sync"
	"sync/atomic"

	"mtls-sidecar/proxy/http1"
)

// What is read at once from the application once an answer has turned out to be
// large: the fewer reads, the more rarely the application is woken to send more.
const (
	largeAnswer = 2 * bufferSize
	largeSize   = 4 * bufferSize
	hugeAnswer  = 8 * bufferSize
	hugeSize    = 16 * bufferSize
)

// maxHuge is how many answers may have a huge buffer at once, 16 MiB in all: hundreds
// of clients that read slowly must not take the container's memory. The others make do
// with large ones.
const maxHuge = 64

var (
	largeBuffers = sync.Pool{New: func() any { return new([largeSize]byte) }}
	hugeBuffers  = sync.Pool{New: func() any { return new([hugeSize]byte) }}
)

// enlarge lends the reader of an answer a larger buffer, in place of what it has, if
// the bytes that it brings are worth it: length, as far as one knows by now. Over
// HTTP/2 a frame is what is worth reading at once, and there may be hundreds of readers.
func (x *exchange) enlarge(r *http1.Reader, length int64) {
	w := x.work
	switch {
	case x.stream != nil || length < largeAnswer || w.huge != nil:
		return
	case length >= hugeAnswer && w.borrowHuge(&x.server.hugeLent):
		r.Grow(w.huge[:])
		w.returnLarge()
	case w.large == nil:
		w.large = largeBuffers.Get().(*[largeSize]byte)
		r.Grow(w.large[:])
	default:
		return
	}
	if w.answer.up != nil {
		w.answer.up.AckAtOnce()
	}
}

func (w *work) borrowHuge(lent *atomic.Int32) bool {
	if lent.Add(1) > maxHuge {
		lent.Add(-1)
		return false
	}
	w.huge, w.hugeLent = hugeBuffers.Get().(*[hugeSize]byte), lent
	return true
}

// shrink gives the larger buffer back; nobody may read from it any more.
func (w *work) shrink() {
	w.returnLarge()
	if w.huge != nil {
		hugeBuffers.Put(w.huge)
		w.hugeLent.Add(-1)
		w.huge = nil
	}
}

func (w *work) returnLarge() {
	if w.large != nil {
		largeBuffers.Put(w.large)
		w.large = nil
	}
}
