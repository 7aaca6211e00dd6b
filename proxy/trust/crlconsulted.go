package trust

import (
	"crypto/x509"
	"time"
)

// CRLUse is what a revocation list is good for when a certificate is judged.
type CRLUse uint8

const (
	CRLOtherKey   CRLUse = iota // its authority key identifier is not the issuer's
	CRLOtherScope               // it is about other certificates of the issuer (RFC 5280 §5.2.5)
	CRLUnproved                 // who signed it cannot be told, since the path is not believed
	CRLNotSigned                // the issuer has not signed it
	CRLNotBegun                 // its thisUpdate is in the future
	CRLEnded                    // past its nextUpdate and the grace
	CRLCounts                   // it counts
	CRLSuperseded               // a newer one stands in its place
)

// Consulted is a list that bears the issuer's name, and what it says of one certificate.
type Consulted struct {
	List *CRL
	Use  CRLUse
	// Names says that the list names the certificate, and bears its issuer's
	// signature. That refuses the client whatever the use, but when superseded.
	Names bool
}

// Consult tells for people what Verify's check of revocation comes to: of each
// certificate of the path, leaf first, the lists of its issuer's name, newest
// first. It is nil when no list is configured. Call it after Verify, which proves
// the signatures of lists that only presented CAs can have signed.
func (s *Snapshot) Consult(presented []*x509.Certificate, now time.Time) [][]Consulted {
	if s == nil || s.policy.CRLs == nil || len(presented) == 0 || len(presented) > maxPresented {
		return nil
	}
	p := s.build(presented, now)
	r := revocation{s, p, false}
	all := make([][]Consulted, len(p.certs))
	for i, c := range p.certs {
		all[i] = r.consult(c, p.certs[min(i+1, len(p.certs)-1)])
	}
	return all
}

func (r revocation) consult(c, issuer *certificate) []Consulted {
	var all []Consulted
	counts, ended := false, false
	for _, list := range r.snapshot.policy.CRLs.byIssuer[c.issuer] {
		found := Consulted{List: list, Use: r.use(list, c, issuer)}
		found.Names = found.Use != CRLUnproved && found.Use != CRLNotSigned &&
			list.Revokes(c.SerialNumber) && r.signed(list, issuer)
		if counts && found.Use > CRLOtherScope || ended && found.Use == CRLEnded {
			found.Use = CRLSuperseded
		}
		counts, ended = counts || found.Use == CRLCounts, ended || found.Use == CRLEnded
		all = append(all, found)
	}
	return all
}

func (r revocation) use(list *CRL, c, issuer *certificate) CRLUse {
	switch {
	case c.issuer != issuer.subject || !list.authority.fits(issuer):
		return CRLOtherKey
	case !list.covers(c):
		return CRLOtherScope
	case !r.computable(issuer) && !list.verified():
		return CRLUnproved
	}
	switch r.standing(list, issuer, list.end(r.snapshot.policy.CRLGrace)) {
	case current:
		return CRLCounts
	case expired:
		return CRLEnded
	case notYetValid:
		return CRLNotBegun
	}
	return CRLNotSigned
}
