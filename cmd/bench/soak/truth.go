package soak

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// state is what the files say at one time.
type state struct {
	trusted [caCount]bool
	revoked map[*person]bool
	server  int // which of the server's certificates
}

func (s *state) clone() state {
	return state{s.trusted, maps.Clone(s.revoked), s.server}
}

// epoch is a state, from when somebody began to write it.
type epoch struct {
	state
	begun   time.Time // before the first byte was written
	inForce time.Time // when the sidecar was known to go by it; zero: not yet
}

// truth is what the files have said, one state after another. What is in force at a
// time is one of those between the last that was known to be and the last begun.
type truth struct {
	mu     sync.Mutex
	epochs []epoch
}

func newTruth(first state) *truth {
	now := time.Now()
	return &truth{epochs: []epoch{{first, now, now}}}
}

// remembered is how long epochs are kept that are over: longer than any exchange.
const remembered = 3 * time.Minute

// begin is called before anything is written.
func (t *truth) begin(change func(*state)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.epochs[len(t.epochs)-1].clone()
	change(&next)
	t.epochs = append(t.epochs, epoch{state: next, begun: time.Now()})
	old := time.Now().Add(-remembered)
	for len(t.epochs) > 2 && !t.epochs[1].inForce.IsZero() && t.epochs[1].inForce.Before(old) {
		t.epochs = slices.Delete(t.epochs, 0, 1)
	}
}

// confirm is called once the sidecar has said that it goes by the last state.
func (t *truth) confirm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epochs[len(t.epochs)-1].inForce = time.Now()
}

// last is the state that was written last.
func (t *truth) last() state {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.epochs[len(t.epochs)-1].state
}

// between are the states that may have been in force at any time from a to b.
func (t *truth) between(a, b time.Time) []state {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := 0
	for i, e := range t.epochs {
		if !e.inForce.IsZero() && !e.inForce.After(a) {
			first = i
		}
	}
	var all []state
	for i, e := range t.epochs[first:] {
		if i == 0 || !e.begun.After(b) {
			all = append(all, e.state)
		}
	}
	return all
}

// allowed is what a client may be told.
type allowed struct {
	success, none bool
	reasons       []string // for which it may be refused
}

func (a allowed) refusal() bool { return len(a.reasons) > 0 }

// allows says what somebody may be told whom the sidecar judged at some time from a to
// b: that both answers are right happens only while things change.
func (t *truth) allows(who *person, a, b time.Time) allowed {
	var all allowed
	if who.certificate == nil {
		return allowed{none: true}
	}
	for _, s := range t.between(a, b) {
		reasons := who.doubts(&s)
		ended := !who.until.IsZero() && !b.Before(who.until)
		if ended {
			all.reasons = append(all.reasons, "expired")
		}
		if all.reasons = append(all.reasons, reasons...); len(reasons) > 0 {
			continue
		}
		all.success = all.success || who.until.IsZero() || a.Before(who.until)
	}
	return all
}
