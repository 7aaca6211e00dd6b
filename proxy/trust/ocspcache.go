package trust

import (
	"container/list"
	"time"
)

const (
	// maxOCSPEntries is of how many certificates something is remembered, as many as Chains has.
	maxOCSPEntries = maxChains

	// The pause after a failure grows between these: short, since clients wait
	// for it to end, but not so short that each of them waits for a timeout anew.
	minOCSPBackOff = 5 * time.Second
	maxOCSPBackOff = time.Minute
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
	// revocation is the newest answer that the certificate is revoked, until a newer
	// one says that it is good; nil: none.
	revocation *ocspAnswer
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
// that the certificate is good takes a revocation back, no failure to get one and
// no "unknown" of a responder that has lost its records: else whoever can keep
// the responder from answering is let in again. In the same way "unknown" stays.
func (e *ocspEntry) lastWord() Reason {
	switch {
	case e == nil || e.answer == nil:
		return OCSPFailed
	case e.revocation != nil:
		return OCSPRevoked
	case e.answer.reason == OCSPUnknown:
		return OCSPUnknown
	}
	return OCSPFailed
}

// keep takes an answer that counts, and does not unsay a revocation.
func (e *ocspEntry) keep(answer *ocspAnswer) {
	e.answer, e.failures = answer, 0
	switch {
	case answer.reason == 0:
		e.revocation = nil
	case answer.reason == OCSPRevoked && (e.revocation == nil || answer.newerThan(e.revocation)):
		e.revocation = answer
	}
}

// pausing reports whether it is too early to ask again after a failure.
func (e *ocspEntry) pausing(now time.Time) bool {
	return e.failures > 0 && now.Before(e.retryAt) && !now.Before(e.failedAt.Add(-ocspSkew))
}

// maxTelling is how many times as many entries there may be for the sake of those that
// tell of a revocation, or that the CA does not know the certificate: who was
// refused must not be forgotten for others' sake.
const maxTelling = 4

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
		old := oldest.Value.(*ocspEntry)
		if telling := old.revocation != nil || old.answer != nil && old.answer.reason != 0; old.flight == nil && (!telling || c.recent.Len() > maxTelling*c.max) {
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

// dueFor reports whether an answer is to be renewed ahead of its end.
func (e *ocspEntry) dueFor(now time.Time) bool {
	return e.answer.current(now) && !e.answer.refresh.IsZero() && !now.Before(e.answer.refresh) && !e.pausing(now)
}
