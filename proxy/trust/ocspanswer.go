package trust

import (
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// ocspSkew is how far the responder's clock may be from ours, as nginx allows.
	ocspSkew = 5 * time.Minute
	// maxOCSPAge is how old an answer without nextUpdate may be.
	maxOCSPAge = 7 * 24 * time.Hour
	// maxUnknownAge is how long "unknown" counts: the CA may just not have heard
	// of a certificate it has issued a moment ago.
	maxUnknownAge = 30 * time.Second
)

// ocspAnswer is an answer that counts. It is never changed.
type ocspAnswer struct {
	reason                 Reason    // zero: good; OCSPRevoked; OCSPUnknown
	thisUpdate, nextUpdate time.Time // its own dates; no nextUpdate is the zero time
	produced               time.Time // its producedAt
	fetched                time.Time
	refresh                time.Time // when to ask again while it still counts
	until                  time.Time // from when on it counts no longer
}

// current reports whether the answer counts at now. A clock that was set back to
// before the answer came makes it count no longer.
func (a *ocspAnswer) current(now time.Time) bool {
	return a != nil && now.Before(a.until) && !now.Before(a.fetched.Add(-ocspSkew))
}

// newerThan reports whether the answer tells of a later time than other. Responders that
// live on revocation lists give all answers the list's date as thisUpdate, so of two
// with the same the one that was produced later is the newer.
func (a *ocspAnswer) newerThan(other *ocspAnswer) bool {
	if by := a.thisUpdate.Compare(other.thisUpdate); by != 0 {
		return by > 0
	}
	return a.produced.After(other.produced)
}

// unsays reports whether the answer would take a revocation back without being
// newer: one of before the revocation, from a cache or from somebody who kept it.
func (a *ocspAnswer) unsays(revocation *ocspAnswer) bool {
	return revocation != nil && a.reason != OCSPRevoked && !a.newerThan(revocation)
}

// status is the answer in RFC 6960's words.
func (a *ocspAnswer) status() string {
	switch a.reason {
	case OCSPRevoked:
		return "revoked"
	case OCSPUnknown:
		return "unknown"
	}
	return "good"
}

// unfit is an answer that does not count.
func unfit(format string, args ...any) error {
	return fmt.Errorf("the OCSP answer "+format+"; have the CA's responder mended, or name another in MTLS_OCSP_RESPONDER", args...)
}

// judge tells what an answer comes to at now, or why it does not count.
//
// golang.org/x/crypto/ocsp reads dates, state and signature. By itself it would
// accept stale and future answers, those about another CA's certificate
// with the same serial, critical extensions of the whole answer, several
// answers in one, and anybody whom the CA ever gave a certificate as their
// signer. Those are refused here (RFC 6960 §3.2, RFC 5019 §2.2).
func (q *ocspQuestion) judge(der []byte, o OCSPOptions, now time.Time) (*ocspAnswer, error) {
	parts, err := q.read(der)
	if err != nil {
		return nil, err
	}
	signer, err := q.signer(parts, o, now)
	if err != nil {
		return nil, err
	}
	// Without an issuer the library checks only that an enclosed certificate
	// made the signature. The signer's rules are in ocspsigner.go.
	response, err := ocsp.ParseResponseForCert(der, q.cert, nil)
	if err != nil {
		return nil, unfit("cannot be read: %w", err)
	}
	if weakDigest(response.SignatureAlgorithm) {
		return nil, unfit("is signed with %v, which is too weak", response.SignatureAlgorithm)
	}
	if err := response.CheckSignatureFrom(signer); err != nil {
		return nil, unfit("is not signed by the CA or its responder: %w", err)
	}
	if int(parts.status) != response.Status {
		return nil, unfit("is ambiguous about the certificate's state")
	}
	answer, err := q.date(response, o.MaxAge, now)
	if err != nil {
		return nil, err
	}
	if signer != q.issuer && signer.NotAfter.Before(answer.until) {
		answer.until = signer.NotAfter
	}
	answer.schedule()
	return answer, nil
}

// date checks an answer's dates (RFC 6960 §4.2.2.1) and sets how long it counts.
func (q *ocspQuestion) date(r *ocsp.Response, maxAge time.Duration, now time.Time) (*ocspAnswer, error) {
	a := &ocspAnswer{thisUpdate: r.ThisUpdate, nextUpdate: r.NextUpdate, produced: r.ProducedAt, fetched: now}
	latest := now.Add(ocspSkew)
	stale := r.NextUpdate
	if stale.IsZero() {
		stale = r.ThisUpdate.Add(maxOCSPAge)
	}
	switch {
	case r.ThisUpdate.After(latest), r.ProducedAt.After(latest):
		return nil, unfit("is dated in the future, %s; check the clocks", r.ThisUpdate.UTC().Format(time.RFC3339))
	case !r.NextUpdate.IsZero() && r.NextUpdate.Before(r.ThisUpdate):
		return nil, unfit("ends before it begins")
	case stale.Before(now.Add(-ocspSkew)):
		return nil, unfit("is out of date since %s", stale.UTC().Format(time.RFC3339))
	case !now.Before(stale):
		stale = stale.Add(ocspSkew + time.Second) // it came late by no more than our clock may be wrong
	}
	switch r.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		a.reason = OCSPRevoked
	default:
		a.reason, maxAge = OCSPUnknown, min(maxAge, maxUnknownAge)
	}
	a.until = now.Add(maxAge)
	if stale.Before(a.until) {
		a.until = stale
	}
	return a, nil
}

// schedule sets when to ask again: early enough for several tries.
func (a *ocspAnswer) schedule() {
	life := a.until.Sub(a.fetched)
	if wait := max(life/4*3, minOCSPBackOff); wait < life && a.reason != OCSPUnknown {
		a.refresh = a.fetched.Add(wait)
	}
}
