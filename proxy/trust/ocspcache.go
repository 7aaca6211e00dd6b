package trust

import (
	"container/list"
	"context"
	"errors"
	"time"
)

const (
	// maxOCSPEntries is of how many certificates something is remembered, as many as Chains has.
	maxOCSPEntries = maxChains
	// maxOCSPFetches is how many questions use the network at once.
	maxOCSPFetches = 32
	// maxOCSPWaiting is how many callers of Check may wait, and how many
	// questions may be under way or queue for the network.
	maxOCSPWaiting = 1024

	// The pause after a failure grows between these: short, since clients wait
	// for it to end, but not so short that each of them waits for a timeout anew.
	minOCSPBackOff = 5 * time.Second
	maxOCSPBackOff = time.Minute
)

var (
	errOCSPBusy  = errors.New("too many OCSP questions are under way; the responders are slow, or there are too many clients with certificates not seen before")
	errOCSPOlder = errors.New("the OCSP answer is older than the one that tells of a revocation; have the CA's responder mended")
)

// ocspCache remembers what is known of certificates. It is guarded by OCSP.mu.
type ocspCache struct {
	max     int
	entries map[ocspID]*list.Element
	recent  *list.List // of *ocspEntry, most recently used first
}

// ocspEntry is what is known of one certificate.
type ocspEntry struct {
	id     ocspID
	link   ocspLink
	answer *ocspAnswer // the last that counted, perhaps no longer current
	// After failures: how many there were since that answer, and the time between the
	// last of them and the next question.
	failures          int
	failedAt, retryAt time.Time

	told    Reason      // what Check last had to say of the certificate
	spoken  bool        // whether it had anything
	flight  *ocspFlight // the question under way; nil: none
	used    bool        // asked for by Check since the answer came
	unalarm func() bool // stops the timer of the next renewal; nil: none
}

// ocspFlight is a question under way. Everybody who wants the answer waits for
// the same flight.
type ocspFlight struct {
	done    chan struct{} // closed when outcome is there
	outcome ocspOutcome
	awaited bool   // by a caller of Check, who will use the answer
	without Reason // what is to be said by who does not wait for it
}

func newOCSPCache(limit int) ocspCache {
	return ocspCache{max: limit, entries: make(map[ocspID]*list.Element), recent: list.New()}
}

func (c *ocspCache) find(id ocspID) *ocspEntry {
	if element, ok := c.entries[id]; ok {
		return element.Value.(*ocspEntry)
	}
	return nil
}

// known tells what is known of a certificate and still counts at now.
func (c *ocspCache) known(id ocspID, now time.Time) ocspOutcome {
	if entry := c.find(id); entry != nil {
		return entry.outcome(now)
	}
	return ocspOutcome{}
}

func (e *ocspEntry) outcome(now time.Time) ocspOutcome {
	switch {
	case e.answer.current(now):
		return ocspOutcome{e.answer.reason, e.answer.until}
	case e.pausing(now):
		return ocspOutcome{e.lastWord(), e.retryAt}
	}
	return ocspOutcome{}
}

// lastWord is what is to be said when no answer is to be had. Only a newer answer
// takes a revocation back, no failure to get one: else whoever can keep the
// responder from answering is let in again.
func (e *ocspEntry) lastWord() Reason {
	if e != nil && e.answer != nil && e.answer.reason == OCSPRevoked {
		return OCSPRevoked
	}
	return OCSPFailed
}

// pausing reports whether it is too early to ask again after a failure.
func (e *ocspEntry) pausing(now time.Time) bool {
	return e.failures > 0 && now.Before(e.retryAt) && !now.Before(e.failedAt.Add(-ocspSkew))
}

// use finds or makes an entry and marks it as used. What was not used for longest is
// forgotten when there are too many, but no question under way.
func (c *ocspCache) use(l ocspLink, id ocspID) *ocspEntry {
	element, ok := c.entries[id]
	if ok {
		c.recent.MoveToFront(element)
	} else {
		element = c.recent.PushFront(&ocspEntry{id: id, link: l})
		c.entries[id] = element
	}
	entry := element.Value.(*ocspEntry)
	entry.used = true
	oldest := c.recent.Back()
	for c.recent.Len() > c.max && oldest != element {
		previous := oldest.Prev()
		if old := oldest.Value.(*ocspEntry); old.flight == nil {
			old.silence()
			delete(c.entries, old.id)
			c.recent.Remove(oldest)
		}
		oldest = previous
	}
	return entry
}

func (e *ocspEntry) silence() {
	if e.unalarm != nil {
		e.unalarm()
		e.unalarm = nil
	}
}

func (c *ocspCache) stopTimers() {
	for element := c.recent.Front(); element != nil; element = element.Next() {
		element.Value.(*ocspEntry).silence()
	}
}

// ask looks up what is known of the links and starts or joins a flight for each
// of which nothing is. With flights the caller waits, and has to leave.
func (o *OCSP) ask(links []ocspLink, now time.Time) (outcomes []ocspOutcome, flights []*ocspFlight) {
	ids := idsOf(links)
	outcomes = make([]ocspOutcome, len(links))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told, o.seen = now, time.Now()
	missing := false
	for i, id := range ids {
		outcomes[i] = o.cache.known(id, now)
		missing = missing || !outcomes[i].known()
	}
	revoked := anyRevoked(outcomes) // then the rest makes no difference
	wait := missing && !revoked && o.waiting < maxOCSPWaiting
	if wait {
		o.waiting++
		flights = make([]*ocspFlight, len(links))
	}
	for i, link := range links {
		switch {
		case outcomes[i].known():
			if entry := o.cache.use(link, ids[i]); entry.dueFor(now) {
				o.start(entry)
			}
		case wait:
			if flights[i] = o.start(o.cache.use(link, ids[i])); flights[i] == nil {
				outcomes[i] = noOutcome(o.cache.find(ids[i]).lastWord(), now)
			} else {
				flights[i].awaited = true
			}
		case !revoked:
			outcomes[i] = noOutcome(o.cache.find(ids[i]).lastWord(), now)
		}
	}
	return outcomes, flights
}

func (o *OCSP) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting--
}

// dueFor reports whether an answer is to be renewed ahead of its end.
func (e *ocspEntry) dueFor(now time.Time) bool {
	return e.answer.current(now) && !e.answer.refresh.IsZero() && !now.Before(e.answer.refresh) && !e.pausing(now)
}

// start joins the flight of an entry, or lets one take off; nil when there are
// too many, or after Close. The caller holds mu.
func (o *OCSP) start(e *ocspEntry) *ocspFlight {
	if e.flight != nil {
		return e.flight
	}
	if o.closed || o.flying >= maxOCSPWaiting {
		return nil
	}
	e.silence()
	e.flight = &ocspFlight{done: make(chan struct{}), without: e.lastWord()}
	o.flying++
	o.running.Add(1)
	go o.fly(e, e.answer)
	return e.flight
}

// fly asks, and tells everybody. Nothing else changes the entry's answer meanwhile.
func (o *OCSP) fly(e *ocspEntry, held *ocspAnswer) {
	defer o.running.Done()
	ctx, cancel := context.WithTimeout(o.life, o.options.Timeout)
	defer cancel()
	answer, report := o.fetch(ctx, e.link)
	if report.Err == nil && held.unsaidBy(answer) {
		answer, report.Err, report.Status = nil, errOCSPOlder, ""
	}
	live := o.life.Err() == nil
	if live && o.options.Report != nil {
		o.options.Report(report)
	}
	if changed := o.land(e, answer); changed && live && o.options.Changed != nil {
		o.options.Changed()
	}
}

// land stores what came of a flight; a nil answer is a failure. It reports
// whether another thing is now to be said of the certificate than before.
func (o *OCSP) land(e *ocspEntry, answer *ocspAnswer) (changed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	flight, now := e.flight, o.judgingTime()
	e.flight = nil
	o.flying--
	if answer != nil {
		e.answer, e.failures, e.used = answer, 0, flight.awaited
		changed = e.spoken && e.told != answer.reason
		e.told, e.spoken = answer.reason, true
		if !answer.refresh.IsZero() {
			o.alarm(e, answer.refresh.Sub(now))
		}
	} else {
		e.failures++
		pause := min(minOCSPBackOff<<min(e.failures-1, 6), maxOCSPBackOff)
		e.failedAt, e.retryAt = now, now.Add(pause)
		if e.answer.current(e.retryAt) {
			o.alarm(e, pause)
		}
		if !e.answer.current(now) {
			e.told, e.spoken = e.lastWord(), true
		}
	}
	flight.outcome = e.outcome(now)
	close(flight.done)
	return changed
}

// alarm wakes an entry after a while.
func (o *OCSP) alarm(e *ocspEntry, d time.Duration) {
	e.silence()
	if !o.closed {
		e.unalarm = o.after(d, func() { o.wake(e) })
	}
}

// wake renews an answer that is in use, before it ends.
func (o *OCSP) wake(e *ocspEntry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.used && o.cache.find(e.id) == e && e.answer.current(o.judgingTime()) {
		o.start(e)
	}
}

// judgingTime is the time at which answers are judged when no caller tells one:
// the last one told, carried on by the machine's clock. The caller holds mu.
func (o *OCSP) judgingTime() time.Time { return o.told.Add(time.Since(o.seen)) }

func (o *OCSP) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.judgingTime()
}
