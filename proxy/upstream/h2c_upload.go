package upstream

import (
	"errors"
	"io"
	"sync"

	"mtls-sidecar/proxy/http1"
)

// h2cUpload is a request's body as net/http reads it.
type h2cUpload struct {
	src       io.Reader // nil: there is no body
	interrupt func()
	left      int64 // of what Content-Length says; -1: it says nothing

	mu           sync.Mutex
	still        sync.Cond // told when one of the next two ends
	reading      bool
	interrupting bool
	interrupted  bool
	closed       bool  // net/http, or our caller, wants no more
	taken        bool  // a byte of src
	fault        error // of src
	fate         h2cFate
}

// start looks at how the body ends. No trailer section follows: see the relay.
func (u *h2cUpload) start(head *http1.Request, r *Request) {
	chunked := head.Framing == http1.Chunked
	if !chunked && head.Length == 0 {
		return
	}
	u.src, u.interrupt, u.left = r.Body, r.Interrupt, -1
	u.still.L = &u.mu
	if u.src == nil {
		u.src = noBody{}
	}
	if !chunked {
		u.left = head.Length
	}
}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

var errUnwanted = errors.New("the rest of the body is not wanted")

// Read is called by net/http's goroutine for the stream.
func (u *h2cUpload) Read(p []byte) (int, error) {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		return 0, errUnwanted
	}
	u.reading = true
	u.mu.Unlock()

	n, err := u.src.Read(p)
	err = u.count(n, err)

	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading = false
	u.still.Broadcast()
	u.taken = u.taken || n > 0
	if err != nil && err != io.EOF && !u.closed {
		u.fault = err
	}
	return n, err
}

// count holds the body to its announced length. The end is told together with
// the last byte, and goes out in the same frame.
func (u *h2cUpload) count(n int, err error) error {
	if u.left < 0 {
		return err
	}
	u.left -= int64(n)
	switch {
	case u.left < 0:
		return errTooLong
	case u.left == 0 && err == nil:
		return io.EOF
	case u.left > 0 && err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

var errTooLong = errors.New("the body is longer than content-length says")

// Close is net/http's word that it wants no more: the stream has ended, or is
// answered with a status above 299.
func (u *h2cUpload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	if u.reading && !u.interrupted && u.interrupt != nil {
		u.interrupted, u.interrupting = true, true
		u.mu.Unlock()
		u.interrupt()
		u.mu.Lock()
		u.interrupting = false
		u.still.Broadcast()
	}
	return nil
}

// release ends the use of what the caller has lent. A Read that goes on is
// interrupted and waited for.
func (u *h2cUpload) release() {
	if u.src == nil {
		return
	}
	_ = u.Close()
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.reading || u.interrupting {
		u.still.Wait()
	}
}

// reopen makes a body that nobody has read ready for another connection.
func (u *h2cUpload) reopen() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = false
}

// over reports whether net/http wants no more of the body, or there is none.
func (u *h2cUpload) over() bool {
	if u.src == nil {
		return true
	}
	_, closed, _ := u.state()
	return closed
}

func (u *h2cUpload) state() (taken, closed bool, fault error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.taken, u.closed, u.fault
}
