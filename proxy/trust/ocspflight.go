package trust

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

var errOCSPOlder = errors.New("the OCSP answer is older than the one that tells of a revocation, or not newer; have the CA's responder mended")

// ocspFlight is a question under way. Everybody who wants the answer waits for
// the same flight.
type ocspFlight struct {
	done    chan struct{} // closed when outcome is there
	outcome ocspOutcome
	awaited bool        // by a caller of Check, who will use the answer
	without Reason      // what is to be said by who does not wait for it
	host    string      // of the responder
	queued  atomic.Bool // it had to wait for its turn
}

// await waits for the outcome, but no longer than patience for a question that had to
// queue: it goes on, for who comes again. Any other ends by its own Timeout.
func (f *ocspFlight) await(ctx, patience context.Context) ocspOutcome {
	select {
	case <-f.done:
		return f.outcome
	case <-patience.Done():
	}
	if !f.queued.Load() {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	select {
	case <-f.done:
		return f.outcome
	default:
		return ocspOutcome{}
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
	wait := missing && !revoked && o.room(o.waiting, links, outcomes)
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
				o.load[flights[i].host]++
			}
		case !revoked:
			outcomes[i] = noOutcome(o.cache.find(ids[i]).lastWord(), now)
		}
	}
	return outcomes, flights
}

// start joins the flight of an entry, or lets one take off; nil when there are
// too many, or after Close. The caller holds mu.
func (o *OCSP) start(e *ocspEntry) *ocspFlight {
	if e.flight != nil {
		return e.flight
	}
	host := o.host(e.link)
	if o.closed || !o.roomFor(o.flying, host) {
		return nil
	}
	e.silence()
	e.flight = &ocspFlight{done: make(chan struct{}), without: e.lastWord(), host: host}
	o.flying++
	o.load[host]++
	o.running.Add(1)
	go o.fly(e, e.flight, e.revocation)
	return e.flight
}

// fly asks, and tells everybody. Nothing else changes the entry's answers meanwhile.
func (o *OCSP) fly(e *ocspEntry, flight *ocspFlight, revocation *ocspAnswer) {
	defer o.running.Done()
	answer, report := o.fetch(e.link, flight)
	if report.Err == nil && answer.unsays(revocation) {
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
	o.lighten(flight.host)
	if answer != nil {
		e.keep(answer)
		e.used = flight.awaited
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
