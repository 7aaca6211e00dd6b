package proxy

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"mtls-sidecar/proxy/upstream"
)

// batch gathers what is written to an HTTP/2 client's socket. net/http writes the
// head of an answer, then its body, then those of the next stream, each by itself:
// a system call and a segment every time. A goroutine of its own takes what has
// come together by the time that it runs.
type batch struct {
	socket  net.Conn
	timeout time.Duration // MTLS_SEND_TIMEOUT, of each write
	late    func()        // called when that has passed

	mu      sync.Mutex
	room    sync.Cond // pending has become shorter, or the writer has ended
	pending []byte
	writing bool  // a goroutine is about to take pending
	closing bool  // the deadline for the last words is set
	err     error // of the last write
	alarm   upstream.Alarm
}

// maxPending is what may wait, in bytes, before Write does.
const maxPending = 4 * bufferSize

func newBatch(socket net.Conn, timeout time.Duration, late func()) *batch {
	b := &batch{socket: socket, timeout: timeout, late: late}
	b.room.L = &b.mu
	return b
}

// Write takes p; the error is that of an earlier write.
func (b *batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.pending) >= maxPending && b.err == nil {
		b.room.Wait()
	}
	if b.err != nil {
		return 0, b.err
	}
	if b.pending == nil {
		b.pending = batchBuffers.Get().(*batchBuffer)[:0]
	}
	b.pending = append(b.pending, p...)
	if !b.writing {
		b.writing = true
		go b.write()
	}
	return len(p), nil
}

// batchBuffers hold what waits, and the record that came last.
type batchBuffer [maxPending + 2*bufferSize]byte

var batchBuffers = sync.Pool{New: func() any { return new(batchBuffer) }}

func (b *batch) write() {
	runtime.Gosched() // whoever is about to write more does so first
	for {
		b.mu.Lock()
		taken := b.pending
		b.pending = nil
		if len(taken) == 0 || b.err != nil {
			b.writing = false
			b.room.Broadcast()
			b.mu.Unlock()
			return
		}
		if deadline, move := b.alarm.Due(time.Now(), b.timeout); move && !b.closing {
			_ = b.socket.SetWriteDeadline(deadline)
		}
		b.room.Broadcast()
		b.mu.Unlock()
		_, err := b.socket.Write(taken)
		if cap(taken) == len(batchBuffer{}) {
			batchBuffers.Put((*batchBuffer)(taken[:cap(taken)]))
		}
		if err != nil {
			b.fail(err)
		}
	}
}

// fail ends the connection: whoever wrote believes it to be written.
func (b *batch) fail(err error) {
	b.mu.Lock()
	b.err = err
	closing := b.closing
	b.mu.Unlock()
	b.socket.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) && !closing {
		b.late()
	}
}

// closeTime is what the last words to a client may take.
const closeTime = 5 * time.Second

// flush waits until everything has been written, or cannot be.
func (b *batch) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing = true
	_ = b.socket.SetWriteDeadline(time.Now().Add(closeTime))
	for b.writing && b.err == nil {
		b.room.Wait()
	}
}
