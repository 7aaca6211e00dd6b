package soak

import (
	"fmt"
	"sync"
	"time"
)

// Kinds of faults.
const (
	wrongVerdict = "wrong verdict" // the worst: the application was told what was not true
	changed      = "changed bytes"
	failed       = "failed request"
	strayed      = "stray request" // the application got what nobody sent, or sent once
	unsound      = "unsound answer"
	leaked       = "leak"
	unexplained  = "unexplained log"
	miscounted   = "miscounted"
	notInForce   = "not in force"
	broken       = "broken soak" // it could not do its own work
)

// fault is something that must not be.
type fault struct {
	kind    string
	after   time.Duration // since the beginning
	client  string        // kind of client
	request string        // id
	detail  string        // got and want
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// faults are all of a run; the first are kept.
type faults struct {
	mu    sync.Mutex
	begun time.Time
	first []fault
	count int
	over  bool // nothing counts any more
	tell  func(kind, client, detail string)
}

const keptFaults = 100

func newFaults() *faults { return &faults{begun: time.Now()} }

// add notes a fault; r may be nil.
func (f *faults) add(kind string, r *request, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	one := fault{kind: kind, after: time.Since(f.begun), detail: fmt.Sprintf(format, args...)}
	if r != nil {
		one.client, one.request = r.client, r.id
	}
	if f.tell != nil {
		f.tell(one.kind, one.client, one.detail)
	}
	if f.count++; len(f.first) < keptFaults {
		f.first = append(f.first, one)
	}
}

func (f *faults) list() []fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fault(nil), f.first...)
}

func (f *faults) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// end is when somebody ends the day early: a terminal's Ctrl-C ends the sidecar as well,
// and what fails then is nobody's fault.
func (f *faults) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

func (f *faults) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}
