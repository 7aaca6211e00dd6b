package http1

import "bytes"

// Limits bound a head. A limit of 0 is none.
type Limits struct {
	Head   int // bytes of the whole head
	Target int // bytes of the request target
	Fields int // number of fields
}

// HeadEnd looks for the end of a head in buf. It returns the head's length with
// the empty line, or 0 when more bytes are needed, or an error at the first
// line that ends in a bare LF. from is the number of bytes that an earlier call
// has scanned, so that a slowly arriving head is scanned once.
//
// One empty line before the first line belongs to the head: Request.Parse
// ignores it (RFC 9112 §2.2), Response.Parse refuses it.
func HeadEnd(buf []byte, from int) (int, error) {
	for i := from; ; i++ {
		n := bytes.IndexByte(buf[i:], '\n')
		if n < 0 {
			return 0, nil
		}
		i += n
		if i == 0 || buf[i-1] != '\r' {
			return 0, errBareLF
		}
		if i >= 2 && buf[i-2] == '\n' {
			return i + 1, nil
		}
	}
}

// TooLarge says which limit a head breaks that fills the whole buffer and has
// no end: ErrTargetTooLong while its first line is not complete, else
// ErrHeadTooLarge.
func TooLarge(buf []byte) error {
	if bytes.IndexByte(skipEmptyLine(buf), '\n') < 0 {
		return ErrTargetTooLong
	}
	return ErrHeadTooLarge
}

// skipEmptyLine cuts one empty line, which some clients send after a body
// (RFC 9112 §2.2).
func skipEmptyLine(b []byte) []byte {
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		return b[2:]
	}
	return b
}
