package proxy

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"mtls-sidecar/proxy/http1"
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
//
// Over HTTP/2 net/http reads all the time, and tells.
type watch struct {
	done chan struct{}
	gone atomic.Bool
	stop func() bool // nil over HTTP/1.1
}

func (x *exchange) startWatch() *watch {
	if x.stream != nil {
		return x.watchStream()
	}
	w := x.work
	x.forgetHead()
	w.source.upload = nil // it has ended, and the deadline with it
	x.readAlarm.Forget()
	x.setReadDeadline(time.Time{})
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
				watch.clientGone(x)
			}
			return
		}
	}()
	return watch
}

func (x *exchange) watchStream() *watch {
	w := &watch{done: make(chan struct{})}
	w.stop = context.AfterFunc(x.stream.request.Context(), func() {
		defer close(w.done)
		w.clientGone(x)
	})
	return w
}

func (w *watch) clientGone(x *exchange) {
	if !x.severed() {
		x.server.events.count(ClientGone)
	}
	w.gone.Store(true)
	x.closeApplication()
}

// stopWatch takes the reader back.
func (x *exchange) stopWatch() {
	w := x.work
	watch := w.answer.watch
	switch {
	case watch == nil:
		return
	case watch.stop == nil:
		x.interrupt(watch.done)
	case !watch.stop():
		<-watch.done
	}
	w.answer.watch = nil
}

// forgetHead keeps what a later refusal needs of the request's head: the reader
// is about to move over its bytes.
func (x *exchange) forgetHead() {
	w := x.work
	w.form = x.form()
	w.request.Fields = w.request.Fields[:0]
}
