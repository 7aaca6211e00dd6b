package http1

import "bytes"

var errOption = &Error{400, "a connection option is not a token"}

// options is what the Connection fields of one head say (RFC 9110 §7.6.1).
type options struct {
	close, keepAlive, upgrade bool
	// lengths has bit n%32 set when an option of n bytes is there: it answers
	// most questions of nominated without a search.
	lengths uint32
	// names are all options, each with a comma behind it. They are copied,
	// since they are asked for once more when the body has overwritten the
	// head: for the trailer fields.
	names []byte
}

// read takes in the value of one Connection field. Empty list elements are
// ignored, as RFC 9110 §5.6.1.2 asks of a recipient.
func (o *options) read(value []byte) *Error {
	for more := true; more; {
		var option []byte
		option, value, more = bytes.Cut(value, comma)
		option = trim(option)
		if len(option) == 0 {
			continue
		}
		if !hasOnlyToken(option) {
			return errOption
		}
		o.lengths |= 1 << (len(option) & 31)
		o.names = append(append(o.names, option...), ',')
		switch {
		case equalFold(option, "keep-alive"):
			o.keepAlive = true
		case equalFold(option, "close"):
			o.close = true
		case equalFold(option, "upgrade"):
			o.upgrade = true
		}
	}
	return nil
}

var comma = []byte{','}

// persists reports whether the connection may go on (RFC 9112 §9.3).
func (o *options) persists(minor int) bool {
	return !o.close && (minor == 1 || o.keepAlive)
}

// nominates reports whether an option names the field.
func (o *options) nominates(name []byte) bool {
	if o.lengths&(1<<(len(name)&31)) == 0 {
		return false
	}
	for rest := o.names; len(rest) > 0; {
		var option []byte
		option, rest, _ = bytes.Cut(rest, comma)
		if equalFold(option, name) {
			return true
		}
	}
	return false
}
