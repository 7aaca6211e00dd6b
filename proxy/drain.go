package proxy

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Drain is how a sidecar goes out of service without failing a request. Whoever
// sends requests learns late that he should not any more, so for a while
// (MTLS_DRAIN_DELAY) new connections are still accepted, and every answer says that
// the next request needs another one. Then the listener closes, and what is in
// flight has MTLS_DRAIN_TIMEOUT to end. Only after that may the application stop:
// Drained is what its preStop hook waits for.
//
// It can begin before there is a server. It never takes itself back.
type Drain struct {
	begin   sync.Once
	begun   chan struct{}
	delay   time.Duration // written before begun is closed
	hurries chan struct{}
	end     sync.Once
	done    chan struct{}
}

// maxHurries is how often a drain can be hurried: once out of the delay, once out
// of the wait for what is in flight.
const maxHurries = 2

// NewDrain makes one that has not begun.
func NewDrain() *Drain {
	return &Drain{begun: make(chan struct{}), hurries: make(chan struct{}, maxHurries), done: make(chan struct{})}
}

// Begin begins the drain, with a time for which connections are still accepted,
// and returns at once. It reports whether it has begun now: later calls change nothing.
func (d *Drain) Begin(delay time.Duration) bool {
	now := false
	d.begin.Do(func() {
		d.delay = delay
		close(d.begun)
		now = true
	})
	return now
}

// Hurry ends the delay; the next call cuts what is in flight.
func (d *Drain) Hurry() {
	select {
	case d.hurries <- struct{}{}:
	default:
	}
}

// End says that the drain is over: there is nothing, or nothing more, to wait for.
func (d *Drain) End() { d.end.Do(func() { close(d.done) }) }

// Begun is closed when the drain begins.
func (d *Drain) Begun() <-chan struct{} { return d.begun }

// Done is closed when it is over: the listener is closed and no request in flight.
func (d *Drain) Done() <-chan struct{} { return d.done }

// Drain waits for d to begin, carries it out, and returns how many requests it
// cut. It also returns, without a drain, when ctx is done.
func (s *Server) Drain(ctx context.Context, d *Drain) (cut int) {
	select {
	case <-d.begun:
	case <-ctx.Done():
		return 0
	}
	s.draining.Store(true)
	s.log.Info("draining", zap.Duration("delay", d.delay), zap.Duration("timeout", s.config.DrainTimeout.Duration))
	d.linger(d.delay)
	s.log.Info("not listening any more, waiting for what is in flight")
	flight, cancel := context.WithTimeout(context.Background(), s.config.DrainTimeout.Duration)
	defer cancel()
	go func() {
		select {
		case <-d.hurries:
			cancel()
		case <-flight.Done():
		}
	}()
	cut = s.Shutdown(flight)
	s.log.Info("drained", zap.Int("connections_cut", cut))
	d.End()
	return cut
}

// linger waits for the delay, or to be hurried.
func (d *Drain) linger(delay time.Duration) {
	if delay <= 0 {
		return // a call of Hurry is for what comes next
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.hurries:
	}
}
