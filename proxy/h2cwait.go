package proxy

import (
	"context"
	"sync"
	"time"
)

// callWait looks after a call while it waits for the application: that it does
// not wait for longer than MTLS_UPSTREAM_TIMEOUT, nor for a client that has gone.
// net/http's reads know no deadlines.
type callWait struct {
	call    *call
	cancel  context.CancelCauseFunc
	timeout time.Duration
	timer   *time.Timer

	mu      sync.Mutex
	waiting bool
	since   time.Time
}

func (w *callWait) init(c *call, cancel context.CancelCauseFunc) {
	w.call, w.cancel = c, cancel
	w.timeout = c.exchange.server.config.UpstreamTimeout.Duration
	w.timer = time.AfterFunc(w.timeout, w.look)
}

func (w *callWait) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.since = true, w.call.exchange.now
	w.timer.Reset(min(w.timeout, patience))
}

// stop ends a wait: look does nothing until the next.
func (w *callWait) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = false
}

func (w *callWait) end() {
	w.stop()
	w.timer.Stop()
}

// look is called by the timer. MTLS_UPSTREAM_TIMEOUT runs from the last sign of
// life on either side; once the request's body is out, the client is watched.
func (w *callWait) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.waiting {
		return
	}
	x := w.call.exchange
	due, now, sent := w.since.Add(w.timeout), time.Now(), true
	if body := w.call.body; body != nil {
		sent = body.upload.read.Load()
		if last := time.Unix(0, body.upload.progress.Load()).Add(w.timeout); last.After(due) {
			due = last
		}
	}
	if !now.Before(due) {
		w.cancel(errUpstreamSlow)
		return
	}
	x.coverWrites(due)
	source := &x.work.answer
	if source.watch == nil && sent {
		source.watch = x.startWatch()
	}
	next := due.Sub(now)
	if source.watch == nil {
		next = min(next, patience)
	}
	w.timer.Reset(next)
}
