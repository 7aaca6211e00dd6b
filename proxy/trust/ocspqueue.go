package trust

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxOCSPFetches is how many questions share the network at once.
	maxOCSPFetches = 32
	// maxOCSPPerHost is how many of them may be for one responder, unless there is
	// but one: a CA whose responder is silent must not keep the clients of others out.
	maxOCSPPerHost = 8
	// maxOCSPFirsts is for how many responders a first question may be under way
	// besides those: it waits for nobody else's.
	maxOCSPFirsts = 32
	// maxOCSPHosts is of how many responders it is remembered that they were silent.
	maxOCSPHosts = 256

	// After so many questions in a row without any answer nobody waits for a responder
	// for the pause. Then one question tries it.
	maxOCSPTimeouts = 3
	ocspHostPause   = minOCSPBackOff
)

var (
	errOCSPBusy   = errors.New("too many OCSP questions are under way; the responders are slow, or there are too many clients with certificates not seen before")
	errOCSPSilent = errors.New("the OCSP responder has not answered the last questions in time and is left alone for a few seconds; see that it runs and that the network lets us to it")
)

// ocspQueue gives questions their turn to use the network, by responder.
type ocspQueue struct {
	perHost int
	now     func() time.Time

	mu      sync.Mutex
	hosts   map[string]*ocspHost
	waiting *list.List // of *ocspTurn, who came first in front
	shared  int        // turns taken of maxOCSPFetches
	firsts  int        // turns taken of maxOCSPFirsts
}

// ocspHost is what is known of a responder, by the host and port of its URL.
type ocspHost struct {
	name     string
	asking   int       // questions that use the network
	queued   int       // questions that wait for their turn
	timeouts int       // in a row
	until    time.Time // the end of the pause
}

// ocspTurn is a question's right to use the network.
type ocspTurn struct {
	host  *ocspHost
	first bool // it is one of maxOCSPFirsts
	place *list.Element
	ready chan error // what became of the place; nil: the turn
}

func newOCSPQueue(perHost int) *ocspQueue {
	return &ocspQueue{perHost: perHost, now: time.Now, hosts: make(map[string]*ocspHost), waiting: list.New()}
}

// ask takes a turn, or a place in the queue for one: then the caller has to wait. A
// turn must be given back to leave.
func (q *ocspQueue) ask(name string) (turn *ocspTurn, queued bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	host := q.host(name)
	if q.pausing(host) {
		return nil, false, errOCSPSilent
	}
	turn = &ocspTurn{host: host}
	if q.admit(turn) {
		return turn, false, nil
	}
	turn.ready = make(chan error, 1)
	turn.place = q.waiting.PushBack(turn)
	host.queued++
	return turn, true, nil
}

// wait waits in the queue, until ctx is done. After an error there is no turn.
func (q *ocspQueue) wait(ctx context.Context, turn *ocspTurn) error {
	select {
	case err := <-turn.ready:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-turn.ready: // meanwhile
		return err
	default:
	}
	q.waiting.Remove(turn.place)
	turn.host.queued--
	q.forget(turn.host)
	return errOCSPBusy
}

// leave gives a turn back. silent tells that the responder had its whole time and
// did not answer; answered that it did. Neither says nothing of the responder.
func (q *ocspQueue) leave(turn *ocspTurn, answered, silent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	host := turn.host
	host.asking--
	if turn.first {
		q.firsts--
	} else {
		q.shared--
	}
	switch {
	case answered:
		host.timeouts, host.until = 0, time.Time{}
	case silent:
		if host.timeouts++; host.timeouts >= maxOCSPTimeouts {
			host.until = q.now().Add(ocspHostPause)
		}
	}
	q.serve()
	q.forget(host)
}

// serve lets go whoever may, in the order in which they came, and sends home who
// waits for a responder that is silent. The caller holds mu.
func (q *ocspQueue) serve() {
	for place := q.waiting.Front(); place != nil; {
		next, turn := place.Next(), place.Value.(*ocspTurn)
		silent := q.pausing(turn.host)
		if silent || q.admit(turn) {
			q.waiting.Remove(place)
			turn.host.queued--
			if silent {
				turn.ready <- errOCSPSilent
			} else {
				turn.ready <- nil
			}
		}
		place = next
	}
}

// admit takes a turn if there is one. The caller holds mu.
func (q *ocspQueue) admit(turn *ocspTurn) bool {
	host, limit := turn.host, q.perHost
	if host.timeouts >= maxOCSPTimeouts {
		limit = 1
	}
	switch {
	case host.asking >= limit:
		return false
	case host.asking == 0 && q.firsts < maxOCSPFirsts:
		turn.first = true
		q.firsts++
	case q.shared < maxOCSPFetches:
		q.shared++
	default:
		return false
	}
	host.asking++
	return true
}

func (q *ocspQueue) pausing(host *ocspHost) bool { return q.now().Before(host.until) }

// host finds a responder or makes one. Of those that are idle the one whose pause
// ends first is forgotten when there are too many. The caller holds mu.
func (q *ocspQueue) host(name string) *ocspHost {
	host := q.hosts[name]
	if host != nil {
		return host
	}
	if len(q.hosts) >= maxOCSPHosts {
		var oldest *ocspHost
		for _, h := range q.hosts {
			if h.idle() && (oldest == nil || h.until.Before(oldest.until)) {
				oldest = h
			}
		}
		if oldest != nil {
			delete(q.hosts, oldest.name)
		}
	}
	host = &ocspHost{name: name}
	q.hosts[name] = host
	return host
}

func (h *ocspHost) idle() bool { return h.asking == 0 && h.queued == 0 }

// forget drops an idle responder of which there is nothing to remember.
func (q *ocspQueue) forget(host *ocspHost) {
	if host.idle() && host.timeouts == 0 {
		delete(q.hosts, host.name)
	}
}
