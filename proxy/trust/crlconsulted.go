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
	about, ruling := aboutOne{revocation: r, c: c, issuer: issuer}, make([]ruler, 0, 4)
	for _, list := range r.snapshot.policy.CRLs.byIssuer[c.issuer] {
		end := list.end(r.snapshot.policy.CRLGrace)
		found := Consulted{List: list, Use: about.use(list, end)}
		found.Names = found.Use != CRLUnproved && found.Use != CRLNotSigned &&
			list.Revokes(c.SerialNumber) && about.signed(list)
		switch {
		case found.Use <= CRLOtherScope:
		case r.superseded(list, end, ruling):
			found.Use = CRLSuperseded
		case found.Use == CRLCounts:
			ruling = append(ruling, ruler{list, current})
		case found.Use == CRLEnded:
			ruling = append(ruling, ruler{list, expired})
		}
		all = append(all, found)
	}
	return all
}

func (a *aboutOne) use(list *CRL, end time.Time) CRLUse {
	switch {
	case a.c.issuer != a.issuer.subject || !list.authority.fits(a.issuer):
		return CRLOtherKey
	case !list.covers(a.c):
		return CRLOtherScope
	case !a.computable(a.issuer) && !list.verified():
		return CRLUnproved
	}
	switch a.standing(list, end) {
	case current:
		return CRLCounts
	case expired:
		return CRLEnded
	case notYetValid:
		return CRLNotBegun
	}
	return CRLNotSigned
}
