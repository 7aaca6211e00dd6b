package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"mtls-sidecar/proxy"
)

// stop turns the signals that end a program into a drain. In Kubernetes a native
// sidecar gets SIGTERM when the application is gone, after its preStop hook has had
// it drained; an ordinary container gets it at once, after the hook if it has one.
// So the SIGTERM that follows a drain asks for nothing more.
type stop struct {
	drain   *proxy.Drain
	signals chan os.Signal
	asked   chan struct{} // closed by the first signal: the process is to end once it is drained
	done    chan struct{}
	steered sync.WaitGroup
}

// catchStop catches signals from now on, so that none is lost during the start.
func catchStop() *stop {
	s := &stop{drain: proxy.NewDrain(), signals: make(chan os.Signal, 4), asked: make(chan struct{}), done: make(chan struct{})}
	signal.Notify(s.signals, syscall.SIGTERM, syscall.SIGINT)
	return s
}

// steer has signals begin the drain, or hurry it, until release. delay is MTLS_DRAIN_DELAY.
func (s *stop) steer(log *zap.Logger, delay time.Duration) {
	s.steered.Go(func() {
		for first := true; ; first = false {
			select {
			case got := <-s.signals:
				s.heed(got, log, delay, first)
				if first {
					close(s.asked)
				}
			case <-s.done:
				return
			}
		}
	})
}

// heed decides what a signal means. SIGINT is a developer's, who waits for no
// balancer.
func (s *stop) heed(got os.Signal, log *zap.Logger, delay time.Duration, first bool) {
	if got == syscall.SIGINT {
		delay = 0
	}
	name := zap.String("signal", got.String())
	switch {
	case s.drain.Begin(delay):
		log.Info("stopping", name)
	case first:
		log.Info("stopping once the drain is over, which has begun already", name)
	default:
		log.Info("stopping sooner: a second signal hurries", name)
		s.drain.Hurry()
	}
}

// before is for a start that came to nothing: by err, or because it is to stop
// already. Then the drain is over at once, and the process stays until it is told to end.
func (s *stop) before(err error) error {
	if err == nil {
		s.drain.End()
		<-s.asked
	}
	return err
}

// release lets signals end the program again, as they would without it.
func (s *stop) release() {
	signal.Stop(s.signals)
	close(s.done)
	s.steered.Wait()
}
