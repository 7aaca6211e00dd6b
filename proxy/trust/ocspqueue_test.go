package trust

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// asking is how many questions use the network.
func (q *ocspQueue) asking() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.shared + q.firsts
}

// turns are taken from a queue whose clock the test sets.
type turns struct {
	t *testing.T
	*ocspQueue
	clock time.Time
}

func newTurns(t *testing.T, perHost int) *turns {
	q := &turns{t: t, ocspQueue: newOCSPQueue(perHost), clock: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	q.now = func() time.Time { return q.clock }
	return q
}

// take asks for turns until one is not to be had at once.
func (q *turns) take(host string) (taken []*ocspTurn, waits *ocspTurn, err error) {
	for {
		turn, queued, err := q.ask(host)
		if err != nil || queued {
			return taken, turn, err
		}
		taken = append(taken, turn)
	}
}

// became is what has become of a place in the queue; false: it is still waiting.
func became(turn *ocspTurn) (err error, served bool) {
	select {
	case err := <-turn.ready:
		return err, true
	default:
		return nil, false
	}
}

func TestTurnsAreSharedByResponders(t *testing.T) {
	q := newTurns(t, maxOCSPPerHost)
	all := map[string][]*ocspTurn{}
	queued := map[string]*ocspTurn{}
	// The first of each comes on top of the shared ones; of those each takes seven, until
	// the fifth has four.
	for i, want := range []int{8, 8, 8, 8, 5, 1, 1} {
		host := fmt.Sprint(i)
		taken, waits, err := q.take(host)
		if len(taken) != want || waits == nil || err != nil {
			t.Errorf("responder %d has %d turns, error %v, want %d", i, len(taken), err, want)
		}
		all[host], queued[host] = taken, waits
	}
	// One that goes makes place for its own, and at once for who came first.
	q.leave(all["6"][0], true, false)
	if err, served := became(queued["6"]); !served || err != nil {
		t.Errorf("who waits for responder 6 has not got the turn: %v %v", err, served)
	}
	q.leave(all["4"][4], true, false)
	if err, served := became(queued["4"]); !served || err != nil {
		t.Errorf("who waits for responder 4 has not got the turn: %v %v", err, served)
	}
	q.leave(all["0"][0], true, false)
	if err, served := became(queued["0"]); served && err != nil {
		t.Errorf("who waits for responder 0 was sent home: %v", err)
	}
	for _, host := range []string{"1", "2", "3", "5"} {
		if _, served := became(queued[host]); served {
			t.Errorf("who waits for responder %s has a turn that nobody gave back", host)
		}
	}
}

func TestHowManyRespondersAreAskedAtOnceIsBounded(t *testing.T) {
	q := newTurns(t, maxOCSPPerHost)
	n := 0
	for i := range maxOCSPFirsts + maxOCSPFetches + 10 {
		if _, queued, err := q.ask(fmt.Sprint(i)); err == nil && !queued {
			n++
		}
	}
	if want := maxOCSPFirsts + maxOCSPFetches; n != want || q.asking() != want {
		t.Errorf("%d questions use the network, want %d", n, want)
	}
}

func TestASilentResponderIsLeftAloneForAWhile(t *testing.T) {
	q := newTurns(t, maxOCSPPerHost)
	taken, waits, _ := q.take("dead")
	other, otherWaits, _ := q.take("live")
	q.leave(taken[0], false, true)
	q.leave(taken[1], true, false) // it has answered: they must be in a row
	q.leave(taken[2], false, true)
	q.leave(taken[3], false, false) // the sidecar has ended it
	q.leave(taken[4], false, true)
	if err, served := became(waits); !served || err != nil {
		t.Fatalf("who waits got %v, %v", err, served)
	}
	_, waits, err := q.take("dead")
	if err != nil || waits == nil {
		t.Fatalf("after two in a row: error %v", err)
	}
	q.leave(taken[5], false, true)
	if err, served := became(waits); !served || !errors.Is(err, errOCSPSilent) {
		t.Errorf("who waits for it after three in a row got %v, %v", err, served)
	}
	for _, at := range []time.Duration{0, ocspHostPause - 1} {
		q.clock = q.clock.Add(at)
		if _, _, err := q.ask("dead"); !errors.Is(err, errOCSPSilent) {
			t.Errorf("%v into the pause: error %v", at, err)
		}
	}
	q.leave(other[0], true, false)
	if err, served := became(otherWaits); !served || err != nil {
		t.Errorf("who waits for another got %v, %v", err, served)
	}
	q.clock = q.clock.Add(1)
	q.leave(taken[6], false, false)
	q.leave(taken[7], false, false)
	for q.hosts["dead"].asking > 0 { // those that came on the answer in between
		q.leave(&ocspTurn{host: q.hosts["dead"]}, false, false)
	}
	probe, waits, err := q.take("dead")
	if len(probe) != 1 || waits == nil || err != nil {
		t.Fatalf("after the pause %d may try it, error %v, want one", len(probe), err)
	}
	q.leave(probe[0], false, true)
	if err, served := became(waits); !served || !errors.Is(err, errOCSPSilent) {
		t.Errorf("who waits while it is tried in vain got %v, %v", err, served)
	}
	q.clock = q.clock.Add(ocspHostPause)
	probe, waits, _ = q.take("dead")
	q.leave(probe[0], true, false)
	if err, served := became(waits); !served || err != nil {
		t.Errorf("who waits while it is tried with success got %v, %v", err, served)
	}
	if more, _, err := q.take("dead"); len(more) != maxOCSPPerHost-1 || err != nil {
		t.Errorf("then %d more may ask it, error %v, want %d", len(more), err, maxOCSPPerHost-1)
	}
}

func TestOnlySoManyRespondersAreRemembered(t *testing.T) {
	q := newTurns(t, maxOCSPPerHost)
	busy, _, err := q.ask("busy")
	must(t, busy, err)
	for i := range 10 * maxOCSPHosts {
		turn, _, err := q.ask(fmt.Sprint("answers", i))
		q.leave(must(t, turn, err), true, false)
	}
	if n := len(q.hosts); n != 1 {
		t.Errorf("%d are remembered that have answered", n-1)
	}
	for i := range 10 * maxOCSPHosts {
		q.clock = q.clock.Add(time.Millisecond)
		for range maxOCSPTimeouts {
			turn, _, err := q.ask(fmt.Sprint("silent", i))
			q.leave(must(t, turn, err), false, true)
		}
	}
	if n := len(q.hosts); n != maxOCSPHosts || q.hosts["busy"] != busy.host {
		t.Errorf("%d are remembered, want %d with the busy one", n, maxOCSPHosts)
	}
	if _, _, err := q.ask(fmt.Sprint("silent", 10*maxOCSPHosts-1)); !errors.Is(err, errOCSPSilent) {
		t.Errorf("the last is forgotten: %v", err)
	}
}

func TestTheQueueLosesNoTurn(t *testing.T) {
	q := newOCSPQueue(maxOCSPPerHost)
	var all sync.WaitGroup
	for g := range 64 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 200 {
				turn, queued, err := q.ask(fmt.Sprint(random.IntN(9)))
				if queued {
					ctx, cancel := context.WithCancel(t.Context())
					if random.IntN(2) == 0 {
						cancel()
					}
					err = q.wait(ctx, turn)
					cancel()
				}
				if err == nil {
					q.leave(turn, random.IntN(8) > 0, false)
				} else if !errors.Is(err, errOCSPBusy) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	all.Wait()
	if q.asking() != 0 || q.waiting.Len() != 0 || len(q.hosts) != 0 {
		t.Errorf("at the end %d use the network, %d wait, %d responders are remembered", q.asking(), q.waiting.Len(), len(q.hosts))
	}
}
