package http1

// Bounds on the trailer section of a chunked body (RFC 9112 §7.1.2): its bytes,
// the empty line with them, and its fields.
const (
	MaxTrailer       = 8 << 10
	MaxTrailerFields = 64
)

var errTrailerLarge = &Error{400, "the trailer section is too large"}

// readTrailer takes the trailer section up to its empty line. It is copied,
// since its fields must outlive the buffer, but not when there are none.
func (b *Body) readTrailer() {
	c := &b.chunks
	buffered := b.src.Buffered()
	if len(c.trailer) == 0 && len(buffered) >= 2 && string(buffered[:2]) == "\r\n" {
		b.src.Advance(2)
		b.open = false
		return
	}
	take := buffered[:min(len(buffered), MaxTrailer+1-len(c.trailer))]
	before := len(c.trailer)
	c.trailer = append(c.trailer, take...)
	size, fault := trailerEnd(c.trailer, before)
	switch {
	case fault != nil:
		b.err = fault
		return
	case size == 0 && len(c.trailer) <= MaxTrailer:
		b.src.Advance(len(take))
		return
	case size == 0 || size > MaxTrailer:
		b.err = errTrailerLarge
		return
	}
	b.src.Advance(size - before)
	c.trailer = c.trailer[:size]
	fields, err := parseFields(nil, c.trailer, 0, MaxTrailerFields)
	switch {
	case err == ErrHeadTooLarge:
		b.err = errTrailerLarge
	case err != nil:
		b.err = err
	default:
		c.fields, b.open = fields, false
	}
}

// trailerEnd is HeadEnd for a section that may be the empty line alone.
func trailerEnd(section []byte, from int) (int, error) {
	if len(section) >= 2 && section[0] == '\r' && section[1] == '\n' {
		return 2, nil
	}
	return HeadEnd(section, from)
}
