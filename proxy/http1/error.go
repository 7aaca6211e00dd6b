package http1

// Error is a refusal of a message.
type Error struct {
	// Status is the HTTP status that the client gets: for a request the one
	// its fault calls for, for the application's answer always 502. HeadEnd
	// and Body cannot know whose message they read and say 400.
	Status int
	// Text is a lower-case sentence that says which rule was broken.
	Text string
}

func (e *Error) Error() string { return e.Text }

// Is makes errors.Is compare the broken rule alone, so that a sentinel also
// matches the same fault in an answer.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Text == e.Text
}

// Sentinels for the refusals that a relay may want to tell apart.
var (
	// ErrHeadTooLarge: more bytes or fields than Limits allows (RFC 6585 §5).
	ErrHeadTooLarge = &Error{431, "the head is too large"}
	// ErrTargetTooLong: the target exceeds Limits.Target (RFC 9110 §15.5.15).
	ErrTargetTooLong = &Error{414, "the request target is too long"}
	// ErrMethod: CONNECT or TRACE. TRACE would echo the identity fields.
	ErrMethod = &Error{405, "the method is not allowed"}
	// ErrVersion: a major version other than 1 (RFC 9110 §15.6.6).
	ErrVersion = &Error{505, "the HTTP version is not supported"}
	// ErrExpectation: an expectation other than 100-continue (RFC 9110 §10.1.1).
	ErrExpectation = &Error{417, "the expectation is not supported"}
	// ErrCoding: a transfer coding other than chunked (RFC 9112 §6.1).
	ErrCoding = &Error{501, "the transfer coding is not supported"}
)

// answer is the same refusal when the application is at fault.
func (e *Error) answer() *Error { return &Error{502, e.Text} }
