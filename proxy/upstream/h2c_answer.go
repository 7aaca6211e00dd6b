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

	life     context.Context // of the H2C
	limit    int             // of the head, and of the trailers
	ctx      context.Context
	cancel   context.CancelCauseFunc
	method   string
	target   url.URL
	upload   h2cUpload
	interim  h2cInterim
	conn     *h2cConn
	kept     bool // conn has brought answers before
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
// body with it. It waits for nobody. An Answer must be closed.
func (a *Answer) Close() {
	if a.stop != nil {
		a.stop()
	}
	if a.response != nil && !a.complete() {
		// The application sees RST_STREAM; it may take until the connection can
		// be written to.
		go a.abandon()
	}
	a.cancel(errClosed)
	if a.err == nil || a.err == io.EOF {
		a.err = errClosed
	}
}

// complete reports whether net/http has nothing left to do.
func (a *Answer) complete() bool {
	if a.err != io.EOF {
		return false
	}
	if a.upload.src == nil {
		return true
	}
	_, closed, _ := a.upload.state()
	return closed
}
