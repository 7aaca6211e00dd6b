// Package http1 reads HTTP/1.x messages strictly (RFC 9110, RFC 9112).
//
// It decides where a head ends, what its lines say, how the end of a body is
// known and whether the connection may go on. It works in place on bytes that
// the caller holds, allocates nothing for an ordinary message, and owns no
// socket.
//
// It refuses, and never repairs, whatever two programs could read in two ways:
// a bare LF or CR, control bytes, folded lines, white space before a colon, a
// missing, repeated or invalid Host, more than one way to know the body's
// length, any transfer coding but chunked. Every refusal is an *Error that
// says which rule was broken and which status the client gets.
//
// It does not decide which fields are forwarded: package headers knows the
// identity names, the relay in package proxy the hop-by-hop ones (see Kind and
// Nominated).
//
// Where to look next: HeadEnd finds a head in a buffer; Request and Response
// parse it; Reader is the buffer; Body decodes what follows the head.
package http1
