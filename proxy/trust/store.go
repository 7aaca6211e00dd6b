package trust

import (
	"sync"
	"sync/atomic"
)

// Store publishes the snapshot that counts now. The zero Store is ready and
// empty. It must not be copied.
type Store struct {
	current atomic.Pointer[Snapshot]
	publish sync.Mutex // makes the order of generations that of publication
}

// Publish makes snap the current snapshot and gives it the next generation
// before anybody can see it. A snapshot that was published before, here or
// elsewhere, is published as a copy, since whoever holds it must not see its generation change.
func (s *Store) Publish(snap *Snapshot) {
	s.publish.Lock()
	defer s.publish.Unlock()
	next := uint64(1)
	if old := s.current.Load(); old != nil {
		next = old.Generation() + 1
	}
	if !snap.generation.CompareAndSwap(0, next) {
		snap = snap.copyUnpublished()
		snap.generation.Store(next)
	}
	s.current.Store(snap)
}

// Current returns the snapshot that counts now, nil before the first Publish.
// It costs one atomic load; two equal pointers are the same generation.
func (s *Store) Current() *Snapshot { return s.current.Load() }
