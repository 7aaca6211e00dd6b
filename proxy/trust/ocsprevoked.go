package trust

import (
	"crypto/x509"
	"time"
)

// RevokesResponder reports whether a revocation list in force refuses the
// certificate of an OCSP responder as of now, as Verify's check refuses a client:
// a list signed by issuer that names it, unless a newer one stands in its place. The
// issuer must be a CA of a chain that Verify has believed, and must have
// signed the certificate. That lists are missing or have ended is no word against a
// responder: where one is demanded, the client's own certificate is refused for it.
//
// nginx hands OCSP_basic_verify the context's store, and with ssl_crl that store
// checks the responder's certificate like any other.
func (s *Snapshot) RevokesResponder(responder, issuer *x509.Certificate, now time.Time) bool {
	if s == nil || s.policy.CRLs == nil {
		return false
	}
	r := revocation{snapshot: s, path: &path{now: now}, proved: true}
	var found faults
	r.check(newCertificate(responder), newCertificate(issuer), false, &found)
	return found.last.reason == Revoked
}
