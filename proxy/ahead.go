package proxy

import (
	"io"
	"os"
	"syscall"

	"mtls-sidecar/proxy/http1"
)

// gather adds to out as much of the body as has already arrived, so that a
// small request is one write. It reports whether that was all of it.
func (x *exchange) gather() (whole bool, err error) {
	w := x.work
	chunked := w.request.Framing == http1.Chunked
	for w.upBody.Done() || w.gathers() && (w.upBody.Ready() || x.more()) {
		if !w.upBody.Ready() {
			continue // a chunk has begun
		}
		piece, err := w.upBody.Next()
		if err == io.EOF {
			if chunked {
				w.out = appendTrailers(w.out, x.requestTrailers())
			}
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if w.sent += int64(len(piece)); x.tooLarge(w.sent) {
			return false, errBodyTooLarge
		}
		w.out = appendPiece(w.out, piece, chunked)
	}
	return false, nil
}

// gathers reports whether more of the body is to be added to out: all that is left, if
// there is room for it, else no more than a record.
func (w *work) gathers() bool {
	left := w.upBody.Left()
	return len(w.out) < bufferSize/2 || left > 0 && left <= int64(cap(w.out)-len(w.out))
}

// look reads from a socket what is there already, and never waits. The function is
// made once, since a method value made per call would be allocated per request.
type look struct {
	try func(fd uintptr) bool
	p   []byte
	n   int
	err error
}

func newLook() *look {
	l := new(look)
	l.try = func(fd uintptr) bool {
		for l.n, l.err = syscall.Read(int(fd), l.p); l.err == syscall.EINTR; {
			l.n, l.err = syscall.Read(int(fd), l.p)
		}
		return true
	}
	return l
}

// readAtOnce is Read, but where that would wait it says os.ErrDeadlineExceeded: the
// deadline is now. crypto/tls takes it for what it is, a passing state. Reading again
// after a read that did not fill its buffer would be in vain, and is not tried.
func (w *wire) readAtOnce(p []byte) (int, error) {
	raw := w.rawConn()
	if raw == nil || !w.ahead {
		return 0, os.ErrDeadlineExceeded
	}
	if w.look == nil {
		w.look = newLook()
	}
	l := w.look
	l.p = p
	err := raw.Read(l.try)
	l.p = nil
	switch {
	case err != nil:
		return 0, err
	case l.err == syscall.EAGAIN:
		w.ahead = false
		return 0, os.ErrDeadlineExceeded
	case l.err != nil:
		return 0, os.NewSyscallError("read", l.err)
	case l.n == 0:
		return 0, io.EOF
	}
	w.ahead = l.n == len(p)
	return l.n, nil
}

// ahead guesses whether the client has sent more than has been read.
func (x *exchange) ahead() bool { return x.stream == nil && x.conn.wire.ahead }

// more reads what the client has sent of a body already, and reports whether there
// was anything. What else there was to say the next read that waits will say.
func (x *exchange) more() bool {
	if x.stream != nil {
		return false // net/http has read it, and does not tell
	}
	x.forgetHead()
	wire := &x.conn.wire
	wire.atOnce = true
	err := x.work.client.Fill()
	wire.atOnce = false
	return err == nil
}

// widen lends the reader of a body a larger buffer while the client is ahead: one
// write to the application then is several records. It has no room for what follows
// the body. The reader holds no unread bytes.
func (w *work) widen() {
	left := w.upBody.Left()
	if left <= bufferSize {
		w.narrow()
		return
	}
	if w.wide == nil {
		w.wide = largeBuffers.Get().(*[largeSize]byte)
	}
	w.client.Grow(w.wide[:min(left, largeSize)])
}

// narrow takes it back, before anything that may last. With unread bytes, as after an
// upload that has failed, it is the reader's to the end.
func (w *work) narrow() {
	if w.wide == nil {
		return
	}
	if old := w.client.Grow(w.in); &old[0] == &w.wide[0] {
		largeBuffers.Put(w.wide)
	}
	w.wide = nil
}
