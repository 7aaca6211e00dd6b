package proxy

import (
	"runtime/debug"
	"sync"
	"time"
)

// A burst of handshakes leaves twice as much garbage as the connections it made
// will ever use, and where only idle connections follow nothing would trigger
// a collection: the memory would stay.
const (
	surge = 500             // handshakes that are worth a collection
	quiet = 5 * time.Second // without another one, before it is done
)

// housekeeper gives a burst's garbage back once the burst is over, and once more when
// the connections that it made wait shallowly: stacks shrink only when memory is
// collected. Where connections come all the time it does nothing: they collect as they go.
type housekeeper struct {
	deep  time.Duration // how long a connection that has gone idle needs its stack, at most
	mu    sync.Mutex
	count int  // handshakes since the last collection
	again bool // one collection is to follow the next
	timer *time.Timer
}

func (h *housekeeper) handshake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	if h.count < surge {
		return
	}
	h.again = true
	if h.timer == nil {
		h.timer = time.AfterFunc(quiet, h.tidy)
	} else {
		h.timer.Reset(quiet)
	}
}

func (h *housekeeper) tidy() {
	h.mu.Lock()
	h.count = 0
	if h.again {
		h.again = false
		h.timer.Reset(max(h.deep-quiet, 0) + time.Second)
	}
	h.mu.Unlock()
	debug.FreeOSMemory()
}

func (h *housekeeper) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.again = false // a tidy that has just begun is the last
	if h.timer != nil {
		h.timer.Stop()
	}
}
