package http1

// Field is one header line. Name and Value alias the buffer that was parsed;
// Value is without the white space around it.
type Field struct {
	Name, Value []byte
	Kind        Kind
}

var (
	errBareLF     = &Error{400, "a line ends in a bare line feed"}
	errBareCR     = &Error{400, "a carriage return is not followed by a line feed"}
	errFolded     = &Error{400, "a line starts with white space"}
	errNoColon    = &Error{400, "a header line has no colon"}
	errNoName     = &Error{400, "a header line has no name"}
	errSpaceColon = &Error{400, "there is white space before a colon"}
	errName       = &Error{400, "a header name is not a token"}
	errValue      = &Error{400, "a header value has a control byte"}
	errIncomplete = &Error{400, "the head is not complete"}
	errAfterHead  = &Error{400, "there are bytes after the head"}
)

// parseFields appends the header lines of b, from i to the empty line, which
// must be the end of b (RFC 9112 §5). At most limit fields, if limit is above 0.
func parseFields(dst []Field, b []byte, i, limit int) ([]Field, *Error) {
	for {
		start := i
		for i < len(b) && classes[b[i]]&isToken != 0 {
			i++
		}
		if i == start || i == len(b) || b[i] != ':' {
			return dst, endOrFault(b, start, i)
		}
		if limit > 0 && len(dst) >= limit {
			return dst, ErrHeadTooLarge
		}
		end := indexValueEnd(b, i+1)
		if end+1 >= len(b) || b[end] != '\r' || b[end+1] != '\n' {
			return dst, valueFault(b, end)
		}
		name := b[start:i:i]
		dst = append(dst, Field{name, trim(b[i+1 : end : end]), KindOf(name)})
		i = end + 2
	}
}

// endOrFault looks at a line from start on whose first byte that is not of a
// token is at i, and no colon: the empty line at the end of b, or a fault.
func endOrFault(b []byte, start, i int) *Error {
	if i == len(b) {
		return errIncomplete
	}
	switch c := b[i]; {
	case c == '\r' && i+1 < len(b) && b[i+1] != '\n':
		return errBareCR
	case c == '\r' && i == start && i+2 == len(b):
		return nil
	case c == '\r' && i == start && i+2 < len(b):
		return errAfterHead
	case c == '\r' && i+1 < len(b):
		return errNoColon
	case c == '\r':
		return errIncomplete
	case c == '\n':
		return errBareLF
	case c == ':':
		return errNoName
	case isBlank(c) && i == start:
		return errFolded
	case isBlank(c):
		for i < len(b) && isBlank(b[i]) {
			i++
		}
		if i < len(b) && b[i] == ':' {
			return errSpaceColon
		}
	}
	return errName
}

// valueFault says what is wrong with the byte at which a value stops.
func valueFault(b []byte, end int) *Error {
	switch {
	case end == len(b), b[end] == '\r' && end+1 == len(b):
		return errIncomplete
	case b[end] == '\r':
		return errBareCR
	case b[end] == '\n':
		return errBareLF
	}
	return errValue
}
