package http1

import (
	"bytes"
	"math"
	"time"
)

// Response is the head of the application's answer. Its slices alias the bytes
// that were parsed: they are gone when the body is read into the same buffer.
// Nominated and all that is not a slice stay. The zero value is ready for Parse.
type Response struct {
	Status    int     // 100 to 599
	Reason    []byte  // may be empty
	Minor     int     // 0 or 1
	Fields    []Field // as sent, in order; reused by the next Parse
	Framing   Framing // NoBody for HEAD, 1xx, 204 and 304
	Length    int64   // of the body, with Framing Length; else 0
	KeepAlive bool    // the connection may serve another request (RFC 9112 §9.3)
	// KeepAliveTimeout is how long the application says it keeps an idle
	// connection ("Keep-Alive: timeout=5"); -1 when it does not say.
	KeepAliveTimeout time.Duration
	Upgrade          bool // an Upgrade field that Connection names; never in HTTP/1.0

	options options
}

var (
	errStatusLine = &Error{400, "the status line is malformed"}
	errReason     = &Error{400, "the reason phrase has a control byte"}
)

// Parse reads a whole head, as long as HeadEnd says. method is the request's.
// The error, if any, is an *Error with Status 502. Limits.Target is not used.
//
// 204 and 1xx must not have Content-Length (RFC 9110 §8.6), yet applications
// send "Content-Length: 0" with 204: it is let through and counts for nothing.
func (r *Response) Parse(head []byte, method []byte, lim Limits) error {
	*r = Response{Fields: r.Fields[:0], KeepAliveTimeout: -1, options: options{names: r.options.names[:0]}}
	if err := r.parse(head, method, lim); err != nil {
		return err.answer()
	}
	return nil
}

func (r *Response) parse(head, method []byte, lim Limits) *Error {
	if lim.Head > 0 && len(head) > lim.Head {
		return ErrHeadTooLarge
	}
	next, err := r.parseLine(head)
	if err != nil {
		return err
	}
	if r.Fields, err = parseFields(r.Fields, head, next, lim.Fields); err != nil {
		return err
	}
	return r.interpret(method)
}

// parseLine reads the status line (RFC 9112 §4) and returns the index of the
// line after it. The space after the status may be missing when no reason
// follows, as some servers leave it out.
func (r *Response) parseLine(b []byte) (int, *Error) {
	minor, i, err := parseVersion(b, 0)
	if err != nil {
		return 0, err
	}
	r.Minor = minor
	const size = len(" 200")
	if len(b)-i < size+2 || b[i] != ' ' {
		return 0, errStatusLine
	}
	code := b[i+1 : i+size]
	if code[0]-'1' > 4 || !isDigit(code[1]) || !isDigit(code[2]) {
		return 0, errStatusLine
	}
	r.Status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	i += size
	if b[i] != ' ' && b[i] != '\r' && b[i] != '\n' {
		return 0, errStatusLine
	}
	end := indexValueEnd(b, i)
	if end+1 >= len(b) || b[end] != '\r' || b[end+1] != '\n' {
		if err = valueFault(b, end); err == errValue {
			err = errReason
		}
		return 0, err
	}
	if end > i {
		r.Reason = b[i+1 : end : end]
	}
	return end + 2, nil
}

// interpret reads what the fields say about body and connection, in the order
// of RFC 9112 §6.3.
func (r *Response) interpret(method []byte) *Error {
	c := control{options: r.options}
	err := c.read(r.Fields)
	if err != nil {
		return err
	}
	if r.Framing, r.Length, err = c.framing(r.Minor); err != nil {
		return err
	}
	bare := r.Status < 200 || r.Status == 204
	announced := false
	switch {
	case bare && r.Framing == Chunked:
		return errCodingWithNoBody // RFC 9112 §6.1
	case bare, r.Status == 304, string(method) == "HEAD":
		announced = bare && r.Length > 0
		r.Framing, r.Length = NoBody, 0
	case r.Framing == NoBody:
		r.Framing = UntilClose
	}
	r.options = c.options
	// What announces a body that cannot be may well send one: it must not be
	// taken for the next answer.
	r.KeepAlive = c.persists(r.Minor) && r.Framing != UntilClose && !announced
	r.KeepAliveTimeout = parseKeepAlive(c.keepAlive)
	r.Upgrade = c.hasUpgrade && c.options.upgrade && r.Minor > 0
	return nil
}

// Nominated reports whether a Connection field names this field, which then
// goes no further than this hop, in trailers too (RFC 9110 §7.6.1).
func (r *Response) Nominated(name []byte) bool {
	return r.options.nominates(name)
}

// parseKeepAlive reads the timeout of a Keep-Alive value in whole seconds (RFC
// 2068 §19.7.1.1; no later RFC has it, Node and Apache send it). What cannot be
// read is as if it were not there: it is a hint.
func parseKeepAlive(value []byte) time.Duration {
	const none, key = -1, "timeout="
	for more := true; more; {
		var item []byte
		item, value, more = bytes.Cut(value, comma)
		item = trim(item)
		if len(item) <= len(key) || !equalFold(item[:len(key)], key) {
			continue
		}
		seconds, err := parseLength(item[len(key):])
		if err != nil {
			return none
		}
		return time.Duration(min(seconds, math.MaxInt64/int64(time.Second))) * time.Second
	}
	return none
}
