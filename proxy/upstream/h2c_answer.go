package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"mtls-sidecar/proxy/http1"
)

// Answer is the application's answer, and the exchange that it ends. It belongs
// to one goroutine.
type Answer struct {
	// Head is the head as HTTP/1.1 has it: fields sorted by name, those of the
	// same name in their order; with "Transfer-Encoding: chunked" where a body may
	// follow whose length is not given.
	Head []byte

	h2c      *H2C
	conn     *h2cConn // on which the stream is; nil: it has been given back, or there is none
	limit    int      // of the head, and of the trailers
	ctx      context.Context
	cancel   context.CancelCauseFunc
	method   string
	target   url.URL
	upload   h2cUpload
	interim  h2cInterim
	kept     bool // its connection has brought answers before
	response *http.Response
	stop     func() bool // of the watch over ctx; nil: none is needed
	bare     bool        // no body may follow
	ended    bool        // nothing follows the head
	err      error       // what Read has come to
}

// begin makes the head of what net/http has received.
func (a *Answer) begin() error {
	res := a.response
	_, lengthGiven := res.Header["Content-Length"]
	// net/http says 0 of its own accord where the stream ends with the head.
	a.ended = res.ContentLength == 0 && !lengthGiven
	a.bare = a.method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified
	head, err := appendAnswer(make([]byte, 0, headRoom), res)
	if err != nil {
		return err
	}
	if !a.bare && !lengthGiven {
		head = append(head, "Transfer-Encoding: chunked\r\n"...)
	}
	a.Head = append(head, "\r\n"...)
	if len(a.Head) > a.limit {
		return errAnswerHeadTooLarge
	}
	if a.upload.src != nil {
		// net/http does not look at ctx while it reads or waits to send a body.
		a.stop = context.AfterFunc(a.ctx, a.abandon)
	}
	return nil
}

func (a *Answer) abandon() { _ = a.response.Body.Close() }

var errShort = fmt.Errorf("the answer is cut short: %w", io.ErrUnexpectedEOF)

// Ended reports whether the stream has ended with its head: neither body nor
// trailers follow, as in a gRPC answer of trailers only. False can also mean that
// it is not known yet.
func (a *Answer) Ended() bool { return a.ended }

// Read reads the body. The error is io.EOF only once the application has said
// that the stream is at its end, with as many bytes as Content-Length announced;
// otherwise one of those that Do gives.
func (a *Answer) Read(p []byte) (int, error) {
	if a.err == nil && a.ended {
		a.err = io.EOF
	}
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.response.Body.Read(p)
	switch {
	case a.bare && n > 0:
		n, err = 0, errBodyOfBare
	case a.bare && err == io.ErrUnexpectedEOF:
		err = io.EOF // Content-Length counts what GET would bring, or 200
	case err == io.EOF && trailerSize(a.response.Trailer) > a.limit:
		err = errTrailersTooLarge
	case err != nil && err != io.EOF:
		err = a.fault(err)
	}
	a.err = err
	return n, err
}

// Trailer returns the trailer fields, sorted by name, once Read has given
// io.EOF.
func (a *Answer) Trailer() []http1.Field {
	if a.err != io.EOF || a.ended {
		return nil
	}
	return trailerFields(a.response.Trailer)
}

// Close ends the stream if it is still open, and the reading of the request's
// body with it: it waits for a Read of that to return, and for nothing else. An
// Answer must be closed. From another goroutine, end the context instead.
func (a *Answer) Close() {
	if a.stop != nil {
		a.stop()
	}
	conn, ended := a.conn, a.err == io.EOF || a.err == nil && a.ended
	a.conn = nil
	switch {
	case conn == nil:
	case ended && a.upload.over():
		a.giveBack(conn, true)
	default:
		// The application sees RST_STREAM; it may take until the connection can
		// be written to.
		go a.giveUp(conn, ended)
	}
	a.cancel(errClosed)
	a.upload.release()
	if a.err == nil || a.err == io.EOF {
		a.err = errClosed
	}
}

// giveUp ends the stream. ended is whether the answer has been read to its end.
func (a *Answer) giveUp(conn *h2cConn, ended bool) {
	a.abandon()
	a.giveBack(conn, ended || a.bare && a.endedWithHead())
}

// endedWithHead reports, of an abandoned body, whether the stream had ended
// before: net/http has a reader of its own then, which Close does not change.
func (a *Answer) endedWithHead() bool {
	_, err := a.response.Body.Read(nil)
	return err == io.EOF || err == io.ErrUnexpectedEOF // that of a length without content
}

// giveBack tells how the stream ended, once that is known of the body as well.
func (a *Answer) giveBack(conn *h2cConn, ended bool) {
	if !ended || a.upload.src == nil {
		a.h2c.release(conn, ended)
		return
	}
	a.upload.fate.whenKnown(a.h2c.config.lingering, func(whole bool) { a.h2c.release(conn, whole) })
}
