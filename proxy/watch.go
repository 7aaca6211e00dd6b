package proxy

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/http1"
	"mtls-sidecar/proxy/upstream"
)

// patience is how long an answer may take before somebody looks whether the
// client is still there.
const patience = 500 * time.Millisecond

var errClientGone = errors.New("the client went away before the answer")

// watch reads from the client while its answer is awaited, since only a read
// tells that the client has gone. What it reads is the start of the next
// request: it stays in the reader. Until it is stopped it is the reader's only
// user. Where the client is gone, it closes the application's connection, which
// wakes whoever waits for the answer and tells the application to stop.
type watch struct {
	done chan struct{}
	gone atomic.Bool
}

func (c *conn) startWatch(up *upstream.Conn) *watch {
	w := c.work
	c.forgetHead()
	w.source.upload = nil // it has ended, and the deadline with it
	c.readAlarm.Forget()
	_ = c.socket.SetReadDeadline(time.Time{})
	watch := &watch{done: make(chan struct{})}
	go func() {
		defer close(watch.done)
		for {
			err := w.client.Fill()
			switch {
			case err == nil:
				continue
			case errors.Is(err, os.ErrDeadlineExceeded): // stopped
			case errors.Is(err, http1.ErrFull): // a client that has sent so much ahead is there
			default:
				c.server.events.count(ClientGone)
				watch.gone.Store(true)
				up.Close()
			}
			return
		}
	}()
	return watch
}

// stopWatch takes the reader back.
func (c *conn) stopWatch() {
	w := c.work
	if w.answer.watch == nil {
		return
	}
	c.interrupt(w.answer.watch.done)
	w.answer.watch = nil
}

// forgetHead keeps what a later refusal needs of the request's head: the reader
// is about to move over its bytes.
func (c *conn) forgetHead() {
	w := c.work
	w.json = w.json || prefersJSON(w.request.Fields)
	w.request.Fields = w.request.Fields[:0]
}
