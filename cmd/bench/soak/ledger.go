package soak

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// request is one that a client makes. Its id is in its target, and so with the application.
type request struct {
	id, client string
	who        *person
	unsafe     bool // must never be sent twice
	must       bool // on the path that wants a certificate
	barred     bool // must never reach the application
	torn       bool // must never reach it as a whole
	begun      time.Time

	mu       sync.Mutex
	sent     time.Time // before its head was whole
	arrivals int
	whole    bool
	ended    time.Time
}

// headSent is called right before the last bytes of a head are written.
func (r *request) headSent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = time.Now()
}

func (r *request) arrived() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrivals
}

// ledger has every request from before it is sent until a while after its end: what is
// given up may still be on its way.
type ledger struct {
	truth  *truth
	faults *faults
	away   func(from, to time.Time) bool // whether the application was away meanwhile

	next atomic.Int64
	told [3]atomic.Int64 // arrivals with SUCCESS, NONE, and forged fields that clients sent

	mu  sync.Mutex
	all map[string]*request
}

const (
	toldSuccess = iota
	toldNone
	forgeries
)

// straggle is how long after its end a request may still arrive; far longer than anything here waits.
const straggle = 90 * time.Second

func newLedger(t *truth, f *faults, away func(from, to time.Time) bool) *ledger {
	return &ledger{truth: t, faults: f, away: away, all: map[string]*request{}}
}

// begin enters a request that is about to be sent.
func (l *ledger) begin(client string, who *person) *request {
	now := time.Now()
	name := strings.NewReplacer(", ", "-", " ", "-", "/", "", ".", "").Replace(client)
	r := &request{id: fmt.Sprintf("%s-%d", name, l.next.Add(1)), client: client, who: who, begun: now, sent: now}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[r.id] = r
	return r
}

// end is called when the client is done with it.
func (l *ledger) end(r *request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = time.Now()
}

// forget drops what has long ended.
func (l *ledger) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.all {
		r.mu.Lock()
		over := !r.ended.IsZero() && now.Sub(r.ended) > straggle
		r.mu.Unlock()
		if over {
			delete(l.all, id)
		}
	}
}

// arrive is called by the application for each head, with its lines as they came.
func (l *ledger) arrive(id string, lines []string) *request {
	l.mu.Lock()
	r := l.all[id]
	l.mu.Unlock()
	if r == nil {
		l.faults.add(strayed, &request{id: id}, "the application got what nobody sent: %q", lines)
		return &request{id: id}
	}
	now := time.Now()
	r.mu.Lock()
	sent := r.sent
	r.arrivals++
	arrivals := r.arrivals
	r.mu.Unlock()
	l.judgeTold(r, lines, l.truth.allows(r.who, sent, now))
	switch {
	case r.barred:
		l.faults.add(strayed, r, "it must not reach the application: %q", lines)
	case arrivals > 1 && r.unsafe:
		l.faults.add(strayed, r, "it came %d times, and may be sent once only", arrivals)
	case arrivals > 1 && !l.away(r.begun, now):
		l.faults.add(strayed, r, "it came %d times, and the application was there", arrivals)
	}
	return r
}

// judgeTold compares every line that could tell of the client with what may be said of it.
func (l *ledger) judgeTold(r *request, lines []string, may allowed) {
	var verified, dn []string
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		switch folded(name) {
		case "verified":
			verified = append(verified, line)
		case "dn":
			dn = append(dn, line)
		}
		if strings.Contains(value, forged) || strings.Contains(value, "CN=admin") {
			l.faults.add(wrongVerdict, r, "a forged field came through: %q", line)
		}
	}
	switch {
	case len(verified) == 1 && verified[0] == "VERIFIED: NONE" && len(dn) == 0:
		l.told[toldNone].Add(1)
		if !may.none {
			l.faults.add(wrongVerdict, r, "told NONE of %s, want %s", r.who.name, may)
		}
	case len(verified) == 1 && verified[0] == "VERIFIED: SUCCESS" && len(dn) == 1:
		l.told[toldSuccess].Add(1)
		if !may.success {
			l.faults.add(wrongVerdict, r, "told SUCCESS of %s, want %s", r.who.name, may)
		}
		if want := "DN: " + r.who.dn; dn[0] != want {
			l.faults.add(wrongVerdict, r, "got %q, want %q", dn[0], want)
		}
	default:
		l.faults.add(wrongVerdict, r, "told %q and %q of %s, want one line of each, or NONE alone", verified, dn, r.who.name)
	}
}

func (a allowed) String() string {
	var all []string
	if a.success {
		all = append(all, "SUCCESS")
	}
	if a.none {
		all = append(all, "NONE")
	}
	if a.refusal() {
		all = append(all, fmt.Sprintf("a refusal for one of %v", a.reasons))
	}
	return strings.Join(all, " or ")
}

// folded is a name as an application may read it that takes any punctuation for the same.
func folded(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		}
		return '-'
	}, name)
}

// wholeArrived is called by the application when a request's body has come to its proper
// end. That of somebody who has lost belief long ago must not get so far.
func (l *ledger) wholeArrived(r *request) {
	if r.who != nil {
		l.flowed(r, time.Now())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = true
	if r.torn {
		l.faults.add(changed, r, "its client broke it off, and the application got a whole body")
	}
}
