package http1

import "math"

// Bounds on size lines.
const (
	// MaxChunkExtension bounds the extension of one chunk, in bytes. What
	// extensions have beyond the data of their chunks may add up to no more
	// than maxExtensionExcess, so that nobody can have us read extensions for
	// ever (CVE-2023-39326).
	MaxChunkExtension  = 1024
	maxExtensionExcess = 16 << 10
	maxSizeDigits      = 16
)

var (
	errChunkSize      = &Error{400, "a chunk size is not 1 to 16 hexadecimal digits"}
	errChunkRange     = &Error{400, "a chunk size is too large"}
	errChunkExtension = &Error{400, "a chunk extension has a control byte"}
	errChunkExtLong   = &Error{400, "chunk extensions are too long"}
	errChunkEnd       = &Error{400, "chunk data is not followed by a line end"}
)

// chunkState is what the next byte belongs to (RFC 9112 §7.1).
type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterLine // the LF of a size line
	inData
	afterData   // the CR after the data
	afterDataCR // the LF after that
	inTrailer
)

// chunks is the state of the framing between pieces of data. It goes byte by
// byte, so that a line may straddle any number of reads, and a small buffer.
type chunks struct {
	state     chunkState
	digits    uint8
	extension int     // bytes of this chunk's extension
	excess    int64   // bytes of extensions that no data has made up for
	trailer   []byte  // the section as far as it has come, if not empty
	fields    []Field // of trailer
}

// readFraming consumes buffered framing up to data, the end or a fault.
func (b *Body) readFraming() {
	c := &b.chunks
	for b.src.r < b.src.w && b.err == nil && b.open && c.state != inData {
		if c.state == inTrailer {
			b.readTrailer()
			continue
		}
		next := b.src.buf[b.src.r]
		b.src.r++
		if err := b.readByte(next); err != nil {
			b.err = err
		}
	}
}

// readByte takes one byte of a size line or of the line end after data. White
// space after the size is refused, as net/http refuses it before an extension:
// padding of that kind is known from attacks and from servers long gone.
func (b *Body) readByte(next byte) *Error {
	c := &b.chunks
	switch c.state {
	case inSize:
		return b.readSize(next)
	case inExtension:
		return c.readExtension(next)
	case afterLine:
		if next != '\n' {
			return errBareCR
		}
		b.startData()
	case afterData:
		if next != '\r' {
			return errChunkEnd
		}
		c.state = afterDataCR
	case afterDataCR:
		if next != '\n' {
			return errChunkEnd
		}
		c.state, c.digits, c.extension = inSize, 0, 0
	}
	return nil
}

// readSize takes one byte of the size. The extension is no part of the size.
func (b *Body) readSize(next byte) *Error {
	c := &b.chunks
	if !isHex(next) {
		switch {
		case next == '\n':
			return errBareLF
		case c.digits == 0:
			return errChunkSize
		case next == '\r':
			c.state = afterLine
		case next == ';':
			c.state = inExtension
		default:
			return errChunkSize
		}
		return nil
	}
	if c.digits++; c.digits > maxSizeDigits {
		return errChunkSize
	}
	if b.left > math.MaxInt64>>4 {
		return errChunkRange
	}
	digit := next - '0'
	if digit > 9 {
		digit = lower(next) - 'a' + 10
	}
	b.left = b.left<<4 | int64(digit)
	return nil
}

// readExtension takes one byte after the ";". Extensions are dropped, so their
// inner syntax is not looked at.
func (c *chunks) readExtension(next byte) *Error {
	switch {
	case next == '\r':
		c.state = afterLine
		return nil
	case next == '\n':
		return errBareLF
	case next < ' ' && next != '\t', next == 0x7f:
		return errChunkExtension
	}
	c.extension++
	c.excess++
	if c.extension > MaxChunkExtension || c.excess > maxExtensionExcess {
		return errChunkExtLong
	}
	return nil
}

// startData begins the data of a chunk whose size line is complete.
func (b *Body) startData() {
	c := &b.chunks
	if b.left == 0 {
		c.state = inTrailer
		return
	}
	c.state = inData
	c.excess = max(0, c.excess-b.left)
}
