package http1

import "io"

// Body decodes one message body out of a Reader, strictly. The zero value is a
// body that is complete.
type Body struct {
	src     *Reader
	framing Framing
	open    bool  // not complete
	err     error // bad syntax: final
	left    int64 // bytes to come: of the body (Length) or of the chunk (Chunked)
	chunks  chunks
}

// Reset starts on the body that follows a head in src. length counts with
// Framing Length only. The trailer section of the body before is dropped.
func (b *Body) Reset(src *Reader, f Framing, length int64) {
	*b = Body{src: src, framing: f, open: f != NoBody}
	if f == Length {
		b.left = length
		b.open = length > 0
	}
}

// Next returns the next piece of the decoded body: what is buffered, if
// anything is, else what one Fill brings; a piece is never empty. The slice
// aliases the Reader's buffer and is valid until the next call.
//
// The error is io.EOF once the body is complete, io.ErrUnexpectedEOF when the
// source ends before that, an *Error for bad chunks, or the source's own.
func (b *Body) Next() ([]byte, error) {
	for {
		if b.Ready() {
			return b.take()
		}
		if err := b.src.Fill(); err != nil {
			return nil, b.ended(err)
		}
	}
}

// Ready reports whether Next can return data, the end or an error without
// reading from the source: a relay flushes before it blocks.
func (b *Body) Ready() bool {
	if !b.open || b.err != nil {
		return true
	}
	if b.framing == Chunked {
		b.readFraming()
		if !b.open || b.err != nil {
			return true
		}
		return b.chunks.state == inData && b.src.r < b.src.w
	}
	return b.src.r < b.src.w
}

// take returns what Ready has found.
func (b *Body) take() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if !b.open {
		return nil, io.EOF
	}
	piece := b.src.Buffered()
	if b.framing != UntilClose {
		if int64(len(piece)) > b.left {
			piece = piece[:b.left:b.left]
		}
		b.left -= int64(len(piece))
		if b.left == 0 {
			b.open = b.framing == Chunked
			b.chunks.state = afterData
		}
	}
	b.src.Advance(len(piece))
	return piece, nil
}

// ended says what the source's error means here.
func (b *Body) ended(err error) error {
	if err != io.EOF {
		return err
	}
	if b.framing == UntilClose {
		b.open = false
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

// Left returns how many bytes of a body with Framing Length are still to be taken; of
// any other 0.
func (b *Body) Left() int64 {
	if b.framing != Length {
		return 0
	}
	return b.left
}

// Done reports whether the whole body has been taken from the Reader, so that
// what is buffered there belongs to the next message.
func (b *Body) Done() bool { return !b.open }

// Trailer returns the trailer fields of a chunked body, once it is complete.
// They are checked as header fields are, and alias memory that the Body owns
// until Reset. Which of them may be forwarded is the relay's to decide.
func (b *Body) Trailer() []Field { return b.chunks.fields }
