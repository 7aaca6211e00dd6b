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
// whatever its dates and scope, unless another of the same scope has superseded it.
func (r revocation) check(c, issuer *certificate, demanded bool, found *faults) {
	best, revoked := noList, false
	about, ruling := aboutOne{revocation: r, c: c, issuer: issuer}, make([]ruler, 0, 4)
	for _, list := range r.snapshot.policy.CRLs.byIssuer[c.issuer] { // newest first
		end := list.end(r.snapshot.policy.CRLGrace)
		r.path.boundAt(list.ThisUpdate, end)
		names := list.Revokes(c.SerialNumber)
		if !about.meant(list) {
			revoked = revoked || names && about.signed(list)
			continue
		}
		if r.superseded(list, end, ruling) {
			continue
		}
		is := about.standing(list, end)
		revoked = revoked || names && is > badlySigned
		best = max(best, is)
		if is >= expired {
			ruling = append(ruling, ruler{list, is})
		}
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

// ruler is a list with its standing, which may supersede those after it.
type ruler struct {
	list *CRL
	is   standing
}

// superseded reports whether a list that its issuer has signed takes the place of
// this one: a current one of any, and one that has ended of one that has, too. It
// need not be known who has signed the list itself.
func (r revocation) superseded(list *CRL, end time.Time, ruling []ruler) bool {
	ended := !r.path.now.Before(end)
	for _, by := range ruling {
		// What has ended gives way to a current list of another scope, too: both are
		// about the certificate, and a CA that changes its scopes says no more in the old one.
		scope := by.list.scope.same(list.scope) || ended && by.is == current
		if (by.is == current || by.is == expired && ended) && scope && by.list.supersedes(list) {
			return true
		}
	}
	return false
}

func (r revocation) computable(issuer *certificate) bool { return r.proved || issuer.trusted }
