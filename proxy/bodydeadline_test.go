package proxy

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// deadlineSocket remembers the deadline for reading, and lets something else happen
// just before or after it is set.
type deadlineSocket struct {
	net.Conn      // nil: nothing else may be called
	mu            sync.Mutex
	read          time.Time
	before, after func()
}

func (d *deadlineSocket) SetReadDeadline(t time.Time) error {
	if d.before != nil {
		d.before()
	}
	d.mu.Lock()
	d.read = t
	d.mu.Unlock()
	if d.after != nil {
		d.after()
	}
	return nil
}

func (d *deadlineSocket) SetWriteDeadline(time.Time) error { return nil }

func bodyServer() *Server {
	config := &Config{}
	config.BodyTimeout.Duration, config.SendTimeout.Duration = time.Minute, time.Minute
	return &Server{config: config, log: zap.NewNop()}
}

// Once an answer has begun, nobody waits for a request's body with a deadline: one
// that is set in the same moment does not stay. Each of the two sets one deadline; the
// other comes in just before, or just after.
func TestADeadlineForABodyDoesNotOutliveTheBeginningOfTheAnswer(t *testing.T) {
	inEveryOrder(t, func(x *exchange, _ *upload) func() { return x.waitBody }, func(t *testing.T, read time.Time) {
		if !read.IsZero() {
			t.Errorf("the deadline is %v from now, want none", time.Until(read))
		}
	})
}

// inEveryOrder has the answer begin while somebody else sets a deadline for the body,
// or the other way about, and looks at the deadline that is left.
func inEveryOrder(t *testing.T, somebody func(*exchange, *upload) func(), check func(t *testing.T, read time.Time)) {
	t.Helper()
	for _, freeFirst := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("freeing first %v, the other after %v", freeFirst, after), func(t *testing.T) {
				d := &deadlineSocket{}
				x := &newConn(bodyServer(), d, "").exchange
				u := &upload{exchange: x}
				first, other := somebody(x, u), func() { x.freeBody(u) }
				if freeFirst {
					first, other = other, first
				}
				met := false
				hook := func() {
					if !met {
						met = true
						other()
					}
				}
				if after {
					d.after = hook
				} else {
					d.before = hook
				}
				first()
				check(t, d.read)
			})
		}
	}
}

func TestWaitingForABodySetsADeadlineUntilTheAnswerBegins(t *testing.T) {
	for name, carrier := range map[string]func() (x *exchange, read func() time.Time){
		"HTTP/1.1": func() (*exchange, func() time.Time) {
			d := &deadlineSocket{}
			return &newConn(bodyServer(), d, "").exchange, func() time.Time { return d.read }
		},
		"HTTP/2": func() (*exchange, func() time.Time) {
			w := &fakeWriter{}
			one := &stream{writer: w}
			one.exchange.stream, one.exchange.server = one, bodyServer()
			return &one.exchange, func() time.Time { return w.read }
		},
	} {
		t.Run(name, func(t *testing.T) {
			x, read := carrier()
			start := time.Now()
			x.waitBody()
			if got := read(); got.Before(start.Add(time.Minute)) || got.After(time.Now().Add(time.Minute+time.Minute/8)) {
				t.Errorf("the deadline is %v after the beginning, want MTLS_BODY_TIMEOUT and at most an eighth more", got.Sub(start))
			}
			x.freeBody(&upload{})
			x.waitBody()
			if got := read(); !got.IsZero() {
				t.Errorf("after the answer has begun the deadline is %v, want none", got)
			}
			for range 1000 {
				x.answering.Store(false)
				x.readAlarm.Forget()
				var both sync.WaitGroup
				both.Go(x.waitBody)
				both.Go(func() { x.freeBody(&upload{}) })
				both.Wait()
				if got := read(); !got.IsZero() {
					t.Fatalf("set and taken off at once, the deadline is %v, want none", got)
				}
			}
		})
	}
}
