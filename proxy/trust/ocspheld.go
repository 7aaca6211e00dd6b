package trust

import (
	"crypto/x509"
	"time"
)

// OCSPHeld is an answer that is remembered.
type OCSPHeld struct {
	Certificate            *x509.Certificate // the one that it is about
	Status                 string            // good, revoked or unknown
	ThisUpdate, NextUpdate time.Time         // the answer's own dates; no NextUpdate is the zero time
	Fetched, Until         time.Time         // when it came, and from when on it counts no longer
}

// Held returns the answers that are remembered, those of the certificates judged
// last first and at most so many, and how many there are in all.
func (o *OCSP) Held(most int) (answers []OCSPHeld, all int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for element := o.cache.recent.Front(); element != nil; element = element.Next() {
		entry := element.Value.(*ocspEntry)
		if entry.answer == nil {
			continue
		}
		if all++; len(answers) < most {
			answers = append(answers, entry.held())
		}
	}
	return answers, all
}

func (e *ocspEntry) held() OCSPHeld {
	status := "good"
	answer := e.answer
	switch {
	case e.revocation != nil: // no "unknown" takes it back: see lastWord
		answer, status = e.revocation, "revoked"
	case answer.reason != 0:
		status = "unknown"
	}
	return OCSPHeld{e.link.cert, status, answer.thisUpdate, answer.nextUpdate, answer.fetched, answer.until}
}
