package http1

import (
	"errors"
	"io"
)

// ErrFull is returned by Reader.Fill when the buffer holds unread bytes alone.
var ErrFull = errors.New("the buffer is full")

// Reader is a buffer over an io.Reader. The buffer is lent by its owner, so
// that an idle connection holds none. The zero value has neither source nor
// buffer.
type Reader struct {
	src  io.Reader
	buf  []byte
	r, w int   // buf[r:w] is unread
	err  error // came along with bytes; the next Fill returns it
}

// Reset starts afresh on src with the buffer buf, of which all len(buf) bytes
// are used. Unread bytes are forgotten.
func (b *Reader) Reset(src io.Reader, buf []byte) {
	*b = Reader{src: src, buf: buf}
}

// Buffered returns the unread bytes. The slice is valid until the next Fill,
// Grow or Detach.
func (b *Reader) Buffered() []byte { return b.buf[b.r:b.w] }

// Advance marks the first n unread bytes as read. They stay where they are
// until the next Fill. n must not exceed len(Buffered()).
func (b *Reader) Advance(n int) { b.r += n }

// Buffer returns the lent buffer; nil when there is none.
func (b *Reader) Buffer() []byte { return b.buf }

// Fill adds bytes by one Read of the source. Unread bytes are moved to the
// front first when there is no room behind them. It returns ErrFull when the
// buffer is full of unread bytes, or lent none; otherwise the source's error,
// which comes after the bytes that were read with it.
func (b *Reader) Fill() error {
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if b.w == len(b.buf) {
		if b.r == 0 {
			return ErrFull
		}
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
	}
	if err := b.err; err != nil {
		b.err = nil
		return err
	}
	for range 100 { // as bufio does: a source that reads nothing must not spin
		n, err := b.src.Read(b.buf[b.w:])
		b.w += n
		if n > 0 {
			b.err = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Grow replaces the buffer by newbuf, copies the unread bytes over and returns
// the old one (nil if there was none). A newbuf too small for the unread bytes
// is returned unused.
func (b *Reader) Grow(newbuf []byte) []byte {
	if len(newbuf) < b.w-b.r {
		return newbuf
	}
	old := b.buf
	b.w = copy(newbuf, old[b.r:b.w])
	b.r, b.buf = 0, newbuf
	return old
}

// Detach takes the buffer back and returns it; unread bytes are forgotten. The
// source stays, and Grow lends the next buffer.
func (b *Reader) Detach() []byte {
	old := b.buf
	b.buf, b.r, b.w = nil, 0, 0
	return old
}
