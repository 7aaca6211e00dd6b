package trust

import (
	"sync"
	"sync/atomic"
)

// Store publishes the snapshot that counts now. The zero Store is ready and
// empty. It must not be copied.
type Store struct {
	current atomic.Pointer[Snapshot]
	// generation is current's, for those who remember a verdict: the snapshot itself
	// they must not keep, since whole revocation lists hang on it. It
	// follows current, so that whoever has seen it finds no older snapshot.
	generation atomic.Uint64
	publish    sync.Mutex // makes the order of generations that of publication
}

// Publish makes snap the current snapshot and gives it the next generation
// before anybody can see it. A snapshot that was published before, here or
// elsewhere, is published as a copy, since whoever holds it must not see its generation change.
func (s *Store) Publish(snap *Snapshot) {
	s.publish.Lock()
	defer s.publish.Unlock()
	s.put(snap)
}

// Renew publishes what is trusted now once more, under a new pointer and the
// next generation, so that whoever remembers a verdict asks again. It is
// for what the snapshot does not hold, such as an OCSP answer that changed;
// Chains still answers without new signature checks. Before the first Publish it does nothing.
func (s *Store) Renew() {
	s.publish.Lock()
	defer s.publish.Unlock()
	if snap := s.current.Load(); snap != nil {
		s.put(snap)
	}
}

func (s *Store) put(snap *Snapshot) {
	next := uint64(1)
	if old := s.current.Load(); old != nil {
		next = old.Generation() + 1
	}
	if !snap.generation.CompareAndSwap(0, next) {
		snap = snap.copyUnpublished()
		snap.generation.Store(next)
	}
	s.current.Store(snap)
	s.generation.Store(next)
}

// Current returns the snapshot that counts now, nil before the first Publish.
// It costs one atomic load; two equal pointers are the same generation.
func (s *Store) Current() *Snapshot { return s.current.Load() }

// Generation is that of the current snapshot, zero before the first Publish. It costs
// one atomic load. Ask for it before Current: a verdict of that snapshot then
// holds for no later generation.
func (s *Store) Generation() uint64 { return s.generation.Load() }
