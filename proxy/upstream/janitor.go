package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

// janitor closes connections that nobody asks for any more. It runs only while
// some are kept, so that a sidecar at rest does nothing at all.
type janitor struct {
	running atomic.Bool
	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (j *janitor) wake(p *Pool) {
	if j.running.Load() || !j.running.CompareAndSwap(false, true) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.stopped {
		j.timer = time.AfterFunc(p.config.IdleTimeout, func() { j.sweep(p) })
	}
}

func (j *janitor) sweep(p *Pool) {
	j.running.Store(false)
	p.closeExpired(time.Now())
	if p.idle.Load() > 0 {
		j.wake(p)
	}
}

func (j *janitor) stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped = true
	if j.timer != nil {
		j.timer.Stop()
	}
}
