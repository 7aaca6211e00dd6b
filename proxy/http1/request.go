package http1

// Request is the head of a request. Its slices alias the bytes that were
// parsed: they are gone when the body is read into the same buffer. Nominated
// and all that is not a slice stay. The zero value is ready for Parse.
type Request struct {
	Method, Target []byte
	Minor          int     // 0 or 1: what may be used with this client
	Fields         []Field // as sent, in order; reused by the next Parse
	Host           []byte  // the Host field's value; nil when absent (HTTP/1.0 only)
	Framing        Framing // never UntilClose
	Length         int64   // of the body, with Framing Length; else 0
	KeepAlive      bool    // the client lets the connection persist (RFC 9112 §9.3)
	Expect100      bool    // it waits for 100 Continue; never in HTTP/1.0 (RFC 9110 §10.1.1)
	Upgrade        bool    // an Upgrade field that Connection names; never in HTTP/1.0 (RFC 9110 §7.8)

	options options
}

var (
	errRequestLine = &Error{400, "the request line is not method, target and version with one space between"}
	errNoVersion   = &Error{400, "the request line has no version"}
	errMethodToken = &Error{400, "the method is not a token"}
	errVersionForm = &Error{400, "the HTTP version is malformed"}
	errNoHost      = &Error{400, "host is missing"}
)

// Parse reads a whole head, as long as HeadEnd says. The error, if any, is an
// *Error; Method and Target are then set if they could be read, for the log,
// and nothing else is to be used.
func (r *Request) Parse(head []byte, lim Limits) error {
	*r = Request{Fields: r.Fields[:0], options: options{names: r.options.names[:0]}}
	if err := r.parse(head, lim); err != nil {
		return err
	}
	return nil
}

func (r *Request) parse(head []byte, lim Limits) *Error {
	size := len(head)
	head = skipEmptyLine(head)
	next, err := r.parseLine(head)
	if err != nil {
		return err
	}
	if lim.Target > 0 && len(r.Target) > lim.Target {
		return ErrTargetTooLong
	}
	if lim.Head > 0 && size > lim.Head {
		return ErrHeadTooLarge
	}
	if equalFold(r.Method, "CONNECT") || equalFold(r.Method, "TRACE") {
		return ErrMethod // methods have case, but not to every back end
	}
	if r.Fields, err = parseFields(r.Fields, head, next, lim.Fields); err != nil {
		return err
	}
	return r.interpret()
}

// parseLine reads the request line (RFC 9112 §3) and returns the index of the
// line after it.
func (r *Request) parseLine(b []byte) (int, *Error) {
	i := 0
	for i < len(b) && classes[b[i]]&isToken != 0 {
		i++
	}
	if i == 0 || i == len(b) || b[i] != ' ' {
		return 0, methodFault(b, i)
	}
	r.Method = b[:i:i]

	// Bytes above 0x7F are no URI, but nginx passes them and clients send them.
	start := i + 1
	i = indexControl(b, start, ' '+1)
	if i == start || i == len(b) || b[i] != ' ' {
		return 0, targetFault(b, start, i)
	}
	r.Target = b[start:i:i]

	minor, next, err := parseVersion(b, i+1)
	if err != nil {
		return 0, err
	}
	if next+1 >= len(b) || b[next] != '\r' || b[next+1] != '\n' {
		return 0, afterVersionFault(b, next)
	}
	r.Minor = minor
	return next + 2, nil
}

func methodFault(b []byte, i int) *Error {
	if i < len(b) {
		switch {
		case b[i] == '\n':
			return errBareLF
		case i == 0 && b[i] == ' ', b[i] == '\r':
			return errRequestLine
		}
	}
	return errMethodToken
}

func targetFault(b []byte, start, i int) *Error {
	switch {
	case i == len(b):
		return errIncomplete
	case b[i] == '\n':
		return errBareLF
	case b[i] == '\r' && (i+1 >= len(b) || b[i+1] != '\n'):
		return errBareCR
	case b[i] == '\r' && i > start:
		return errNoVersion // HTTP/0.9
	case b[i] == ' ', b[i] == '\r':
		return errRequestLine
	}
	return errTargetByte
}

// parseVersion reads "HTTP/" DIGIT "." DIGIT at i. A minor version above 1
// counts as 1: what it adds cannot change the meaning of what 1.1 defines
// (RFC 9110 §2.5).
func parseVersion(b []byte, i int) (minor, next int, err *Error) {
	const size = len("HTTP/1.1")
	if len(b)-i < size {
		return 0, 0, errVersionForm
	}
	v := b[i : i+size]
	if string(v[:5]) != "HTTP/" || !isDigit(v[5]) || v[6] != '.' || !isDigit(v[7]) {
		return 0, 0, errVersionForm
	}
	if v[5] != '1' {
		return 0, 0, ErrVersion
	}
	if v[7] == '0' {
		return 0, i + size, nil
	}
	return 1, i + size, nil
}

func afterVersionFault(b []byte, i int) *Error {
	switch {
	case i == len(b):
		return errIncomplete
	case b[i] == '\n':
		return errBareLF
	case b[i] == '\r':
		return errBareCR
	case b[i] == ' ':
		return errRequestLine
	}
	return errVersionForm
}

// interpret reads what the fields say about host, body and connection.
func (r *Request) interpret() *Error {
	c := control{options: r.options}
	err := c.read(r.Fields)
	if err != nil {
		return err
	}
	if c.host == nil && r.Minor > 0 {
		return errNoHost // RFC 9112 §3.2
	}
	if c.host != nil && !validHost(c.host) {
		return errHost
	}
	if err = checkTarget(r.Method, r.Target, c.host); err != nil {
		return err
	}
	if r.Framing, r.Length, err = c.framing(r.Minor); err != nil {
		return err
	}
	if c.otherExpectation {
		return ErrExpectation
	}
	r.Host = c.host
	r.options = c.options
	r.KeepAlive = c.persists(r.Minor)
	r.Expect100 = c.expects && r.Minor > 0
	r.Upgrade = c.hasUpgrade && c.options.upgrade && r.Minor > 0
	return nil
}

// Nominated reports whether a Connection field names this field, which then
// goes no further than this hop, in trailers too (RFC 9110 §7.6.1).
func (r *Request) Nominated(name []byte) bool {
	return r.options.nominates(name)
}
