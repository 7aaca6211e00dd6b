package trust

import (
	"crypto/x509"
	"time"
)

// standing is how much a list may say about a certificate. Of several the one
// with the best standing is relied on, among equals the newest.
type standing uint8

const (
	noList standing = iota
	badlySigned
	notYetValid
	expired
	current
)

// fault is what a demanded list of this standing means for the certificate.
func (s standing) fault() Reason {
	switch s {
	case badlySigned:
		return CRLBadSignature
	case notYetValid:
		return CRLNotYetValid
	case expired:
		return CRLExpired
	case current:
		return 0
	}
	return CRLMissing
}

// revocation consults the lists in force about the certificates of one path.
type revocation struct {
	snapshot *Snapshot
	path     *path
	// proved: crypto/x509 has confirmed the path. Before that a stranger may have
	// made the key of an issuer, and only trusted ones are computed with.
	proved bool
}

// checkRevocation asks of each certificate, leaf first, whether the lists of its issuer,
// the next on the path, let it pass: OpenSSL's check_revocation. The top of the
// path is asked about as if it had issued itself.
func (s *Snapshot) checkRevocation(p *path, found *faults, proved bool) {
	if s.policy.CRLs == nil {
		return
	}
	r := revocation{s, p, proved}
	for i, c := range p.certs {
		r.check(c, p.certs[min(i+1, len(p.certs)-1)], s.policy.CRLPolicy.demands(i), found)
	}
}

// check looks through all lists of the issuer's name. One that names c refuses it,
// whatever its dates and scope, unless a newer one of the same scope has superseded it.
func (r revocation) check(c, issuer *certificate, demanded bool, found *faults) {
	best, revoked := noList, false
	for _, list := range r.snapshot.policy.CRLs.byIssuer[c.issuer] { // newest first
		end := list.end(r.snapshot.policy.CRLGrace)
		r.path.boundAt(list.ThisUpdate, end)
		names := list.Revokes(c.SerialNumber)
		if c.issuer != issuer.subject || !list.authority.fits(issuer) || !list.covers(c) {
			revoked = revoked || names && r.signed(list, issuer)
			continue
		}
		if best == current {
			continue
		}
		is := r.standing(list, issuer, end)
		if is == expired && best == expired {
			continue
		}
		revoked = revoked || names && is > badlySigned
		best = max(best, is)
	}
	if demanded && best != noList {
		if issuer.hasKeyUsage && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
			found.add(NoCRLSign, issuer)
		}
		if best != badlySigned || r.computable(issuer) {
			found.add(best.fault(), c)
		}
	}
	if revoked {
		found.add(Revoked, c)
	}
	// OpenSSL takes a list of another scope where there is no other, and says last
	// that it was none.
	if demanded && best == noList {
		found.add(CRLMissing, c)
	}
}

// standing of a list that covers the certificate in question.
func (r revocation) standing(list *CRL, issuer *certificate, end time.Time) standing {
	switch {
	case !r.signed(list, issuer):
		return badlySigned
	case !list.begun(r.path.now):
		return notYetValid
	case !r.path.now.Before(end):
		return expired
	}
	return current
}

// signed reports whether the issuer has signed the list; on a path that is not
// proved, where only words depend on it, that somebody believed has must do.
func (r revocation) signed(list *CRL, issuer *certificate) bool {
	if !r.computable(issuer) {
		return list.verified()
	}
	return list.signedBy(issuer)
}

func (r revocation) computable(issuer *certificate) bool { return r.proved || issuer.trusted }
