package upstream

import (
	"net/http/httptrace"
	"sync"
	"time"
)

// h2cFate is what has become of a request's body. net/http tells from the
// goroutine that writes it, which can be late: the application may have answered
// by then.
type h2cFate struct {
	mu      sync.Mutex
	known   bool
	whole   bool // all of it has been written, and that it ends (END_STREAM)
	tell    func(whole bool)
	waiting *time.Timer
}

// wrote is net/http's word that all has been written, or will never be.
func (f *h2cFate) wrote(info httptrace.WroteRequestInfo) { f.settle(info.Err == nil) }

func (f *h2cFate) settle(whole bool) {
	f.mu.Lock()
	tell := f.tell
	f.tell = nil
	if !f.known {
		f.known, f.whole = true, whole
	}
	if f.waiting != nil {
		f.waiting.Stop()
	}
	f.mu.Unlock()
	if tell != nil {
		tell(whole)
	}
}

// whenKnown has tell called once, at once or from another goroutine. net/http
// leaves a body for which the application has no room where it is, when the
// answer has ended with its head: if it says nothing within patience, that
// counts as cut.
func (f *h2cFate) whenKnown(patience time.Duration, tell func(whole bool)) {
	f.mu.Lock()
	known, whole := f.known, f.whole
	if !known {
		f.tell = tell
		f.waiting = time.AfterFunc(patience, func() { f.settle(false) })
	}
	f.mu.Unlock()
	if known {
		tell(whole)
	}
}
