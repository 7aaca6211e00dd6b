// Package trust answers one question: do we believe this client?
//
// It decides from three things only: the certificates the client presented,
// an immutable Snapshot of what the operator trusts (the revocation lists in force
// are part of it), and the time it is told.
// The answer is a Verdict: no certificate, success, or failure with a typed
// Reason whose text is OpenSSL's, as nginx puts it in $ssl_client_verify. Where
// a certificate has several faults the last one in OpenSSL's order of
// evaluation is told, as nginx does.
//
// It refuses whatever nginx with OpenSSL 3.0 would refuse, and whatever
// crypto/x509 would: success needs both. It is never looser than either, but that a
// forged revocation list does not take the place of a good one (crlrenew.go); the
// diagnosis of a failure cannot turn it into success.
//
// It knows no modes (whether a failure is answered with a page, an alert or a
// header is the sidecar's affair), keeps no clock and logs nothing.
//
// Where to look: verify.go for the order of the checks, path.go for how the
// chain is built, issuer.go, purpose.go, strength.go, dates.go, constraints.go
// and overlooked.go for one group of rules each, reason.go and advice.go for the
// words, snapshot.go and store.go for what is trusted now, chains.go for what
// is remembered, bundle.go for reading CA files.
//
// Revocation lists: crlparse.go reads one, crlfiles.go and crlfetch.go get them,
// crls.go and crlrenew.go decide which are in force, crlscope.go which
// certificates one is about, crlpolicy.go of which one is demanded, and
// revocation.go what they mean for a path. Answers of OCSP responders: ocsp*.go.
//
// Only bundle.go and crlfiles.go read files, only crlfetch.go and ocspfetch.go
// use the network.
package trust

import (
	"crypto/x509"
	"time"
)

// Status is the kind of a Verdict.
type Status uint8

// The zero Status is None: it never passes for a verified client.
const (
	None    Status = iota // no certificate was presented
	Success               // the certificate is believed
	Failed                // it is not, for the verdict's Reason
)

// Verdict is what is believed of a client, and for how long.
type Verdict struct {
	Status Status
	// Reason of a Failed verdict: the last fault in OpenSSL's order.
	Reason Reason
	// Until is the instant from which the question must be asked afresh: the
	// next beginning or end of validity among the certificates and revocation
	// lists looked at.
	// Zero: the verdict holds as long as the snapshot does.
	Until time.Time
	// Chain is the path that was judged, leaf first, as far as it could be built.
	Chain []*x509.Certificate
	// Culprit is the certificate that Reason is about; nil without one.
	Culprit *x509.Certificate
}

// Text is nginx's $ssl_client_verify: "NONE", "SUCCESS" or "FAILED:" followed
// by OpenSSL's words for the reason, without a space between.
func (v Verdict) Text() string {
	switch v.Status {
	case None:
		return "NONE"
	case Success:
		return "SUCCESS"
	default:
		return "FAILED:" + v.Reason.Text()
	}
}

// Holds reports whether a verdict reached earlier still counts at now.
func (v Verdict) Holds(now time.Time) bool {
	return v.Until.IsZero() || now.Before(v.Until)
}
