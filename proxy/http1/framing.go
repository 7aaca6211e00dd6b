package http1

import "math"

// Framing says how the end of the body is known (RFC 9112 §6.3).
type Framing uint8

const (
	// NoBody: the message ends with its head.
	NoBody Framing = iota
	// Length: Content-Length counts the body, perhaps 0.
	Length
	// Chunked: the body ends with its last chunk and trailer section.
	Chunked
	// UntilClose: an answer that ends with its connection.
	UntilClose
)

var (
	errLengthAndCoding  = &Error{400, "content-length and transfer-encoding are both there"}
	errLengthRepeated   = &Error{400, "content-length is repeated"}
	errLength           = &Error{400, "content-length is not one decimal number"}
	errLengthRange      = &Error{400, "content-length is too large"}
	errCodingRepeated   = &Error{400, "transfer-encoding is repeated or a list"}
	errCodingEmpty      = &Error{400, "transfer-encoding is empty"}
	errCodingInHTTP10   = &Error{400, "transfer-encoding in HTTP/1.0"}
	errHostRepeated     = &Error{400, "host is repeated"}
	errCodingWithNoBody = &Error{400, "transfer-encoding in an answer that has no body"}
)

// control gathers what the fields of one head say about the message itself.
type control struct {
	options
	host, length, coding, keepAlive       []byte // nil: not there
	hasUpgrade, expects, otherExpectation bool
}

// read takes in all fields. Host, Content-Length and Transfer-Encoding are
// refused when repeated, even with equal values: back ends differ in which one
// they heed.
func (c *control) read(fields []Field) *Error {
	for i := range fields {
		f := &fields[i]
		switch f.Kind {
		case Host:
			if c.host != nil {
				return errHostRepeated
			}
			c.host = f.Value
		case ContentLength:
			if c.length != nil {
				return errLengthRepeated
			}
			c.length = f.Value
		case TransferEncoding:
			if c.coding != nil {
				return errCodingRepeated
			}
			c.coding = f.Value
		case Connection:
			if err := c.options.read(f.Value); err != nil {
				return err
			}
		case Upgrade:
			c.hasUpgrade = true
		case KeepAlive:
			c.keepAlive = f.Value
		case Expect:
			is100 := equalFold(f.Value, "100-continue")
			c.expects = c.expects || is100
			c.otherExpectation = c.otherExpectation || !is100
		}
	}
	return nil
}

// framing tells the body's end from the two fields that say so. NoBody means
// that neither is there.
func (c *control) framing(minor int) (Framing, int64, *Error) {
	switch {
	case c.coding != nil && c.length != nil:
		return NoBody, 0, errLengthAndCoding // RFC 9112 §6.3, item 3
	case c.coding != nil && minor == 0:
		return NoBody, 0, errCodingInHTTP10 // RFC 9112 §6.1, last paragraph
	case c.coding != nil:
		return Chunked, 0, checkCoding(c.coding)
	case c.length != nil:
		n, err := parseLength(c.length)
		return Length, n, err
	}
	return NoBody, 0, nil
}

// checkCoding allows "chunked" alone. nginx answers 501 to other codings, and
// so do we; a list could end in chunked for one reader and not for another.
func checkCoding(value []byte) *Error {
	if equalFold(value, "chunked") {
		return nil
	}
	if len(value) == 0 {
		return errCodingEmpty
	}
	for _, c := range value {
		if c == ',' {
			return errCodingRepeated
		}
	}
	return ErrCoding
}

// parseLength reads 1*DIGIT (RFC 9110 §8.6): no sign, no list, no white space.
func parseLength(value []byte) (int64, *Error) {
	if len(value) == 0 {
		return 0, errLength
	}
	var n int64
	tooLarge := false
	for _, c := range value {
		if !isDigit(c) {
			return 0, errLength
		}
		d := int64(c - '0')
		tooLarge = tooLarge || n > (math.MaxInt64-d)/10
		n = n*10 + d
	}
	if tooLarge {
		return 0, errLengthRange
	}
	return n, nil
}
